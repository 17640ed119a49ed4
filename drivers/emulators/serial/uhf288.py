"""An emulated UHFReader: scans to order or reports by itself, keeps its settings, is deaf while it scans."""

from __future__ import annotations

from typing import Any

from drivers.emulators.scene import Seen, tid_of
from drivers.emulators.serial.reader import SECOND, EmulatedReader, Emulator
from drivers.serial.uhf288.frames import BROADCAST, Cmd, Status, Uhf288Framing, read_command, reply

KINDS = {"UHFReader18": 0x09, "UHFReader288M": 0x0C, "UHFReader288MP": 0x20, "E310": 0x3D}
ONE_ANTENNA = KINDS["UHFReader18"]
HEARTBEAT = SECOND


class Uhf288(EmulatedReader):
    """`realtime`: it was left in real-time mode, which outlives a power cut."""

    framing = Uhf288Framing(host=True)

    def __init__(
        self, *args: Any, model: str = "UHFReader288M", address: int = 0, realtime: bool = False, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.kind = KINDS[model]
        self.address = address
        self.realtime = realtime
        self.mode_18 = bytes([realtime, 2, 4, 2, 6, 0])
        self.missing: set[int] = set()
        self.memory_full = False
        self.tags_per_frame = 8
        self.band = (0x31, 0x80)
        self.power = 30
        self.scan_time = 10
        self.mask = 1
        self.writes = 0
        self.deaf = 0
        self._scan: tuple[int, int, bool] | None = None  # antenna, end, FastID
        self._found = False
        self._seen: set[bytes] = set()
        self._read_until = 0
        self._heartbeat_at = 0
        self._heartbeats = 0

    @property
    def _one_antenna(self) -> bool:
        return self.kind == ONE_ANTENNA

    def reboot(self) -> None:
        """As after a power cut."""
        self._scan = None

    def command(self, frame: bytes) -> None:
        """Takes one whole frame of the host."""
        address, cmd, data = read_command(frame)
        if address not in (self.address, BROADCAST):
            return
        if self._scan:
            self.deaf += 1
            return
        if cmd == Cmd.INVENTORY:
            self._start_scan(data)
        else:
            self._reply(cmd, *self._execute(cmd, data))

    def _reply(self, cmd: int, status: int, data: bytes = b"") -> None:
        self.send(reply(self.address, cmd, status, data))

    def _execute(self, cmd: int, data: bytes) -> tuple[int, bytes]:
        if cmd == Cmd.INFO:
            return 0, self._info()
        if cmd == Cmd.GET_PINS:
            outputs = sum(1 << port + 3 for port, state in self.outputs.items() if state)
            return 0, bytes([self.inputs.get(1, False) | outputs])
        if cmd in (Cmd.SET_MODE, Cmd.HEARTBEAT, Cmd.STOP_NOW) and self._one_antenna:
            return Status.COMMAND, b""
        if cmd == Cmd.SET_MODE and len(data) == 1:
            self.realtime = data[0] == 1
            self._read_until = self._heartbeat_at = self.now()
        elif cmd == Cmd.GET_MODE_18 and self._one_antenna:
            return 0, bytes([0, 30, 10, 15]) + self.mode_18 + bytes(2)
        elif cmd == Cmd.SET_MODE_18 and len(data) == 6 and self._one_antenna:
            self.mode_18, self.realtime = data, data[0] & 3 != 0
            self._read_until = self.now()
            self.writes += 1
        elif cmd == Cmd.SET_OUTPUTS and len(data) == 1:
            self.outputs = {1: bool(data[0] & 1), 2: bool(data[0] & 2)}
        elif cmd not in (Cmd.HEARTBEAT, Cmd.STOP_NOW):
            return self._write(cmd, data)
        return 0, b""

    def _write(self, cmd: int, data: bytes) -> tuple[int, bytes]:
        """A setting that goes to flash."""
        if cmd == Cmd.SET_BAND and len(data) == 2:
            self.band = (data[0], data[1])
        elif cmd == Cmd.SET_POWER and len(data) == 1:
            if data[0] > 33:
                return Status.PARAMETER, b""
            self.power = data[0]
        elif cmd == Cmd.SET_SCAN_TIME and len(data) == 1:
            self.scan_time = data[0]
        elif cmd == Cmd.SET_ANTENNAS and len(data) == 1:
            self.mask = data[0]
        elif cmd == Cmd.SET_ADDRESS and len(data) == 1:
            self.address = data[0]
        else:
            return Status.COMMAND, b""
        self.writes += 1
        return 0, b""

    def _info(self) -> bytes:
        head = bytes([2, 11, self.kind, 2, *self.band, self.power, self.scan_time])
        return head if self._one_antenna else head + bytes([self.mask, 0, 0, 1])

    # Reading.

    def _start_scan(self, data: bytes) -> None:
        antenna, scan_time, fast_id = 1, self.scan_time, False
        if not self._one_antenna:
            if len(data) < 5:
                self._reply(Cmd.INVENTORY, Status.LENGTH)
                return
            antenna, scan_time, fast_id = data[-2] - 0x7F, data[-1], bool(data[0] & 0x20)
        if antenna in self.missing:
            self._reply(Cmd.INVENTORY, Status.ANTENNA)
            return
        now = self.now()
        self._scan = antenna, now + scan_time * SECOND // 10, fast_id
        self._found = False
        self._seen.clear()
        self._read_until = now

    def tick(self, now: int) -> None:
        """Does what is due at `now`, microseconds."""
        if self._scan:
            self._tick_scan(now)
        elif self.realtime:
            self._tick_realtime(now)

    def _tick_scan(self, now: int) -> None:
        assert self._scan is not None
        antenna, end, fast_id = self._scan
        fresh = [seen for seen in self._until(min(now, end), [antenna]) if seen.epc not in self._seen]
        fresh = list({seen.epc: seen for seen in fresh}.values())
        self._seen.update(seen.epc for seen in fresh)
        for at in range(0, len(fresh), self.tags_per_frame):
            self._report(fresh[at : at + self.tags_per_frame], antenna, fast_id)
        if now >= end:
            self._scan = None
            self._end(antenna)

    def _end(self, antenna: int) -> None:
        if not self._found:
            self._reply(Cmd.INVENTORY, Status.NO_TAG)
            return
        status = Status.MEMORY_FULL if self.memory_full else Status.COMPLETE
        self._reply(Cmd.INVENTORY, status, b"\x00" if self._one_antenna else bytes([1 << antenna - 1, 0]))

    def _report(self, seens: list[Seen], antenna: int, fast_id: bool) -> None:
        tags = b"".join(self._tag(seen, fast_id) for seen in seens)
        head = b"" if self._one_antenna else bytes([1 << antenna - 1])
        frame = reply(self.address, Cmd.INVENTORY, Status.MORE, head + bytes([len(seens)]) + tags)
        whole = self.send(frame) and self.port.attached
        self._found = True
        for seen in seens:
            if self.on_read:
                self.on_read(seen, whole)

    def _tag(self, seen: Seen, fast_id: bool) -> bytes:
        if self._one_antenna:
            return bytes([len(seen.epc)]) + seen.epc
        rssi = max(0, min(255, 160 + seen.rssi // 100))
        if fast_id:
            return bytes([0x80 | len(seen.epc) + 12]) + seen.epc + tid_of(seen.epc) + bytes([rssi])
        return bytes([len(seen.epc)]) + seen.epc + bytes([rssi])

    def _tick_realtime(self, now: int) -> None:
        antennas = [1] if self._one_antenna else [port for port in range(1, 9) if self.mask >> port - 1 & 1]
        for seen in self._until(now, antennas):
            data = seen.epc if self._one_antenna else bytes([1 << seen.antenna - 1]) + self._tag(seen, False)
            self.send_read(reply(self.address, Cmd.REALTIME, Status.OK, data), seen)
        if not self._one_antenna and now >= self._heartbeat_at + HEARTBEAT:
            self._heartbeat_at = now
            self._heartbeats += 1
            data = self._heartbeats.to_bytes(4, "big") + bytes([self.mask]) + bytes(4)
            self._reply(Cmd.REALTIME, Status.HEARTBEAT, data)

    def _until(self, until: int, antennas: list[int]) -> list[Seen]:
        since, self._read_until = self._read_until, max(until, self._read_until)
        return self.reads(since, until, antennas)


EMULATOR = Emulator(Uhf288, tuple(sorted(KINDS)), "UHFReader288M", address=0)
