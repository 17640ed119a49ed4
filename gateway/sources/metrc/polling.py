"""The rounds of whoever asks Metrc now and then: one after the other, more seldom where Metrc refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from gateway.errors import RfidError
from gateway.sources.metrc.http import MetrcError

LONGEST_PAUSE = 600.0
"""Seconds between two rounds at the most, however often Metrc has refused: somebody may have mended what it was."""


async def keep_polling(
    poll: Callable[[], Awaitable[None]], every: float, say: Callable[[str], Awaitable[None]]
) -> NoReturn:
    """Calls `poll` for ever, `every` so many seconds. What goes wrong is given to `say`, and tried again."""
    refused = 0  # rounds one after the other
    while True:
        try:
            await poll()
            refused = 0
        except RfidError as error:
            refused = refused + 1 if isinstance(error, MetrcError) and error.permanent else 0
            await say(str(error))
        await asyncio.sleep(pause_after(every, refused))


def pause_after(every: float, refused: int) -> float:
    """Seconds until the next round: `every`, doubled for each of the last rounds that Metrc has `refused`, up to the
    longest. Most refusals wait for somebody to do something, but a server in trouble gives some that nobody need."""
    return max(every, min(every * 2.0 ** min(refused, 30), LONGEST_PAUSE))
