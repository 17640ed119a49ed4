"""Photo-eyes across a portal: in which order they were broken and cleared.

Something that goes through breaks the near photo-eye first and clears the far one last; what turns back between them
clears the one last that it broke first. Where one alone was broken something came near, or the other is blind: nothing
is noted. Photo-eyes say that something went, not which tag it was.

::

    CLEAR --one breaks--> BROKEN --all are clear--> CLOSING --PAUSE without a break--> CLEAR, a crossing is noted
                          │  └───────one breaks────────┘
                          └──STUCK_AFTER--> CLEAR, and the alarm `photo-eye-stuck`: it is left out until it clears
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from drivers.api import InputChange
from gateway.clock import NEVER, SECOND, rfc3339
from gateway.config import PortalConfig
from gateway.events.envelope import Fact, alarm
from gateway.events.models import Alarm, AlarmState
from gateway.floor.passes import Direction

PAUSE = 1 * SECOND
"""Between the photo-eyes nothing is broken for as long as a person takes for half a metre or so."""

STUCK_AFTER = 60 * SECOND
"""A photo-eye that is broken for so long is blocked or misaligned: nothing takes that long to pass."""

KEPT = 64
"""Crossings remembered. Those of the longest pass that is waited for are a few."""


class State(Enum):
    """Where a portal's photo-eyes stand between two crossings."""

    CLEAR = "nothing is going through"
    BROKEN = "something is going through"
    CLOSING = "nothing is broken any more, but may be again"


@dataclass(slots=True, frozen=True)
class Crossing:
    """Something went through (or came back) between `start` and `end`, microseconds UTC."""

    start: int
    end: int
    direction: Direction


class PhotoEyes:
    """The photo-eyes of one portal."""

    def __init__(self, config: PortalConfig) -> None:
        self._portal = config.id
        self._sides = {(eye.reader, eye.port): eye.side for eye in config.photo_eyes}
        self._broken: dict[tuple[str, int], int] = {}  # reader and port to since when
        self._stuck: set[tuple[str, int]] = set()
        self._start = 0
        self._end = 0
        self._first = ""  # the side that was broken first; empty while the state is CLEAR
        self._last = ""
        self._both = False  # whether the photo-eyes of both sides were broken since
        self.crossings: list[Crossing] = []
        self._new: list[Crossing] = []

    def has(self, reader: str, port: int) -> bool:
        """Whether a photo-eye of the portal is at this input."""
        return (reader, port) in self._sides

    def take(self, item: InputChange) -> list[Fact]:
        """A photo-eye was broken or cleared."""
        eye = (item.reader, item.port)
        if item.state:
            self._break(eye, item.t)
            return []
        return self._clear(eye, item.t)

    def _break(self, eye: tuple[str, int], t: int) -> None:
        if eye in self._broken:
            return
        self._broken[eye] = t
        if self.state is State.CLEAR:
            self._start, self._first, self._both = t, self._sides[eye], False
        self._both = self._both or self._sides[eye] != self._first

    def _clear(self, eye: tuple[str, int], t: int) -> list[Fact]:
        since = self._broken.pop(eye, None)
        if since is None:
            return []
        if eye in self._stuck:
            self._stuck.remove(eye)
            return [self._alarm(eye, t, "cleared", since)]
        self._end, self._last = t, self._sides[eye]
        return []

    def lose(self, reader: str) -> None:
        """The reader is down: what its inputs do is not known."""
        for eye in [eye for eye in self._broken if eye[0] == reader]:
            if eye not in self._stuck:
                del self._broken[eye]
                self._first = ""

    @property
    def state(self) -> State:
        """What is going on between the photo-eyes. Those that are stuck are left out."""
        if not self._first:
            return State.CLEAR
        return State.BROKEN if self._broken.keys() - self._stuck else State.CLOSING

    @property
    def due(self) -> int:
        """When something is to be noted although nothing happened."""
        stuck = min((t for eye, t in self._broken.items() if eye not in self._stuck), default=NEVER - STUCK_AFTER)
        return self._end + PAUSE if self.state is State.CLOSING else stuck + STUCK_AFTER

    def fire(self, t: int) -> list[Fact]:
        """Notes what is due at `t`."""
        facts = []
        for eye, since in sorted(self._broken.items()):
            if eye not in self._stuck and since + STUCK_AFTER <= t:
                self._stuck.add(eye)
                self._first = ""
                facts.append(self._alarm(eye, t, "raised", since))
        if self.state is State.CLOSING and self._end + PAUSE <= t:
            self._note()
        return facts

    def _note(self) -> None:
        through = self._first != self._last
        way = Direction.IN if self._last == "inside" else Direction.OUT
        if self._both:
            crossing = Crossing(self._start, self._end, way if through else Direction.TURNED_BACK)
            self.crossings.append(crossing)
            self._new += [crossing] if through else []
            del self.crossings[:-KEPT]
        self._first = ""

    def went_through(self) -> list[Crossing]:
        """What has gone through since the last call."""
        new, self._new = self._new, []
        return new

    def between(self, start: int, end: int) -> list[Crossing]:
        """The crossings that overlap a time."""
        return [crossing for crossing in self.crossings if crossing.start <= end and crossing.end >= start]

    def redate(self, by: int) -> None:
        """All that the photo-eyes saw was `by` microseconds later than was thought."""
        self._broken = {eye: since + by for eye, since in self._broken.items()}
        self._start, self._end = self._start + by, self._end + by
        self.crossings = [replace(it, start=it.start + by, end=it.end + by) for it in self.crossings]

    @property
    def stuck(self) -> list[str]:
        """The photo-eyes that are left out, as ``reader/port``."""
        return sorted(f"{reader}/{port}" for reader, port in self._stuck)

    def _alarm(self, eye: tuple[str, int], t: int, state: AlarmState, since: int) -> Fact:
        reader, port = eye
        data: Alarm = {
            "alarm": "photo-eye-stuck",
            "state": state,
            "reader": reader,
            "portal": self._portal,
            "input": port,
            "since": rfc3339(since),
            "reason": f"the photo-eye {self._sides[eye]} has been broken for {(t - since) // SECOND} s: "
            "look for what blocks it, or align it",
        }
        return alarm(self._portal, t, data)

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {
            "broken": [[*eye, since] for eye, since in self._broken.items()],
            "stuck": sorted(self._stuck),
            "episode": [self._start, self._end, self._first, self._last, self._both],
            "crossings": [asdict(crossing) for crossing in self.crossings],
        }

    def load(self, dump: Any) -> None:
        """Takes over what is known of the photo-eyes that are still there."""
        self._broken = {(reader, port): t for reader, port, t in dump["broken"] if (reader, port) in self._sides}
        self._stuck = {(reader, port) for reader, port in dump["stuck"] if (reader, port) in self._broken}
        self._start, self._end, self._first, self._last, self._both = dump["episode"]
        if any(eye not in self._sides for eye in ((entry[0], entry[1]) for entry in dump["broken"])):
            self._first = ""
        self.crossings = [
            Crossing(entry["start"], entry["end"], Direction(entry["direction"])) for entry in dump["crossings"]
        ]
