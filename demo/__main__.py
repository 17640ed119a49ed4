"""`python -m demo`: runs until Ctrl-C, or for DEMO_SECONDS, and then adds up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from amqtt.broker import Broker

from demo import site
from demo.story import tell
from demo.summary import Reckoning, reckon
from demo.watch import Watcher
from gateway.app import App
from gateway.config import Config
from gateway.history.questions import Questions
from gateway.history.schema import open_reader
from gateway.history.text import lines
from gateway.mqtt.service import topic_base
from gateway.ops.logs import Logs

_DELIVERY = 5.0
"""Seconds that the broker has for the last events."""


async def main(seconds: float | None) -> int:
    """Returns the exit code: 0 when nothing was lost on the way."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="rfid-gateway-demo-") as name:
        folder = Path(name)
        async with _broker() as port, site.readers(folder) as readers:
            page = _free_port()
            config = site.config(folder, port, page, readers)
            watcher = Watcher(port, topic_base(config), coloured=sys.stdout.isatty())
            print(f"Simulated readers: LLRP on ports {readers.vault.port} and {readers.dock.port}, serial on a pty.")
            print(f"An embedded broker on port {port}; to watch it yourself: mosquitto_sub -p {port} -t 'rfid/#' -v")
            print(
                f"The floor and the dock, live: http://127.0.0.1:{page}/plan and http://127.0.0.1:{page}/docks/dock-1"
            )
            print(
                f"Ends after {seconds:g} s." if seconds else "Ends with Ctrl-C.",
                "Events as the broker delivers them, in the order in which it happened:\n",
            )
            logs = Logs(config.log)
            app = App(config, logs)
            try:
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(watcher.run())
                    await watcher.subscribed.wait()
                    running = group.create_task(app.run())
                    await app.ready.wait()
                    telling = group.create_task(tell(port, topic_base(config), readers, watcher))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), seconds)
                    telling.cancel()
                    app.stop("the demo is over")
                    await running
                    committed = app.ledger.stats().sequence
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(watcher.has(committed), _DELIVERY)
                    watching.cancel()
                    watcher.show_rest()
            finally:
                logs.close()
            _ask(config)
            return _report(reckon(readers.made(), folder / "reads", site.CLOCKLESS), watcher, committed)


def _ask(config: Config) -> None:
    """What the history says of the package on hold, as `rfid-gateway trail` prints it."""
    with contextlib.closing(open_reader(config.history_file)) as reader:
        trail = Questions(reader).trail(site.uid(site.ON_HOLD))
    print(f"\nAsked of the history: rfid-gateway trail {site.uid(site.ON_HOLD)[-6:]}")
    for line in lines(trail):
        print(f"  {line}")


def _report(reads: Reckoning, watcher: Watcher, committed: int) -> int:
    missing = committed - len(set(watcher.sequences))
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(watcher.seen.items()))
    print("\nEvery read that the simulated readers made, held against those that the gateway received and recorded:")
    print(f"  made {reads.made}, received {reads.received}, waiting in the stopped readers' buffers {reads.waiting}")
    print(f"  lost {reads.lost}, invented {reads.invented}")
    print("Every event in the ledger, held against those that the broker delivered:")
    print(f"  written {committed}, delivered {len(set(watcher.sequences))} ({kinds})")
    print(f"  missing {missing}")
    return 0 if not (reads.lost or reads.invented or missing) else 1


@contextlib.asynccontextmanager
async def _broker() -> AsyncIterator[int]:
    """amqtt in this process, on a free port of the loopback interface."""
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    port = _free_port()
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield port
    finally:
        await broker.shutdown()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    wanted = os.environ.get("DEMO_SECONDS")
    sys.exit(asyncio.run(main(float(wanted) if wanted else None)))
