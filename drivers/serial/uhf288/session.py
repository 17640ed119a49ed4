"""The talk with a UHFReader: force its answer mode, configure what differs, then round after round.

These readers keep their settings and their mode in flash: nothing is written that is already there.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, NoReturn

from drivers.api import DriverContext, DriverError, ProtocolError, ReaderLoss, RssiUnit
from drivers.serial.link import Link
from drivers.serial.session import SECOND, Identity, Session, Unidentified, Wanted, Watch
from drivers.serial.uhf288.frames import (
    BANDS,
    BROADCAST,
    MODELS,
    ONE_ANTENNA,
    STATUS_TEXT,
    WITH_TAGS,
    Cmd,
    Info,
    Reply,
    Status,
    Tag,
    band_data,
    command,
    inventory,
    read_info,
    read_realtime,
    read_reply,
    read_tags,
    without_pc,
)
from drivers.serial.uhf288.settings import Uhf288Settings

TRIES = 5
"""A reader that is in a scan hears nothing until it ends, a second or two usually."""

ERROR_PAUSE = 0.1
MAX_POWER = 33


class Uhf288Session(Session[Uhf288Settings]):
    rssi_unit: ClassVar[RssiUnit] = RssiUnit.RAW

    def __init__(self, link: Link, context: DriverContext, settings: Uhf288Settings, running: asyncio.Event) -> None:
        super().__init__(link, context, settings, running)
        self._address = settings.address
        self._one_antenna = False
        self._outputs: int | None = None
        self._inputs_at = 0.0
        scan = round(settings.scan_time * SECOND)
        self.watch = Watch(max(3 * scan, 3 * SECOND), self.steady())

    # Frames of the reader.

    def frame(self, frame: bytes, now: int) -> None:
        _, cmd, status, data = reply = read_reply(frame)
        if not self._mine(frame):
            return
        try:
            if cmd == Cmd.INVENTORY and status in WITH_TAGS:
                for tag in read_tags(data, one_antenna=self._one_antenna):
                    self._row(tag, now)
            elif cmd == Cmd.REALTIME:
                self._realtime(reply, now)
        except ValueError as error:
            self.complain("report not understood", error=str(error), frame=frame.hex())
        self.answer(frame)

    def _realtime(self, report: Reply, now: int) -> None:
        if report.status == Status.OK:
            self._row(read_realtime(report.data, one_antenna=self._one_antenna), now)
        elif report.status == Status.HEARTBEAT:
            self.alive(now)

    def _row(self, tag: Tag, now: int) -> None:
        epc = without_pc(tag.epc) if self.settings.epc_with_pc else tag.epc
        if tag.tid:
            self.tids[epc] = tag.tid
        self.rows.append((epc, tag.antenna, tag.rssi, 0, now, 1))

    def _mine(self, frame: bytes) -> bool:
        return frame[1] == self._address or self._address == BROADCAST

    def _is(self, *commands: int) -> Wanted:
        return lambda frame: frame[2] in commands and self._mine(frame)

    # Connecting.

    async def prepare(self) -> Identity:
        info = await self._identify()
        self._one_antenna = info.kind in ONE_ANTENNA
        if self._one_antenna:
            await self._ask(Cmd.SET_MODE_18, bytes(6), "go to answer mode")
        self._check_ports()
        await self.quiet(0.05, 3.0)
        await self._configure(info)
        if self.settings.mode == "realtime":
            await self._start_realtime(info)
        model = MODELS.get(info.kind, f"UHFReader of unknown type {info.kind:02X}")
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
            raise Unidentified(f"{self.link.where}: no UHFReader with address {self._address} answers")
        answer = read_reply(frame)
        self._address = answer.address
        try:
            return read_info(answer.data)
        except ValueError as error:
            raise ProtocolError(f"{self.link.where}: {error}") from error

    def _check_ports(self) -> None:
        most = 1 if self._one_antenna else 8
        if self.ports[-1] > most:
            raise DriverError(f"antenna {self.ports[-1]}: this reader has ports 1 to {most}", permanent=True)
        if set(self.settings.inputs) - {1}:
            raise DriverError("this reader has one input; write inputs: [1]", permanent=True)

    async def _configure(self, info: Info) -> None:
        if self.settings.band:
            band = BANDS[self.settings.band]
            first, last = self.settings.channels or (0, band.last)
            if not first <= last <= band.last:
                raise DriverError(
                    f"channels {first} to {last}: band {self.settings.band} has 0 to {band.last}", permanent=True
                )
            if (info.band, info.first, info.last) != (band.number, first, last):
                await self._ask(Cmd.SET_BAND, band_data(band.number, first, last), "set its band")
        power = self._power()
        if power is not None and power != info.power:
            await self._ask(Cmd.SET_POWER, bytes([power]), f"set its power to {power} dBm")
        scan_time = round(self.settings.scan_time * 10)
        if self._one_antenna and scan_time != info.scan_time:
            await self._ask(Cmd.SET_SCAN_TIME, bytes([scan_time]), "set its scan time")

    def _power(self) -> int | None:
        powers = {power for power in self.powers.values() if power is not None}
        if not powers:
            return None
        if len(powers) > 1:
            raise DriverError(
                "this reader has one power for all its antennas: give every antenna the same power", permanent=True
            )
        power = powers.pop()
        if not 0 <= power <= MAX_POWER or power != int(power):
            raise DriverError(f"power {power:g} dBm: this reader takes whole dBm, 0 to {MAX_POWER}", permanent=True)
        return int(power)

    async def _ask(self, cmd: Cmd, data: bytes, what: str) -> Reply:
        request = command(self._address, cmd, data)
        answer = read_reply(await self.ask(request, self._is(cmd, Cmd.UNKNOWN), what))
        if answer.status != Status.OK:
            meaning = STATUS_TEXT.get(answer.status, "meaning unknown")
            raise DriverError(f"{self.link.where}: the reader refuses to {what}: {answer.status:02X}, {meaning}")
        return answer

    # Reading.

    async def work(self) -> NoReturn:
        while True:
            if not self.running.is_set():
                await self._pause()
            if self.settings.mode == "answer":
                for port in self.ports:
                    await self._round(port)
            else:
                await self.rest(0.1)
            if self.settings.inputs and self._loop.time() >= self._inputs_at:
                self._inputs_at = self._loop.time() + self.settings.input_poll
                await self._check_inputs()
            if self.watch.overdue(self.steady()):
                silent = f"{self.watch.limit / SECOND:g} s"
                raise DriverError(f"{self.link.where}: the reader has been silent for {silent}; power or cable?")

    async def _pause(self) -> None:
        if self.settings.mode == "realtime":
            await self._ask(Cmd.SET_MODE, b"\x00", "go to answer mode")
        await self.held_back()
        if self.settings.mode == "realtime":
            await self._ask(Cmd.SET_MODE, b"\x01", "go to real-time mode")

    async def _round(self, port: int) -> None:
        settings = self.settings
        scan_time = round(settings.scan_time * 10)
        if self._one_antenna:
            request = command(self._address, Cmd.INVENTORY)
        else:
            request = inventory(self._address, settings.q, settings.session, port, scan_time, fast_id=settings.fast_id)
        patience = settings.scan_time + settings.reply_timeout
        begun = self.context.now()
        end = await self.exchange(request, self._is_end, patience=patience, extend=True)
        if end is not None:
            await self._ended(port, end[3], begun)

    def _is_end(self, frame: bytes) -> bool:
        return frame[2] == Cmd.INVENTORY and frame[3] != Status.MORE and self._mine(frame)

    async def _ended(self, port: int, status: int, begun: int) -> None:
        now = self.context.now()
        if status == Status.ANTENNA:
            self.antenna(port, False, now, "the reader finds no antenna there; check antenna and cable")
            await self.rest(ERROR_PAUSE)
        elif status in WITH_TAGS or status == Status.NO_TAG:
            self.antenna(port, True, now)
            if status == Status.MEMORY_FULL:
                self.emit(ReaderLoss(self.context.reader, now, begun, now, "reader-memory-full"))
        else:
            meaning = STATUS_TEXT.get(status, "meaning unknown")
            raise DriverError(f"{self.link.where}: the reader refuses to read: status {status:02X}, {meaning}")
        self.alive(now)

    async def _start_realtime(self, info: Info) -> None:
        mask = sum(1 << port - 1 for port in self.ports)
        if not self._one_antenna and info.antennas != mask:
            await self._ask(Cmd.SET_ANTENNAS, bytes([mask]), "use its antennas")
        await self._ask(Cmd.HEARTBEAT, b"\x81", "send heartbeats")
        await self._ask(Cmd.SET_MODE, b"\x01", "go to real-time mode")

    async def _check_inputs(self) -> None:
        frame = await self.exchange(command(self._address, Cmd.GET_PINS), self._is(Cmd.GET_PINS))
        if frame is not None and len(frame) >= 7:
            self.input(1, bool(frame[4] & 1), self.context.now())

    async def set_output(self, port: int, state: bool) -> None:
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
        if self.settings.mode == "realtime":
            await self._ask(Cmd.SET_MODE, b"\x00", "go to answer mode")
