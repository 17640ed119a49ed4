"""When a ROSpec or an AISpec of the emulated LLRP reader begins and ends: its triggers, read from the client's request.

Durations come in milliseconds (LLRP 1.0.1, section 10.2) and are kept in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from drivers.emulators.llrp.identity import Identity
from drivers.emulators.llrp.status import Status, bad_parameter
from drivers.emulators.scene import Seen
from drivers.llrp.protocol.element import Element

MILLISECOND = 1_000

KindT = TypeVar("KindT", bound=IntEnum)


class StartKind(IntEnum):
    """ROSpecStartTriggerType."""

    NULL = 0
    IMMEDIATE = 1
    PERIODIC = 2
    GPI = 3


class StopKind(IntEnum):
    """Kind of the stop trigger of a ROSpec, or of an AISpec, which also has `TAG_OBSERVATION`."""

    NULL = 0
    DURATION = 1
    GPI = 2
    TAG_OBSERVATION = 3


class Observation(IntEnum):
    """TagObservationTrigger: what ends an inventory."""

    N_TAGS = 0
    NO_NEW_TAGS = 1
    N_ATTEMPTS = 2


@dataclass(slots=True, frozen=True)
class InputTrigger:
    """Fires when input `port` becomes `state`, or `timeout` microseconds after the beginning (0: never)."""

    port: int
    state: bool
    timeout: int


@dataclass(slots=True, frozen=True)
class Start:
    """`first` is a time in UTC for a periodic trigger that names one, else None: `offset` counts from its receipt."""

    kind: StartKind
    offset: int = 0
    period: int = 0
    first: int | None = None
    input: InputTrigger | None = None

    def next_time(self, received: int, now: int) -> int | None:
        """The next start of a periodic trigger at or after `now`; None when there is none."""
        if self.kind is not StartKind.PERIODIC:
            return None
        first = (received if self.first is None else self.first) + self.offset
        if first >= now:
            return first
        if not self.period:
            return None
        return first - (first - now) // self.period * self.period


@dataclass(slots=True, frozen=True)
class TagObservation:
    """When an inventory ends by what it saw: so many tags or attempts, or milliseconds without a new tag."""

    kind: Observation
    tags: int
    attempts: int
    quiet: int
    timeout: int


@dataclass(slots=True, frozen=True)
class Stop:
    """What ends a ROSpec or an AISpec: a duration in milliseconds, an input, or what was seen."""

    kind: StopKind
    duration: int = 0
    input: InputTrigger | None = None
    tags: TagObservation | None = None

    def deadline(self, began: int) -> int | None:
        """When it stops at the latest, None for no limit."""
        length = {
            StopKind.NULL: 0,
            StopKind.DURATION: self.duration,
            StopKind.GPI: self.input.timeout if self.input else 0,
            StopKind.TAG_OBSERVATION: self.tags.timeout if self.tags else 0,
        }[self.kind]
        return began + length if length else None


ATTEMPT = 100_000
"""How long one attempt to see all tags lasts; the standard leaves it open, readers take about as long for a round."""


@dataclass(slots=True)
class Observer:
    """Watches the reads of one AISpec for its tag observation trigger."""

    trigger: TagObservation
    began: int
    tags: set[bytes] = field(default_factory=set)
    newest: int = 0

    def observe(self, reads: Sequence[Seen], now: int) -> bool:
        """True when the trigger has fired."""
        before = len(self.tags)
        self.tags.update(read.epc for read in reads)
        if len(self.tags) > before:
            self.newest = now
        match self.trigger.kind:
            case Observation.N_TAGS:
                return len(self.tags) >= self.trigger.tags
            case Observation.NO_NEW_TAGS:
                return now - max(self.newest, self.began) >= self.trigger.quiet
            case Observation.N_ATTEMPTS:
                return now - self.began >= self.trigger.attempts * ATTEMPT


def read_start(boundary: Element, identity: Identity) -> Start:
    """The start trigger of a ROBoundarySpec. Raises Rejected."""
    trigger = boundary.need("ROSpecStartTrigger")
    kind = _kind(StartKind, trigger, "ROSpecStartTriggerType")
    if kind is StartKind.PERIODIC:
        value = _needed(trigger, "PeriodicTriggerValue")
        utc = value.find("UTCTimestamp")
        if utc is not None and not identity.has_utc:
            raise bad_parameter("UTCTimestamp", "this reader has no UTC clock", Status.P_UNSUPPORTED_PARAMETER)
        first = None if utc is None else int(utc["Microseconds"])
        return Start(kind, value["Offset"] * MILLISECOND, value["Period"] * MILLISECOND, first)
    if kind is StartKind.GPI:
        return Start(kind, input=_input(_needed(trigger, "GPITriggerValue"), identity))
    return Start(kind)


def read_stop(boundary: Element, identity: Identity) -> Stop:
    """The stop trigger of a ROBoundarySpec. Raises Rejected."""
    trigger = boundary.need("ROSpecStopTrigger")
    kind = _kind(StopKind, trigger, "ROSpecStopTriggerType")
    if kind is StopKind.TAG_OBSERVATION:
        raise bad_parameter(trigger.name, "ROSpecStopTriggerType 3 does not exist", Status.P_FIELD_ERROR, field=0)
    if kind is StopKind.GPI:
        return Stop(kind, input=_input(_needed(trigger, "GPITriggerValue"), identity))
    return Stop(kind, duration=trigger["DurationTriggerValue"] * MILLISECOND)


def read_ai_stop(spec: Element, identity: Identity) -> Stop:
    """The stop trigger of an AISpec. Raises Rejected."""
    trigger = spec.need("AISpecStopTrigger")
    kind = _kind(StopKind, trigger, "AISpecStopTriggerType")
    if kind is StopKind.GPI:
        return Stop(kind, input=_input(_needed(trigger, "GPITriggerValue"), identity))
    if kind is StopKind.TAG_OBSERVATION:
        value = _needed(trigger, "TagObservationTrigger")
        observed = TagObservation(
            _kind(Observation, value, "TriggerType"),
            tags=value["NumberOfTags"],
            attempts=value["NumberOfAttempts"],
            quiet=value["T"] * MILLISECOND,
            timeout=value["Timeout"] * MILLISECOND,
        )
        return Stop(kind, tags=observed)
    return Stop(kind, duration=trigger["DurationTrigger"] * MILLISECOND)


def _kind(kinds: type[KindT], element: Element, name: str) -> KindT:
    try:
        return kinds(element[name])
    except ValueError:
        text = f"{name} {element[name]} does not exist"
        raise bad_parameter(element.name, text, Status.P_FIELD_ERROR, field=0) from None


def _needed(element: Element, name: str) -> Element:
    child = element.find(name)
    if child is None:
        raise bad_parameter(name, f"{element.name} needs {name}", Status.P_MISSING_PARAMETER)
    return child


def _input(value: Element, identity: Identity) -> InputTrigger:
    port = value["GPIPortNum"]
    if not 1 <= port <= identity.inputs:
        text = f"input {port} does not exist, the reader has {identity.inputs}"
        raise bad_parameter(value.name, text, Status.P_FIELD_ERROR, field=0)
    return InputTrigger(port, bool(value["GPIEvent"]), value["Timeout"] * MILLISECOND)
