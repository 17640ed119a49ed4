"""The process: event loop, garbage collector, signals, exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from gateway import __version__
from gateway.app import App
from gateway.config import Config, LogConfig
from gateway.config.file import load
from gateway.errors import LedgerError
from gateway.ops.logs import Logs
from gateway.service.unconfigured import configured

MOST_THREADS = 64
"""For what may block: a name for each reader of a large site, and some to spare."""


def serve(path: Path) -> int:
    """Runs the gateway on the configuration at `path` until SIGTERM or SIGINT. SIGHUP reads the file again.

    Raises `ConfigError` where that is wrong and a person started it. Under systemd the gateway stays up instead, says
    so and waits until the file is right: nobody sits there, and one that has ended tells neither broker nor pages.
    """
    config = None if os.environ.get("NOTIFY_SOCKET") else load(path, starting=True)
    logs = Logs(config.log if config else LogConfig())
    try:
        with asyncio.Runner(loop_factory=_uvloop()) as runner:
            runner.run(_serve(path, config, logs))
    except LedgerError as error:
        logs.logger.error("the gateway cannot run", reason=str(error))
        return 1
    except Exception as error:
        logs.logger.critical("the gateway ends; this is a fault in it", exc_info=error)
        return 1
    finally:
        logs.close()
    return 0


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster event loop where the extra is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)


def spare_collector() -> None:
    """Has the garbage collector look more seldom. What is there now stays and need not be looked at again. Reads are
    tuples that live for a moment, and the default threshold makes it look for cycles among them every few milliseconds:
    3 % of the time, for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def blocking_threads() -> ThreadPoolExecutor:
    """The threads for what may block: files, and names of readers, brokers and servers, which take half a minute each
    where no name server answers. They begin when they are needed. asyncio's own would be six on two cores, and
    everything else would wait behind such names, a broker that needs none too."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="blocking")


async def _serve(path: Path, config: Config | None, logs: Logs) -> None:
    again = asyncio.Event()
    config = config or await _waited_for(path, logs, again)
    if config is None:
        return
    logs.configure(config.log)
    spare_collector()
    asyncio.get_running_loop().set_default_executor(blocking_threads())
    logs.logger.info("starting", version=__version__, config=str(path), site=config.site, gateway=config.gateway)
    app = App(config, logs, path)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, app.stop, "SIGTERM")
    loop.add_signal_handler(signal.SIGINT, app.stop, "SIGINT")
    loop.add_signal_handler(signal.SIGHUP, app.reload)
    if again.is_set():
        app.reload()
    await app.run()


async def _waited_for(path: Path, logs: Logs, wanted: asyncio.Event) -> Config | None:
    """The configuration once it is right; None where the service is stopped before. `wanted` is set where the file is
    to be read once more, for it may have changed while it was read."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGINT, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, wanted.set)
    return await configured(path, logs, stopping, wanted)
