"""An emulated ThingMagic module: bootloader, settings in memory, a stream that outlives its host, status frames."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from drivers.emulators.scene import Seen
from drivers.emulators.serial.reader import EmulatedReader, Emulator
from drivers.serial.mercury.frames import META, STOP_READING, MercuryFraming, Op, Status, read_command, reply

VERSIONS = {
    "Micro": bytes.fromhex("00071023200000012014100701090021 00000010"),
    "Nano": bytes.fromhex("00071023300000012014100701070209 00000010"),
    "M6e": bytes.fromhex("00071023180000012014100701210119 00000010"),
    "M6e old": bytes.fromhex("00071023180000012012010101080000 00000010"),
    "M7e": bytes.fromhex("00071023380000012022010102010100 00000010"),
}
"""Bootloader, hardware, date, firmware, protocols: four bytes each."""

OLD = "M6e old"
MOST_POWER, LEAST_POWER = 3150, 0
_STOP = STOP_READING[3:-2]


class Mercury(EmulatedReader):
    """`crc`: whether the module still puts CRCs into its answers (a host on USB may have turned them off)."""

    framing = MercuryFraming(host=True)

    def __init__(self, *args: Any, model: str = "Micro", crc: bool = True, ports: int = 4, **more: Any) -> None:
        super().__init__(*args, **more)
        self.model = model
        self.crc = crc
        self.ports = range(1, ports + 1)
        self.missing: set[int] = set()
        self.booted = False
        self.streaming = False
        self.statuses: list[int] = []
        self.config: dict[int, int] = {}
        self.region = 0
        self.power: dict[int, int] = {}
        self.antennas: list[int] = [1]
        self._on = self._off = 0
        self._cycle_start = self._read_until = 0
        self._handlers: dict[int, Callable[[bytes], tuple[int, bytes]]] = {
            Op.SET_REGION: self._set_region,
            Op.GET_REGION: lambda data: (0, bytes([self.region])),
            Op.SET_PROTOCOL: lambda data: (0, b"") if data == b"\x00\x05" else (0x0105, b""),
            Op.GET_PROTOCOL: lambda data: (0, b"\x00\x05"),
            Op.GET_READ_POWER: self._get_power,
            Op.SET_READ_POWER: self._set_power,
            Op.GET_ANTENNAS: self._get_antennas,
            Op.SET_ANTENNAS: self._set_antennas,
            Op.SET_CONFIG: self._set_config,
            Op.GET_CONFIG: lambda data: (0, bytes([1, data[1], self.config.get(data[1], 0)])),
            Op.SET_GEN2: lambda data: (0, b""),
            Op.SET_POWER_MODE: lambda data: (0, b""),
            Op.CLEAR_BUFFER: lambda data: (0, b""),
            Op.GET_INPUTS: self._get_inputs,
            Op.SET_OUTPUT: self._set_output,
        }

    @property
    def _takes_commands(self) -> bool:
        return self.model != OLD

    def reboot(self) -> None:
        """As after a power cut."""
        self.booted = self.streaming = False
        self.crc = True
        self.config.clear()
        self.region = 0
        self._send(Op.BOOT, 0, VERSIONS[self.model])

    def command(self, frame: bytes) -> None:
        """Takes one whole frame of the host."""
        op, data = read_command(frame)
        if op == Op.STREAM:
            self._stream(data)
        elif self.streaming:
            return  # what comes while it streams must be wrapped in opcode 2F
        else:
            self._send(op, *self._execute(op, data))

    def _execute(self, op: int, data: bytes) -> tuple[int, bytes]:
        if op == Op.VERSION:
            return 0, VERSIONS[self.model]
        if op == Op.PROGRAM:
            return 0, b"\x12" if self.booted else b"\x11"
        if op == Op.BOOT:
            self.booted = True
            return 0, VERSIONS[self.model]
        handler = self._handlers.get(op)
        if handler is None or (not self.booted and op != Op.SET_CONFIG):
            return Status.BAD_OPCODE, b""
        try:
            return handler(data)
        except (IndexError, struct.error):
            return Status.BAD_LENGTH, b""

    def _send(self, op: int, status: int, data: bytes = b"") -> bool:
        frame = reply(op, status, data)
        return self.send(frame if self.crc else frame[:-2])

    # Reading.

    def _stream(self, data: bytes) -> None:
        if data == _STOP:
            if self.streaming:
                self._read(self.now())
                self.streaming = False
                self._send(Op.STREAM, 0, b"\x02")
            else:
                self._send(Op.STREAM, Status.BAD_LENGTH)
        elif not self.booted:
            self._send(Op.STREAM, Status.BAD_OPCODE)
        elif data[2:3] == b"\x01":
            self._start(data)
        elif data[2:3] == b"\x04" and self.streaming and self._takes_commands:
            status, answer = self._execute(data[4], data[5 : 5 + data[3]])
            self._send(Op.STREAM, 0, struct.pack(">BBBH", 4, len(answer), data[4], status) + answer)
        else:
            self._send(Op.STREAM, Status.BAD_PARAMETER)

    def _start(self, data: bytes) -> None:
        if not self.region:
            self._send(Op.STREAM, 0x010B)
            return
        flags, self._on = struct.unpack_from(">HH", data, 10)
        self._off = struct.unpack_from(">H", data, 14)[0] if flags & 0x0400 else 0
        self._on *= 1000
        self._off *= 1000
        self._send(Op.STREAM, 0, b"\x01\x22")
        self.streaming = True
        self._cycle_start = self._read_until = self.now()

    def tick(self, now: int) -> None:
        """Does what is due at `now`, microseconds."""
        if not self.streaming:
            return
        for status in self.statuses:
            self._send(Op.READ_MULTIPLE, status)
        self.statuses.clear()
        cycle = self._on + self._off
        while self.streaming and now >= self._cycle_start + cycle:
            self._read(self._cycle_start + self._on)
            self._cycle_start += cycle
            self._read_until = self._cycle_start
            self._send(Op.READ_MULTIPLE, Status.NO_TAGS)
        self._read(min(now, self._cycle_start + self._on))

    def _read(self, until: int) -> None:
        antennas = [port for port in self.antennas if port not in self.missing]
        for seen in self.reads(self._read_until, until, antennas):
            frame = reply(Op.READ_MULTIPLE, 0, self._record(seen))
            self.send_read(frame if self.crc else frame[:-2], seen)
        self._read_until = max(until, self._read_until)

    def _record(self, seen: Seen) -> bytes:
        rssi = max(-128, min(-1, seen.rssi // 100))
        port = seen.antenna & 15
        frequency = 902_750 + 500 * (seen.channel - 1)
        milliseconds = max(0, seen.time - self._cycle_start) // 1000
        head = struct.pack(">BHHB", 0x10, 0x001B, META, 1)
        fields = struct.pack(">BbBBHI", 1, rssi, port << 4 | port, frequency >> 16, frequency & 0xFFFF, milliseconds)
        bits, pc = 8 * (len(seen.epc) + 4), len(seen.epc) // 2 << 11
        return head + fields + struct.pack(">HH", bits, pc) + seen.epc + b"\x12\x34"

    # Settings.

    def _set_region(self, data: bytes) -> tuple[int, bytes]:
        self.region = data[0]
        return 0, b""

    def _get_power(self, data: bytes) -> tuple[int, bytes]:
        return 0, struct.pack(">Bhhh", data[0], self.power.get(0, 2700), MOST_POWER, LEAST_POWER)

    def _set_power(self, data: bytes) -> tuple[int, bytes]:
        power = struct.unpack(">h", data)[0]
        if power > MOST_POWER:
            return 0x0103, b""
        self.power = dict.fromkeys(self.ports, power)
        return 0, b""

    def _get_antennas(self, data: bytes) -> tuple[int, bytes]:
        if data[0] == 5:
            return 0, b"\x05" + b"".join(bytes([port, port not in self.missing]) for port in self.ports)
        return 0, bytes([1, self.antennas[0], self.antennas[0]])

    def _set_antennas(self, data: bytes) -> tuple[int, bytes]:
        if data[0] == 2:
            antennas = [port or 16 for port in data[1::2]]
            if not set(antennas) <= set(self.ports):
                return 0x0507, b""
            self.antennas = antennas
        elif data[0] == 4:
            for port, power, _, _ in struct.iter_unpack(">Bhhh", data[1:]):
                self.power[port] = power
        return 0, b""

    def _set_config(self, data: bytes) -> tuple[int, bytes]:
        self.config[data[1]] = data[2]
        if data[1] == 0x1B:
            self.crc = data[2] == 1
        return 0, b""

    def _get_inputs(self, data: bytes) -> tuple[int, bytes]:
        pins = sorted(set(self.inputs) | {3, 4})
        states = (bytes([pin, pin in self.outputs, self.outputs.get(pin, self.inputs.get(pin, False))]) for pin in pins)
        return 0, b"\x01" + b"".join(states)

    def _set_output(self, data: bytes) -> tuple[int, bytes]:
        if len(data) == 2:
            self.outputs[data[0]] = bool(data[1])
        elif data[2]:
            self.outputs.setdefault(data[1], False)
        return 0, b""


EMULATOR = Emulator(Mercury, tuple(sorted(VERSIONS)), "Micro", has_ports=True)
