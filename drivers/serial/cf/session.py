"""The talk with a newer Chafon reader: stop, identify, set its power, then one inventory without end.

The end of a round is the heartbeat. After a silence the inventory is asked for anew.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, NoReturn

from drivers.api import DriverContext, DriverError, RssiUnit
from drivers.serial.cf.frames import BROADCAST, INVENTORIES, STATUS_TEXT, Cmd, Status, command, read_reply, read_tag
from drivers.serial.cf.settings import CfSettings
from drivers.serial.link import Link
from drivers.serial.one_power import one_power
from drivers.serial.session import ATTEMPTS, Identity, Session, Unidentified, Wanted
from drivers.serial.signs import SECOND

SILENCE = SECOND
"""No round takes so long: after so many microseconds of silence the inventory is over, or the reader is gone."""

MOST_POWER = 33


class CfSession(Session[CfSettings]):
    """See the module."""

    rssi_unit: ClassVar[RssiUnit] = RssiUnit.CENTI_DBM

    def __init__(self, link: Link, context: DriverContext, settings: CfSettings, running: asyncio.Event) -> None:
        super().__init__(link, context, settings, running)
        self._address = settings.address
        self._sequence = asyncio.Lock()
        self._heard_at = self.steady()
        self._question = Cmd.INFO  # to which it answers while it does not read
        self._answers = False  # to the command that ends its inventory, as a reader of this family does
        self._inventories = [*INVENTORIES]
        self._refusal = ""  # why the inventory that was asked for last is refused
        self._begins = 0  # inventories that were asked for since the last that was not refused

    def frame(self, frame: bytes, now: int) -> bool:
        """See `Session`."""
        address, cmd, status, data = read_reply(frame)
        if BROADCAST not in (address, self._address) and address != self._address:
            return False
        self._heard_at = self.steady()
        if cmd != Cmd.INVENTORY:
            return self.answer(frame)
        if status == Status.OK and data:
            self._begins = 0
            return self._tag(data, frame, now)
        if status in (Status.ROUND_OVER, Status.NO_TAG):
            self.refusals = self._begins = 0
            self.alive(now)
        elif status != Status.OK and self._begins:
            self._refusal = f"{status:02X}, {STATUS_TEXT.get(status, 'meaning unknown')}"
        elif status != Status.OK:
            self.complain(f"status {status:02X}: {STATUS_TEXT.get(status, 'meaning unknown')}")
        return True

    def _tag(self, data: bytes, frame: bytes, now: int) -> bool:
        try:
            tag = read_tag(data)
        except ValueError as error:
            self.puzzled(str(error), frame)
            return False
        antenna = tag.antenna or self.only_port
        if antenna:
            self.rows.append((tag.epc, antenna, tag.rssi, tag.channel, now, 1))
            return True
        self.puzzled("a tag without antenna, and several are configured", frame)
        return False

    async def prepare(self) -> Identity:
        """See `Session`."""
        if self.settings.inputs:
            raise DriverError("inputs of this reader are not supported: remove inputs", permanent=True)
        await self._stop()
        await self.quiet(0.05, 3.0)
        model = await self._identify()
        await self._set_power()
        self._start()
        return Identity(model, "")

    async def _stop(self) -> None:
        for _ in range(ATTEMPTS):
            if await self.exchange(command(self._address, Cmd.STOP), _is(Cmd.STOP)) is not None:
                self._answers = True
                return

    async def _identify(self) -> str:
        """What the reader calls itself: the readable part of an answer whose layout differs between models."""
        for _ in range(ATTEMPTS):
            frame = await self.exchange(command(self._address, Cmd.INFO), _is(Cmd.INFO))
            if frame is not None:
                text = "".join(chr(byte) if 32 <= byte < 127 else " " for byte in read_reply(frame).data)
                return f"Chafon {' '.join(text.split())[:60]}".strip()
        if self._answers:
            self.complain("the reader does not say what it is")
            self._question = Cmd.STOP
            return "Chafon"
        raise Unidentified(f"{self.link.where}: no newer Chafon reader answers")

    async def _set_power(self) -> None:
        power = one_power(self.powers, MOST_POWER)
        if power is not None:
            await self.or_without("the power of its antennas", self._ask_for_power(power))

    async def _ask_for_power(self, power: int) -> None:
        request = command(self._address, Cmd.SET_POWER, bytes([power, 0]))
        answer = read_reply(await self.ask(request, _is(Cmd.SET_POWER), f"set its power to {power} dBm"))
        if answer.status != Status.OK:
            meaning = STATUS_TEXT.get(answer.status, "meaning unknown")
            raise DriverError(
                f"{self.link.where}: the reader refuses a power of {power} dBm: {answer.status:02X}, {meaning}"
            )

    def _start(self) -> None:
        self._heard_at = self.steady()
        self._begins += 1
        self._refusal = ""
        self.link.send(command(self._address, Cmd.INVENTORY, self._inventories[0]))

    async def work(self) -> NoReturn:
        """See `Session`."""
        while True:
            await self.rest(0.1)
            if not self.running.is_set():
                await self._stop()
                await self.held_back()
                self._start()
            if self._refusal:
                self._simpler()
            elif self.steady() - self._heard_at > SILENCE:
                await self._restart()
            self.check_life()

    def _simpler(self) -> None:
        """The reader refuses to begin: it is asked in another way. Raises DriverError when it refuses all of them."""
        why, self._refusal = self._refusal, ""
        if len(self._inventories) > 1:
            self._inventories.pop(0)
            self.complain("the reader refuses an inventory; asking for another kind", reason=why)
        else:
            self.refused(why)
        self._start()

    async def _restart(self) -> None:
        """The inventory is over, or nobody is there any more."""
        if await self.exchange(command(self._address, self._question), _is(self._question)) is not None:
            self.alive(self.context.now())
            self._start()

    async def set_output(self, port: int, state: bool) -> None:
        """See `Session`."""
        raise DriverError(f"output {port}: outputs of this reader are not supported")

    async def leave(self) -> None:
        """See `Session`."""
        await self._stop()


def _is(cmd: int) -> Wanted:
    return lambda frame: read_reply(frame).cmd == cmd
