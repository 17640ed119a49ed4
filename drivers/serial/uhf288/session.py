"""The talk with a UHFReader: force its answer mode, configure what differs, then round after round.

These readers keep their settings and their mode in flash: nothing is written that is already there. What a reader can
do is learnt from what it answers, as hundreds of types share these frames: how its reports are laid out (`dialect`),
which form of the inventory command it takes, whether it has a real-time mode and heartbeats.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar, NoReturn

from drivers.api import DriverContext, DriverError, ReaderLoss, RssiUnit
from drivers.serial.extras import Extras
from drivers.serial.link import Link
from drivers.serial.one_power import one_power
from drivers.serial.session import Identity, Session, Unidentified, Wanted
from drivers.serial.signs import SECOND
from drivers.serial.uhf288.dialect import Dialect
from drivers.serial.uhf288.frames import (
    BANDS,
    BROADCAST,
    FORMS,
    MODELS,
    REFUSALS,
    ROUND_ENDS,
    STATUS_TEXT,
    WITH_TAGS,
    WITHOUT_TAGS,
    Cmd,
    Form,
    Info,
    Reply,
    Status,
    Tag,
    answer_mode_18,
    band_data,
    command,
    inventory,
    read_info,
    read_reply,
    realtime_mode_18,
    without_pc,
)
from drivers.serial.uhf288.settings import Uhf288Settings

TRIES = 5
"""A reader that is in a scan hears nothing until it ends, a second or two usually."""

ERROR_PAUSE = 0.1
INPUTS = "its inputs"
MOST_MISSES = 20
"""Times in a row that it may leave the question for its inputs unanswered; a noisy line costs some."""
MAX_POWER = 33
ASK_ALIVE = SECOND
"""A reader in real-time mode that sends no heartbeats is asked for a sign of life so often, in microseconds."""


class Uhf288Session(Session[Uhf288Settings]):
    """The session with a reader of this family: scans, or what it sends by itself in real-time mode."""

    rssi_unit: ClassVar[RssiUnit] = RssiUnit.RAW

    def __init__(self, link: Link, context: DriverContext, settings: Uhf288Settings, running: asyncio.Event) -> None:
        super().__init__(link, context, settings, running)
        self._address = settings.address
        self._dialect = Dialect(names_antenna=True)
        self._forms = [*FORMS]
        self._proven = False  # the first of the forms has been answered with a round
        self._read_some = False  # tags came since the last round was asked for
        self._fast_id = settings.fast_id
        self._sends_unasked = settings.mode == "realtime"
        self._has_mode_18 = False
        self._heartbeats = False
        self._asked_alive = 0
        self._outputs: int | None = None
        self._inputs_at = 0.0
        self._extras = Extras(lambda what: self.leave_out(what, "it does not answer when asked for them"))
        scan = round(settings.scan_time * SECOND)
        self.heartbeat = self.living(max(3 * scan, 3 * SECOND))

    # Frames of the reader.

    def frame(self, frame: bytes, now: int) -> bool:
        """Takes one whole frame of the reader; returns whether it was understood."""
        _, cmd, status, data = reply = read_reply(frame)
        if not self._mine(frame):
            return False
        understood = True
        try:
            if cmd == Cmd.INVENTORY and status in WITH_TAGS:
                self._tags(data, now)
            elif cmd == Cmd.INVENTORY and data and status not in WITHOUT_TAGS:
                with suppress(ValueError):  # a status that nobody knows; tags are tags
                    self._tags(data, now)
            elif cmd == Cmd.REALTIME:
                understood = self._realtime(reply, now)
        except ValueError as error:
            self.puzzled(str(error), frame)
            understood = False
        return self.answer(frame) or understood

    def _tags(self, data: bytes, now: int) -> None:
        for tag in self._dialect.tags(data):
            self._row(tag, now)
            self._read_some = True

    def _realtime(self, report: Reply, now: int) -> bool:
        if report.status == Status.OK:
            self._row(self._dialect.report(report.data), now)
        elif report.status == Status.HEARTBEAT:
            self._heartbeats = True
            self.alive(now)
        else:
            self.puzzled(f"report with status {report.status:02X}", bytes(report.data))
            return False
        return True

    def _row(self, tag: Tag, now: int) -> None:
        antenna = tag.antenna or self.only_port
        if not antenna:
            self.fault = DriverError(
                f"{self.link.where}: the reader's reports name no antenna: configure one antenna", permanent=True
            )
            return
        epc = without_pc(tag.epc) if self.settings.epc_with_pc else tag.epc
        if tag.tid:
            self.tids[epc] = tag.tid
        self.rows.append((epc, antenna, tag.rssi, 0, now, 1))

    def _mine(self, frame: bytes) -> bool:
        return frame[1] in (self._address, BROADCAST) or self._address == BROADCAST

    def _is(self, *commands: int) -> Wanted:
        return lambda frame: frame[2] in commands and self._mine(frame)

    # Connecting.

    async def prepare(self) -> Identity:
        """Finds out who the reader is and sets it up. Raises DriverError."""
        info = await self._identify()
        self._dialect = Dialect(names_antenna=info.has_antennas)
        if not info.has_antennas:
            self._forms.reverse()
        await self._leave_active_mode()
        self._check_inputs_setting()
        await self._settle()
        await self._configure(info)
        if len(self.ports) > 1 and not info.has_antennas:
            await self._try_antennas()
        if self.settings.mode == "realtime":
            await self._start_realtime(info)
        model = "UHFReader" if info.kind is None else MODELS.get(info.kind, f"UHFReader of type {info.kind:02X}")
        return Identity(model, info.firmware)

    async def _identify(self) -> Info:
        """Stop whatever runs, force answer mode and ask who it is, until that is heard."""
        for _ in range(TRIES):
            for cmd, data in ((Cmd.STOP_NOW, b""), (Cmd.SET_MODE, b"\x00")):
                patience = self.settings.reply_timeout / 2
                await self.exchange(command(self._address, cmd, data), self._is(cmd, Cmd.UNKNOWN), patience=patience)
            request = command(self._address, Cmd.INFO)
            frame = await self.exchange(request, self._is(Cmd.INFO))
            if not self.settings.echo:
                self.check_echo(request)
            if frame is not None:
                break
        else:
            frame = await self._identify_otherwise(request)
        answer = read_reply(frame)
        self._address = answer.address
        info = read_info(answer.data if answer.cmd == Cmd.INFO else b"")
        if info.kind is None:
            self.complain("reader information not understood", frame=frame.hex())
        return info

    async def _identify_otherwise(self, request: bytes) -> bytes:
        """An answer that it does not know the question, or to another question. Raises `Unidentified` where none comes,
        and `DriverError` where a reader of another address is there."""
        for asked, cmd in ((request, Cmd.INFO), (command(self._address, Cmd.GET_MODE_18), Cmd.GET_MODE_18)):
            frame = await self.exchange(asked, self._is(cmd, Cmd.UNKNOWN))
            if frame is not None:
                return frame
        address, self._address = self._address, BROADCAST
        other = await self.exchange(command(BROADCAST, Cmd.INFO), self._is(Cmd.INFO))
        self._address = address
        raise self.absent("UHFReader", address, None if other is None else other[1])

    async def _leave_active_mode(self) -> None:
        """Older readers have a work mode of their own, with parameters of the site's: only the mode is changed."""
        request = command(self._address, Cmd.GET_MODE_18)
        frame = await self.exchange(request, self._is(Cmd.GET_MODE_18, Cmd.UNKNOWN))
        answer = None if frame is None else read_reply(frame)
        if answer is None or answer.cmd != Cmd.GET_MODE_18 or answer.status != Status.OK:
            return
        self._has_mode_18 = True
        wanted = answer_mode_18(answer.data)
        if wanted is not None:
            await self._try(Cmd.SET_MODE_18, wanted, "go to answer mode")

    async def _settle(self) -> None:
        """Wait until it sends nothing any more. One that cannot be stopped is listened to, if it is understood."""
        try:
            await self.quiet(0.05, 3.0)
        except Unidentified:
            if not self._dialect.fits:
                raise
            self._sends_unasked = True
            self.complain("the reader goes on sending by itself; listening to it")

    def _check_inputs_setting(self) -> None:
        if set(self.settings.inputs) - {1}:
            raise DriverError("this reader has one input; write inputs: [1]", permanent=True)

    async def _try_antennas(self) -> None:
        """Ask for a short round on the last antenna: a reader that has but one refuses the command."""
        frame = await self._inventory(Form.FULL, self.ports[-1], 1)
        if frame is None or frame[2] != Cmd.INVENTORY or frame[3] in REFUSALS:
            raise DriverError(
                f"antenna {self.ports[-1]}: this reader knows no antenna by number: configure one antenna",
                permanent=True,
            )
        self._forms = [*FORMS]

    async def _configure(self, info: Info) -> None:
        if self.settings.band:
            band = BANDS[self.settings.band]
            first, last = self.settings.channels or (0, band.last)
            if not first <= last <= band.last:
                raise DriverError(
                    f"channels {first} to {last}: band {self.settings.band} has 0 to {band.last}", permanent=True
                )
            if (info.band, info.first, info.last) != (band.number, first, last):
                setting = self._ask(Cmd.SET_BAND, band_data(band.number, first, last), "set its band")
                await self.must_not_differ("its band", setting, is_known=info.band is not None)
        power = one_power(self.powers, MAX_POWER)
        if power is not None and power != info.power:
            setting = self._ask(Cmd.SET_POWER, bytes([power]), f"set its power to {power} dBm")
            await self.or_without("the power of its antennas", setting)
        scan_time = round(self.settings.scan_time * 10)
        if not info.has_antennas and scan_time != info.scan_time:
            await self._try(Cmd.SET_SCAN_TIME, bytes([scan_time]), "set its scan time")

    async def _ask(self, cmd: Cmd, data: bytes, what: str) -> Reply:
        request = command(self._address, cmd, data)
        answer = read_reply(await self.ask(request, self._is(cmd, Cmd.UNKNOWN), what))
        if answer.cmd != cmd or answer.status != Status.OK:
            meaning = STATUS_TEXT.get(answer.status, "meaning unknown")
            raise DriverError(f"{self.link.where}: the reader refuses to {what}: {answer.status:02X}, {meaning}")
        return answer

    async def _try(self, cmd: Cmd, data: bytes, what: str) -> bool:
        """As `_ask`, for what not every reader can: whether it did."""
        try:
            await self._ask(cmd, data, what)
        except DriverError as error:
            self.check()
            self.complain("the reader cannot do something; going on without it", reason=str(error))
            return False
        return True

    # Reading.

    async def work(self) -> NoReturn:
        """Reads until the link ends. Raises DriverError."""
        while True:
            if not self.running.is_set():
                await self._pause()
            if self._sends_unasked:
                await self.rest(0.1)
                await self._ask_alive()
            else:
                for port in self.ports if self._forms[0] is Form.FULL else self.ports[:1]:
                    await self._round(port)
            if self.settings.inputs and self._loop.time() >= self._inputs_at:
                self._inputs_at = self._loop.time() + self.settings.input_poll
                await self._check_inputs()
            self.check_life()

    async def _pause(self) -> None:
        if self._sends_unasked:
            await self._set_realtime(on=False)
        await self.held_back()
        if self._sends_unasked:
            await self._set_realtime(on=True)

    async def _inventory(self, form: Form, port: int, scan_time: int) -> bytes | None:
        """The frame that ends a round, None if none comes."""
        settings = self.settings
        request = inventory(
            self._address, settings.q, settings.session, port, scan_time, fast_id=self._fast_id, form=form
        )
        patience = settings.scan_time + settings.reply_timeout
        return await self.exchange(request, self._is_end, patience=patience, extend=True)

    async def _round(self, port: int) -> None:
        begun = self.context.now()
        self._read_some = False
        end = await self._inventory(self._forms[0], port, round(self.settings.scan_time * 10))
        if end is None:
            if self._read_some:
                self.alive(self.context.now())
            return
        refused = end[2] == Cmd.UNKNOWN or end[3] in REFUSALS
        if refused and not self._proven:
            await self._simpler(end[3])
        elif end[2] == Cmd.INVENTORY:
            self._proven = self._proven or not refused
            await self._ended(port, end[3], begun)

    async def _simpler(self, status: int) -> None:
        """The reader refuses this form of the command: the next time another is sent."""
        if self._fast_id:
            self._fast_id = False
            self.complain("the reader takes no command with FastID: TIDs are not read")
            return
        refused = self._forms.pop(0)
        if not self._forms:
            meaning = STATUS_TEXT.get(status, "meaning unknown")
            raise DriverError(f"{self.link.where}: the reader refuses to read: status {status:02X}, {meaning}")
        if refused is Form.FULL:
            mask = sum(1 << port - 1 for port in self.ports)
            await self._try(Cmd.SET_ANTENNAS, bytes([mask]), "use its antennas")

    def _is_end(self, frame: bytes) -> bool:
        ends = (frame[2] == Cmd.INVENTORY and frame[3] != Status.MORE) or frame[2] == Cmd.UNKNOWN
        return ends and self._mine(frame)

    async def _ended(self, port: int, status: int, begun: int) -> None:
        now = self.context.now()
        if status == Status.ANTENNA or (status == Status.PARAMETER and len(self.ports) > 1):
            self.antenna(port, False, now, "the reader finds no antenna there; check antenna and cable")
            await self.rest(ERROR_PAUSE)
        elif status in ROUND_ENDS or self._read_some:
            self.antenna(port, True, now)
            if status == Status.MEMORY_FULL:
                self.emit(ReaderLoss(self.context.reader, now, begun, now, "reader-memory-full"))
        else:
            self.refused(f"{status:02X}, {STATUS_TEXT.get(status, 'meaning unknown')}")
            await self.rest(ERROR_PAUSE)
            return
        self.refusals = 0
        self.alive(now)

    async def _start_realtime(self, info: Info) -> None:
        mask = sum(1 << port - 1 for port in self.ports)
        if info.has_antennas and info.antennas != mask:
            await self._try(Cmd.SET_ANTENNAS, bytes([mask]), "use its antennas")
        await self._try(Cmd.HEARTBEAT, b"\x81", "send heartbeats")
        if not await self._set_realtime(on=True):
            self._sends_unasked = False
            self.complain("the reader has no real-time mode; asking it for every round")

    async def _set_realtime(self, *, on: bool) -> bool:
        """Whether the reader went into real-time mode, or out of it."""
        what = "go to real-time mode" if on else "go to answer mode"
        if not self._has_mode_18:
            return await self._try(Cmd.SET_MODE, bytes([on]), what)
        frame = await self.exchange(command(self._address, Cmd.GET_MODE_18), self._is(Cmd.GET_MODE_18))
        data = b"" if frame is None else read_reply(frame).data
        wanted = realtime_mode_18(data) if on else answer_mode_18(data)
        return wanted is None or await self._try(Cmd.SET_MODE_18, wanted, what)

    async def _ask_alive(self) -> None:
        """A sign of life from a reader that sends by itself, but no heartbeats."""
        now = self.steady()
        if self._heartbeats or now - self._asked_alive < ASK_ALIVE:
            return
        self._asked_alive = now
        if await self.exchange(command(self._address, Cmd.INFO), self._is(Cmd.INFO)) is not None:
            self.alive(self.context.now())

    async def _check_inputs(self) -> None:
        if not self._extras.wanted(INPUTS):
            return
        frame = await self.exchange(command(self._address, Cmd.GET_PINS), self._is(Cmd.GET_PINS))
        self._extras.asked(INPUTS, answered=frame is not None, most=MOST_MISSES)
        if frame is not None and len(frame) >= 7:
            self.input(1, bool(frame[4] & 1), self.context.now())

    async def set_output(self, port: int, state: bool) -> None:
        """Switches an output. Raises DriverError."""
        if port not in (1, 2):
            raise DriverError(f"output {port}: this reader has outputs 1 and 2")
        if self._outputs is None:
            pins = await self._ask(Cmd.GET_PINS, b"", "report its pins")
            self._outputs = pins.data[0] >> 4 & 3 if pins.data else 0
        bit = 1 << port - 1
        wanted = self._outputs | bit if state else self._outputs & ~bit
        await self._ask(Cmd.SET_OUTPUTS, bytes([wanted]), "switch its outputs")
        self._outputs = wanted

    async def leave(self) -> None:
        """Takes a reader that sends by itself out of that mode."""
        if self._sends_unasked:
            await self._set_realtime(on=False)
