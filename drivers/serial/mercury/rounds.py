"""Reading by rounds, for modules that do not stream, such as the M5e: one antenna after the other into the module's
buffer, and the buffer taken out after each."""

from __future__ import annotations

from typing import Protocol

from drivers.serial.mercury.buffer import READ, read_count, read_records, read_round
from drivers.serial.mercury.frames import CANNOT, STATUS_TEXT, Op, Reply, Status, TagRead, meaning

MOST_TAKES = 64
"""Answers of records taken after one round: some ten tags each, far more than a round reads."""


class Module(Protocol):
    """What a round needs of the session."""

    @property
    def ports(self) -> list[int]:
        """The antenna ports to read."""
        ...

    @property
    def round_milliseconds(self) -> int:
        """How long a round of one antenna is to take."""
        ...

    async def reply(self, op: Op, data: bytes = b"", patience: float | None = None) -> Reply:
        """Sends a command and waits for its answer. Raises DriverError."""
        ...

    async def reply_if_any(self, op: Op, data: bytes = b"") -> Reply:
        """Sends a command that not every module knows: one without an answer is refused."""
        ...

    def row(self, tag: TagRead, time: int, antenna: int = 0) -> None:
        """Takes in a tag that was read."""
        ...

    def trouble(self, status: int, now: int) -> None:
        """The module answered with a status that tells of trouble."""
        ...

    def puzzled(self, what: str, frame: bytes) -> None:
        """A frame was not understood."""
        ...

    def refused(self, why: str) -> None:
        """The module refuses to read, and why."""
        ...

    def read_nothing(self, port: int, now: int) -> None:
        """A round of a port brought no tag."""
        ...

    def read_some(self, port: int, now: int) -> None:
        """A round of a port brought tags."""
        ...

    def lost_antenna(self, port: int, now: int) -> None:
        """A port has no antenna."""
        ...

    def now(self) -> int:
        """Wall-clock time in microseconds UTC."""
        ...


class Rounds:
    """The rounds of one module. Each form that it refuses is not tried again."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._plain = False  # the round's command as the oldest firmware wants it
        self._pairs = True  # antennas as a list of pairs
        self._selects = True
        self._selected = 0
        self._clears = True  # otherwise what is taken out is all that leaves the buffer

    async def read(self) -> None:
        """One round on each antenna. Raises `DriverError` where the module does not answer."""
        for port in self._module.ports:
            await self._select(port)
            await self._round(port)

    async def _select(self, port: int) -> None:
        """Make `port` the only antenna, as far as the module can."""
        pair = bytes([port % 16 or 16, port % 16 or 16])
        while self._selects and self._selected != port:
            answer = await self._module.reply_if_any(Op.SET_ANTENNAS, b"\x02" + pair if self._pairs else pair)
            if answer.status == Status.OK:
                self._selected = port
            elif self._pairs:
                self._pairs = False
            elif len(self._module.ports) == 1:
                self._selects = False  # it has but the one
            else:
                self._module.lost_antenna(port, self._module.now())
                return

    async def _round(self, port: int) -> None:
        if self._selects and self._selected != port:
            return
        milliseconds = self._module.round_milliseconds
        self._clears = self._clears and (await self._module.reply_if_any(Op.CLEAR_BUFFER)).status == Status.OK
        request = read_round(milliseconds, plain=self._plain)
        answer = await self._module.reply(Op.READ_MULTIPLE, request, milliseconds / 1000 + 1.0)
        now = self._module.now()
        if answer.status in CANNOT and not self._plain:
            self._plain = True
        elif answer.status == Status.NO_TAGS:
            self._module.read_nothing(port, now)
        elif answer.status == Status.NO_ANTENNA:
            self._module.lost_antenna(port, now)
        elif answer.status in (Status.OK, Status.TAG_BUFFER_FULL):
            await self._take(port)
        elif answer.status in CANNOT or answer.status not in STATUS_TEXT:
            self._module.refused(f"{answer.status:04X}, {meaning(answer.status)}")
        else:
            self._module.trouble(answer.status, now)

    async def _take(self, port: int) -> None:
        """What the round read, out of the buffer."""
        count = await self._module.reply(Op.GET_BUFFER)
        try:
            left = read_count(count.data)
        except ValueError:
            left = 1  # whatever there is
        for _ in range(MOST_TAKES):
            if left <= 0:
                break
            answer = await self._module.reply(Op.GET_BUFFER, READ.to_bytes(2, "big") + b"\x00")
            if answer.status != Status.OK:
                break
            try:
                records = read_records(answer.data)
            except ValueError as error:
                self._module.puzzled(str(error), answer.data)
                return
            if not records:
                break
            left -= len(records)
            for record in records:
                self._module.row(record, self._module.now(), port)
        self._module.read_some(port, self._module.now())
