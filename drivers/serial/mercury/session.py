"""The talk with a Mercury module: stop what still runs, identify, configure, then one long stream of reads."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import ClassVar, NoReturn

from drivers.api import ClockQuality, DriverContext, DriverError, ProtocolError
from drivers.serial.link import Link
from drivers.serial.mercury.frames import (
    COMMANDS_WHILE_READING,
    MODELS,
    PREAMBLE,
    REGIONS,
    STOP_READING,
    Anchor,
    MercuryFraming,
    Op,
    Reply,
    Status,
    channel_of,
    command,
    meaning,
    read_reply,
    read_tag,
    start_reading,
    while_reading,
)
from drivers.serial.mercury.settings import MercurySettings
from drivers.serial.session import (
    ATTEMPTS,
    BAD_MATCH,
    SECOND,
    THROTTLED,
    Identity,
    Session,
    Unidentified,
    Wanted,
    Watch,
)


class MercurySession(Session[MercurySettings]):
    clock: ClassVar[ClockQuality] = ClockQuality.UPTIME

    def __init__(self, link: Link, context: DriverContext, settings: MercurySettings, running: asyncio.Event) -> None:
        super().__init__(link, context, settings, running)
        self._model = 0
        self._firmware = b""
        self._sequence = asyncio.Lock()
        self._streaming = False
        self._directed: set[int] = set()
        cycle = round((self.settings.on + self.settings.off) * SECOND)
        self._anchor = Anchor(cycle)
        self._look_at_antennas = self.settings.antenna_check
        self.watch = Watch(max(3 * cycle, 2 * SECOND), self.steady())

    # Frames of the module.

    def frame(self, frame: bytes, now: int) -> None:
        op, status = frame[2], frame[3] << 8 | frame[4]
        if op == Op.READ_MULTIPLE and not self.answer(frame):
            self._stream_frame(frame, status, now)
        elif op == Op.BOOT and not self.answer(frame):
            self.link.fail(f"{self.link.where}: the module restarted by itself; is its power supply weak?")
        elif op == Op.AUTONOMOUS:
            self.link.fail(f"{self.link.where}: the module is in autonomous mode; clear it with the vendor's software")
        else:
            self.answer(frame)

    def _stream_frame(self, frame: bytes, status: int, now: int) -> None:
        if status == Status.OK:
            self._tag(frame, now)
        elif status == Status.NO_TAGS:
            self._anchor.set(now)
            self.alive(now)
        elif status == Status.TOO_HOT:
            self.condition(THROTTLED, now, "the module is over temperature and reads less; let it cool")
        elif status == Status.BAD_MATCH:
            self.condition(BAD_MATCH, now, "an antenna reflects the power it is given; check antennas and cables")
        elif status == Status.NO_ANTENNA:
            self._look_at_antennas = True
        elif status == Status.BAD_OPCODE:
            self.link.fail(f"{self.link.where}: the module has gone back to its bootloader")
        else:
            self.complain(f"status {status:04X}: {meaning(status)}")

    def _tag(self, frame: bytes, now: int) -> None:
        try:
            tag = read_tag(frame)
        except ValueError as error:
            self.complain("tag record not understood", error=str(error), frame=frame.hex())
            return
        if tag is not None:
            count, rssi, antenna, frequency, milliseconds, epc = tag
            time = self._anchor.date(milliseconds, now)
            self.rows.append((epc, antenna, rssi, channel_of(frequency), time, count or 1))

    # Commands.

    async def _call(self, op: Op, data: bytes = b"", *, refusable: bool = False) -> bytes:
        """The data of the module's answer. Raises `DriverError` on another status, unless it is `refusable`."""
        if self._streaming and not self._takes_commands():
            raise DriverError(f"{self.link.where}: this firmware takes no commands while it reads")
        if self._streaming:
            frame = await self.ask(while_reading(op, data), _is_nested(op), op.words)
            answer = Reply(op, frame[8] << 8 | frame[9], frame[10:-2])
        else:
            self._framing().expect(op)
            answer = read_reply(await self.ask(command(op, data), _is(op), op.words))
        if answer.status != Status.OK and not refusable:
            raise refused(self.link.where, op, answer)
        return answer.data if answer.status == Status.OK else b""

    def _framing(self) -> MercuryFraming:
        framing = self.link.framer.framing
        assert isinstance(framing, MercuryFraming)
        return framing

    def _takes_commands(self) -> bool:
        since = COMMANDS_WHILE_READING.get(self._model)
        return since is not None and self._firmware >= since

    async def prepare(self) -> Identity:
        """Stop, make the module answer with CRCs, identify, boot, configure."""
        if self.ports[-1] > 16:
            raise DriverError(f"antenna {self.ports[-1]}: modules of this family have ports 1 to 16", permanent=True)
        await self._stop()
        version = await self._identify()
        self._model, self._firmware = version[4], version[12:16]
        await self._configure()
        await self._start()
        model = MODELS.get(self._model, f"unknown model {self._model:02X}")
        return Identity(f"ThingMagic {model}", ".".join(f"{byte:02X}" for byte in self._firmware))

    async def _stop(self) -> None:
        """A module streams on when its host has crashed; until it says that it stopped, nothing else is understood."""
        self._framing().expect(Op.STREAM)
        for _ in range(ATTEMPTS):
            stopped = await self.exchange(STOP_READING, _is_stopped, patience=2 * self.settings.reply_timeout)
            if stopped or not self.heard:
                break
        await self.quiet(0.05, 3.0)
        self._streaming = False

    async def _identify(self) -> bytes:
        """The answer to VERSION. A module that sleeps is woken, one that leaves out CRCs is told not to."""
        for wake in (b"", PREAMBLE):
            self._framing().expect(Op.SET_CONFIG)
            crc_on = wake + command(Op.SET_CONFIG, b"\x01\x1b\x01")
            await self.exchange(crc_on, _is(Op.SET_CONFIG), patience=self.settings.reply_timeout / 2)
            self._framing().expect(Op.VERSION)
            for _ in range(ATTEMPTS if self.heard else 2):
                frame = await self.exchange(command(Op.VERSION), _is(Op.VERSION))
                if frame is not None:
                    return await self._booted(read_reply(frame))
        raise Unidentified(f"{self.link.where}: no Mercury module answers")

    async def _booted(self, version: Reply) -> bytes:
        program = await self._call(Op.PROGRAM, refusable=True)
        data = version.data
        if version.status == Status.BAD_OPCODE or (program and program[0] & 3 == 1):
            self._framing().expect(Op.BOOT)
            boot = read_reply(await self.ask(command(Op.BOOT), _is(Op.BOOT), "start its firmware", patience=3.0))
            if boot.status != Status.OK:
                raise refused(self.link.where, Op.BOOT, boot)
            data = boot.data
        if len(data) < 20:
            raise ProtocolError(f"{self.link.where}: the module's version has {len(data)} bytes instead of 20")
        return data

    async def _configure(self) -> None:
        await self._set_region()
        await self._call(Op.SET_PROTOCOL, b"\x00\x05")
        await self._call(Op.SET_CONFIG, b"\x01\x0c\x00", refusable=True)  # its own filter off: every read reaches us
        await self._call(Op.SET_CONFIG, b"\x01\x00\x00", refusable=True)  # one record for each antenna
        await self._call(Op.SET_GEN2, bytes([5, 0, self.settings.session]), refusable=True)
        await self._set_power()
        search = b"".join(bytes([port % 16 or 16, port % 16 or 16]) for port in self.ports)
        await self._call(Op.SET_ANTENNAS, b"\x02" + search)

    async def _set_region(self) -> None:
        if self.settings.region:
            await self._call(Op.SET_REGION, bytes([REGIONS[self.settings.region]]))
            return
        region = await self._call(Op.GET_REGION)
        if region[:1] in (b"", b"\x00"):
            raise DriverError(
                f"{self.link.where}: the module has no region and would not transmit; write region: NA (or the "
                "region of the site) in the reader's settings",
                permanent=True,
            )

    async def _set_power(self) -> None:
        """Power is in the module's memory, not in its flash: it can be set at every start."""
        given = {port: round(100 * power) for port, power in self.powers.items() if power is not None}
        if not given:
            return
        now = await self._call(Op.GET_READ_POWER, b"\x01")
        if len(now) >= 7:
            most, least = struct.unpack_from(">hh", now, 3)
            for port, power in given.items():
                if not least <= power <= most:
                    raise DriverError(
                        f"antenna {port}: {power / 100:g} dBm, but this module has {least / 100:g} to "
                        f"{most / 100:g} dBm; write a power in that range",
                        permanent=True,
                    )
        if len(given) == len(self.ports) and len(set(given.values())) == 1:
            await self._call(Op.SET_READ_POWER, struct.pack(">h", next(iter(given.values()))))
        else:
            rows = (struct.pack(">Bhhh", port, power, power, 0) for port, power in sorted(given.items()))
            await self._call(Op.SET_ANTENNAS, b"\x04" + b"".join(rows))

    async def _start(self) -> None:
        request = start_reading(round(1000 * self.settings.on), round(1000 * self.settings.off))
        for _ in range(ATTEMPTS):
            self._framing().expect(Op.STREAM)
            self._anchor.set(self.context.now())
            frame = await self.exchange(request, _is_started)
            if frame is not None:
                break
            await self._stop()  # it may have started and its answer be lost
        else:
            raise DriverError(f"{self.link.where}: the module does not answer when asked to start reading")
        answer = read_reply(frame)
        if answer.status != Status.OK:
            raise refused(self.link.where, Op.STREAM, answer)
        self.watch.beat(self.steady())
        self._streaming = True

    # Reading.

    async def work(self) -> NoReturn:
        inputs_at = self._loop.time()
        if self.settings.inputs and not self._takes_commands():
            raise DriverError(
                f"{self.link.where}: firmware {self._firmware.hex('.')} cannot report inputs while it reads; update "
                "it or remove inputs from the reader's settings",
                permanent=True,
            )
        while True:
            await self.rest(self.settings.input_poll if self.settings.inputs else 0.25)
            if not self.running.is_set():
                await self._pause()
            if self.watch.overdue(self.steady()):
                silent = f"{self.watch.limit / SECOND:g} s"
                raise DriverError(f"{self.link.where}: the module has been silent for {silent}; power or cable?")
            # Whether the module is alive is for the watch to say; a look that got no answer is taken again.
            with suppress(DriverError):
                if self._look_at_antennas:
                    await self._check_antennas()
                if self.settings.inputs and self._loop.time() >= inputs_at:
                    inputs_at = self._loop.time() + self.settings.input_poll
                    await self._check_inputs()

    async def _pause(self) -> None:
        async with self._sequence:
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
        if not 1 <= port <= 4:
            raise DriverError(f"output {port}: modules of this family have pins 1 to 4")
        if port in self.settings.inputs:
            raise DriverError(f"output {port}: this pin is configured as an input")
        if port not in self._directed:
            await self._stopped_call(Op.SET_OUTPUT, bytes([1, port, 1, 0]))
            self._directed.add(port)
        await self._stopped_call(Op.SET_OUTPUT, bytes([port, state]))

    async def leave(self) -> None:
        await self._stop()


def refused(where: str, op: Op, answer: Reply) -> DriverError:
    detail = ""
    if answer.status == Status.ASSERTION and len(answer.data) > 4:
        text = answer.data[4:].decode("ascii", "replace")
        detail = f" at line {int.from_bytes(answer.data[:4], 'big')} of {text!r}"
    return DriverError(
        f"{where}: the module refuses to {op.words}: {answer.status:04X}, {meaning(answer.status)}{detail}"
    )


def _is(op: Op) -> Wanted:
    return lambda frame: frame[2] == op


def _is_nested(op: Op) -> Wanted:
    return lambda frame: frame[2] == Op.STREAM and len(frame) >= 12 and frame[5] == 4 and frame[7] == op


def _is_started(frame: bytes) -> bool:
    return frame[2] == Op.STREAM and (frame[3:5] != b"\x00\x00" or frame[5:-2][:1] == b"\x01")


def _is_stopped(frame: bytes) -> bool:
    return frame[2] == Op.STREAM and (frame[3:5] == b"\x01\x00" or frame[5:-2][:1] == b"\x02")
