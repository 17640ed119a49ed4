"""The ROSpecs of the emulated LLRP reader: their states, and the triggers that move them (LLRP 1.0.1, section 10).

A ROSpec is Disabled, Inactive or Active; at most one is Active. `_TRANSITIONS` is the whole of what a client's
commands may do; a command that is not in it is refused. Start and stop triggers move between Inactive and Active.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import NamedTuple

from drivers.emulators.llrp.filter import Selection
from drivers.emulators.llrp.identity import Identity
from drivers.emulators.llrp.status import Status, bad_field, bad_parameter, failure
from drivers.emulators.llrp.triggers import (
    Observer,
    Start,
    StartKind,
    Stop,
    StopKind,
    read_ai_stop,
    read_start,
    read_stop,
)
from drivers.emulators.scene import Seen
from drivers.llrp.protocol.element import Element


class State(IntEnum):
    """The states of a ROSpec (LLRP 1.1, 11.2.1)."""

    DISABLED = 0
    INACTIVE = 1
    ACTIVE = 2


class Command(Enum):
    """What a client may do to a ROSpec, and the word for it."""

    ENABLE = "enabled"
    DISABLE = "disabled"
    START = "started"
    STOP = "stopped"


_TRANSITIONS = {
    (Command.ENABLE, State.DISABLED): State.INACTIVE,
    (Command.ENABLE, State.INACTIVE): State.INACTIVE,
    (Command.ENABLE, State.ACTIVE): State.ACTIVE,
    (Command.DISABLE, State.DISABLED): State.DISABLED,
    (Command.DISABLE, State.INACTIVE): State.DISABLED,
    (Command.DISABLE, State.ACTIVE): State.DISABLED,
    (Command.START, State.INACTIVE): State.ACTIVE,
    (Command.START, State.ACTIVE): State.ACTIVE,
    (Command.STOP, State.ACTIVE): State.INACTIVE,
}


class Happening(Enum):
    """What the reader is told. `STARTED`: the ROSpec runs; `AI_STARTED`, `AI_ENDED`: one of its AISpecs."""

    STARTED = "started"
    ENDED = "ended"
    PREEMPTED = "preempted"
    AI_STARTED = "antenna inventory started"
    AI_ENDED = "antenna inventory ended"


class Notice(NamedTuple):
    """`other`: the index of the AISpec from 1, or the ROSpec that took over."""

    what: Happening
    rospec: int
    other: int = 0


@dataclass(slots=True, frozen=True)
class AiSpec:
    """`antennas` empty means all. `filters`: by antenna; 0 is for those that have none of their own."""

    antennas: frozenset[int]
    stop: Stop
    parameter_spec: int
    filters: Mapping[int, Selection]

    def chosen(self, reads: list[Seen]) -> list[Seen]:
        """The reads of the tags that take part."""
        if not self.filters:
            return reads
        rest = self.filters.get(0)
        return [
            seen
            for seen in reads
            if (selection := self.filters.get(seen.antenna, rest)) is None or selection.takes(seen.epc)
        ]


@dataclass(slots=True)
class RoSpec:
    """A ROSpec as a client added it, with its triggers taken apart, and its state."""

    element: Element
    id: int
    priority: int
    start: Start
    stop: Stop
    specs: tuple[AiSpec, ...]
    received: int
    state: State = State.DISABLED
    next_start: int | None = None
    stop_at: int | None = None
    running: int = 0  # index of the AISpec that runs
    ai_stop_at: int | None = None
    observer: Observer | None = None

    @property
    def report_spec(self) -> Element | None:
        """The ROReportSpec, where the ROSpec has one."""
        return self.element.find("ROReportSpec")

    def described(self) -> Element:
        """The ROSpec as GET_ROSPECS gives it back."""
        return replace(self.element, fields=self.element.fields | {"CurrentState": self.state.value})


@dataclass
class RoSpecs:
    """All ROSpecs of a reader. `tell` hears of everything that begins or ends, in order, at once."""

    identity: Identity
    tell: Callable[[Notice, int], None]
    specs: dict[int, RoSpec] = field(default_factory=dict)

    @property
    def active(self) -> RoSpec | None:
        """The ROSpec that is active; one at a time can be."""
        return next((spec for spec in self.specs.values() if spec.state is State.ACTIVE), None)

    def add(self, element: Element, now: int) -> None:
        """Raises Rejected."""
        identity = element["ROSpecID"]
        if identity == 0:
            raise bad_parameter("ROSpec", "ROSpecID 0 means all ROSpecs and cannot be added", field=0)
        if identity in self.specs:
            raise bad_parameter("ROSpec", f"ROSpec {identity} already exists", Status.P_FIELD_ERROR, field=0)
        if element["CurrentState"] != State.DISABLED:
            raise bad_parameter("ROSpec", "a ROSpec is added in state Disabled", Status.P_FIELD_ERROR, field=2)
        if element["Priority"] >= max(self.identity.priorities, 1):
            text = f"priority {element['Priority']}: this reader has {self.identity.priorities}"
            raise bad_parameter("ROSpec", text, Status.P_FIELD_ERROR, field=1)
        if len(self.specs) >= self.identity.max_rospecs:
            text = f"this reader takes {self.identity.max_rospecs} ROSpecs"
            raise bad_parameter("ROSpec", text, Status.P_OVERFLOW_PARAMETER)
        self.specs[identity] = read_rospec(element, self.identity, now)

    def delete(self, identity: int, now: int) -> list[int]:
        """Deletes one or (0) all; says which. Raises Rejected."""
        gone = self._chosen(identity)
        for spec in gone:
            self._leave(spec, State.DISABLED, now)
            del self.specs[spec.id]
        return [spec.id for spec in gone]

    def command(self, command: Command, identity: int, now: int) -> None:
        """Raises Rejected when there is no such ROSpec or its state does not allow it; then nothing has changed."""
        if identity == 0 and command in (Command.START, Command.STOP):
            raise bad_field(0, "ROSpecID 0 is not allowed here")
        chosen = self._chosen(identity)
        for spec in chosen:
            if (command, spec.state) not in _TRANSITIONS:
                raise bad_field(0, f"ROSpec {spec.id} is {spec.state.name} and cannot be {command.value}")
        for spec in chosen:
            target = _TRANSITIONS[command, spec.state]
            if target is State.ACTIVE:
                if spec.state is not State.ACTIVE and not self._begin(spec, now):
                    raise failure(Status.DEVICE_ERROR, f"ROSpec {spec.id}: another of no lower priority is active")
            elif command is Command.ENABLE and spec.state is State.DISABLED:
                self._arm(spec, now)
            else:
                self._leave(spec, target, now)

    def input_changed(self, port: int, state: bool, now: int) -> None:
        """Starts and stops what has this input as its trigger."""
        active = self.active
        if active is not None:
            if _fires(active.stop, port, state):
                self._leave(active, State.INACTIVE, now)
            elif _fires(active.specs[active.running].stop, port, state):
                self._next_spec(active, now)
        for spec in list(self.specs.values()):
            trigger = spec.start.input
            if spec.state is State.INACTIVE and trigger and (trigger.port, trigger.state) == (port, state):
                self._begin(spec, now)

    def observe(self, reads: Sequence[Seen], now: int) -> None:
        """The reads that the active ROSpec just made; called also when there were none."""
        active = self.active
        if active is not None and active.observer is not None and active.observer.observe(reads, now):
            self._next_spec(active, now)

    def due(self) -> int | None:
        """The next time at which a trigger fires by itself."""
        times = [
            time
            for spec in self.specs.values()
            for time in (spec.next_start, spec.stop_at, spec.ai_stop_at)
            if time is not None
        ]
        return min(times, default=None)

    def fire(self, now: int) -> None:
        """Everything that is due by `now`."""
        for spec in list(self.specs.values()):
            if spec.state is State.ACTIVE:
                if spec.stop_at is not None and spec.stop_at <= now:
                    self._leave(spec, State.INACTIVE, now)
                elif spec.ai_stop_at is not None and spec.ai_stop_at <= now:
                    self._next_spec(spec, now)
            if spec.next_start is not None and spec.next_start <= now:
                spec.next_start = spec.start.next_time(spec.received, now + 1)
                if spec.state is State.INACTIVE:
                    self._begin(spec, now)

    def _chosen(self, identity: int) -> list[RoSpec]:
        if identity == 0:
            return list(self.specs.values())
        if identity not in self.specs:
            raise bad_field(0, f"ROSpec {identity} does not exist")
        return [self.specs[identity]]

    def _arm(self, spec: RoSpec, now: int) -> None:
        """Disabled to Inactive, and on to Active where the start trigger says so."""
        spec.state = State.INACTIVE
        spec.next_start = spec.start.next_time(spec.received, now)
        if spec.start.kind is StartKind.IMMEDIATE:
            self._begin(spec, now)

    def _begin(self, spec: RoSpec, now: int) -> bool:
        active = self.active
        if active is not None:
            if active.priority <= spec.priority:
                return False
            self._end(active, State.INACTIVE, Notice(Happening.PREEMPTED, active.id, spec.id), now)
        spec.state = State.ACTIVE
        spec.stop_at = spec.stop.deadline(now)
        self.tell(Notice(Happening.STARTED, spec.id), now)
        self._begin_spec(spec, 0, now)
        return True

    def _begin_spec(self, spec: RoSpec, index: int, now: int) -> None:
        stop = spec.specs[index].stop
        spec.running = index
        spec.ai_stop_at = stop.deadline(now)
        spec.observer = Observer(stop.tags, now) if stop.tags is not None else None
        self.tell(Notice(Happening.AI_STARTED, spec.id, index + 1), now)

    def _next_spec(self, spec: RoSpec, now: int) -> None:
        """The running AISpec has ended: the next one, the first again, or the end of the ROSpec."""
        if spec.running + 1 == len(spec.specs) and not self.identity.loops:
            self._leave(spec, State.INACTIVE, now)
            return
        self.tell(Notice(Happening.AI_ENDED, spec.id, spec.running + 1), now)
        self._begin_spec(spec, (spec.running + 1) % len(spec.specs), now)

    def _leave(self, spec: RoSpec, state: State, now: int) -> None:
        if spec.state is State.ACTIVE:
            self._end(spec, state, Notice(Happening.ENDED, spec.id), now)
        spec.state = state
        if state is State.DISABLED:
            spec.next_start = None

    def _end(self, spec: RoSpec, state: State, notice: Notice, now: int) -> None:
        index = spec.running + 1
        spec.state = state
        spec.stop_at = spec.ai_stop_at = spec.observer = None
        self.tell(Notice(Happening.AI_ENDED, spec.id, index), now)
        self.tell(notice, now)


def _fires(stop: Stop, port: int, state: bool) -> bool:
    trigger = stop.input
    return stop.kind is StopKind.GPI and trigger is not None and (trigger.port, trigger.state) == (port, state)


def read_rospec(element: Element, identity: Identity, now: int) -> RoSpec:
    """A ROSpec as the client sent it. Raises Rejected for what this reader cannot do."""
    boundary = element.need("ROBoundarySpec")
    specs = []
    for child in element.children:
        if child.name == "AISpec":
            specs.append(_read_ai_spec(child, identity))
        elif child.name in ("RFSurveySpec", "LoopSpec"):
            text = f"this reader does not support {child.name}"
            raise bad_parameter(child.name, text, Status.P_UNSUPPORTED_PARAMETER)
    if not specs:
        raise bad_parameter("AISpec", "the ROSpec has no AISpec", Status.P_MISSING_PARAMETER)
    return RoSpec(
        element,
        id=element["ROSpecID"],
        priority=element["Priority"],
        start=read_start(boundary, identity),
        stop=read_stop(boundary, identity),
        specs=tuple(specs),
        received=now,
    )


def _read_ai_spec(element: Element, identity: Identity) -> AiSpec:
    antennas = element["AntennaIDs"]
    beyond = [antenna for antenna in antennas if antenna > identity.antennas]
    if beyond or not antennas:
        text = f"AISpec names antennas {list(antennas)}; the reader has 1 to {identity.antennas}, 0 means all"
        raise bad_parameter("AISpec", text, Status.P_FIELD_ERROR, field=0)
    parameter_specs = element.all("InventoryParameterSpec")
    if len(parameter_specs) != 1:
        text = f"AISpec has {len(parameter_specs)} InventoryParameterSpecs; this reader takes one"
        raise bad_parameter("InventoryParameterSpec", text, Status.P_OVERFLOW_PARAMETER)
    filters = {}
    for antenna in parameter_specs[0].all("AntennaConfiguration"):
        check_antenna(antenna, identity)
        each = [found for command in antenna.all("C1G2InventoryCommand") for found in command.all("C1G2Filter")]
        if each:
            filters[antenna["AntennaID"]] = Selection(each)
    chosen = frozenset() if 0 in antennas else frozenset(antennas)
    stop = read_ai_stop(element, identity)
    return AiSpec(chosen, stop, parameter_specs[0]["InventoryParameterSpecID"], filters)


def check_antenna(element: Element, identity: Identity) -> None:
    """Antenna, power and mode of an AntennaConfiguration exist. Raises Rejected."""
    if element["AntennaID"] > identity.antennas:
        text = f"antenna {element['AntennaID']} does not exist; the reader has 1 to {identity.antennas}"
        raise bad_parameter("AntennaConfiguration", text, Status.P_FIELD_ERROR, field=0)
    transmitter = element.find("RFTransmitter")
    powers = len(identity.power_table)
    if transmitter is not None and not 1 <= transmitter["TransmitPower"] <= powers:
        text = f"transmit power index {transmitter['TransmitPower']} is not in the table of 1 to {powers}"
        raise bad_parameter("RFTransmitter", text, Status.P_FIELD_ERROR, field=2)
    modes = {mode[0] for mode in identity.modes}
    for command in element.all("C1G2InventoryCommand"):
        control = command.find("C1G2RFControl")
        if control is not None and control["ModeIndex"] not in {0, *modes}:  # 0: the default
            text = f"mode {control['ModeIndex']} does not exist; the reader has {sorted(modes)}"
            raise bad_parameter("C1G2RFControl", text, Status.P_FIELD_ERROR, field=0)
