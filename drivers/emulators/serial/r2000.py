"""An emulated R2000 reader: rounds on request, fast switching, buffered inventory, GPIO, a detector of antennas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drivers.emulators.scene import Seen
from drivers.emulators.serial.reader import SECOND, EmulatedReader, Emulator
from drivers.serial.framing import gen2_crc
from drivers.serial.r2000.frames import BROADCAST, RSSI_ZERO, Cmd, Code, R2000Framing, frame_of, read_frame

DWELL = 30_000
"""How long a round stays on an antenna, in microseconds."""

_OK = bytes([Code.SUCCESS])


@dataclass
class _Round:
    cmd: int
    start: int
    dwells: list[int]  # antennas, in the order of the round
    total: int = 0
    done: int = 0


class R2000(EmulatedReader):
    """`ports`: 4, 8 or 16."""

    framing = R2000Framing(host=True)

    def __init__(self, *args: Any, address: int = 1, ports: int = 4, **more: Any) -> None:
        super().__init__(*args, **more)
        self.address = address
        self.ports = ports
        self.missing: set[int] = set()
        self.temperature = 31
        self.return_loss = dict.fromkeys(range(1, ports + 1), 15)
        self.region = bytes([1, 7, 59])
        self.temporary_power: list[int] = []
        self.lasting_power: list[bytes] = []
        self.working = 1
        self.errors: list[int] = []
        self.buffer: dict[bytes, Seen] = {}
        self._round: _Round | None = None
        self._read_until = 0
        self._handlers: dict[int, Callable[[bytes], bytes]] = {
            Cmd.FIRMWARE: lambda data: b"\x01\x09",
            Cmd.GET_IDENTIFIER: lambda data: b"EMULATED".ljust(12, b"\xff"),
            Cmd.SET_ANTENNA: self._set_antenna,
            Cmd.GET_ANTENNA: lambda data: bytes([self.working - 1]),
            Cmd.SET_TEMPORARY_POWER: self._set_temporary_power,
            Cmd.SET_POWER: self._set_lasting_power,
            Cmd.GET_POWER: lambda data: bytes([self.temporary_power[-1] if self.temporary_power else 30]),
            Cmd.SET_REGION: self._set_region,
            Cmd.GET_REGION: lambda data: self.region,
            Cmd.TEMPERATURE: lambda data: bytes([self.temperature >= 0, abs(self.temperature)]),
            Cmd.RETURN_LOSS: lambda data: bytes([self.return_loss[self.working]]),
            Cmd.GET_DETECTOR: lambda data: b"\x05",
            Cmd.SET_DETECTOR: lambda data: _OK,
            Cmd.SET_BEEPER: lambda data: _OK,
            Cmd.GET_INPUTS: lambda data: bytes([self.inputs.get(1, False), self.inputs.get(2, False)]),
            Cmd.SET_OUTPUT: self._set_output,
            Cmd.BUFFER_COUNT: lambda data: len(self.buffer).to_bytes(2, "big"),
            Cmd.CLEAR_BUFFER: self._clear_buffer,
        }

    def reboot(self) -> None:
        """As after a power cut."""
        self._round = None
        self.working = 1

    def command(self, frame: bytes) -> None:
        """Takes one whole frame of the host."""
        address, cmd, data = read_frame(frame)
        if address not in (self.address, BROADCAST):
            return
        if cmd == Cmd.RESET:
            self.reboot()
        elif self._round:
            return  # deaf until the round is over
        elif cmd in (Cmd.REALTIME, Cmd.SESSION, Cmd.BUFFERED):
            self._begin(cmd, [self.working] * max(1, min(data[-1], 0xFE) if data else 1))
        elif cmd == Cmd.FAST_SWITCH and len(data) in (10, 18):
            self._begin(cmd, [port + 1 for port in data[:-2:2] if port < self.ports])
        elif cmd in (Cmd.GET_BUFFER, Cmd.TAKE_BUFFER):
            self._send_buffer(cmd)
        elif cmd in self._handlers:
            self._reply(cmd, self._handlers[cmd](data))
        else:
            self._reply(cmd, b"\x11")

    def _reply(self, cmd: int, data: bytes) -> None:
        self.send(frame_of(self.address, cmd, data))

    # Rounds.

    def _begin(self, cmd: int, antennas: list[int]) -> None:
        if self.errors:
            self._reply(cmd, bytes([self.errors.pop(0)]))
        elif cmd != Cmd.FAST_SWITCH and self.working in self.missing:
            self._reply(cmd, bytes([Code.NO_ANTENNA]))
        else:
            self._round = _Round(cmd, self.now(), antennas)
            self._read_until = self._round.start

    def tick(self, now: int) -> None:
        """Does what is due at `now`, microseconds."""
        round_ = self._round
        while round_ and round_.done < len(round_.dwells):
            end = round_.start + (round_.done + 1) * DWELL
            antenna = round_.dwells[round_.done]
            if antenna in self.missing:
                self._reply(round_.cmd, bytes([antenna - 1, Code.NO_ANTENNA]))
                self._read_until = end
            else:
                self._read(round_, antenna, min(now, end))
                if now < end:
                    return
            round_.done += 1
        if round_:
            self._end(round_, now)

    def _read(self, round_: _Round, antenna: int, until: int) -> None:
        since, self._read_until = self._read_until, max(until, self._read_until)
        for seen in self.reads(since, until, [antenna]):
            round_.total += 1
            if round_.cmd == Cmd.BUFFERED:
                self.buffer[seen.epc] = seen
            else:
                self.send_read(frame_of(self.address, round_.cmd, self._tag(seen)), seen)

    def _tag(self, seen: Seen) -> bytes:
        index = 7 + seen.channel
        raw = max(1, min(127, seen.rssi // 100 + RSSI_ZERO)) | (0x80 if 5 <= seen.antenna <= 8 else 0)
        pc = (len(seen.epc) // 2 << 11).to_bytes(2, "big")
        return bytes([index << 2 | (seen.antenna - 1) & 3]) + pc + seen.epc + bytes([raw])

    def _end(self, round_: _Round, now: int) -> None:
        self._round = None
        took = max(1, now - round_.start)
        total = round_.total.to_bytes(4, "big")
        rate = min(0xFFFF, round_.total * SECOND // took).to_bytes(2, "big")
        if round_.cmd == Cmd.FAST_SWITCH:
            self._reply(round_.cmd, total[1:] + (took // 1000).to_bytes(4, "big"))
        elif round_.cmd == Cmd.BUFFERED:
            self._reply(round_.cmd, bytes([self.working - 1]) + len(self.buffer).to_bytes(2, "big") + rate + total)
        else:
            self._reply(round_.cmd, bytes([self.working - 1]) + rate + total)

    def _send_buffer(self, cmd: int) -> None:
        if not self.buffer:
            self._reply(cmd, b"\x38")
        for seen in self.buffer.values():
            tag = self._tag(seen)
            body = tag[1:-1] + gen2_crc(tag[1:-1]).to_bytes(2, "big")
            head = len(self.buffer).to_bytes(2, "big") + bytes([len(body)])
            self._reply(cmd, head + body + bytes([tag[-1], tag[0], 1]))
        if cmd == Cmd.TAKE_BUFFER:
            self.buffer.clear()

    # Settings.

    def _set_antenna(self, data: bytes) -> bytes:
        if len(data) != 1 or data[0] >= self.ports:
            return b"\x47"
        self.working = data[0] + 1
        return _OK

    def _set_temporary_power(self, data: bytes) -> bytes:
        if len(data) != 1 or data[0] > 33:
            return b"\x48"
        self.temporary_power.append(data[0])
        return _OK

    def _set_lasting_power(self, data: bytes) -> bytes:
        self.lasting_power.append(data)
        return _OK

    def _set_region(self, data: bytes) -> bytes:
        if len(data) != 3 or data[0] not in (1, 2, 3):
            return b"\x49"
        self.region = data
        return _OK

    def _set_output(self, data: bytes) -> bytes:
        if len(data) != 2 or data[0] not in (3, 4):
            return b"\x41"
        self.outputs[data[0]] = bool(data[1])
        return _OK

    def _clear_buffer(self, data: bytes) -> bytes:
        self.buffer.clear()
        return _OK


EMULATOR = Emulator(R2000, address=1, has_ports=True)
