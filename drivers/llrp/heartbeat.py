"""How long a reader may be silent: it owes its greeting first, and keepalives once it reads."""

from __future__ import annotations

from drivers.llrp.settings import LlrpSettings
from drivers.llrp.setup import State

MISSED_KEEPALIVES = 3
QUIET_KEEPALIVES = 1.75
"""Keepalives not heard after which the reader is asked for a sign of life: it may send none."""


class Heartbeat:
    """Monotonic seconds throughout. While the link is not read nothing is overdue."""

    def __init__(self, settings: LlrpSettings, peer: str) -> None:
        self._settings = settings
        self._peer = peer
        self._heard_at = 0.0
        self._paused_at: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the link is not being read."""
        return self._paused_at is not None

    def heard(self, at: float) -> None:
        """The reader gave a sign of life."""
        self._heard_at = at

    def heard_since(self, at: float) -> bool:
        """Whether the reader gave a sign of life after `at`."""
        return self._heard_at > at

    def pause(self, at: float) -> None:
        """Nothing is read from the link from now on."""
        self._paused_at = at

    def resume(self, at: float) -> float:
        """The link is read again. Returns for how long it was not."""
        if self._paused_at is None:
            return 0.0
        length, self._paused_at = at - self._paused_at, None
        self._heard_at = at
        return length

    @property
    def quiet_until(self) -> float:
        """When so long a silence is over that it is time to ask, well before it has become too long."""
        return self._heard_at + QUIET_KEEPALIVES * self._settings.keepalive

    def ends(self, state: State) -> float | None:
        """When a silence in `state` has become too long; None where a command's own deadline counts."""
        if state is State.GREETING:
            return self._heard_at + self._settings.command_timeout
        if state is State.READING:
            return self._heard_at + (MISSED_KEEPALIVES + 0.5) * self._settings.keepalive
        return None

    def overdue(self, state: State, at: float) -> str | None:
        """What the silence until `at` means, as a sentence; None while it means nothing."""
        ends = self.ends(state)
        if ends is None or at < ends:
            return None
        if state is State.GREETING:
            return (
                f"{self._peer}: connected, but no whole LLRP greeting came within "
                f"{self._settings.command_timeout:g} s: is this an LLRP reader, and is the port right?"
            )
        return (
            f"{self._peer}: {MISSED_KEEPALIVES} keepalives are missing (one is due every "
            f"{self._settings.keepalive:g} s): the link is dead"
        )
