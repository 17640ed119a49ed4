"""An emulated M100 module: polls on request, counted, that say when they find nothing."""

from __future__ import annotations

from typing import Any

from drivers.emulators.serial.reader import EmulatedReader, Emulator
from drivers.serial.m100.frames import NO_TAG, RESPONSE, Cmd, M100Framing, frame_of, read_frame, tag_notice

POLL = 20_000
"""How long a poll takes, in microseconds."""

TEXTS = {0: b"M100 26dBm V1.0", 1: b"V2.3.5", 2: b"MagicRf"}
MOST_POWER = 2600


class M100(EmulatedReader):
    """`heartbeat`: whether an empty poll says so, as most firmware does."""

    framing = M100Framing(host=True)

    def __init__(self, *args: Any, heartbeat: bool = True, **more: Any) -> None:
        super().__init__(*args, **more)
        self.heartbeat = heartbeat
        self.region = 1
        self.power = 2000
        self.writes = 0
        self.polls = 0
        self.most_polls = 0xFFFF
        self._poll_end = 0

    def reboot(self) -> None:
        """As after a power cut."""
        self.polls = 0

    def command(self, frame: bytes) -> None:
        """Takes one whole frame of the host."""
        _, cmd, param = read_frame(frame)
        if cmd == Cmd.STOP:
            self.polls = 0
            self._answer(cmd, b"\x00")
        elif self.polls:
            return  # deaf to all else while it polls
        elif cmd in (Cmd.POLL, Cmd.POLLS):
            self.polls = 1 if cmd == Cmd.POLL else min(self.most_polls, int.from_bytes(param[1:], "big"))
            self._poll_end = self.now() + POLL
        else:
            self._execute(cmd, param)

    def _answer(self, cmd: int, param: bytes) -> None:
        self.send(frame_of(RESPONSE, cmd, param))

    def _execute(self, cmd: int, param: bytes) -> None:
        if cmd == Cmd.INFO and len(param) == 1 and param[0] in TEXTS:
            self._answer(cmd, param + TEXTS[param[0]])
        elif cmd == Cmd.GET_REGION:
            self._answer(cmd, bytes([self.region]))
        elif cmd == Cmd.GET_POWER:
            self._answer(cmd, self.power.to_bytes(2, "big"))
        elif cmd == Cmd.GPIO and len(param) == 3:
            self._gpio(param)
        elif self._write(cmd, param):
            self.writes += 1
            self._answer(cmd, b"\x00")
        else:
            self._answer(Cmd.ERROR, b"\x17")

    def _gpio(self, param: bytes) -> None:
        operation, pin, value = param
        if operation == 0 and value:
            self.outputs.setdefault(pin, False)
        elif operation == 1:
            self.outputs[pin] = bool(value)
        self._answer(Cmd.GPIO, b"\x00")

    def _write(self, cmd: int, param: bytes) -> bool:
        """Whether this is a setting that can be made."""
        if cmd == Cmd.SET_REGION and len(param) == 1:
            self.region = param[0]
        elif cmd == Cmd.SET_POWER and len(param) == 2 and int.from_bytes(param, "big") <= MOST_POWER:
            self.power = int.from_bytes(param, "big")
        else:
            return False
        return True

    def tick(self, now: int) -> None:
        """Does what is due at `now`, microseconds."""
        while self.polls and now >= self._poll_end:
            seens = self.reads(self._poll_end - POLL, self._poll_end, [1])
            for seen in seens:
                self.send_read(tag_notice(seen.epc, max(-128, min(-1, seen.rssi // 100))), seen)
            if not seens and self.heartbeat:
                self._answer(Cmd.ERROR, bytes([NO_TAG]))
            self.polls -= 1
            self._poll_end += POLL


EMULATOR = Emulator(M100)
