"""The asyncio side of a connection: bytes in, reports to the sink as one batch a chunk, everything else to the session.

There is no work per read here: all reports of a chunk are taken in one go, and where their records have one layout they
stay bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import cast

from drivers.api import Batch, ClockQuality, DriverContext, DriverError, Row
from drivers.llrp.clock import LATEST, Stamps
from drivers.llrp.protocol.codec import decode_tolerant
from drivers.llrp.protocol.framing import Frame, Frames
from drivers.llrp.reading import Reading
from drivers.llrp.remains import Remains
from drivers.llrp.reports.decoder import DecodedReport, ReportDecoder
from drivers.llrp.session import Session
from drivers.llrp.settings import LlrpSettings
from drivers.llrp.setup import State
from drivers.records import Records

RO_ACCESS_REPORT = 61
_ANTENNA = itemgetter(1)
_STAMPS = {stamps.value: stamps for stamps in Stamps}

MAX_EARLY_ROWS = 50_000
"""Reads that may wait for the end of the setup. A reader that kept more than these may send them before it answers
anything: they must be taken in for the answers behind them to come, so the gateway gets them at once, as held reads,
and holds the link back itself where it cannot take so many."""

MAX_UNKNOWN_ROWS = 400_000
"""Reads that may wait where the reader must first say who it is, some 100 MB: more than readers are known to keep."""

MAX_UNSENT = 256 * 1024
"""Bytes that may wait for the reader to take them. All that we send in a day of reading is less."""


class LlrpProtocol(asyncio.Protocol):
    """One connection. `ended` is done when it is over; its exception says why, and it has none after `close`."""

    def __init__(self, context: DriverContext, settings: LlrpSettings, session: Session, peer: str) -> None:
        self._context = context
        self._settings = settings
        self._session = session
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        only = context.antennas[0].port if len(context.antennas) == 1 else 0
        self._only_antenna = only  # the one to which a read without antenna belongs
        self._decoder = ReportDecoder(antenna=only)
        self._early: list[tuple[Batch, Stamps, int]] = []  # each with the kind and the time of its last row
        self._early_rows = 0
        self._transport: asyncio.Transport | None = None
        self._reading: Reading | None = None
        self._remains: Remains | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._outputs: set[asyncio.Future[None]] = set()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.ended.add_done_callback(_retrieve)

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._reading = Reading(
            self._loop, self._transport, self._context.polls, self.data_received, self.connection_lost
        )
        self._remains = Remains(transport)
        self._session.start(self._loop.time())
        self._after()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._guard(self._take, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._take_rest()
        reason = f"the link broke ({exc})" if exc else "the reader closed the connection"
        self._end(DriverError(f"{self._peer}: {reason} while {self._session.state}"), orderly=exc is None)

    # The driver calls these

    def pause(self) -> None:
        """Takes no more bytes: TCP then holds the reader back."""
        if self._reading is not None and not self._reading.is_held and not self._is_over:
            self._reading.hold()
            self._session.pause(self._loop.time())
            self._after()

    def resume(self) -> None:
        """Takes bytes again."""
        if self._reading is not None and not self._is_over:
            if self._reading.is_held:
                self._session.resume(self._loop.time())
            self._reading.release()
            self._after()

    def set_output(self, port: int, state: bool) -> asyncio.Future[None]:
        """Done when the reader has switched the output; its exception says why it has not."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._outputs.add(done)
        done.add_done_callback(self._outputs.discard)
        done.add_done_callback(_retrieve)

        def answered(error: DriverError | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        try:
            self._session.set_output(port, state, answered, self._loop.time())
        except DriverError as error:
            done.set_exception(error)
        else:
            self._after()
        return done

    async def close(self, timeout: float) -> None:
        """Asks the reader to close and takes what it still sends, for at most `timeout` seconds."""
        if not self._is_over and self._session.close(self._loop.time()):
            self.resume()
            self._after()
            await asyncio.wait([self.ended], timeout=timeout)
            self._take_rest()
        self._end(None, orderly=True)

    def fail(self, error: DriverError) -> None:
        """Ends the connection for a reason from outside it."""
        self._take_rest()
        self._end(error, orderly=False)

    # Inside

    def _take(self, data: bytes) -> bool:
        """Takes in a chunk. Returns whether there was nothing but reads in it, which put deadlines off."""
        reports: list[bytes] = []
        others: list[Frame] = []
        try:
            self._frames.take(data, RO_ACCESS_REPORT, reports, others)
        finally:
            # Also in front of a broken frame: the whole ones before it are good.
            if reports:
                self._report(reports)
                self._gather(len(data))
            for _version, _kind, _id, frame in others:
                self._session.receive(decode_tolerant(frame), self._context.now(), self._loop.time())
                if self._early and self._session.is_up:
                    self._give_early()
        return not others

    def _take_rest(self) -> None:
        """Takes what the reader had sent before the connection ended: nobody else will."""
        if self._remains is None or self._is_over:
            return
        for data in self._remains.take():
            self._guard(self._take, data)
            if self._is_over:
                return

    def _gather(self, size: int) -> None:
        """A reader that is set up and tells its own times may be read a little later: nothing depends on when."""
        assert self._reading is not None
        if self._session.state is State.READING and self._session.time.reading.quality is not ClockQuality.ARRIVAL:
            self._reading.came(size)
        else:
            self._reading.hurry()

    def _report(self, bodies: list[bytes]) -> None:
        report = self._decoder.decode_frames(bodies)
        if report.other:
            self._context.log.debug("report parameters ignored", names=[each.name for each in report.other[:8]])
        now = self._context.now()
        if report.odd:
            self._session.puzzled(report.odd, report.example, now, self._loop.time())
        if report.access:
            self._session.acted(report.access, now, self._loop.time())
        if not report.rows:
            return
        newest = report.newest
        is_arrival = newest >= LATEST or self._settings.clock == "arrival"
        clock = Stamps.NONE if is_arrival else _STAMPS[report.clock]
        newest = 0 if clock is Stamps.NONE else newest
        offset = self._session.reported(clock, newest, now, self._loop.time())
        batch = Batch(
            self._context.reader, now, self._rows(report, clock), offset, report.rssi_unit, report.phase, report.tids
        )
        if self._session.is_up:
            self._context.sink(batch)
        else:
            self._keep_early(batch, clock, newest)

    def _rows(self, report: DecodedReport, clock: Stamps) -> Sequence[Row]:
        rows = report.rows
        if clock is Stamps.NONE and report.clock != "none":  # it sends times although it was told not to, or odd ones
            rows = [(*row[:4], 0, *row[5:]) for row in rows]
        only = self._only_antenna
        if only and (rows.lacks_antenna if type(rows) is Records else not all(map(_ANTENNA, rows))):
            rows = [row if row[1] else (row[0], only, *row[2:]) for row in rows]
        return rows

    def _keep_early(self, batch: Batch, clock: Stamps, newest: int) -> None:
        self._early_rows += len(batch.rows)
        self._early.append((batch, clock, newest))
        if self._early_rows > MAX_EARLY_ROWS and self._session.hurry(self._context.now()):
            self._give_early()
        elif self._early_rows > MAX_UNKNOWN_ROWS:
            raise DriverError(f"{self._peer}: {self._early_rows} reads came before the reader had said who it is")

    def _give_early(self) -> None:
        early, self._early, self._early_rows = self._early, [], 0
        for batch, clock, newest in early:
            # They may have come with the greeting, or before it: only now is it known what their times mean.
            batch.offset = self._session.time.offset(clock, newest, batch.arrival)
            self._context.sink(batch)

    def _guard(self, work: Callable[..., bool | None], *arguments: object) -> None:
        """Does the work, which returns whether it can only have put deadlines off. An error ends the connection. One
        that is not the reader's fault (the gateway cannot keep its reads) is for whoever runs the driver: it must not
        end in asyncio's log."""
        if self._is_over:
            return
        try:
            put_off = work(*arguments)
        except DriverError as error:
            self._send()  # what was asked for before the error, such as an acknowledgement
            self._end(_named(error, self._peer), orderly=False)
        except Exception as error:
            self._end(error, orderly=False)
        else:
            if self._send() or not put_off or self._timer is None:
                self._set_alarm()
            if self._session.state is State.CLOSED:
                self._end(None, orderly=True)

    def _after(self) -> None:
        """After anything happened to the session: sends what it has to say, and sets the alarm for its deadline."""
        self._send()
        self._set_alarm()

    def _set_alarm(self) -> None:
        deadline = None if self._is_over else self._session.deadline
        if deadline is None:
            self._cancel_timer()
        elif self._timer is None or deadline < self._timer.when():
            self._cancel_timer()
            self._timer = self._loop.call_at(deadline, self._alarm)

    def _alarm(self) -> None:
        """A deadline may have moved on since the alarm was set; `tick` knows. `_guard` sets the next."""
        self._timer = None
        self._guard(self._tick)

    def _tick(self) -> None:
        try:
            self._session.tick(self._context.now(), self._loop.time())
        except DriverError:
            self._take_rest()  # a gateway that was held up finds there what it has missed
            if not self._is_over:
                self._session.tick(self._context.now(), self._loop.time())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self) -> bool:
        """Sends what the session has to say. Returns whether there was anything."""
        frames = self._session.take_outgoing()
        if not frames or self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(b"".join(frames))
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._end(DriverError(f"{self._peer}: the reader does not take what we send it"), orderly=False)
        return True

    def _end(self, error: Exception | None, *, orderly: bool) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._cancel_timer()
        if self._reading is not None:
            self._reading.stop()
        if self._remains is not None:
            self._remains.close()
        for output in list(self._outputs):
            output.set_exception(DriverError(f"{self._peer}: the link ended before the output was switched"))
        try:
            self._give_early()  # they are reads, whatever else went wrong
        except Exception as failure:
            error, orderly = error or failure, False
        self._session.link_lost(self._context.now(), orderly=orderly)
        if self._transport is not None:
            if orderly:
                self._transport.close()
            else:
                self._transport.abort()
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


def _named(error: DriverError, peer: str) -> DriverError:
    """The error with the peer's address in front, where it does not have it yet."""
    if not str(error).startswith(peer):
        error.args = (f"{peer}: {error}",)
    return error


def _retrieve(future: asyncio.Future[None]) -> None:
    """Marks the exception as seen: a connection may end while nobody waits for it."""
    if not future.cancelled():
        future.exception()
