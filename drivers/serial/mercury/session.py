"""The talk with a Mercury module: stop what still runs, identify, configure, then one long stream of reads."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import ClassVar, NoReturn

from drivers.api import ClockQuality, DriverContext, DriverError
from drivers.serial.link import Link
from drivers.serial.mercury.answers import is_answer, is_nested, is_started, is_stopped, power_range, refusal
from drivers.serial.mercury.frames import (
    COMMANDS_WHILE_READING,
    MODELS,
    PASSING,
    PREAMBLE,
    REGIONS,
    STOP_READING,
    Anchor,
    MercuryFraming,
    Op,
    Reply,
    Status,
    TagRead,
    channel_of,
    command,
    meaning,
    read_reply,
    read_tag,
    start_reading,
    while_reading,
)
from drivers.serial.mercury.rounds import Rounds
from drivers.serial.mercury.settings import MercurySettings
from drivers.serial.session import ATTEMPTS, BAD_MATCH, THROTTLED, Identity, Session, Unidentified
from drivers.serial.signs import SECOND


class MercurySession(Session[MercurySettings]):
    """The session with a Mercury module: a stream of reads, or rounds where it has none."""

    clock_of_family: ClassVar[ClockQuality] = ClockQuality.UPTIME

    def __init__(self, link: Link, context: DriverContext, settings: MercurySettings, running: asyncio.Event) -> None:
        super().__init__(link, context, settings, running)
        self._model = 0
        self._firmware = b""
        self._sequence = asyncio.Lock()
        self._streaming = False
        self._rounds: Rounds | None = None  # of a module that does not stream
        self._nested: bool | None = None  # whether it takes commands while it streams
        self._directed: set[int] = set()
        cycle = round((self.settings.on + self.settings.off) * SECOND)
        self._anchor = Anchor(cycle)
        self._look_at_antennas = self.settings.antenna_check
        self.heartbeat = self.living(max(3 * cycle, 2 * SECOND))

    # Frames of the module.

    def frame(self, frame: bytes, now: int) -> bool:
        """Takes one whole frame of the reader; returns whether it was understood."""
        op, status = frame[2], frame[3] << 8 | frame[4]
        if self.answer(frame):
            return True
        if op == Op.READ_MULTIPLE:
            return self._stream_frame(frame, status, now)
        if op == Op.BOOT:
            self.link.fail(f"{self.link.where}: the module restarted by itself; is its power supply weak?")
        elif op == Op.AUTONOMOUS:
            self.link.fail(f"{self.link.where}: the module is in autonomous mode; clear it with the vendor's software")
        return False

    def _stream_frame(self, frame: bytes, status: int, now: int) -> bool:
        if status == Status.OK:
            return self._tag(frame, now)
        if status == Status.NO_TAGS:
            self._anchor.set(now)
            self.alive(now)
        elif status == Status.BAD_OPCODE:
            self.link.fail(f"{self.link.where}: the module has gone back to its bootloader")
        else:
            self.trouble(status, now)
        return True

    def trouble(self, status: int, now: int) -> None:
        """A round, or a cycle of the stream, that did not go as it should."""
        if status == Status.TOO_HOT:
            self.condition(THROTTLED, now, "the module is over temperature and reads less; let it cool")
        elif status == Status.BAD_MATCH:
            self.condition(BAD_MATCH, now, "an antenna reflects the power it is given; check antennas and cables")
        elif status == Status.NO_ANTENNA:
            self._look_at_antennas = True
        else:
            self.complain(f"status {status:04X}: {meaning(status)}")

    def _tag(self, frame: bytes, now: int) -> bool:
        try:
            tag = read_tag(frame)
            if tag is not None:
                self.row(tag, self._anchor.date(tag.time, now))
        except ValueError as error:
            self.puzzled(str(error), frame)
            return False
        return True

    def row(self, tag: TagRead, time: int, antenna: int = 0) -> None:
        """A read. Raises `ValueError` where nobody can tell of which antenna."""
        antenna = antenna or tag.antenna or self.only_port
        if not antenna:
            raise ValueError("a tag record names no antenna, and several are configured")
        self.rows.append((tag.epc, antenna, tag.rssi, channel_of(tag.frequency), time, tag.reads or 1))

    # Commands.

    async def _call(self, op: Op, data: bytes = b"", *, refusable: bool = False) -> bytes:
        """The data of the answer, empty where the module refuses what is `refusable`. Raises `DriverError` else."""
        answer = await (self.reply_if_any(op, data) if refusable else self.reply(op, data))
        if answer.status != Status.OK and not refusable:
            raise refusal(self.link.where, op, answer)
        return answer.data if answer.status == Status.OK else b""

    async def reply(self, op: Op, data: bytes = b"", patience: float | None = None) -> Reply:
        """The module's answer, whatever its status. Raises `DriverError` where there is none."""
        if self._streaming and not self._takes_commands():
            raise DriverError(f"{self.link.where}: this firmware takes no commands while it reads")
        if self._streaming:
            frame = await self.ask(while_reading(op, data), is_nested(op), op.words)
            return Reply(op, frame[8] << 8 | frame[9], frame[10:-2])
        self._framing().expect(op)
        return read_reply(await self.ask(command(op, data), is_answer(op), op.words, patience=patience))

    async def reply_if_any(self, op: Op, data: bytes = b"") -> Reply:
        """As `reply`, of a command that not every model knows; one that leaves it unanswered does not know it."""
        try:
            return await self.reply(op, data)
        except DriverError as error:
            self.check()
            self.complain("the module leaves a command unanswered; going on without it", reason=str(error))
            return Reply(op, Status.BAD_OPCODE, b"")

    async def _try(self, op: Op, data: bytes) -> bool:
        """A setting that not every model knows: whether it took it."""
        answer = await self.reply_if_any(op, data)
        if answer.status != Status.OK:
            why = f"{answer.status:04X}, {meaning(answer.status)}"
            self.complain(f"the module does not {op.words}; going on without it", status=why)
        return answer.status == Status.OK

    def _framing(self) -> MercuryFraming:
        framing = self.link.framer.framing
        assert isinstance(framing, MercuryFraming)
        return framing

    def _takes_commands(self) -> bool:
        """Known of some models by their firmware; the others are asked once they stream, see `_ask_nested`."""
        since = COMMANDS_WHILE_READING.get(self._model)
        return bool(self._nested) if since is None else self._firmware >= since

    async def _ask_nested(self) -> None:
        """Whether a module that no table names answers a command within its stream."""
        if not self._streaming or self._nested is not None or self._model in COMMANDS_WHILE_READING:
            return
        frame = await self.exchange(while_reading(Op.GET_INPUTS, b"\x01"), is_nested(Op.GET_INPUTS))
        self._nested = frame is not None
        if frame is None:  # it may have taken that for the end of the stream
            async with self._sequence:
                await self._stop()
                await self._start()

    async def prepare(self) -> Identity:
        """Stop, make the module answer with CRCs, identify, boot, configure."""
        if self.ports[-1] > 16:
            raise DriverError(f"antenna {self.ports[-1]}: modules of this family have ports 1 to 16", permanent=True)
        await self._stop()
        version = await self._identify()
        self._model, self._firmware = version[4], version[12:16]
        await self._configure()
        await self._start()
        if self._rounds is not None:
            self.clock = ClockQuality.ARRIVAL
        model = MODELS.get(self._model, f"unknown model {self._model:02X}")
        return Identity(f"ThingMagic {model}", ".".join(f"{byte:02X}" for byte in self._firmware))

    async def _stop(self) -> None:
        """A module streams on when its host has crashed; until it says that it stopped, nothing else is understood."""
        self._framing().expect(Op.STREAM)
        for _ in range(ATTEMPTS):
            stopped = await self.exchange(STOP_READING, is_stopped, patience=2 * self.settings.reply_timeout)
            if stopped or not self.heard:
                break
        await self.quiet(0.05, 3.0)
        self._streaming = False

    async def _identify(self) -> bytes:
        """The answer to VERSION. A module that sleeps is woken, one that leaves out CRCs is told not to."""
        for wake in (b"", PREAMBLE):
            self._framing().expect(Op.SET_CONFIG)
            crc_on = wake + command(Op.SET_CONFIG, b"\x01\x1b\x01")
            await self.exchange(crc_on, is_answer(Op.SET_CONFIG), patience=self.settings.reply_timeout / 2)
            self._framing().expect(Op.VERSION)
            for _ in range(ATTEMPTS if self.heard else 2):
                frame = await self.exchange(command(Op.VERSION), is_answer(Op.VERSION))
                if frame is not None:
                    return await self._booted(read_reply(frame))
        raise Unidentified(f"{self.link.where}: no Mercury module answers")

    async def _booted(self, version: Reply) -> bytes:
        program = await self._call(Op.PROGRAM, refusable=True)
        data = version.data
        if version.status == Status.BAD_OPCODE or (program and program[0] & 3 == 1):
            self._framing().expect(Op.BOOT)
            boot = read_reply(await self.ask(command(Op.BOOT), is_answer(Op.BOOT), "start its firmware", patience=3.0))
            if boot.status != Status.OK:
                raise refusal(self.link.where, Op.BOOT, boot)
            data = boot.data
        if len(data) < 20:
            self.complain("the module's version is shorter than known", version=data.hex())
        return data.ljust(20, b"\x00")

    async def _configure(self) -> None:
        await self._set_region()
        await self._try(Op.SET_PROTOCOL, b"\x00\x05")
        await self._call(Op.SET_CONFIG, b"\x01\x0c\x00", refusable=True)  # its own filter off: every read reaches us
        await self._call(Op.SET_CONFIG, b"\x01\x00\x00", refusable=True)  # one record for each antenna
        await self._call(Op.SET_GEN2, bytes([5, 0, self.settings.session]), refusable=True)
        await self._set_power()
        search = b"".join(bytes([port % 16 or 16, port % 16 or 16]) for port in self.ports)
        if not await self._try(Op.SET_ANTENNAS, b"\x02" + search):
            self._rounds = Rounds(self)  # which set each antenna before they use it, as far as the module can

    async def _set_region(self) -> None:
        if self.settings.region:
            await self._ask_for_region(bytes([REGIONS[self.settings.region]]))
            return
        if (await self._call(Op.GET_REGION, refusable=True))[:1] == b"\x00":
            remedy = "write region: NA (or the region of the site) in the reader's settings"
            wrong = f"{self.link.where}: the module has no region and would not transmit; {remedy}"
            raise DriverError(wrong, permanent=True)

    async def _ask_for_region(self, wanted: bytes) -> None:
        """A module that refuses may be in that region for good; in another it must not transmit."""
        answer = await self.reply_if_any(Op.SET_REGION, wanted)
        if answer.status == Status.OK:
            return
        found = await self._call(Op.GET_REGION, refusable=True)
        if found and found[:1] != wanted:
            raise refusal(self.link.where, Op.SET_REGION, answer)
        if not found:
            self.leave_out("its region", str(refusal(self.link.where, Op.SET_REGION, answer)))

    async def _set_power(self) -> None:
        """Power is in the module's memory, not in its flash: it can be set at every start."""
        given = {port: round(100 * power) for port, power in self.powers.items() if power is not None}
        if not given:
            return
        least, most = power_range(await self._call(Op.GET_READ_POWER, b"\x01", refusable=True))
        for port, power in given.items():
            if not least <= power <= most:
                has = f"{least / 100:g} to {most / 100:g} dBm"
                wrong = f"antenna {port}: {power / 100:g} dBm, but this module has {has}; write a power in that range"
                raise DriverError(wrong, permanent=True)
        if len(given) == len(self.ports) and len(set(given.values())) == 1:
            setting = self._call(Op.SET_READ_POWER, struct.pack(">h", next(iter(given.values()))))
        else:
            rows = (struct.pack(">Bhhh", port, power, power, 0) for port, power in sorted(given.items()))
            setting = self._call(Op.SET_ANTENNAS, b"\x04" + b"".join(rows))
        await self.or_without("the power of its antennas", setting)

    async def _start(self) -> None:
        """Begin to stream. A module that cannot reads by rounds."""
        if self._rounds is not None:
            return
        request = start_reading(round(1000 * self.settings.on), round(1000 * self.settings.off))
        for _ in range(ATTEMPTS):
            self._framing().expect(Op.STREAM)
            self._anchor.set(self.context.now())
            frame = await self.exchange(request, is_started)
            if frame is not None:
                break
            await self._stop()  # it may have started and its answer be lost
        else:
            self._read_by_rounds("no answer")
            return
        answer = read_reply(frame)
        if answer.status in PASSING:
            raise refusal(self.link.where, Op.STREAM, answer)
        if answer.status != Status.OK:
            self._read_by_rounds(f"{answer.status:04X}, {meaning(answer.status)}")
            return
        self.heartbeat.beat(self.steady())
        self._streaming = True

    def _read_by_rounds(self, why: str) -> None:
        self.complain("the module does not stream; reading by rounds", reason=why)
        self._rounds = Rounds(self)

    # Reading.

    async def work(self) -> NoReturn:
        """Reads until the link ends. Raises DriverError."""
        inputs_at = self._loop.time()
        if self.settings.inputs:
            await self._ask_nested()
        if self.settings.inputs and self._streaming and not self._takes_commands():
            cannot = f"firmware {self._firmware.hex('.')} cannot report inputs while it reads"
            remedy = "update it or remove inputs from the reader's settings"
            raise DriverError(f"{self.link.where}: {cannot}; {remedy}", permanent=True)
        while True:
            if self._rounds is not None:
                await self._rounds.read()
            else:
                await self.rest(self.settings.input_poll if self.settings.inputs else 0.25)
            if not self.running.is_set():
                await self._pause()
            self.check_life()
            # Whether the module is alive is for the watch to say; a look that got no answer is taken again.
            with suppress(DriverError):
                if self._look_at_antennas:
                    await self._check_antennas()
                if self.settings.inputs and self._loop.time() >= inputs_at:
                    inputs_at = self._loop.time() + self.settings.input_poll
                    await self._check_inputs()

    # What rounds need.

    @property
    def round_milliseconds(self) -> int:
        """How long a round lasts."""
        return round(1000 * self.settings.on)

    def now(self) -> int:
        """Microseconds UTC."""
        return self.context.now()

    def read_nothing(self, port: int, now: int) -> None:
        """A round saw no tag."""
        self.read_some(port, now)

    def read_some(self, port: int, now: int) -> None:
        """A round is over and its reads are there."""
        self.refusals = 0
        self.antenna(port, True, now)
        self.flush()
        self.alive(now)

    def lost_antenna(self, port: int, now: int) -> None:
        """A round found no antenna."""
        self.antenna(port, False, now, "the module finds no antenna there; check antenna and cable")
        self.alive(now)

    async def _pause(self) -> None:
        async with self._sequence:
            if self._rounds is None:
                await self._stop()
        await self.held_back()  # outputs can be switched meanwhile
        async with self._sequence:
            await self._start()

    async def _stopped_call(self, op: Op, data: bytes, *, refusable: bool = False) -> bytes:
        """A command, with the stream stopped around it where the firmware needs that."""
        async with self._sequence:
            if self._takes_commands() or not self._streaming:
                return await self._call(op, data, refusable=refusable)
            await self._stop()
            try:
                return await self._call(op, data, refusable=refusable)
            finally:
                await self._start()

    async def _check_antennas(self) -> None:
        found = await self._stopped_call(Op.GET_ANTENNAS, b"\x05", refusable=True)
        self._look_at_antennas = False
        now = self.context.now()
        for port, present in zip(found[1::2], found[2::2], strict=False):
            self.antenna(port, present == 1, now, "the module feels no antenna there; check antenna and cable")

    async def _check_inputs(self) -> None:
        pins = await self._stopped_call(Op.GET_INPUTS, b"\x01", refusable=True)
        now = self.context.now()
        for pin, output, state in zip(pins[1::3], pins[2::3], pins[3::3], strict=False):
            if not output:
                self.input(pin, state == 1, now)

    async def set_output(self, port: int, state: bool) -> None:
        """Switches an output. Raises DriverError."""
        if not 1 <= port <= 4:
            raise DriverError(f"output {port}: modules of this family have pins 1 to 4")
        if port in self.settings.inputs:
            raise DriverError(f"output {port}: this pin is configured as an input")
        if port not in self._directed:
            await self._stopped_call(Op.SET_OUTPUT, bytes([1, port, 1, 0]))
            self._directed.add(port)
        await self._stopped_call(Op.SET_OUTPUT, bytes([port, state]))

    async def leave(self) -> None:
        """Ends the stream."""
        await self._stop()
