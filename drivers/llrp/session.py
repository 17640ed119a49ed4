"""One connection to an LLRP reader, without I/O: messages and times in; frames, items and errors out.

The rules:

- The reader speaks first: nothing is sent before its ConnectionAttemptEvent, and that must say success.
- Then comes the setup, one command after the other, as `drivers.llrp.setup` has it.
- The last of it, RELEASE, lets the reader send what it held, and asks a harmless question behind it. A reader answers
  in order, so the answer means that every held read has come.
- Every command has a deadline, and so has the greeting. Once READING, three missed keepalives mean a dead link. Each is
  looked at twice (deadlines.py): what a gateway that was held up has not read yet is not missing.

`at` is monotonic seconds and rules deadlines; `now` is microseconds UTC and stamps items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from drivers.api import DriverContext, DriverError, Item, ReaderAlive, ReaderClock, ReaderCondition, ReaderLoss
from drivers.llrp import announce, events
from drivers.llrp.clock import ReaderTime, Stamps
from drivers.llrp.commands import NO_ANSWER, Command, Commands, Refusal, ignored
from drivers.llrp.memory import Memory
from drivers.llrp.oddities import Oddities
from drivers.llrp.owed import Owed
from drivers.llrp.protocol.codec import Message, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.rospec import build_config_request, build_output
from drivers.llrp.running import Running
from drivers.llrp.settings import LlrpSettings
from drivers.llrp.setup import ALL, EVENTS_AND_REPORTS, STEPS, VERSION_1_1, VERSION_SILENCE, Setup, State
from drivers.sparse_log import SparseLog


class Session:
    """See the module. Whoever owns it sends what `take_outgoing` gives, and calls `tick` when `deadline` has come.

    `receive` and `tick` raise DriverError when the connection is of no use any more.
    """

    def __init__(self, context: DriverContext, settings: LlrpSettings, memory: Memory, peer: str) -> None:
        self._context = context
        self._settings = settings
        self._memory = memory
        self._peer = peer
        self._log = SparseLog(context.log)
        self._reader = context.reader
        self._outgoing: list[bytes] = []
        self._at = 0.0
        self._now = 0
        self._asked = 0  # for the last sign of life
        self._commands = Commands(self._send, peer, context.log)
        self._setup = Setup(settings, context.antennas, peer, context.log, memory)
        self._running = Running(peer, self._setup.specs)
        self._owed = Owed(settings, peer, self._commands, (self._polled, self._fetched, self._running.asked))
        self._inputs = events.Inputs(settings.used_inputs, memory.inputs)
        self._conditions = events.Conditions()
        self._oddities = Oddities(peer, context.log)
        self._announced = False  # ReaderUp was given
        self._cleared = False  # AccessSpecs that came after the setup were removed
        self.state = State.GREETING
        self.time = ReaderTime(settings.clock)

    # What comes in

    def start(self, at: float) -> None:
        """The connection is made."""
        self._at = at
        self._owed.heartbeat.heard(at)

    def receive(self, message: Message, now: int, at: float) -> None:
        """A message that is not a report came. What of it cannot be read is unknown, with a warning."""
        self._heard(now, at)
        self._oddities.look(message)
        handler = _HANDLERS.get(message.name)
        if handler is not None:
            handler(self, message)
        elif message.name.endswith("_RESPONSE"):
            self._owed.answered()
            self._commands.answer(message, at)
        else:
            self._context.log.debug("message ignored", message=message.name)

    def reported(self, stamps: Stamps, newest: int, now: int, at: float) -> int:
        """Rows came; the last has the time `newest` by the reader's clock. Returns the offset of their times."""
        self._heard(now, at)
        self._running.read(at)
        if self.state is State.RELEASE:
            self._owed.put_off_release(at)
        if self.state is State.READING and self.time.report(stamps, newest, now):
            self._tell_clock()
        offset = self.time.offset(stamps, newest, now)
        self._memory.last_read = newest + offset
        if self.state is State.RELEASE:
            self._tell_cut(newest + offset)
        self._oddities.reports.understood(at)
        return offset

    def puzzled(self, count: int, example: str, now: int, at: float) -> None:
        """`count` tag reports came that cannot be read. Raises DriverError when none could for too long."""
        self._heard(now, at)
        self._condition(announce.unreadable(self._reader, now))
        self._oddities.unread(count, example, at)

    def acted(self, specs: Iterable[int], now: int, at: float) -> None:
        """Reports came with results of AccessSpecs, none of which is ours."""
        self._heard(now, at)
        self._condition(announce.foreign_access(self._reader, now, specs))
        if self._settings.exclusive and self.state is State.READING and not self._cleared:
            self._cleared = True  # once: it was not there, or not told, when the reader was set up
            self._submit(E("DELETE_ACCESSSPEC", AccessSpecID=ALL), ignored, ignored)

    def hurry(self, now: int) -> bool:
        """So many reads came before the setup was done that they must go on: says that the reader is up, with reads
        that it held, before all is known of it. False where it must first say who it is."""
        if self._announced:
            return True
        if self._settings.identification is not None and not self._setup.looked:
            return False
        self._now = now
        self._tell_up(held=True)
        return True

    def tick(self, now: int, at: float) -> None:
        """Time has come to `at`. Raises DriverError when something is overdue."""
        self._at, self._now = at, now
        self._emit_all(self._inputs.settled(self._reader, at))
        overdue = self._owed.overdue(self.state, at)
        if overdue is not None:
            raise DriverError(overdue)
        poll_due = self._owed.poll_due(self.state)
        if poll_due is not None and at >= poll_due:
            self._ask(self._polled)

    def pause(self, at: float) -> None:
        """Nothing is read from the link from now on: nothing can be overdue."""
        self._owed.pause(at)

    def resume(self, at: float) -> None:
        """The link is read again: deadlines are later by the length of the pause."""
        self._oddities.reports.defer(self._owed.resume(at))

    def link_lost(self, now: int, *, orderly: bool) -> None:
        """The link is gone. Unless the reader closed it in order, bytes may have been lost on the way."""
        if self.state is State.VERSION:
            self._memory.ask_version = False  # some old readers hang up on a version that they do not know
        if self.is_up and not orderly:
            since = self._memory.heard or now
            if self.state is State.RELEASE and self._memory.last_read is not None:
                since = min(since, self._memory.last_read)  # what was on the way was held: as old as the outage
            self._memory.link_cut(since - events.STRAGGLING, now)
        self.state = State.CLOSED

    # What goes out

    def take_outgoing(self) -> list[bytes]:
        """Frames to send, in order."""
        frames, self._outgoing = self._outgoing, []
        return frames

    @property
    def deadline(self) -> float | None:
        """When `tick` has to be called at the latest."""
        looks = [*self._owed.looks(self.state), self._inputs.due]
        return min((look for look in looks if look is not None), default=None)

    @property
    def is_up(self) -> bool:
        """ReaderUp was given: reads are welcome."""
        return self._announced and self.state not in (State.CLOSING, State.CLOSED)

    # What the gateway wants

    def set_output(self, port: int, state: bool, done: Callable[[DriverError | None], None], at: float) -> None:
        """Switches an output once the commands before it are answered. `done` gets None, or why it failed."""
        what = f"{self._peer}: output {port}"
        if self.state is not State.READING:
            raise DriverError(f"{what} was not switched: the reader is not connected")
        if self._commands.is_full:
            raise DriverError(f"{what} was not switched: the reader is behind with its commands")
        self._setup.reader.check_output(port)
        self._at = at
        body, why = build_output(port, state), announce.not_switched
        self._submit(body, lambda _answer: done(None), lambda refusal: done(DriverError(f"{what} {why(refusal)}")))

    def close(self, at: float) -> bool:
        """Asks the reader for the reads that it still has, and to close. False if there is nobody to ask."""
        if self.state in (State.GREETING, State.CLOSING, State.CLOSED):
            self.state = State.CLOSED
            return False
        self._at = at
        self._commands.clear()
        if self.state is State.READING:
            self._ask_for_reads()
        self.state = State.CLOSING
        self._submit(E("CLOSE_CONNECTION"), self._closed, self._closed)
        return True

    def _closed(self, _answer: Element | Refusal) -> None:
        self.state = State.CLOSED

    # Time and the link

    def _heard(self, now: int, at: float) -> None:
        self._at, self._now = at, now
        self._memory.heard = now
        if self.state is not State.GREETING:
            self._owed.heartbeat.heard(at)

    def _send(self, body: Element, identity: int, version: int | None = None) -> None:
        self._outgoing.append(encode(Message(body.name, identity, body, version or self._setup.version)))

    def _submit(self, body: Element, answered: Callable[[Element], None], refused: Callable[[Refusal], None]) -> None:
        timeout, version = self._settings.command_timeout, None
        if self.state is State.VERSION:
            timeout, version = min(timeout, VERSION_SILENCE), VERSION_1_1
        self._commands.submit(Command(body, answered, refused, timeout, version), self._at)

    # Setting up

    def _enter(self, state: State) -> None:
        """Goes to `state`, and on through those that have nothing to ask."""
        while True:
            self.state = state
            step = STEPS.get(state)
            if step is None:
                self._tell_cut(0)
                self._alive(self._now)
                return
            if state is State.RELEASE:
                self._release()
            body = step.ask(self._setup)
            if body is not None:
                self._submit(body, self._answered, self._refused)
                return
            state = step.then

    def _answered(self, answer: Element) -> None:
        step = STEPS[self.state]
        step.answered(self._setup, answer)
        self._enter(self.state if step.repeats else step.then)

    def _refused(self, refusal: Refusal) -> None:
        step = STEPS[self.state]
        step.refused(self._setup, refusal)
        self._enter(self.state if step.repeats else step.then)

    def _release(self) -> None:
        """The reader is set up: says so, and lets it send what it held."""
        setup = self._setup
        held = setup.held or self._announced  # what came before it was set up is as old as what is held
        self._tell_up(held=held)
        self._tell_clock()
        self._tell_ports()
        if self._settings.start is not None and not setup.specs.is_active:
            self._emit(ReaderCondition(self._reader, self._now, "waiting-for-trigger", True))
        self._emit_all(announce.conditions(self._reader, self._now, setup, self._memory))
        if setup.reader.can_hold is not False:  # where it is unknown, a reader that holds would say nothing for ever
            self._send(E("ENABLE_EVENTS_AND_REPORTS"), self._commands.next_id())

    def _tell_up(self, *, held: bool) -> None:
        self._announced = True
        self._emit(announce.up(self._reader, self._now, self._setup.reader, held=held))

    def _tell_cut(self, newest: int) -> None:
        """Held are the reads that the reader knew it could not send. What it had sent into a dying link is gone."""
        cut = self._memory.told_cut(newest, self._now)
        if cut is not None and self._setup.held:
            self._emit(ReaderLoss(self._reader, self._now, *cut, "link-cut", certain=False))

    def _tell_ports(self) -> None:
        """Antennas and inputs as the reader reported them when it was asked for its configuration."""
        used = {antenna.port for antenna in self._context.antennas}
        self._emit_all(announce.antennas(self._reader, self._now, self._setup.found, used))
        for port, state in announce.inputs(self._setup.found):
            self._input(port, state, self._now)

    # What the reader says by itself

    def _keepalive(self, message: Message) -> None:
        self._send(E("KEEPALIVE_ACK"), message.id)
        if self.state is not State.READING:
            return
        self._owed.kept_alive()
        if self._settings.report_every == 1:
            self._alive(self._now)
        elif self._commands.in_flight is None:
            self._ask(self._fetched)

    def _ask(self, answered: Callable[[Element | Refusal], None]) -> None:
        """Asks for a sign of life, as of now, and first for the reads that it must come behind."""
        self._asked = self._now
        self._ask_for_reads()
        self._submit(build_config_request(EVENTS_AND_REPORTS), answered, answered)

    def _ask_for_reads(self) -> None:
        """Asks for reads on which the reader may sit until it has `report_every`."""
        if self._settings.report_every > 1:
            self._send(E("GET_REPORT"), self._commands.next_id())

    def _fetched(self, _answer: Element | Refusal) -> None:
        self._alive(self._asked)

    def _polled(self, answer: Element | Refusal) -> None:
        self._owed.polled(self._at)
        if answer is not NO_ANSWER:
            self._alive(self._asked)

    def _alive(self, t: int) -> None:
        if self._oddities.reports.in_doubt(self._at):
            return
        self._emit(ReaderAlive(self._reader, t))
        self._emit_all(self._conditions.alive(self._reader, self._now))
        is_idle = self.state is State.READING and self._commands.in_flight is None
        if is_idle and self._settings.start is None and self._running.is_due(self._at):
            self._submit(E("GET_ROSPECS"), self._running.asked, ignored)

    def _error(self, message: Message) -> None:
        # Readers that choke on a message may not even copy its id; we use none that is 0.
        self._commands.error(message, self._at, any_id=self.state is State.VERSION or message.id == 0)

    def _notified(self, message: Message) -> None:
        data = message.body.find("ReaderEventNotificationData")
        if data is None:
            return  # what it is about cannot be read; `receive` has said so
        stamps, stamp = events.stamp_of(data)
        attempt = data.find("ConnectionAttemptEvent")
        if attempt is not None:
            self._attempt(attempt["Status"], stamps, stamp)
            return
        if self.state is State.READING and self.time.event(stamps, stamp, self._now):
            self._tell_clock()
        when = events.when_of(stamps, stamp, self.time, self._now, self._memory.last_read)
        for item in events.translate(self._reader, data, when):
            if isinstance(item, ReaderCondition):
                self._condition(item)
            else:
                self._emit(item)
        for event in data.children:
            watcher = _WATCHERS.get(event.name)
            if watcher is not None:
                watcher(self, event, when.t)

    def _condition(self, item: ReaderCondition) -> None:
        """A warning that nobody takes back: it is over when it is not heard again for a while."""
        if self.is_up and self._conditions.began(item):
            self._log.warning("reader condition", about=item.condition, condition=item.condition, detail=item.detail)
            self._emit(item)

    def _attempt(self, status: int, stamps: Stamps, stamp: int) -> None:
        """The greeting, or news that somebody else tried to connect."""
        refusal = events.attempt_refused(status)
        if refusal:
            raise DriverError(f"{self._peer}: {refusal}")
        if status == events.SOMEBODY_ELSE:
            self._log.warning("another client tried to connect to this reader")
        elif self.state is State.GREETING:
            self.time.event(stamps, stamp, self._now)
            self._enter(State.VERSION)

    def _input(self, port: int, state: bool, t: int) -> None:
        self._emit_all(self._inputs.change(self._reader, port, state, t, self._at))

    def _rospec_event(self, event: Element, t: int) -> None:
        if event["ROSpecID"] != self._setup.specs.number or not self.is_up:
            return
        stopped = event["EventType"] != events.STARTED
        if self._settings.start is not None:
            self._emit(ReaderCondition(self._reader, t, "waiting-for-trigger", stopped))
        elif stopped and self.state is State.READING:
            self._submit(E("GET_ROSPECS"), self._running.check, ignored)

    def _close_event(self, _event: Element, _t: int) -> None:
        if self.state is not State.CLOSING:
            self.state = State.CLOSED  # in order: nothing that it sent before is missing
            raise DriverError(f"{self._peer}: the reader closed the connection (ConnectionCloseEvent)")

    def _tell_clock(self) -> None:
        reading = self.time.reading
        self._emit(ReaderClock(self._reader, self._now, reading.quality, reading.offset))

    def _emit_all(self, items: list[Item]) -> None:
        for item in items:
            self._emit(item)

    def _emit(self, item: Item) -> None:
        self._context.sink(item)


_HANDLERS: dict[str, Callable[[Session, Message], None]] = {
    "READER_EVENT_NOTIFICATION": Session._notified,
    "KEEPALIVE": Session._keepalive,
    "ERROR_MESSAGE": Session._error,
}

_WATCHERS: dict[str, Callable[[Session, Element, int], None]] = {
    "GPIEvent": lambda session, event, t: session._input(event["GPIPortNumber"], bool(event["GPIEvent"]), t),
    "ROSpecEvent": Session._rospec_event,
    "ConnectionCloseEvent": Session._close_event,
}
