"""What talking to a serial reader has in common, whatever the family: one command in flight, the reads in between,
heartbeat, conditions that come and go, inputs that change.

A family's session is fed whole frames (`take`) and puts items into the sink at once; its coroutines only send
commands and wait for answers. Times are UTC microseconds of the gateway except in `Heartbeat`, which wants a clock that
nobody sets.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    DriverContext,
    DriverError,
    InputChange,
    Item,
    ReaderAlive,
    ReaderClock,
    ReaderLoss,
    ReaderUp,
    Row,
    RssiUnit,
)
from drivers.comprehension import UNREADABLE_REPORTS, Comprehension
from drivers.serial.link import Link
from drivers.serial.settings import SerialSettings
from drivers.serial.signs import CONDITION_HOLD, NOISE_WINDOW, SECOND, Conditions, Heartbeat, LineQuality

ALIVE_EVERY = 200_000
"""At most five signs of life a second; rounds can be far shorter, and nobody needs more."""

THROTTLED = "throttled"
HOT = "hot"
BAD_MATCH = "high-return-loss"
NOISE = "line-noise"
SETTINGS_REFUSED = "settings-refused"
FOR_EVER = 1 << 62

ATTEMPTS = 5
"""With 1 % of bytes damaged a command and its answer get through three times out of four; five tries miss once in a
thousand."""

MAX_WAITING = 10_000
"""Reads kept while a reader is being set up: more than a line at 921,600 baud brings in a second or two."""

MAX_COMPLAINTS = 20
"""Kinds of oddities that are logged for one connection; a line that sends more kinds is only noise."""

MOST_REFUSALS = 8
"""Rounds in a row that a reader may refuse: a carrier that was on, a chip that restarts."""


class Unidentified(DriverError):
    """No reader of the family answered; what else was seen on the port says more."""


@dataclass(slots=True, frozen=True)
class Identity:
    """What a module says it is."""

    model: str
    firmware: str


SettingsT = TypeVar("SettingsT", bound=SerialSettings)
Wanted = Callable[[bytes], bool]


class Session(ABC, Generic[SettingsT]):
    """One connection to one reader. `running` is cleared while the gateway can take no reads."""

    rssi_unit: ClassVar[RssiUnit] = RssiUnit.DBM
    clock_of_family: ClassVar[ClockQuality] = ClockQuality.ARRIVAL

    def __init__(self, link: Link, context: DriverContext, settings: SettingsT, running: asyncio.Event) -> None:
        self.link = link
        self.context = context
        self.settings = settings
        self.running = running
        self.ports = sorted(antenna.port for antenna in context.antennas)
        self.powers = {antenna.port: antenna.power for antenna in context.antennas}
        self.rows: list[Row] = []
        self.tids: dict[bytes, bytes] = {}
        self.conditions = Conditions(context.reader)
        self._loop = asyncio.get_running_loop()
        self.only_port = self.ports[0] if len(self.ports) == 1 else 0
        """The antenna to which reads belong whose reader names none, 0 where there are several."""
        self.clock = self.clock_of_family
        self.heartbeat = self.living(3 * SECOND)
        self.comprehension = Comprehension()
        self.fault: Exception | None = None
        """Why this cannot go on, whatever comes."""
        self._left_out: list[str] = []  # settings that the reader does not take, in words
        self.refusals = 0  # rounds refused since the last that went well
        self._quality = LineQuality(self.steady())
        self._is_up = False
        self._alive_at = 0
        self._arrival = 0
        self._antennas: dict[int, bool] = {}
        self._inputs: dict[int, bool] = {}
        self._pending: tuple[Wanted, asyncio.Future[bytes]] | None = None
        self.heard = False  # whether any frame came since the last request
        self._complaints: set[str] = set()
        link.lost.add_done_callback(self._on_lost)

    # What a family provides.

    @abstractmethod
    async def prepare(self) -> Identity:
        """Stop and drain, identify, configure. Raises `Unidentified` when nobody answers, else `DriverError`."""

    @abstractmethod
    async def work(self) -> NoReturn:
        """Read until the link ends. Raises `DriverError`."""

    @abstractmethod
    async def leave(self) -> None:
        """Leave the reader quiet, as the next start wants to find it."""

    @abstractmethod
    def frame(self, frame: bytes, now: int) -> bool:
        """One whole frame: append reads to `rows`, `emit` anything else, pass answers to `answer`. Returns whether it
        was understood: only such frames are signs of life. A report that is not goes to `puzzled` as well."""

    @abstractmethod
    async def set_output(self, port: int, state: bool) -> None:
        """Raises `DriverError`."""

    # What every family uses.

    def steady(self) -> int:
        """Microseconds of the clock that is never set."""
        return int(self._loop.time() * SECOND)

    def living(self, limit: int) -> Heartbeat:
        """The watch over a reader that may be silent for `limit` microseconds, or while two answers are waited for."""
        return Heartbeat(max(limit, round(2.5 * SECOND * self.settings.reply_timeout)), self.steady())

    def take(self, frames: list[bytes]) -> None:
        """Frames from the link, in order. What fails over them, such as a sink that cannot keep a read, is for whoever
        runs the driver: it must not end in asyncio's log."""
        if self.fault is not None:
            return
        now = self._arrival = self.context.now()
        self.heard = True
        try:
            for frame in frames:
                if self.frame(frame, now):
                    self.heartbeat.beat(self.steady())
            self.flush()
        except Exception as error:
            self.fault = error
            self._give_up(error)

    def flush(self) -> None:
        """Hand over the reads so far; before `up` they wait, as nobody knows of the reader yet."""
        if self.rows:
            self.comprehension.understood(self._loop.time())
        if self.rows and self._is_up:
            rows, tids = self.rows, self.tids
            self.rows, self.tids = [], {}
            self.context.sink(Batch(self.context.reader, self._arrival, rows, rssi_unit=self.rssi_unit, tids=tids))
        elif len(self.rows) > MAX_WAITING:
            self.forget()

    def forget(self) -> None:
        """Drop reads that nobody is to have: from before the reader was stopped and set up."""
        self.rows.clear()
        self.tids.clear()

    def emit(self, item: Item) -> None:
        """Hand over an item behind the reads that came before it; dropped while the reader is not up."""
        self.flush()
        if self._is_up:
            self.context.sink(item)

    def up(self, identity: Identity) -> None:
        """The reader is set up and reads: says so, and what its clock is worth."""
        now = self.context.now()
        self.context.sink(ReaderUp(self.context.reader, now, model=identity.model, firmware=identity.firmware))
        self.context.sink(ReaderClock(self.context.reader, now, self.clock, 0))
        self._is_up = True
        if self._left_out:
            self.condition(SETTINGS_REFUSED, now, ", ".join(self._left_out), FOR_EVER)
        self.flush()

    def down(self) -> None:
        """The link ended: what still lasts is over as far as anybody can tell."""
        for item in self.conditions.clear(self.context.now()):
            self.emit(item)
        self._is_up = False

    def puzzled(self, what: str, frame: bytes) -> None:
        """A report came that cannot be read. Others may be good: only where none is, this is no reader for us."""
        self.complain("report not understood", reason=what, frame=frame.hex())
        self.condition(UNREADABLE_REPORTS, self.context.now(), "tag reports cannot be read; the log has an example")
        self.comprehension.puzzled(self._loop.time(), f"{what}: {frame[:40].hex(' ')}")

    def leave_out(self, what: str, why: str) -> None:
        """The reader does not take a setting: it reads without it, and that is said for as long as it does."""
        self.context.log.warning("the reader refuses a setting; going on without it", setting=what, reason=why)
        if what not in self._left_out:
            self._left_out.append(what)
            if self._is_up:
                self.condition(SETTINGS_REFUSED, self.context.now(), ", ".join(self._left_out), FOR_EVER)

    async def or_without(self, what: str, setting: Awaitable[object]) -> bool:
        """Waits until `setting` is made. Whether it was: one that the reader refuses or does not answer is left out."""
        try:
            await setting
        except DriverError as error:
            self.check()
            if error.permanent:
                raise
            self.leave_out(what, str(error))
            return False
        return True

    async def must_not_differ(self, what: str, setting: Awaitable[object], *, is_known: bool) -> None:
        """Waits until `setting` is made, of where a reader may transmit. One that is known (`is_known`) to have it
        otherwise must not read with it; one that does not tell may have it right, and reads without."""
        if is_known:
            await setting
        else:
            await self.or_without(what, setting)

    def absent(self, family: str, address: int, found: int | None) -> DriverError:
        """The error where no reader of a family answers at its address; `found` is the address of one that answers when
        all are asked."""
        if found is None or found == address:
            return Unidentified(f"{self.link.where}: no {family} with address {address} answers")
        return DriverError(
            f"{self.link.where}: no {family} has the address {address}, but one has {found}: write address: {found}"
        )

    def refused(self, why: str) -> None:
        """The reader refuses to read. It may do so once; raises `DriverError` when it goes on."""
        self.refusals += 1
        self.complain("the reader refuses to read", reason=why)
        if self.refusals >= MOST_REFUSALS:
            raise DriverError(f"{self.link.where}: the reader refuses to read: {why}")

    def check_life(self) -> None:
        """Raises `DriverError` when nothing that is understood has come for too long."""
        self.check()
        if self.heartbeat.overdue(self.steady()):
            silent = f"{self.heartbeat.limit / SECOND:g} s"
            raise DriverError(f"{self.link.where}: it has been silent for {silent}, or not understood; power or cable?")
        if self.comprehension.verdict is not None:
            raise DriverError(f"{self.link.where}: {self.comprehension.verdict}")

    def alive(self, now: int) -> None:
        """The reader's heartbeat: everything that it read before has been handed over."""
        if self.comprehension.in_doubt(self._loop.time()):
            return
        if now - self._alive_at >= ALIVE_EVERY or now < self._alive_at:
            self._alive_at = now
            self.emit(ReaderAlive(self.context.reader, now))
        for item in self.conditions.lapse(now):
            self.emit(item)
        noise = self._quality.noise(self.link.received, self.link.framer.skipped, self.steady())
        if noise:
            self.condition(NOISE, now, noise, 2 * NOISE_WINDOW)

    def complain(self, what: str, **fields: object) -> None:
        """Log something odd that the reader sent; once for each kind and connection, as it may come without end."""
        if what not in self._complaints and len(self._complaints) < MAX_COMPLAINTS:
            self._complaints.add(what)
            self.context.log.warning(what, reader=self.context.reader, **fields)

    def condition(self, name: str, now: int, detail: str, hold: int = CONDITION_HOLD) -> None:
        """A condition of a reader that is up was seen; it ends where it is not seen again for `hold` microseconds."""
        for item in self.conditions.seen(name, now, detail, hold) if self._is_up else ():
            self.emit(item)

    def antenna(self, port: int, up: bool, now: int, reason: str = "") -> None:
        """What was just learnt of an antenna; handed over when it is news."""
        if port in self.powers and self._antennas.get(port) is not up:
            self._antennas[port] = up
            self.emit(AntennaStatus(self.context.reader, now, port, up, "" if up else reason))

    def input(self, port: int, state: bool, now: int) -> None:
        """The level of an input was read: a change is said."""
        if port in self.settings.inputs and self._inputs.get(port) is not state:
            self._inputs[port] = state
            self.emit(InputChange(self.context.reader, now, port, state))

    async def exchange(
        self, request: bytes, wanted: Wanted, *, patience: float | None = None, extend: bool = False
    ) -> bytes | None:
        """Send `request` and wait for a frame that is `wanted`; None if there is none for `patience` seconds.

        With `extend` the wait begins anew with every frame: a round of reads takes as long as it takes.
        """
        limit = self.settings.reply_timeout if patience is None else patience
        async with self.link.turn(self.take):
            self.link.expect_no_echo()
            answer: asyncio.Future[bytes] = self._loop.create_future()
            self._pending = (wanted, answer)
            try:
                self.link.send(request)
                return await self._wait(answer, limit, extend=extend)
            finally:
                self._pending = None

    async def _wait(self, answer: asyncio.Future[bytes], limit: float, *, extend: bool) -> bytes | None:
        while True:
            self.heard = False
            with suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    return await asyncio.shield(answer)
            if not (extend and self.heard):
                answer.cancel()
                return None

    def answer(self, frame: bytes) -> bool:
        """Whether somebody waited for this frame."""
        if self._pending is None or self._pending[1].done() or not self._pending[0](frame):
            return False
        self._pending[1].set_result(frame)
        return True

    async def ask(
        self, request: bytes, wanted: Wanted, what: str, *, patience: float | None = None, attempts: int = ATTEMPTS
    ) -> bytes:
        """As `exchange`, and again if nothing comes: a byte may have been damaged. Raises `DriverError`."""
        for _ in range(attempts):
            reply = await self.exchange(request, wanted, patience=patience)
            if reply is not None:
                return reply
        raise DriverError(f"{self.link.where}: the reader does not answer when asked to {what}")

    def check_echo(self, request: bytes) -> None:
        """Raise `DriverError` if `request`, which no reader would send, came back: RS-485 that hears itself."""
        if request in self.link.seen:
            raise DriverError(
                f"{self.link.where}: what is sent comes back: write echo: true if this is RS-485, else look for a "
                "shorted RX and TX",
                permanent=True,
            )

    async def rest(self, seconds: float) -> None:
        """Wait; raises `DriverError` as soon as the link is lost."""
        await asyncio.wait({self.link.lost}, timeout=seconds)
        self.check()

    def check(self) -> None:
        """Raises `DriverError` when the link is lost, or what came shows that this cannot work, or what failed."""
        if self.fault is not None:
            raise self.fault
        if self.link.lost.done():
            raise DriverError(self.link.lost.result())

    async def quiet(self, silence: float, limit: float) -> None:
        """Wait until nothing has come for `silence` seconds; raises `DriverError` if that takes over `limit`.

        Reads that come before the reader is up are what it had still to say to an earlier host: their time is unknown.
        """
        deadline = self._loop.time() + limit
        async with self.link.turn(self.take):  # on a bus, nobody else is asked anything meanwhile
            while True:
                before = self.link.received
                await self.rest(silence)
                if self.link.received == before:
                    break
                if self._loop.time() > deadline:
                    raise Unidentified(f"{self.link.where}: bytes keep coming whatever is sent")
            self.link.framer.clear()
            if not self._is_up:
                self.forget()

    async def held_back(self) -> None:
        """While the gateway takes no reads, wait. What the reader would have read in that time is lost, and said so."""
        start = self.context.now()
        waiting = asyncio.create_task(self.running.wait())
        either: list[asyncio.Future[Any]] = [waiting, self.link.lost]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        end = self.context.now()
        self.emit(ReaderLoss(self.context.reader, end, start, end, "held-back", certain=False))
        self.check()

    def _on_lost(self, lost: asyncio.Future[str]) -> None:
        self._give_up(DriverError(lost.result()))

    def _give_up(self, error: Exception) -> None:
        """Nobody need wait for an answer any more."""
        if self._pending and not self._pending[1].done():
            self._pending[1].set_exception(error)
