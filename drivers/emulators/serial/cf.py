"""An emulated newer Chafon reader: one inventory without end, a frame for each tag, and one at the end of a round."""

from __future__ import annotations

from typing import Any

from drivers.emulators.serial.reader import EmulatedReader, Emulator
from drivers.serial.cf.frames import BROADCAST, CfFraming, Cmd, Status, read_command, reply, tag_reply

ROUND = 50_000
"""How long a round takes, in microseconds."""

BANNER = b"CF600 V1.24"
MOST_POWER = 33


class Cf(EmulatedReader):
    """`rounds`: how many an endless inventory really has, for firmware that stops by itself; None for no end."""

    framing = CfFraming(host=True)

    def __init__(self, *args: Any, address: int = 0, ports: int = 1, rounds: int | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.address = address
        self.ports = ports
        self.rounds = rounds
        self.power = 30
        self.reading = False
        self._left = 0
        self._round_end = 0

    def reboot(self) -> None:
        """See `EmulatedReader`."""
        self.reading = False

    def command(self, frame: bytes) -> None:
        """See `EmulatedReader`."""
        address, cmd, data = read_command(frame)
        if address not in (self.address, BROADCAST):
            return
        if cmd == Cmd.INVENTORY:
            self.reading = True
            self._left = self.rounds or 0
            self._round_end = self.now() + ROUND
            return
        if cmd == Cmd.STOP:
            self.reading = False
        if cmd == Cmd.SET_POWER:
            fits = len(data) == 2 and data[0] <= MOST_POWER
            self.power = data[0] if fits else self.power
            self._answer(cmd, Status.OK if fits else Status.BAD_PARAMETER)
        elif cmd in (Cmd.STOP, Cmd.INFO):
            self._answer(cmd, Status.OK, BANNER if cmd == Cmd.INFO else b"")
        else:
            self._answer(cmd, Status.BAD_PARAMETER)

    def _answer(self, cmd: int, status: int, data: bytes = b"") -> None:
        self.send(reply(self.address, cmd, status, data))

    def tick(self, now: int) -> None:
        """See `EmulatedReader`."""
        while self.reading and now >= self._round_end:
            seens = self.reads(self._round_end - ROUND, self._round_end, range(1, self.ports + 1))
            for seen in seens:
                rssi = max(-32_768, min(0, seen.rssi))
                self.send_read(tag_reply(self.address, seen.epc, seen.antenna, rssi, 12), seen)
            self._answer(Cmd.INVENTORY, Status.ROUND_OVER)
            self._round_end += ROUND
            if self.rounds is not None:
                self._left -= 1
                self.reading = self._left > 0


EMULATOR = Emulator(Cf, address=0, has_ports=True)
