"""The talk with an M100 module: stop, identify, configure what differs, then polls without end.

A poll that finds nothing says so, which is the heartbeat; firmware that does not is asked for its power instead.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

from drivers.api import DriverContext, DriverError
from drivers.serial.link import Link
from drivers.serial.m100.frames import (
    COMMAND,
    ERROR_TEXT,
    FOREVER,
    NOTICE,
    REGIONS,
    Cmd,
    frame_of,
    is_sound,
    read_frame,
    read_tag,
)
from drivers.serial.m100.settings import M100Settings
from drivers.serial.session import ATTEMPTS, Identity, Session, Unidentified, Wanted
from drivers.serial.signs import SECOND

SILENCE = SECOND
"""No poll takes so long: after this much silence the polls have run out, or the module is gone."""


BAD_COMMAND, NO_TAG_HERE = b"\x17", b"\x15"
VAIN_POLLS = 3
"""Times that polls without end may bring nothing at all, no error either, before single ones are asked for."""
MOST_UNSOUND = 1_000
"""Tags with a wrong CRC that are remembered, to know them again."""
REFUSED_WITHIN = 0.1
"""Seconds within which a module refuses a command that it does not know; tags come in the meantime."""
POLL_TIME = 0.1
"""Seconds that a single poll may take."""


class M100Session(Session[M100Settings]):
    """The session with a module of this family: polls, one after the other, on its one antenna."""

    def __init__(self, link: Link, context: DriverContext, settings: M100Settings, running: asyncio.Event) -> None:
        super().__init__(link, context, settings, running)
        self._sequence = asyncio.Lock()
        self._heard_at = self.steady()
        self._polls_forever = True  # as far as is known; some modules only take single polls
        self._answers = False  # to the command that ends its polls, as a module of this family does
        self._vain = 0  # times that polls were asked for, with nothing come of them
        self._unsound: set[bytes] = set()  # tags whose CRC did not hold

    def frame(self, frame: bytes, now: int) -> bool:
        """Takes one whole frame of the reader; returns whether it was understood."""
        self._heard_at = self.steady()
        if frame[1] == NOTICE:
            self._vain = 0
            return self._notice(frame, now)
        if self.answer(frame):
            return True
        if frame[2] == Cmd.ERROR and frame[5:6] == BAD_COMMAND and self._is_up:
            self._polls_forever = False
        elif frame[2] == Cmd.ERROR:
            self._vain = 0 if frame[5:6] == NO_TAG_HERE else self._vain
            self.alive(now)
        return frame[2] == Cmd.ERROR

    def _notice(self, frame: bytes, now: int) -> bool:
        """A tag. One whose own CRC does not hold is damaged, unless it comes again just so: some modules send none."""
        seen = frame[6:-2]
        try:
            epc, rssi = read_tag(frame)
            if not is_sound(frame) and seen not in self._unsound:
                if len(self._unsound) >= MOST_UNSOUND:
                    self._unsound.clear()
                self._unsound.add(seen)
                raise ValueError("a notice whose tag has a wrong CRC")
        except ValueError as error:
            self.puzzled(str(error), frame)
            return False
        self.rows.append((epc, self.only_port or 1, rssi, 0, now, 1))
        self.alive(now)
        return True

    async def prepare(self) -> Identity:
        """Finds out who the reader is and sets it up. Raises DriverError."""
        if len(self.ports) != 1:
            raise DriverError("this module has one antenna: write a single antenna with port: 1", permanent=True)
        if self.settings.inputs:
            raise DriverError("inputs of this module are not supported: remove inputs", permanent=True)
        await self._stop()
        await self.quiet(0.05, 3.0)
        model = await self._identify()
        firmware = await self.exchange(frame_of(COMMAND, Cmd.INFO, b"\x01"), _is(Cmd.INFO))
        await self._configure()
        await self._first_poll()
        return Identity(model, _text(firmware) if firmware else "")

    async def _first_poll(self) -> None:
        """Whether the module polls without end when it is asked to: one that does not says so at once."""
        frame = await self.exchange(frame_of(COMMAND, Cmd.POLLS, FOREVER), _refuses, patience=REFUSED_WITHIN)
        if frame is not None:
            self._poll_singly()

    def _poll_singly(self) -> None:
        self._polls_forever = False
        self.complain("the module does not poll by itself; asking for every poll")

    async def _stop(self) -> None:
        for _ in range(ATTEMPTS):
            if await self.exchange(frame_of(COMMAND, Cmd.STOP), _is(Cmd.STOP)) is not None:
                self._answers = True
                return

    async def _identify(self) -> str:
        for _ in range(ATTEMPTS):
            frame = await self.exchange(frame_of(COMMAND, Cmd.INFO, b"\x00"), _is(Cmd.INFO))
            if frame is not None:
                return _text(frame) or "M100 module"  # one that refuses to say is one
        if self._answers:
            self.complain("the module does not say what it is")
            return "M100 module"
        hint = ""
        if self.link.framer.damaged:
            hint = ", and its frames have another check: firmware with the RCP dialect is not supported"
        raise Unidentified(f"{self.link.where}: no M100 module answers{hint}")

    async def _configure(self) -> None:
        """Only what differs, as it may go to flash."""
        if self.settings.region:
            region = bytes([REGIONS[self.settings.region]])
            found = await self._get(Cmd.GET_REGION)
            if found != region:
                setting = self._set(Cmd.SET_REGION, region, f"set its region to {self.settings.region}")
                await self.must_not_differ("its region", setting, is_known=found is not None)
        power = self.powers[self.ports[0]]
        if power is not None:
            wanted = round(100 * power).to_bytes(2, "big", signed=True)
            if await self._get(Cmd.GET_POWER) != wanted:
                setting = self._set(Cmd.SET_POWER, wanted, f"set its power to {power:g} dBm")
                await self.or_without("the power of its antenna", setting)

    async def _get(self, cmd: Cmd) -> bytes | None:
        """What the module has, None where it does not say."""
        for _ in range(2):
            frame = await self.exchange(frame_of(COMMAND, cmd), _is(cmd))
            if frame is not None:
                answer = read_frame(frame)
                return answer.param if answer.cmd == cmd else None
        return None

    async def _set(self, cmd: Cmd, param: bytes, what: str) -> None:
        answer = read_frame(await self.ask(frame_of(COMMAND, cmd, param), _is(cmd), what))
        if answer.cmd == Cmd.ERROR:
            code = answer.param[0] if answer.param else 0
            meaning = ERROR_TEXT.get(code, "meaning unknown")
            raise DriverError(f"{self.link.where}: the module refuses to {what}: {code:02X}, {meaning}")

    def _start(self) -> None:
        self._heard_at = self.steady()
        if self._polls_forever:
            self.link.send(frame_of(COMMAND, Cmd.POLLS, FOREVER))

    async def work(self) -> NoReturn:
        """Reads until the link ends. Raises DriverError."""
        while True:
            if self._polls_forever:
                await self.rest(0.1)
            else:
                await self._poll()
            if not self.running.is_set():
                await self._pause()
            if self._polls_forever and self.steady() - self._heard_at > SILENCE:
                async with self._sequence:
                    await self._restart()
            self.check_life()

    async def _poll(self) -> None:
        """One poll; its tags come as notices, so the question behind it says that it is over."""
        async with self._sequence:
            await self.exchange(frame_of(COMMAND, Cmd.POLL), _no_tag, patience=POLL_TIME)
            if await self.exchange(frame_of(COMMAND, Cmd.GET_POWER), _is(Cmd.GET_POWER)) is not None:
                self.alive(self.context.now())

    async def _pause(self) -> None:
        async with self._sequence:
            await self._stop()
        await self.held_back()  # outputs can be switched meanwhile
        async with self._sequence:
            self._start()

    async def _restart(self) -> None:
        """The polls ran out, or nobody is there any more, or the module does not know them."""
        self._vain += 1
        if self._vain >= VAIN_POLLS:
            self._poll_singly()
        if await self.exchange(frame_of(COMMAND, Cmd.GET_POWER), _is(Cmd.GET_POWER)) is not None:
            self.alive(self.context.now())
            self._start()

    async def set_output(self, port: int, state: bool) -> None:
        """Switches an output. Raises DriverError."""
        if not 1 <= port <= 4:
            raise DriverError(f"output {port}: this module has pins 1 to 4")
        async with self._sequence:
            await self._stop()
            try:
                await self._set(Cmd.GPIO, bytes([0, port, 1]), f"make pin {port} an output")
                await self._set(Cmd.GPIO, bytes([1, port, state]), f"switch pin {port}")
            finally:
                if self.running.is_set():
                    self._start()

    async def leave(self) -> None:
        """Ends the polls."""
        await self._stop()


def _refuses(frame: bytes) -> bool:
    return frame[2] == Cmd.ERROR and frame[5:6] != NO_TAG_HERE


def _no_tag(frame: bytes) -> bool:
    return frame[2] == Cmd.ERROR


def _is(cmd: int) -> Wanted:
    """The answer to `cmd`, or an error that is not just a poll without tags."""
    return lambda frame: frame[2] == cmd or _refuses(frame)


def _text(frame: bytes) -> str:
    if read_frame(frame).cmd == Cmd.ERROR:
        return ""
    return "".join(
        char for char in read_frame(frame).param[1:].decode("ascii", "replace") if char.isprintable()
    ).strip()
