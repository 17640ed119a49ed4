"""An emulator as a program: it serves until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable


def run_until_stopped(name: str, serve: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Runs `serve`, whose event is set by SIGINT and SIGTERM. The exit status: 0, or 1 where `serve` cannot begin."""

    async def serving() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(stop)

    try:
        asyncio.run(serving())
    except (OSError, ValueError, OverflowError) as error:  # the last: a port beyond 65535
        print(f"emulate {name}: cannot begin: {error}", file=sys.stderr)
        return 1
    return 0
