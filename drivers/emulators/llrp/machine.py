"""The machine inside the emulated LLRP reader: time, reads, triggers, events, and the one connection that it has.

`EmulatedReader` in `reader` adds the client's requests. Times are microseconds UTC; the scene begins at `start`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from drivers.emulators.llrp.config import EventType, ReaderConfig
from drivers.emulators.llrp.identity import Identity
from drivers.emulators.llrp.outbox import Frame, Outbox
from drivers.emulators.llrp.reports import Layout, Record, ReportBuffer
from drivers.emulators.llrp.rospecs import Happening, Notice, RoSpecs
from drivers.emulators.scene import FOREVER, Scene, Seen
from drivers.llrp.protocol.codec import Message, encode
from drivers.llrp.protocol.element import E, Element

SLICE = 20_000
"""Time passes in steps of 20 ms: triggers on tags are checked that often."""

CATCH_UP = 10_000_000
"""Reads of a longer pause than 10 s (a suspended machine) are not made up: a reader that slept did not read."""

WARN_AT = 0.8
"""Share of the buffer at which the client is warned; the warning can come again after it has fallen to half of it."""

TAGS_COUNTED = 100_000
"""Reads are counted per tag for so many tags (10 MB); in a scene of serial numbers there is no end to them."""

BOOTED_BEFORE = 3_600_000_000
"""The reader had been running for an hour when the scene began."""


class ConnectionStatus(IntEnum):
    """Status of a ConnectionAttemptEvent."""

    SUCCESS = 0
    READER_INITIATED = 1
    CLIENT_INITIATED = 2
    ANOTHER = 4


class ReportTrigger(IntEnum):
    """ROReportTrigger: when reports go out, besides after every N reads."""

    NONE = 0
    END_OF_AISPEC = 1


_ROSPEC_EVENTS = {Happening.STARTED: 0, Happening.ENDED: 1, Happening.PREEMPTED: 2}


@dataclass(slots=True)
class Counters:
    """Reads, over the life of the reader: ``made == sent + overflowed + discarded + waiting in the buffer``.

    `sent`: handed to the kernel in whole reports. `held`: put into the buffer while it could not be reported at once,
    because no client was connected or the client had not enabled reports. `overflowed`: lost to a full buffer.
    `discarded`: nobody was connected and the reader was not told to hold, or the ROSpec was deleted.
    """

    made: int = 0
    sent: int = 0
    held: int = 0
    overflowed: int = 0
    discarded: int = 0
    cuts: int = 0
    tags: Counter[bytes] = field(default_factory=Counter)


class Machine:
    """One reader. `on_reads` is given every read that is made, `on_output` every output that is switched."""

    def __init__(
        self,
        scene: Scene,
        identity: Identity,
        *,
        start: int,
        hold_buffer: int = 50_000,
        clock_error: int = 0,
        on_reads: Callable[[Sequence[Seen]], None] = lambda reads: None,
        on_output: Callable[[int, bool], None] = lambda port, state: None,
    ) -> None:
        self.scene = scene
        self.identity = identity
        self.start = start
        self.config = ReaderConfig(identity)
        self.counters = Counters()
        self.inputs = dict.fromkeys(range(1, identity.inputs + 1), False)
        self.outputs = dict.fromkeys(range(1, identity.outputs + 1), False)
        self.antennas = frozenset(port for port in scene.fields if port <= identity.antennas)
        self.connected = False
        self.version = 1
        self.extensions = False
        self.buffer = ReportBuffer(hold_buffer)
        self.rospecs = RoSpecs(identity, self._told)
        self.outbox = Outbox(self.buffer, lambda: self.version)
        self.access_specs: dict[int, Element] = {}
        self._layout: Layout | None = None
        self._reading_since = start
        self._clock = start
        self._clock_shift = start + clock_error if identity.has_utc else BOOTED_BEFORE  # scene time to reader's time
        self._on_reads = on_reads
        self._on_output = on_output
        self.next_keepalive: int | None = None
        self.unacknowledged = 0
        self._warned = False
        self._overflowing = False
        self._off_at = FOREVER

    def switch_off(self, now: int) -> None:
        """Reads no more from `now` on; answers as before, and delivers what it holds."""
        self.advance(now)
        self._off_at = now

    # The connection

    def connect(self, now: int) -> None:
        """A client is there. A reader speaks 1.0.1 until the client has chosen another version."""
        self.advance(now)
        self.connected = True
        self.version = 1
        self.extensions = False
        self.unacknowledged = 0
        self.next_keepalive = now + self.config.keepalive if self.config.keepalive else None
        self.outbox.announce(self._notification(E("ConnectionAttemptEvent", Status=ConnectionStatus.SUCCESS.value)))

    def refuse(self, now: int, *, reader_initiated: bool) -> bytes:
        """Another client came while one is connected: what it is told. The first one is told of the attempt."""
        self.advance(now)
        reason = ConnectionStatus.READER_INITIATED if reader_initiated else ConnectionStatus.CLIENT_INITIATED
        self.outbox.announce(self._notification(E("ConnectionAttemptEvent", Status=ConnectionStatus.ANOTHER.value)))
        body = self._notification(E("ConnectionAttemptEvent", Status=reason.value))
        return encode(Message(body.name, 0, body))

    def close(self, now: int) -> None:
        """Says goodbye: the last frame that `take` gives for this connection is a ConnectionCloseEvent."""
        self.advance(now)
        self.outbox.last_event(self._notification(E("ConnectionCloseEvent")))

    @property
    def closing(self) -> bool:
        """The connection is to be closed once `take` gives None."""
        return self.outbox.closing

    @property
    def given_up(self) -> bool:
        """The connection is to be closed even if the kernel takes nothing more for it."""
        return self.outbox.given_up

    @property
    def crowded(self) -> bool:
        """The client asks and does not take the answers: nothing more should be read from it."""
        return self.outbox.crowded

    def disconnect(self, now: int, unsent: list[Frame]) -> None:
        """The connection is gone; `unsent` are the frames that the kernel did not take whole, in order."""
        self.advance(now)
        self.connected = False
        self.next_keepalive = None
        self.outbox.connection_lost(unsent, keep=self.config.hold)
        self.outbox.holding = self.config.hold
        if not self.config.hold:
            self.counters.discarded += self.buffer.discard()

    def take(self) -> Frame | None:
        """The next frame to send, or None. What is taken must be given to `sent` or come back with `disconnect`."""
        frame = self.outbox.take() if self.connected else None
        if self._warned and len(self.buffer) < self.buffer.capacity // 2:
            self._warned = self._overflowing = False
        return frame

    def sent(self, frame: Frame) -> None:
        """The kernel has the whole frame."""
        self.counters.sent += len(frame.records)

    # Time

    def tick(self, now: int) -> None:
        """Time has come to `now`: reads, triggers, keepalives."""
        self.advance(now)
        if self.connected and self.next_keepalive is not None and now >= self.next_keepalive:
            self.next_keepalive = now + self.config.keepalive
            limit = self.config.link_down if self.identity.is_impinj else self.identity.missed_acks
            if limit is not None and self.unacknowledged >= limit:
                self.close(now)
                return
            self.unacknowledged += 1
            self.outbox.keepalive()

    @property
    def elapsed(self) -> int:
        """Microseconds of the scene that are over."""
        return self._clock - self.start

    def advance(self, now: int) -> None:
        """Lets time go on to `now`, microseconds, slice by slice."""
        self._clock = max(self._clock, now - CATCH_UP)
        while self._clock < now:
            self.rospecs.fire(self._clock)
            until = min(now, self._clock + SLICE)
            due = self.rospecs.due()
            if due is not None and due > self._clock:
                until = min(until, due)
            for edge in self.scene.edges(self._clock - self.start, until - self.start):
                self._input_changed(edge.port, edge.state, self.start + edge.time)
            self._read(self._clock, until)
            self._clock = until
        self.rospecs.fire(self._clock)

    def _read(self, since: int, until: int) -> None:
        active, layout = self.rospecs.active, self._layout
        if active is None or layout is None:
            return
        begin, end = max(since, self._reading_since), min(until, self._off_at)
        spec = active.specs[active.running]
        antennas = self.antennas & spec.antennas if spec.antennas else self.antennas
        reads = self.scene.reads(
            begin - self.start, end - self.start, antennas, earliest=self._reading_since - self.start
        )
        reads = spec.chosen(reads)
        if reads:
            self._store(reads, layout, active.id)
            self._report_every(active.report_spec or self.config.report_spec)
        self.rospecs.observe(reads, until)

    def _store(self, reads: Sequence[Seen], layout: Layout, rospec: int) -> None:
        counters, tags, shift = self.counters, self.counters.tags, self._clock_shift
        before = len(self.buffer)
        for seen in reads:
            if len(tags) < TAGS_COUNTED or seen.epc in tags:
                tags[seen.epc] += 1
            if not self.buffer.append(Record(layout.encode(seen, seen.time + shift), rospec)):
                counters.overflowed += 1
        counters.made += len(reads)
        self._on_reads(reads)
        stored = len(self.buffer) - before
        if not self.connected and not self.config.hold:
            counters.discarded += self.buffer.discard()
            return
        if not self.reporting:
            counters.held += stored
        self._watch_buffer(overflow=stored < len(reads))

    def _watch_buffer(self, *, overflow: bool) -> None:
        full = len(self.buffer) / self.buffer.capacity
        if full >= WARN_AT and not self._warned:
            self._warned = True
            if self.identity.can_warn:
                event = E("ReportBufferLevelWarningEvent", ReportBufferPercentageFull=min(100, int(100 * full)))
                self._event(EventType.BUFFER_WARNING, event)
        if overflow and not self._overflowing:
            self._overflowing = True
            self._event(None, E("ReportBufferOverflowErrorEvent"))

    @property
    def reporting(self) -> bool:
        """Whether reports go out: a client is there, and nothing is held."""
        return self.connected and not self.outbox.holding

    def _report_every(self, report_spec: Element) -> None:
        count = report_spec["N"]
        if report_spec["ROReportTrigger"] and count and self.reporting:
            while self.buffer.unreleased >= count:
                self.buffer.release(count)

    # What the client changes

    @property
    def now(self) -> int:
        """How far time has come."""
        return self._clock

    def configure(self, config: ReaderConfig) -> None:
        """A new configuration holds from now on."""
        if config.keepalive != self.config.keepalive:
            self.next_keepalive = self.now + config.keepalive if config.keepalive else None
        self.config = config

    def set_output(self, port: int, state: bool) -> None:
        """Switches an output."""
        self.outputs[port] = state
        self._on_output(port, state)

    # What happens around the reader

    def set_input(self, port: int, state: bool, now: int) -> None:
        """A general purpose input has the level `state` from now on. KeyError when there is no such port."""
        self.advance(now)
        self._input_changed(port, state, now)

    def _input_changed(self, port: int, state: bool, now: int) -> None:
        if self.inputs[port] is state:
            return
        self.inputs[port] = state
        if port in self.config.listening:
            self._event(EventType.INPUT, E("GPIEvent", GPIPortNumber=port, GPIEvent=state), now)
            self.rospecs.input_changed(port, state, now)

    def set_antenna(self, port: int, connected: bool, now: int) -> None:
        """An antenna is plugged in or falls off."""
        self.advance(now)
        if connected is (port in self.antennas):
            return
        self.antennas = self.antennas | {port} if connected else self.antennas - {port}
        self._event(EventType.ANTENNA, E("AntennaEvent", EventType=int(connected), AntennaID=port), now)

    def _told(self, notice: Notice, now: int) -> None:
        """A ROSpec or AISpec began or ended."""
        spec = self.rospecs.specs[notice.rospec]
        report_spec = spec.report_spec or self.config.report_spec
        match notice.what:
            case Happening.AI_STARTED:
                self._reading_since = now
                self._layout = Layout(
                    report_spec,
                    rospec=spec.id,
                    spec_index=notice.other,
                    parameter_spec=spec.specs[notice.other - 1].parameter_spec,
                    has_utc=self.identity.has_utc,
                )
            case Happening.AI_ENDED:
                self._layout = None
                if report_spec["ROReportTrigger"] == ReportTrigger.END_OF_AISPEC and self.reporting:
                    self.buffer.release_all()
                self._event(
                    EventType.AISPEC, E("AISpecEvent", EventType=0, ROSpecID=spec.id, SpecIndex=notice.other), now
                )
            case _:
                if report_spec["ROReportTrigger"] and notice.what is not Happening.STARTED and self.reporting:
                    self.buffer.release_all()
                kind = _ROSPEC_EVENTS[notice.what]
                event = E("ROSpecEvent", EventType=kind, ROSpecID=spec.id, PreemptingROSpecID=notice.other)
                self._event(EventType.ROSPEC, event, now)

    def _event(self, kind: EventType | None, event: Element, now: int | None = None) -> None:
        """Tells an event if the client wants it (`kind` None: it has no choice) and somebody will ever hear it."""
        wanted = kind is None or kind in self.config.events
        if wanted and (self.connected or self.config.hold):
            self.outbox.event(self._notification(event, now))

    def _notification(self, event: Element, now: int | None = None) -> Element:
        time = (self._clock if now is None else now) - self.start + self._clock_shift
        stamp = E("UTCTimestamp" if self.identity.has_utc else "Uptime", Microseconds=time)
        return E("READER_EVENT_NOTIFICATION", E("ReaderEventNotificationData", stamp, event))
