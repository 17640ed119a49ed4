"""The talk with an R2000 reader: let an old round end, configure what differs, then round after round.

Power is set with the temporary command; the lasting one wears the reader's flash.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from drivers.api import DriverContext, DriverError
from drivers.serial.extras import Extras
from drivers.serial.link import Link
from drivers.serial.r2000.buffer import is_record, read_record
from drivers.serial.r2000.frames import (
    BROADCAST,
    LEN_ANTENNA,
    LEN_ERROR,
    REGIONS,
    ROUNDS,
    Cmd,
    Code,
    fast_switch,
    frame_of,
    is_tag,
    meaning,
    read_frame,
    read_tag,
    session_round,
)
from drivers.serial.r2000.settings import R2000Settings
from drivers.serial.session import ATTEMPTS, BAD_MATCH, HOT, Identity, Session, Unidentified, Wanted
from drivers.serial.signs import SECOND

CHECK_EVERY = 30 * SECOND
"""Temperature and match of the antennas change slowly, and measuring costs reading time."""

ERROR_PAUSE = 0.2
RESET_TIME = 2.0
ROUND_PER_ANTENNA = 0.1
FAST_PORTS = 4
SILENT_ROUNDS = 3
"""Rounds without an end after which a reader is taken not to know them; a damaged answer costs one."""
ONE_ROUND = b"\x01"
MAX_PORT = 16
MEASURING = 1.0
"""Seconds that measuring the return loss of an antenna may take."""
INPUTS, TEMPERATURE, RETURN_LOSS = "its inputs", "its temperature", "the return loss of its antennas"
MOST_MISSES = {INPUTS: 20, TEMPERATURE: 5, RETURN_LOSS: 5}
HARMLESS: frozenset[int] = frozenset({Code.NO_ANTENNA, Code.INVENTORY, Code.NO_TAG})


class Kind(StrEnum):
    """Ways to ask for a round, the best first. Not every reader knows each."""

    FAST = "fast"  # over up to four antennas, switched by the reader
    SESSION = "session"  # on the working antenna, in the session of the settings
    PLAIN = "plain"  # on the working antenna
    BUFFERED = "buffered"  # on the working antenna, into a buffer that is taken out afterwards


@dataclass(slots=True, frozen=True)
class Round:
    """What to ask for, and on which ports. All but the fast one need the working antenna set first."""

    ports: tuple[int, ...]
    kind: Kind


class R2000Session(Session[R2000Settings]):
    """The session with a reader of this family: one round of inventory after the other."""

    def __init__(self, link: Link, context: DriverContext, settings: R2000Settings, running: asyncio.Event) -> None:
        super().__init__(link, context, settings, running)
        self._address = settings.address
        self._kinds = [*Kind] if self._may_switch_fast() else [Kind.SESSION, Kind.PLAIN, Kind.BUFFERED]
        self._proven = False  # a round of the first of these kinds has ended well
        self._left_over = True  # what is in its buffer may be of long ago
        self._records = 0  # taken out of the buffer so far
        self._silent = 0  # rounds in a row that had no end
        self._working = 0
        self._power: int | None = None
        self._missing: set[int] = set()
        self._checked_at = self.steady() - CHECK_EVERY
        self._inputs_at = 0.0
        self._probe = 33
        self._extras = Extras(self._given_up)

    def _may_switch_fast(self) -> bool:
        """The reports of fast switching name one of four ports, and what readers with more do is not settled."""
        return len(self.ports) > 1 and self.ports[-1] <= FAST_PORTS and len(set(self.powers.values())) == 1

    def _plan(self) -> list[Round]:
        """One round over all ports where that is possible, else a round for each port."""
        kind = self._kinds[0]
        if kind is Kind.FAST:
            return [Round(tuple(self.ports), kind)]
        return [Round((port,), kind) for port in self.ports]

    # Frames of the reader.

    def frame(self, frame: bytes, now: int) -> bool:
        """Takes one whole frame of the reader; returns whether it was understood."""
        if not self._mine(frame):
            return False
        if is_tag(frame):
            try:
                epc, antenna, rssi, channel = read_tag(frame)
            except ValueError as error:
                self.puzzled(str(error), frame)
                return False
            if frame[3] != Cmd.FAST_SWITCH:
                antenna = self._working or antenna  # of more than four ports the report has only the low two bits
            self.rows.append((epc, antenna, rssi, channel + 1, now, 1))
            return True
        if is_record(frame):
            return self._record(frame, now)
        if frame[3] in ROUNDS and frame[1] == LEN_ANTENNA and frame[5] == Code.NO_ANTENNA:
            self._missing.add(frame[4] + 1)
            return True
        return self.answer(frame)

    def _record(self, frame: bytes, now: int) -> bool:
        try:
            (epc, antenna, rssi, channel), reads, records = read_record(frame)
        except ValueError as error:
            self.puzzled(str(error), frame)
            return False
        if not self._left_over:
            self.rows.append((epc, self._working or antenna, rssi, channel + 1, now, reads))
        self._records += 1
        if self._records >= records:
            self.answer(frame)
        return True

    def _mine(self, frame: bytes) -> bool:
        return frame[2] in (self._address, BROADCAST) or self._address == BROADCAST

    def _is(self, cmd: int) -> Wanted:
        return lambda frame: frame[3] == cmd and self._mine(frame)

    # Connecting.

    async def prepare(self) -> Identity:
        """Finds out who the reader is and sets it up. Raises DriverError."""
        if self.ports[-1] > MAX_PORT:
            raise DriverError(f"antenna {self.ports[-1]}: readers of this family have up to 16 ports", permanent=True)
        if set(self.settings.inputs) - {1, 2}:
            raise DriverError("this reader has the inputs 1 and 2", permanent=True)
        powers = set(self.powers.values())
        if None in powers and len(powers) > 1:
            raise DriverError("give each antenna of this reader a power, or none of them", permanent=True)
        try:
            await self.quiet(0.1, 3.0)
        except Unidentified:
            self.link.send(frame_of(self._address, Cmd.RESET))  # a round that repeats and repeats; no answer comes
            await self.rest(RESET_TIME)
            await self.quiet(0.1, 1.0)
        firmware = await self._identify()
        await self._set_region()
        return Identity(f"R2000 reader{await self._name()}", firmware)

    async def _identify(self) -> str:
        request = frame_of(self._address, Cmd.FIRMWARE)
        for _ in range(ATTEMPTS):
            frame = await self.exchange(request, self._is(Cmd.FIRMWARE))
            if not self.settings.echo:
                self.check_echo(request)
            if frame is not None:
                self._address = frame[2]
                return ".".join(map(str, read_frame(frame).data)) if len(frame) >= 7 else ""
        frame = await self.exchange(frame_of(self._address, Cmd.GET_POWER), self._is(Cmd.GET_POWER))
        if frame is not None:
            self.complain("the reader does not tell its firmware")
            return ""
        address, self._address = self._address, BROADCAST
        other = await self.exchange(frame_of(BROADCAST, Cmd.FIRMWARE), self._is(Cmd.FIRMWARE))
        self._address = address
        raise self.absent("R2000 reader", address, None if other is None else other[2])

    async def _name(self) -> str:
        """The identifier that somebody may have given to the reader, where it is readable."""
        frame = await self.exchange(frame_of(self._address, Cmd.GET_IDENTIFIER), self._is(Cmd.GET_IDENTIFIER))
        text = read_frame(frame).data.rstrip(b"\x00\xff ") if frame else b""
        return f" {text.decode('ascii')}" if text and all(32 < byte < 127 for byte in text) else ""

    async def _set_region(self) -> None:
        if self.settings.region is None:
            return
        region = REGIONS[self.settings.region]
        wanted = bytes(region)
        self._probe = (region.first + region.last) // 2
        frame = await self.exchange(frame_of(self._address, Cmd.GET_REGION), self._is(Cmd.GET_REGION))
        found = read_frame(frame).data if frame is not None else b""
        if found == wanted:
            return
        setting = self._set(Cmd.SET_REGION, wanted, f"set its region to {self.settings.region}")
        await self.must_not_differ("its region", setting, is_known=len(found) == len(wanted))

    async def _set(self, cmd: Cmd, data: bytes, what: str) -> None:
        answer = read_frame(await self.ask(frame_of(self._address, cmd, data), self._is(cmd), what))
        if answer.data != bytes([Code.SUCCESS]):
            code = answer.data[0] if answer.data else 0
            raise DriverError(f"{self.link.where}: the reader refuses to {what}: {meaning(code)}")

    async def _use(self, port: int) -> bool:
        """Make `port` the working antenna, with its power. False where the reader refuses: it has no such antenna."""
        await self._set_power(self.powers.get(port))
        if self._working == port:
            return True
        request = frame_of(self._address, Cmd.SET_ANTENNA, bytes([port - 1]))
        for _ in range(ATTEMPTS):
            frame = await self.exchange(request, self._is(Cmd.SET_ANTENNA))
            if frame is not None:
                break
        data = read_frame(frame).data if frame is not None else b""
        if data != bytes([Code.SUCCESS]):
            self.complain(f"the reader does not use antenna {port}", code=meaning(data[0]) if data else "no answer")
            if len(self.ports) > 1:
                return False
        self._working = port  # a reader of one antenna may refuse to switch
        return True

    async def _set_power(self, power: float | None) -> None:
        if power is None or power == self._power:
            return
        if not 0 <= power <= 33 or power != int(power):
            raise DriverError(f"power {power:g} dBm: this reader takes whole dBm, 0 to 33", permanent=True)
        wanted = bytes([int(power)])
        request = frame_of(self._address, Cmd.SET_TEMPORARY_POWER, wanted)
        what = f"set its power to {power:g} dBm"
        answer = await self.exchange(request, self._is(Cmd.SET_TEMPORARY_POWER))
        if answer is None:
            answer = await self.exchange(request, self._is(Cmd.SET_TEMPORARY_POWER))
        if answer is None or read_frame(answer).data != bytes([Code.SUCCESS]):
            await self._set_lasting_power(wanted, what)
        self._power = int(power)

    async def _set_lasting_power(self, wanted: bytes, what: str) -> None:
        """For a reader without a temporary power: into its flash, where it is another."""
        frame = await self.exchange(frame_of(self._address, Cmd.GET_POWER), self._is(Cmd.GET_POWER))
        found = read_frame(frame).data if frame is not None else b""
        if not found or set(found) != set(wanted):
            self.complain("the reader has no temporary power: writing it to its flash")
            await self.or_without("the power of its antennas", self._set(Cmd.SET_POWER, wanted, what))

    # Reading.

    async def work(self) -> NoReturn:
        """Reads until the link ends. Raises DriverError."""
        while True:
            for round_ in self._plan():
                if not self.running.is_set():
                    await self.held_back()
                await self._round(round_)
            if self.settings.inputs and self._loop.time() >= self._inputs_at:
                self._inputs_at = self._loop.time() + self.settings.input_poll
                await self._check_inputs()
            if self.steady() - self._checked_at >= CHECK_EVERY:
                await self._check()
            self.check_life()

    async def _round(self, round_: Round) -> None:
        if round_.kind is not self._kinds[0]:
            return  # it was given up while the plan was gone through
        if round_.kind is Kind.FAST:
            await self._set_power(self.powers[round_.ports[0]])
            request = fast_switch(self._address, list(round_.ports))
        elif not await self._use(round_.ports[0]):
            self.antenna(round_.ports[0], False, self.context.now(), "the reader has no such antenna")
            return
        elif round_.kind is Kind.SESSION:
            request = session_round(self._address, self.settings.session)
        elif round_.kind is Kind.PLAIN:
            request = frame_of(self._address, Cmd.REALTIME, ONE_ROUND)
        else:
            request = frame_of(self._address, Cmd.BUFFERED, ONE_ROUND)
            if self._left_over:
                await self._take_buffer()
                self._left_over = False
        self._missing.clear()
        cmd = request[3]
        patience = self.settings.reply_timeout + ROUND_PER_ANTENNA * len(round_.ports)
        end = await self.exchange(
            request,
            lambda frame: frame[3] == cmd and not is_tag(frame) and self._mine(frame),
            patience=patience,
            extend=True,
        )
        self._silent = 0 if end is not None else self._silent + 1
        if end is not None:
            if round_.kind is Kind.BUFFERED and end[1] != LEN_ERROR:
                await self._take_buffer()
            await self._ended(round_, end)
        elif self._silent >= SILENT_ROUNDS and not self._proven:
            self._simpler("it does not answer")

    async def _take_buffer(self) -> None:
        """What the last round has read, out of the buffer; what does not come whole is left in it or lost."""
        self._records = 0
        await self.exchange(
            frame_of(self._address, Cmd.TAKE_BUFFER),
            self._is(Cmd.TAKE_BUFFER),
            patience=self.settings.reply_timeout,
            extend=True,
        )

    def _simpler(self, why: str) -> None:
        """The reader does not know this kind of round: from now on it is asked for another."""
        if len(self._kinds) > 1:
            given_up = self._kinds.pop(0)
            self._silent = 0
            self.complain(f"the reader knows no {given_up} round; asking for {self._kinds[0]} ones", reason=why)

    async def _ended(self, round_: Round, end: bytes) -> None:
        now = self.context.now()
        failed = end[1] == LEN_ERROR
        if failed and end[4] not in HARMLESS:
            if self._proven or len(self._kinds) == 1:
                self.refused(meaning(end[4]))
            else:
                self._simpler(meaning(end[4]))
            await self.rest(ERROR_PAUSE)
            return
        self._proven = True
        self.refusals = 0
        if failed and end[4] == Code.NO_ANTENNA:
            self._missing.update(round_.ports)
        for port in round_.ports:
            missing = port in self._missing
            self.antenna(port, not missing, now, "the reader finds no antenna there; check antenna and cable")
        self.alive(now)
        if self._missing.issuperset(round_.ports):
            await self.rest(ERROR_PAUSE)  # such a round ends at once

    async def _check(self) -> None:
        """Temperature, and how much of the power each antenna sends back."""
        self._checked_at = self.steady()
        hold = 3 * CHECK_EVERY
        frame = await self._extra(TEMPERATURE, Cmd.TEMPERATURE)
        now = self.context.now()
        if frame is not None and len(frame) == 7:
            degrees = frame[5] if frame[4] else -frame[5]
            if degrees >= self.settings.max_temperature:
                self.condition(HOT, now, f"the reader is at {degrees} degrees Celsius", hold)
        for port in self.ports:
            if not self._extras.wanted(RETURN_LOSS) or not await self._use(port):
                continue
            frame = await self._extra(RETURN_LOSS, Cmd.RETURN_LOSS, bytes([self._probe]), patience=MEASURING)
            if frame is None or len(frame) != 6 or frame[4] >= 0x40:
                continue  # the measurement failed, or this firmware has none
            if frame[4] < self.settings.min_return_loss:
                detail = f"antenna {port} has a return loss of {frame[4]} dB; check antenna and cable"
                self.condition(BAD_MATCH, self.context.now(), detail, hold)

    async def _extra(self, what: str, cmd: Cmd, data: bytes = b"", *, patience: float | None = None) -> bytes | None:
        """The answer to what is asked beside the reading; None without one, and where it is asked no more."""
        if not self._extras.wanted(what):
            return None
        frame = await self.exchange(frame_of(self._address, cmd, data), self._is(cmd), patience=patience)
        self._extras.asked(what, answered=frame is not None, most=MOST_MISSES[what])
        return frame

    def _given_up(self, what: str) -> None:
        if what == INPUTS:
            self.leave_out(what, "it does not answer when asked for them")
        else:
            self.complain(f"the reader does not tell {what}; going on without it")

    async def _check_inputs(self) -> None:
        frame = await self._extra(INPUTS, Cmd.GET_INPUTS)
        if frame is not None and len(frame) == 7:
            now = self.context.now()
            self.input(1, bool(frame[4]), now)
            self.input(2, bool(frame[5]), now)

    async def set_output(self, port: int, state: bool) -> None:
        """Switches an output. Raises DriverError."""
        if port not in (3, 4):
            raise DriverError(f"output {port}: the outputs of this reader are called 3 and 4")
        await self._set(Cmd.SET_OUTPUT, bytes([port, state]), f"switch output {port}")

    async def leave(self) -> None:
        """A round ends by itself."""
