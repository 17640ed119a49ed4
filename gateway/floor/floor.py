"""The floor as one function: inputs in, facts out.

Reads are added up in windows of event time (windows.py). Only a tick closes windows: all that end a `lateness` before
it. What was said about readers and commands waits until event time has come to it. Then everything is looked at in
the order of event time, window by window: what falls due before it, news of readers, reads. So the facts do not
depend on how the reads were cut into batches, nor on how often time was told.

::

    Batch ────────▶ windows ──Tick──▶ sightings ──▶ presence ──┐
    ReaderUp, … ──▶ readers ─────────▶ antenna clocks ─────────┼──▶ facts
    Command ──────▶ pending ─────────▶ counts, gate, books ────┘
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from drivers.api import (
    AntennaStatus,
    Batch,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderLoss,
    ReaderUp,
)
from gateway.clock import SECOND, micros
from gateway.config import Config
from gateway.errors import Refused
from gateway.events.envelope import Fact, clock_step
from gateway.floor import admission, reconfigured
from gateway.floor.books.books import Books
from gateway.floor.counts.counts import Counts
from gateway.floor.evidence import Evidence
from gateway.floor.gate.docks import Docks
from gateway.floor.migrations import STEPS
from gateway.floor.parts import Agenda
from gateway.floor.pending import Pending
from gateway.floor.places import Places
from gateway.floor.portals import Portals
from gateway.floor.presence.presence import Presence
from gateway.floor.presence.strays import MAX_TAGS
from gateway.floor.presence.timeouts import PIECE
from gateway.floor.reader_windows import ClosedWindow
from gateway.floor.readers.history import ReaderHistory
from gateway.floor.readers.status import Readers
from gateway.floor.sightings import Sightings
from gateway.floor.state import OnOdd, State
from gateway.floor.stats import FloorStats
from gateway.floor.unjudged import OUTSIDE, lost
from gateway.floor.windows import Windows
from gateway.floor.zone_state import zone_state
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, Room, Tick

MAX_PENDING = 10_000
"""News and commands that wait for event time. A second of them is a handful; a reader that floods has time moved on."""

GAP = 600 * SECOND
"""Ticks further apart than this mean that nobody was counting (suspended, or the clock was set): counts begin again."""

_NEWS = (Restart, ReaderUp, ReaderDown, ReaderAlive, ReaderClock, ReaderCondition, AntennaStatus)


class Floor:
    """Deterministic, synchronous, without a clock: time comes with the inputs.

    `room`: no more tags than these are loaded from a checkpoint, the oldest strays left out.
    """

    def __init__(self, config: Config, room: int = MAX_TAGS) -> None:
        self.stats = FloorStats()
        self.on_fault: Callable[[Input, Exception], None] | None = None
        self.config = config
        self._window = micros(config.floor.window)
        self._max_windows = config.floor.max_windows
        self._places = Places(config)
        spots = (self._places.spots[antenna] for antenna in self._places.portal_of)
        apart = [(spot.reader, spot.port) for spot in spots]  # of a portal, of which more is wanted than a sighting
        self._windows = Windows(
            self._window, micros(config.floor.lateness), self._places.ports, self.stats, self._max_windows, apart
        )
        self._readers = Readers(config, self._windows)
        self._reader_history = ReaderHistory(config, self._places)
        evidence = Evidence(config, self._places, self._reader_history)
        self._presence = Presence(
            config, self._places, self._reader_history.antenna_clock, evidence, self._window, room
        )
        self._reader_history.habits.holds = self._presence.holds
        self._portals = Portals(
            config, self._places, self._reader_history.antenna_clock, evidence, self._presence, self._window
        )
        self._sightings = Sightings(
            config, self._places, self._reader_history, self._presence, self._portals, self._window, self.stats
        )
        self.counts = Counts(
            config, self._places, self._reader_history, self._presence, self._sightings.foreign, evidence
        )
        self._docks = Docks(config, self._places, self._reader_history.antenna_clock, self._presence)
        self.gate = self._docks.gate
        self.books = Books(config, self._places, self._presence)
        self._portals.on_pass(self.gate.passed)
        self._portals.on_unread(self.gate.closed_hours.crossed)
        self._pending = Pending()
        self._owed = reconfigured.Owed()
        rooms = (self._reader_history, self._portals, self.gate, self.counts, self.books)
        self._agenda: tuple[Agenda, ...] = (self._owed, *rooms)
        self._hand_on: Callable[[list[Fact]], None] | None = None
        self._limit = 0  # event time has come to the beginning of this window
        self._take: Mapping[type[Any], Callable[[Any], list[Fact]]] = {
            Batch: self._batch,
            Tick: self._tick,
            Command: self._command,
            Dropped: self._readers.take,
            ClockStep: self._clock_step,
            Lateness: self._set_lateness,
            Room: self._set_room,
            ReaderLoss: self._readers.take,
            InputChange: self._input,
            **dict.fromkeys(_NEWS, self._news),
        }

    # ---- inputs

    def feed(self, item: Input, hand_on: Callable[[list[Fact]], None] | None = None) -> list[Fact]:
        """Takes one input in and returns what it leads to, in order. Where that is very much, it is given to `hand_on`
        in pieces first, and what is returned is the last of them.

        Raises whatever a fault in the floor raises. Where one meets an input from outside before time has come to it,
        and somebody hears of it by `on_fault`, that it is lost is what it leads to.
        """
        self._hand_on = hand_on
        try:
            facts = self._take[type(item)](item)
        except Exception as error:
            if self.on_fault is None or not isinstance(item, OUTSIDE) or isinstance(error, MemoryError):
                raise
            self.on_fault(item, error)
            facts = self._readers.take(lost(item, self.config.gateway, certain=False))
        return self._counted(facts)

    def _counted(self, facts: list[Fact]) -> list[Fact]:
        for fact in facts:
            self.stats.events[fact.type] = self.stats.events.get(fact.type, 0) + 1
        return facts

    def admit(self, command: Command) -> None:
        """Raises Refused, saying why, where a command would not be carried out. Changes nothing."""
        admission.admit(command, self.gate, self.counts, self.books, self._pending)

    @property
    def lateness(self) -> int:
        """The microseconds for which windows wait for late reads now."""
        return self._windows.lateness

    @property
    def crowded(self) -> bool:
        """There is no room for more until a tick is fed."""
        return self._windows.count >= self._max_windows or len(self._pending) >= MAX_PENDING

    def finish(self) -> list[Fact]:
        """The end of a recording: closes what is open and says what is decided by that, without inventing silence."""
        facts = self._advance((self._windows.newest() + 1) if self._windows.count else 0)
        return facts + self._presence.settle() + self._portals.settle()

    def _batch(self, batch: Batch) -> list[Fact]:
        self._windows.add(batch)
        if batch.phase:
            self._portals.phases.take(batch)
        return []

    def _news(self, item: Any) -> list[Fact]:
        if isinstance(item, Restart):
            self._pending.add(item.unknown_from, item)
        elif item.reader in self._reader_history.readers:
            self._pending.add(item.t, item)
        return self._readers.take(item)

    def _input(self, item: InputChange) -> list[Fact]:
        """General purpose inputs mean something where a photo-eye or a dock door is at them."""
        if self._portals.has_photo_eye(item.reader, item.port) or self.gate.has_door(item.reader, item.port):
            self._pending.add(item.t, item)
        return []

    def _command(self, command: Command) -> list[Fact]:
        try:
            self.admit(command)
        except Refused:
            self.stats.ignored += 1
            return []
        facts = admission.at_once(command, self.gate)
        if facts is None:
            self._pending.add(command.t, command)
        return facts or []

    def _clock_step(self, step: ClockStep) -> list[Fact]:
        """Event time jumps: all that is kept happened so much later than was thought, or nobody watched meanwhile."""
        if step.jump and step.cause == "suspended":
            self._reader_history.antenna_clock.skip(step.jump)
            self._portals.gap(step.t - step.jump, step.t)
        elif step.jump >= self._window:
            self._redate(step.jump // self._window * self._window)
        return [clock_step(self.config.gateway, step.t, {"by_us": step.by, "jump_us": step.jump, "cause": step.cause})]

    def _set_lateness(self, item: Lateness) -> list[Fact]:
        self._windows.lateness = item.lateness
        return []

    def _set_room(self, item: Room) -> list[Fact]:
        self._presence.set_room(item.tags, item.t)
        return self._presence.said()

    def _redate(self, by: int) -> None:
        self._state().redate(by, STEPS)
        self._limit += by // self._window if self._limit else 0

    # ---- time

    def _tick(self, tick: Tick) -> list[Fact]:
        previous = self._windows.now
        now = self._windows.turn(tick.t)
        self._readers.begin(now)
        self._docks.near(self._windows, self._portals.is_standing, now)
        limit = (now - self._windows.lateness) // self._window
        if self.crowded:
            self.stats.forced += 1
            limit = max(limit, self._windows.newest() + 1, now // self._window + 1)
        elif limit <= self._limit:
            return []
        if previous and now - previous > GAP:
            self.counts.skip(limit * self._window)
            self.books.skip(limit * self._window)
        return self._advance(limit)

    def _advance(self, limit: int) -> list[Fact]:
        """Brings event time to the beginning of window number `limit`."""
        self._limit = max(self._limit, limit)
        closed = self._windows.close(limit)
        end = limit * self._window
        facts: list[Fact] = []
        at = 0
        while at < len(closed) or self._pending.before(end):
            numbers = [closed[at].number] if at < len(closed) else []
            numbers += [self._pending.first // self._window] if self._pending else []
            number = min(numbers)
            if not self.counts.begun:
                # Not with the first tick, which comes sooner or later with the order in which reads are delivered.
                self.counts.begin_periodic(max(number * self._window, end - GAP))
            upto = at
            while upto < len(closed) and closed[upto].number == number:
                upto += 1
            self._step(number, closed[at:upto], facts)
            at = upto
        self._portals.phases.forget_before(limit)
        self.counts.idle(end)
        self._fall_due(end, facts)
        self.stats.windows = self._windows.count
        self.stats.tags = len(self._presence.tags)
        return facts

    def _step(self, number: int, closed: list[ClosedWindow], facts: list[Fact]) -> None:
        """Everything in one window of event time."""
        start = number * self._window
        self._fall_due(start, facts)
        while self._pending.before(start + self._window):
            item = self._pending.pop()
            if isinstance(item, Command):
                facts += admission.carry_out(item, self.gate, self.counts, self.books)
            else:
                if isinstance(item, InputChange):
                    facts += self.gate.input_changed(item.reader, item.port, item.state, item.t)
                facts += self._reader_history.take(item)
                facts += self._portals.news(item)
        for window in closed:
            self._reader_history.sign(window.reader, start)
            if again := self._reader_history.seen(window.reader, window.port, start):
                self._readers.reads_again(window.reader, window.port)
                facts += again
        self._fall_due(start, facts)  # what a sign of life has confirmed
        self._sightings.take(closed, start)
        self._say(self._presence.said(), facts)
        facts += self._docks.seen(closed, start)

    def _fall_due(self, end: int, facts: list[Fact]) -> None:
        """Says what falls due up to `end`, in order: what ends at `end` has seen everything before it."""
        self._portals.ask()
        while True:
            first = min(self._agenda, key=lambda source: source.due)
            due = first.due
            if due > end:
                break
            self._fire_presence(due, facts)
            self._say(first.fire(due), facts)
            if first is not self._portals:
                self._portals.ask()
        self._fire_presence(end, facts)

    def _fire_presence(self, end: int, facts: list[Fact]) -> None:
        for said in self._presence.fire(end):
            self._say(said, facts)
            if len(facts) >= PIECE and self._hand_on is not None:
                self._hand_on(self._counted(facts.copy()))
                facts.clear()

    def _say(self, said: list[Fact], facts: list[Fact]) -> None:
        """Adds what presence says: a departure is also news for the expected sets, a move for the watch lists."""
        self.counts.departed(said)
        facts += said + self._docks.moved(said)

    # ---- state

    def zone_state(self, zone: str) -> dict[str, Any]:
        """The retained state of a zone, ready for JSON: how many are there, and who is watching."""
        return zone_state(zone, self._places, self._presence, self._reader_history, self.counts)

    def inside(self, zones: Collection[str]) -> dict[str, str]:
        """UID to zone of the tags that are in one of these zones now."""
        return self._presence.inside(zones)

    def reader_state(self, reader: str) -> dict[str, Any]:
        """The retained state of a reader, ready for JSON: up or down since when, what is wrong, and its reads."""
        return self._readers.state(reader) | {"antennas_silent": self._reader_history.silent(reader)}

    def checkpoint(self) -> dict[str, bytes]:
        """The parts of the state that changed since the last call; all of them on the first."""
        return self._state().checkpoint()

    def begin_checkpoint(self, *, whole: bool) -> tuple[dict[str, bytes], Iterator[tuple[str, bytes]]]:
        """As `checkpoint`, or all parts, in slices: some now, and more that are to be drawn before the next tick. Reads
        and news may come meanwhile."""
        return self._state().begin(whole=whole)

    def successor(self, config: Config) -> Floor:
        """A floor of `config` in the state of this one. What ends with places that are gone is what it says first."""
        if not reconfigured.ends(self.counts, self._portals, config):
            return self._in_this_state(config)
        ending = self._in_this_state(self.config)
        t = self._limit * self._window
        owed = reconfigured.end(ending.counts, ending._portals, config, t) + ending._presence.said()
        floor = ending._in_this_state(config)
        floor._owed.add(floor._counted(owed), t)
        return floor

    def _in_this_state(self, config: Config) -> Floor:
        """Another floor, of `config`."""
        floor = Floor(config, self._presence.room)
        floor.restore(self._state().snapshot())
        floor.on_fault = self.on_fault
        return floor

    def restore(self, parts: Mapping[str, bytes], without: Collection[str] = ()) -> None:
        """Takes over, in a floor that was given nothing yet, the newest of each part that `checkpoint` gave, also of
        an older release; sections named in `without` stay empty.

        The configuration may have changed: antennas and zones that are gone stay known until their tags have left.
        Raises `Unreadable` where a section cannot be read; the floor is of no use then. Raises `Newer` where the
        checkpoint is of a newer release.
        """
        state = self._state()
        state.restore(parts, without)
        self._limit = state.position // self._window

    def apply(self, payloads: Sequence[bytes], on_odd: OnOdd = None) -> int:
        """Takes over from events that are newer than the checkpoint, oldest first, where each tag is, what was counted
        and what the docks load: for a start whose journal is lost. Clock steps among them date what is kept anew, as
        they did then; returns by how many microseconds.

        Reads that were waiting in open windows are given up, and so are commands that were carried out: the events may
        rest on them already. Raises `LedgerError` where a payload is not an event, and nobody hears of it by `on_odd`.
        """
        by = self._state().apply(payloads, on_odd)
        self._limit += by // self._window if self._limit else 0
        return by

    def rebuild(self, payloads: Iterable[bytes], sections: Collection[str], on_odd: OnOdd = None) -> int:
        """Takes over from events, oldest first, what they say about `sections` that no checkpoint tells: those that
        `restore` left empty. Returns by how much clock steps among them dated these anew. Raises `LedgerError` where a
        payload is not an event."""
        return self._state().rebuild(payloads, sections, on_odd)

    def _state(self) -> State:
        return State(
            self._places,
            self._windows,
            self._readers,
            self._reader_history,
            self._presence,
            self._portals,
            self._sightings.foreign,
            self.counts,
            self._docks,
            self.books,
            self._pending,
            self._owed,
            self._limit * self._window,
        )
