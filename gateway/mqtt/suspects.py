"""What may be the reason why a broker ends connections: topics of states and answers, filters of subscriptions.

What was awaited when the broker ended a connection is under suspicion and is tried alone over the next ones. What
connections end at alone, `DEADLY` times, is left out, and tried once more after `FORGIVEN` seconds. Where connections
end at one name after the other and none is answered in between, each further one costs one connection, and `STREAK`
of them speak for all that are under suspicion. A broker may refuse and hang up behind that: what was refused last, less
than `GRACE` seconds before the end, is under suspicion too. Times are seconds of the event loop's clock.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from gateway.tasks import loop_time

DEADLY = 2
"""Connections that end at one name alone before it is left out."""

STREAK = 3
"""Names left out one after the other, with none answered in between, after which all suspects are."""

GRACE = 1.0
"""Seconds for which a connection must stand after a refusal, for it not to end there."""

FORGIVEN = 1_800.0
"""Seconds after which what was left out is tried again: somebody may have mended the broker's access rules."""


class Suspects:
    """Names, and how they fare. It outlives a connection."""

    def __init__(self) -> None:
        self._suspects: dict[str, None] = {}
        self._awaited: dict[str, None] = {}
        self._refused: list[str] = []  # by the last answer that refuses
        self._refused_at = 0.0
        self._deaths: Counter[str] = Counter()
        self._left_out: dict[str, float] = {}
        self._streak = 0  # names left out since one was answered
        self.found = False  # the last connection ended at one name alone

    @property
    def names(self) -> list[str]:
        """What is to be tried alone."""
        return list(self._suspects)

    @property
    def all_left_out(self) -> list[str]:
        """What was left out and not yet tried again."""
        return list(self._left_out)

    def left_out(self, name: str, now: float) -> bool:
        """Whether `name` must not be sent for now."""
        if name not in self._left_out:
            return False
        if now - self._left_out[name] < FORGIVEN:
            return True
        del self._left_out[name]
        self._suspects[name] = None
        self._deaths[name] = DEADLY - 1
        return False

    def deaths(self, name: str) -> int:
        """How many connections have ended at `name` alone since it was answered."""
        return self._deaths[name]

    def awaits(self, names: Iterable[str]) -> None:
        """Notes that these names were sent and wait for an answer."""
        self._awaited.update(dict.fromkeys(names))

    def refused(self, names: Iterable[str], now: float) -> None:
        """An answer of the broker refuses `names`, and it may hang up. It has not at what it refused before."""
        self._acquit()
        self._refused, self._refused_at = list(names), now
        for name in self._refused:
            self._awaited.pop(name, None)

    def stands(self, now: float) -> None:
        """The connection has not ended until `now`."""
        if now - self._refused_at >= GRACE:
            self._acquit()

    async def outlasted(self, lost: asyncio.Future[str]) -> bool:
        """Waits whether the connection ends at what was refused just now: False where it is `lost` meanwhile."""
        await asyncio.wait([lost], timeout=GRACE)
        if not lost.done():
            self.stands(loop_time())
        return not lost.done()

    def _acquit(self) -> None:
        for name in self._refused:
            self.answered(name)
        self._refused = []

    def answered(self, name: str) -> None:
        """The broker has answered, whatever: the connection did not end at `name`."""
        self._awaited.pop(name, None)
        self._suspects.pop(name, None)
        self._deaths.pop(name, None)
        self._streak = 0

    def given_up(self) -> None:
        """What is still awaited is not awaited any longer."""
        self._awaited.clear()

    def forgive(self) -> None:
        """What connections ended at is sent in another way from now on."""
        self._deaths.clear()
        self._left_out.clear()
        self._streak = 0

    def cut(self, blame: bool, now: float) -> str | None:
        """The connection has ended; returns the name that is left out for it. `blame`: the broker ended it."""
        self.stands(now)
        awaited = [*self._awaited, *(name for name in self._refused if name not in self._awaited)]
        self._refused, self._awaited = [], {}
        self.found = False
        if not blame or not awaited:
            return None
        if len(awaited) > 1 or awaited[0] not in self._suspects:
            self._suspects.update(dict.fromkeys(awaited))
            return None
        name = awaited[0]
        self._deaths[name] += 1
        self.found = True
        if self._deaths[name] < DEADLY and not self._streak:
            return None
        self._streak += 1
        for condemned in list(self._suspects) if self._streak >= STREAK else [name]:
            del self._suspects[condemned]
            self._left_out[condemned] = now
        return name
