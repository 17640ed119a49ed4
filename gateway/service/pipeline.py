"""The one path from what was read to what is known: journal, recording, floor, ledger.

Nothing reaches the floor in any other way, so that the journal is the whole input since the last checkpoint and the
recording is the whole input of the run. All of it runs on the event loop and none of it waits: the journal lives in
memory-backed storage, the recorder and the ledger have threads of their own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from time import monotonic

from drivers.api import Batch, DriverError, Item
from gateway import __version__
from gateway.clock import SECOND, micros
from gateway.config import Config
from gateway.errors import Refused
from gateway.events.envelope import GATE, Fact
from gateway.floor import Floor
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Tick
from gateway.ledger.journal import Journal
from gateway.ledger.ledger import Ledger
from gateway.ledger.unjudged import Unjudged
from gateway.ops.logs import Logger
from gateway.recording.recorder import Recorder
from gateway.service.disorder import Disorder
from gateway.service.event_clock import EventClock
from gateway.service.faults import Faults
from gateway.service.requests import Requests
from gateway.service.retained_names import RetainedNames

_CHECKPOINT_PRESSURE = 0.5
"""The other half of the journal is room for what comes until the checkpoint is on disk."""

_PRECIOUS = 60 * SECOND
"""What the gate decides is on disk with the state that belongs to it within this: no event says all of that."""

_EVENTS = 20_000
"""Facts from which a checkpoint is due before its time, and goes to disk: the ledger keeps all that are newer than that
one, and a start recognises all of them."""

_AWAITED = 16
"""Checkpoints on their way to disk that are remembered: there are more only where the disk fails."""

_SLICE = 64
"""Parts of a checkpoint that are taken at a time, at most."""

_LONGEST_SLICE = 0.005
"""Seconds after which no more parts are taken at a time."""

_OFTEN = 0.25
"""Seconds within which time is told however wide the windows are: pages, lamps and health look at it."""

_AGAIN = 0.02
"""Seconds until time is told where a checkpoint that is being taken was in its way."""


@dataclass(slots=True)
class _Begun:
    """A checkpoint that is being taken: its parts so far, and where the rest comes from."""

    parts: dict[str, bytes]
    rest: Iterator[tuple[str, bytes]]
    position: int
    meta: Mapping[str, str]
    on_disk: bool
    whole: bool


class Pipeline:
    """Journal, recorder, floor and ledger as one sink for inputs."""

    def __init__(
        self,
        config: Config,
        floor: Floor,
        ledger: Ledger,
        journal: Journal,
        recorder: Recorder | None,
        clock: EventClock,
        log: Logger,
        unjudged: Unjudged,
    ) -> None:
        self.floor = floor
        self.faults = Faults(unjudged, log)
        self.floor.on_fault = self._leave_out
        self._config = config
        self._ledger = ledger
        self._journal = journal
        self._recorder = recorder
        self._clock = clock
        self._log = log
        clock.grain = micros(config.floor.window)
        self._disorder = Disorder(micros(config.floor.lateness))
        self._position = journal.position
        self._last_tick = 0
        self._checkpoint_at = 0
        self._disk_at = 0
        self._precious, self._precious_at = False, 0
        self._facts = 0  # since the last checkpoint that went to disk
        self._whole = True
        self._begun: _Begun | None = None
        self._unsaved = False
        self._on_disk = 0
        self._going_to_disk: deque[int] = deque(maxlen=_AWAITED)  # positions of checkpoints, oldest first
        self._released = asyncio.Event()
        self.requests = Requests()
        self.retained = RetainedNames()
        self.checkpoints = 0
        self.checkpoint_attempts = 0

    @property
    def congestion(self) -> str:
        """Why the readers must wait, in words for the operator; empty while there is room."""
        if not self._ledger.room:
            why = self._ledger.problem or "the disk is full or failing, or events are not taken by the broker"
            return f"the ledger has no room: {why}"
        if self._journal.problem:
            return self._journal.problem
        if self._journal.pressure >= 1.0:
            return "the journal is full: the ledger takes no checkpoint"
        return ""

    @property
    def recording_problem(self) -> str:
        """Why the recording has a gap, or nothing."""
        return self._recorder.problem if self._recorder is not None else ""

    @property
    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint, or the journal is so full that it should not wait for its time."""
        pressed = self._journal.problem or self._journal.pressure >= _CHECKPOINT_PRESSURE
        return bool(pressed) or self._facts >= _EVENTS or self._last_tick >= self._checkpoint_at

    @property
    def checkpoint_missing(self) -> bool:
        """A checkpoint is due, or was taken and is not on disk."""
        return self._unsaved or self.checkpoint_due

    def hurry_checkpoint(self) -> None:
        """The next checkpoint is due at once, and goes to disk."""
        self._checkpoint_at = self._disk_at = 0

    @property
    def journal_pressure(self) -> float:
        """How full the journal is, from 0 to 1; at 1 readers are paused."""
        return self._journal.pressure

    @property
    def position(self) -> int:
        """The position of the newest input in the journal."""
        return self._position

    @property
    def last_tick(self) -> int:
        """Event time of the newest tick, microseconds UTC."""
        return self._last_tick

    async def safe(self, position: int) -> None:
        """Returns once a checkpoint on disk holds everything up to `position`, so that no power cut takes it."""
        while self._on_disk < position:
            await self._released.wait()

    def take(self, item: Input) -> int:
        """Journals one input, at the position that is returned, and lets the floor judge it; what it says goes to the
        ledger.

        Raises whatever a fault in the floor raises. From then on nothing is judged, and no checkpoint taken, until a
        start has found out on which input it failed.
        """
        self.faults.check()
        if self._begun is not None and isinstance(item, Tick | ClockStep):
            self.finish_checkpoint()
        self._position = self._journal.append(item)
        if self._recorder is not None:
            self._recorder.append(self._position, item)
        try:
            facts = self.floor.feed(item, self._say)
        except BaseException as error:
            self.faults.broke(error)
            raise
        if facts:
            self._say(facts)
        position = self._position
        if isinstance(item, Command):
            self._disk_at = 0
            self.requests.note(item)
        if self.floor.crowded and not isinstance(item, Tick):
            self._say_time()
        return position

    def _say(self, facts: Sequence[Fact]) -> None:
        self._facts += len(facts)
        self._precious = self._precious or any(fact.type == GATE for fact in facts)
        self._ledger.append(facts, self._position)

    def tick(self) -> None:
        """Tells the floor that the clock was set, where it was, and the time. While a checkpoint is being taken, time
        waits for the next tick."""
        if self._begun is None:
            self._say_time()

    @property
    def until_tick(self) -> float:
        """Seconds until time should be told: when the next window has waited long enough for late reads, so that what
        is in it is judged at once, and nothing is done in vain; sooner where a dock warns of what comes near."""
        if self._begun is not None:
            return _AGAIN
        settings, lateness = self._config.floor, self.floor.lateness
        now, window = self._clock.now(), micros(settings.window)
        closes = ((now - lateness) // window + 1) * window + lateness
        often = min(settings.tick, _OFTEN) if self.floor.gate.warnings.are_on else _OFTEN
        return min((closes - now) / SECOND, often)

    def _say_time(self) -> None:
        if step := self._clock.look():
            self._say_step(step)
        self._last_tick = max(self._clock.now(), self._last_tick)
        self._disorder.ticked(self._last_tick)
        lateness = self._disorder.look(self._last_tick, self.floor.lateness)
        if lateness is not None:
            self.take(Lateness(self._last_tick, lateness))
        self.take(Tick(self._last_tick))

    def go_on_from(self, last: int) -> None:
        """Event time goes on behind `last`, where the run before ended, whatever the wall clock says."""
        if step := self._clock.seed(last):
            self._say_step(step)

    def _leave_out(self, item: Input, error: Exception) -> None:
        self.faults.leave_out(self._journal.id, self._position, item, error)

    def hear(self, item: Item) -> None:
        """Takes what a driver says: its times, which no step of the wall clock touches, become event time. Raises
        `DriverError` where reads could not be judged: a reader that sends such is not up."""
        self.faults.admit(item)
        dated = self._clock.dated(item)
        faults = self.faults.number
        self.take(dated)
        if self.faults.number != faults and isinstance(dated, Batch):
            raise DriverError("what it sends meets a fault in the gateway and cannot be judged: see the log")
        self._disorder.observe(dated)

    def command(self, command: Command) -> None:
        """Takes a command. Raises `Refused` where it could not be carried out in whole."""
        faults = self.faults.number
        self.take(command)
        if self.faults.number != faults:
            raise Refused(f"{command.name}: it meets a fault in the gateway, whose log has it; it was not carried out")

    def _say_step(self, step: ClockStep) -> None:
        self._log.warning(
            "the wall clock was set",
            by_seconds=step.by / SECOND,
            event_time_jumped_by=step.jump / SECOND,
            event_time_ahead_by=self._clock.lead / SECOND,
            cause=step.cause,
        )
        self.take(step)

    def dropped(self, first: int, last: int, start: int, end: int) -> None:
        """The ledger gave up its oldest events: that is an event itself."""
        self.take(Dropped(self._clock.now(), first, last, start, end))

    def checkpoint(self, *, clean: bool = False, on_disk: bool = True) -> int:
        """Hands the floor's state to the ledger, in one go; returns the position up to which it holds."""
        position = self.begin_checkpoint(clean=clean, on_disk=on_disk)
        self.finish_checkpoint()
        return position

    def begin_checkpoint(self, *, clean: bool = False, on_disk: bool = False) -> int:
        """Begins to take the floor's state, which `slices` go on with; returns the position up to which it holds."""
        self.faults.check()
        self.finish_checkpoint()
        meta = {
            "epoch": self._ledger.epoch,
            "journal": self._journal.id,
            "last_tick": str(self._last_tick),
            "age": str(self._clock.age()),
            "clean": "yes" if clean else "no",
            "floor_config": self._config.floor_json(),
            "release": __version__,
            "retained": self.retained.dump(),
            "requests": self.requests.dump(),
        }
        whole = self._whole or bool(self._ledger.standby_problem)
        on_disk = on_disk or clean or whole or self._disk_due
        if on_disk:
            self._disk_at = self._last_tick + micros(self._config.ledger.disk_every)
            self._precious_at = self._last_tick + _PRECIOUS
            self._precious, self._facts = False, 0
            self._going_to_disk.append(self._position)
        self._checkpoint_at = self._last_tick + micros(self._config.ledger.checkpoint_every)
        self._whole = False
        self._unsaved = True
        parts, rest = self.floor.begin_checkpoint(whole=whole)
        self._begun = _Begun(parts, rest, self._position, meta, on_disk, whole)
        return self._position

    @property
    def _disk_due(self) -> bool:
        """The checkpoint that is due goes to disk."""
        precious = self._precious and self._last_tick >= self._precious_at
        return precious or self._last_tick >= self._disk_at or self._facts >= _EVENTS

    def slices(self) -> Iterator[None]:
        """Takes the checkpoint that was begun, some of it at a time, until the ledger has it as a whole."""
        while (begun := self._begun) is not None:
            before = len(begun.parts)
            until = monotonic() + _LONGEST_SLICE
            for name, part in islice(begun.rest, _SLICE):
                begun.parts[name] = part
                if monotonic() >= until:
                    break
            if len(begun.parts) == before:
                self._finish(begun)
            yield

    def finish_checkpoint(self) -> None:
        """Takes at once what is left of a checkpoint that was begun."""
        if self._begun is not None:
            self._finish(self._begun)

    def _finish(self, begun: _Begun) -> None:
        begun.parts.update(begun.rest)
        self._begun = None
        self._ledger.checkpoint(begun.parts, begun.position, begun.meta, on_disk=begun.on_disk, whole=begun.whole)

    def release(self, position: int) -> None:
        """The ledger holds a checkpoint up to `position`: the journal need not keep what came before it."""
        self._unsaved = False
        while self._going_to_disk and self._going_to_disk[0] <= position:
            self._on_disk = self._going_to_disk.popleft()
        self._released.set()
        self._released = asyncio.Event()
        self.checkpoints += 1
        self.checkpoint_attempts += 1
        if self._recorder is not None:
            position = min(position, self._recorder.position)
        self._journal.release(position)
        if self._journal.renewed():
            self._log.error(
                "the journal was deleted while the gateway had it open; it begins anew",
                directory=str(self._config.journal.directory),
            )
            self._whole = True
            self.hurry_checkpoint()

    def not_saved(self, *, refused: bool = False) -> None:
        """The attempt to save a checkpoint has failed. Where it was `refused` for want of those before it, the next is
        a whole one, and comes at once."""
        self.checkpoint_attempts += 1
        if refused:
            self._whole = True
            self.hurry_checkpoint()

    @property
    def zones(self) -> dict[str, bool]:
        """The zones of the configuration in force, and whether an antenna watches each."""
        return self._config.watched_zones()

    def reconfigure(self, config: Config) -> None:
        """Goes on with a floor of `config` in the state of the present one. Raises, with nothing changed, where that
        cannot be.

        It happens at a checkpoint: what is in the journal behind it was judged under `config`, and would be again
        after a crash. The checkpoints wait for the disk like every other.
        """
        successor = self.floor.successor(config)
        self.checkpoint()
        self._config = config
        self._clock.grain = micros(config.floor.window)
        self._disorder = Disorder(micros(config.floor.lateness))
        self.floor = successor
        self.checkpoint()
