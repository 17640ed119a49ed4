"""A gateway whose configuration is wrong: it stays up, says so, and begins once the file is right."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

from gateway.config import Config
from gateway.config.file import load
from gateway.config.remains import remains
from gateway.errors import ConfigError
from gateway.ops.logs import Logs
from gateway.ops.notify import Notifier
from gateway.service.grounded import Grounded


async def configured(path: Path, logs: Logs, stopping: asyncio.Event, wanted: asyncio.Event) -> Config | None:
    """The configuration at `path`, as soon as it is right; None where `stopping` came first, also while the file was
    read. Until then the gateway is *failing*, by what the file still says about broker and pages. `wanted`: the file is
    to be read again at once; where it is set in the end, that came while the file was read."""
    notifier = Notifier(os.environ, logs.logger)
    shown: Config | None = None
    grounded: Grounded | None = None
    try:
        while not stopping.is_set():
            wanted.clear()
            try:
                config = await asyncio.to_thread(partial(load, path, starting=True))
                return None if stopping.is_set() else config
            except ConfigError as error:
                known = await asyncio.to_thread(remains, path)
                if grounded is None or known != shown:
                    if grounded is not None:
                        await grounded.end()
                    logs.configure(known.log)
                    shown, grounded = known, Grounded(known, notifier, logs.logger)
                await grounded.wait(error, stopping, wanted)
    finally:
        if grounded is not None:
            await grounded.end()
    return None
