"""What the floor is given: the drivers' items, and those that the gateway itself adds.

Everything that can change what the floor says goes through one of these, so that a recording of them is the whole
input of a run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from drivers.api import Item

T = TypeVar("T")


@dataclass(slots=True, frozen=True)
class Tick:
    """Time has come to `t`. Only a tick closes windows and lets anything fall due."""

    t: int


@dataclass(slots=True, frozen=True)
class Command:
    """A command of the backend or the operator, as in the MQTT payload: a name and its arguments.

    It is asked for more than once, when it is admitted, fed and carried out, and read once (`typed`).
    """

    t: int
    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    _typed: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def typed(self, model: Callable[[Mapping[str, Any]], T]) -> T:
        """What `model` makes of the arguments. Raises what it raises, each time."""
        if model not in self._typed:
            self._typed[model] = model(self.args)
        found: T = self._typed[model]
        return found


@dataclass(slots=True, frozen=True)
class Restart:
    """The gateway was not running between `since` and `t`.

    `clean` says that it had been stopped in order. After a crash, bytes that the kernel had taken from a reader and
    nobody had read are lost; with ``journal_lost`` (reboot, power cut) so is everything after the last checkpoint
    on disk that had not become an event: `kept` is the time of that checkpoint, 0 where that is `since`. `rebuilt`
    names the sections of the saved state that could not be read, as after an upgrade, and were built again from the
    ledger's events.
    """

    t: int
    since: int
    clean: bool
    journal_lost: bool = False
    rebuilt: Sequence[str] = ()
    kept: int = 0

    @property
    def unknown_from(self) -> int:
        """From when on it is not known what was read, microseconds UTC: what came behind `kept` is lost, and a tag that
        no event names was not silent meanwhile."""
        return self.kept or self.since


@dataclass(slots=True, frozen=True)
class Dropped:
    """The ledger was full and gave up its oldest unpublished events: `first` to `last` by sequence number."""

    t: int
    first: int
    last: int
    start: int
    end: int


StepCause: TypeAlias = Literal["set", "suspended", "behind"]


@dataclass(slots=True, frozen=True)
class ClockStep:
    """The wall clock was set by `by` microseconds, and event time, which is now `t`, jumped by `jump` of them.

    Event time never goes back: `jump` is 0 where the clock was set back, and less than `by` where that makes up for an
    earlier time. `cause`: ``set``; ``suspended``, the machine was asleep for so long; ``behind``, a start found the
    wall clock behind what the run before it knew.
    """

    t: int
    by: int
    jump: int
    cause: StepCause


@dataclass(slots=True, frozen=True)
class Lateness:
    """From `t` on windows wait for `lateness` microseconds, if that is less than the configuration allows: longer than
    reads have needed lately."""

    t: int
    lateness: int


@dataclass(slots=True, frozen=True)
class Room:
    """From `t` on the floor keeps at most `tags` tags: what the memory of the machine has room for."""

    t: int
    tags: int


Input: TypeAlias = Item | Tick | Command | Restart | Dropped | ClockStep | Lateness | Room


Submit: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Takes a command (name, arguments) to where all commands go. Raises `Refused` where it is not accepted."""
