"""LLRP through the sllurp library, for sites that trust it already: `driver: sllurp`, the optional extra ``sllurp``.

sllurp runs a thread for each reader. Its callbacks hand over through the event loop, a bounded number at a time, so
that a gateway which falls behind or pauses holds the thread back, and TCP then the reader. What sllurp cannot do is
not there: outputs, holding reads over a reconnect, version negotiation, TLS, readers that call. Use `driver: llrp`
for those.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Annotated, Any, NoReturn

from pydantic import Field, StringConstraints

from drivers.api import (
    AntennaStatus,
    Batch,
    DriverContext,
    DriverError,
    DriverFactory,
    DriverSettings,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderLoss,
    ReaderUp,
    Row,
)
from drivers.llrp.clock import LATEST, ReaderTime, Stamps

MAX_UNDER_WAY = 256
"""Callbacks that may wait for the event loop. One is a report of a few reads; more only hides that we are behind."""

MISSED_KEEPALIVES = 3.5

NO_RSSI = -128
"""RSSI in dBm of a read whose reader says none: the weakest that LLRP can express."""

MOMENT = 0.01
"""Seconds: many turns of the loop, in the first of which it takes in what the thread has posted."""

STOP_WITHIN = 2.0
"""How long the thread may take to end when its socket is closed, in seconds."""

_STAMPS = (("UTC", Stamps.UTC), ("Uptime", Stamps.UPTIME))


class SllurpSettings(DriverSettings):
    """An LLRP reader driven by sllurp. Times in seconds. Power is for all antennas of the reader or for none, and none
    means the most that the reader can do: sllurp always sets it."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 5084
    session: Annotated[int, Field(ge=0, le=3)] = 1
    mode: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    tag_population: Annotated[int, Field(ge=1, le=0xFFFF)] = 32
    report_every: Annotated[int, Field(ge=1, le=0xFFFF)] = 1
    keepalive: Annotated[float, Field(ge=0.1, le=600)] = 2.0
    connect_timeout: Annotated[float, Field(ge=0.1, le=120)] = 5.0
    setup_timeout: Annotated[float, Field(ge=0.1, le=120)] = 15.0

    def endpoint(self) -> str:
        """The host and port that we call."""
        return f"{self.host.lower().rstrip('.')}:{self.port}"


class SllurpDriver:
    """See `drivers.api.Driver`."""

    def __init__(self, context: DriverContext, settings: SllurpSettings) -> None:
        with_power = [antenna for antenna in context.antennas if antenna.power is not None]
        if with_power and len(with_power) != len(context.antennas):
            raise DriverError(
                f"{context.reader}: sllurp sets the power of all antennas or of none: give `power` for each, or use "
                "`driver: llrp`",
                permanent=True,
            )
        self._context = context
        self._settings = settings
        self._gate = threading.Event()
        self._gate.set()
        self._last_read: int | None = None

    async def run(self) -> NoReturn:
        """Reads until the connection ends. Raises DriverError."""
        library = await asyncio.to_thread(_library)
        client = _Client(library, self._context, self._settings, self._gate, self._last_read)
        try:
            await client.watch()
        finally:
            self._last_read = client.last_read
            await client.stop()
        raise DriverError(f"{client.peer}: sllurp ended the connection; its log says why")

    async def set_output(self, port: int, state: bool) -> None:
        """Switches an output. Raises DriverError."""
        raise DriverError(
            f"{self._context.reader}: output {port} was not switched: sllurp cannot; use `driver: llrp`", permanent=True
        )

    def pause(self) -> None:
        """Takes nothing from the reader until `resume`."""
        self._gate.clear()

    def resume(self) -> None:
        """Takes what the reader has again."""
        self._gate.set()


def _library() -> ModuleType:
    """sllurp's client. Importing it takes a while: not on the event loop."""
    try:
        from sllurp import llrp
    except ImportError as error:
        raise DriverError(
            f"the library for `driver: sllurp` is missing ({error}): pip install rfid-gateway[sllurp], or use "
            "`driver: llrp`, which needs nothing",
            permanent=True,
        ) from error
    module: ModuleType = llrp
    return module


class _Client:
    """One connection: sllurp's client in a thread, and what it says on the event loop."""

    def __init__(
        self,
        library: ModuleType,
        context: DriverContext,
        settings: SllurpSettings,
        gate: threading.Event,
        last_read: int | None,
    ) -> None:
        self.peer = f"{settings.host}:{settings.port}"
        self.last_read = last_read
        self._context = context
        self._settings = settings
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._time = ReaderTime()
        self._slots = threading.BoundedSemaphore(MAX_UNDER_WAY)
        self._is_stopped = threading.Event()
        self._is_up = False
        self._heard = self._started = self._loop.time()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._client = self._make(library)
        self._thread = threading.Thread(target=self._work, name=f"sllurp-{context.reader}", daemon=True)

    async def watch(self) -> None:
        """Runs until the connection ends. DriverError when it fails or falls silent."""
        self._thread.start()
        while not self._ended.done():
            await asyncio.wait([self._ended], timeout=self._settings.keepalive / 2)
            await asyncio.sleep(MOMENT)  # what the thread has for us is taken in before it is missed (deadlines.py)
            now = self._loop.time()
            if not self._gate.is_set():
                self._heard = now  # paused: nothing can be heard
            elif not self._is_up and now - self._started > self._settings.setup_timeout:
                raise DriverError(
                    f"{self.peer}: not reading after {self._settings.setup_timeout:g} s: is this an LLRP reader? "
                    "sllurp's log says how far it came"
                )
            elif self._is_up and now - self._heard > MISSED_KEEPALIVES * self._settings.keepalive:
                raise DriverError(f"{self.peer}: 3 keepalives are missing: the link is dead")
        self._ended.result()

    async def stop(self) -> None:
        """Closes the socket and waits for the thread."""
        self._is_stopped.set()
        self._client.hard_disconnect()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, STOP_WITHIN)
        if not self._ended.done():
            self._ended.cancel()

    # In sllurp's thread

    def _make(self, library: ModuleType) -> Any:
        """sllurp's client, configured, its callbacks coming to us."""
        client = library.LLRPReaderClient(
            self._settings.host,
            self._settings.port,
            library.LLRPReaderConfig(self._config()),
            timeout=self._settings.connect_timeout,
        )
        original = client.llrp.getROSpec

        def reporting_rospec(force_new: bool = False) -> Any:
            # sllurp would have the reader stop and start again for each report, which not all readers can.
            rospec = original(force_new)
            rospec["ROReportSpec"]["N"] = self._settings.report_every
            return rospec

        client.llrp.getROSpec = reporting_rospec
        client.add_tag_report_callback(lambda _client, tags: self._post(self._reported, tags))
        client.add_event_callback(lambda _client, event: self._post(self._notified, event))
        client.add_message_callback("KEEPALIVE", lambda _client, _message: self._post(self._alive))
        reading = library.LLRPReaderState.STATE_INVENTORYING
        client.add_state_callback(reading, lambda _client, _state: self._post(self._came_up))
        return client

    def _config(self) -> dict[str, Any]:
        antennas = self._context.antennas
        config: dict[str, Any] = {
            "antennas": [antenna.port for antenna in antennas],
            "session": self._settings.session,
            "tag_population": self._settings.tag_population,
            "keepalive_interval": round(self._settings.keepalive * 1000),
            "tag_content_selector": {
                "EnableROSpecID": False,
                "EnableSpecIndex": False,
                "EnableInventoryParameterSpecID": False,
                "EnableAntennaID": True,
                "EnableChannelIndex": True,
                "EnablePeakRSSI": True,
                "EnableFirstSeenTimestamp": False,
                "EnableLastSeenTimestamp": True,
                "EnableTagSeenCount": True,
                "EnableAccessSpecID": False,
            },
            "event_selector": {
                "HoppingEvent": False,
                "GPIEvent": True,
                "ROSpecEvent": False,
                "ReportBufferFillWarning": True,
                "ReaderExceptionEvent": True,
                "RFSurveyEvent": False,
                "AISpecEvent": False,
                "AISpecEventWithSingulation": False,
                "AntennaEvent": True,
            },
        }
        if self._settings.mode is not None:
            config["mode_identifier"] = self._settings.mode
        if antennas[0].power is not None:
            config["tx_power_dbm"] = {antenna.port: antenna.power for antenna in antennas}
        return config

    def _work(self) -> None:
        error: DriverError | None = None
        try:
            # Not by sllurp's own `connect`, which leaves sockets of failed attempts open.
            address = (self._settings.host, self._settings.port)
            self._client._socket = socket.create_connection(address, self._settings.connect_timeout)
            self._client.main_loop()
        except OSError as failure:
            error = DriverError(f"{self.peer}: cannot connect: {failure.strerror or failure}")
        except Exception as failure:
            error = DriverError(f"{self.peer}: sllurp failed: {type(failure).__name__}: {failure}")
        if not self._is_stopped.is_set():
            self._post(self._end, error)

    def _post(self, handle: Callable[..., None], *arguments: Any) -> None:
        """Hands over to the event loop; waits while it is paused or has enough under way."""
        while not self._is_stopped.is_set():
            if self._gate.wait(0.1) and self._slots.acquire(timeout=0.1):
                self._loop.call_soon_threadsafe(self._handle, handle, arguments)
                return

    # On the event loop

    def _handle(self, handle: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._slots.release()
        self._heard = self._loop.time()
        if self._ended.done():
            return
        try:
            handle(*arguments)
        except Exception as failure:  # what the library hands over is not ours to trust
            self._end(DriverError(f"{self.peer}: unexpected data from sllurp: {type(failure).__name__}: {failure}"))

    def _end(self, error: DriverError | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)

    def _came_up(self) -> None:
        if self._is_up:
            return
        self._is_up = True
        device = self._client.llrp.capabilities.get("GeneralDeviceCapabilities", {})
        firmware = device.get("ReaderFirmwareVersion", b"")
        model = f"vendor {device.get('DeviceManufacturerName', 0)} model {device.get('ModelName', 0)}"
        now = self._context.now()
        self._context.sink(ReaderUp(self._context.reader, now, False, model, firmware.decode("utf-8", "replace")))
        self._tell_clock(now)

    def _alive(self) -> None:
        if self._is_up:
            self._context.sink(ReaderAlive(self._context.reader, self._context.now()))

    def _reported(self, tags: list[dict[str, Any]]) -> None:
        first = tags[0] if tags else {}
        stamps = next((stamps for name, stamps in _STAMPS if f"LastSeenTimestamp{name}" in first), Stamps.NONE)
        antennas = self._context.antennas
        rows = list(_rows(tags, stamps, antennas[0].port if len(antennas) == 1 else 0))
        if not rows:
            return
        now = self._context.now()
        newest = rows[-1][4]
        if self._time.report(stamps, newest, now):
            self._tell_clock(now)
        offset = self._time.offset(stamps, newest, now)
        self.last_read = newest + offset
        self._context.sink(Batch(self._context.reader, now, rows, offset))

    def _notified(self, event: dict[str, Any]) -> None:
        now, reader, sink = self._context.now(), self._context.reader, self._context.sink
        t = self._stamped(event, now)
        if attempt := event.get("ConnectionAttemptEvent"):
            self._attempted(attempt["Status"])
        if change := event.get("GPIEvent"):
            sink(InputChange(reader, t, change["GPIPortNumber"], bool(change["GPIEvent"])))
        if antenna := event.get("AntennaEvent"):
            up = antenna["EventType"] == "Connected"
            sink(AntennaStatus(reader, t, antenna["AntennaID"], up, "" if up else "the reader reports it disconnected"))
        if "ReportBufferOverflowErrorEvent" in event:
            start = t if self.last_read is None else min(self.last_read, now)
            sink(ReaderLoss(reader, now, start, now, "reader-buffer-overflow"))
        if failure := event.get("ReaderExceptionEvent"):
            self._context.log.warning("reader exception", detail=str(failure)[:300])
            sink(ReaderCondition(reader, t, "exception", True, str(failure.get("Message", ""))[:300]))
            sink(ReaderCondition(reader, now, "exception", False))
        if "ConnectionCloseEvent" in event:
            self._end(DriverError(f"{self.peer}: the reader closed the connection (ConnectionCloseEvent)"))

    def _attempted(self, status: str) -> None:
        if status.startswith("Failed (a "):  # ... client or reader initiated connection already exists)
            why = "another client is connected to this reader, which serves one at a time: stop that one"
            self._end(DriverError(f"{self.peer}: {why}"))
        elif status not in ("Success", "Another connection attempted"):
            self._end(DriverError(f"{self.peer}: the reader refuses the connection: {status}"))

    def _stamped(self, event: dict[str, Any], now: int) -> int:
        """When the event happened by our clock; the greeting also tells how far the reader's clock is off."""
        for name, stamps in (("UTCTimestamp", Stamps.UTC), ("Uptime", Stamps.UPTIME)):
            if name in event:
                stamp = min(event[name]["Microseconds"], LATEST)
                if self._time.event(stamps, stamp, now) and self._is_up:
                    self._tell_clock(now)
                return int(stamp + self._time.offset(stamps, stamp, now))
        return now

    def _tell_clock(self, now: int) -> None:
        reading = self._time.reading
        self._context.sink(ReaderClock(self._context.reader, now, reading.quality, reading.offset))


def _rows(tags: list[dict[str, Any]], stamps: Stamps, only_antenna: int) -> Iterator[Row]:
    """Rows as in `drivers.api.Row`. sllurp gives an EPC as hex text in bytes. A read without antenna is of the only
    one; one without EPC is none."""
    stamp = {Stamps.UTC: "LastSeenTimestampUTC", Stamps.UPTIME: "LastSeenTimestampUptime"}.get(stamps, "")
    for tag in tags:
        if "EPC" in tag:
            yield (
                bytes.fromhex(tag["EPC"].decode("ascii")),
                tag.get("AntennaID") or only_antenna,
                tag.get("PeakRSSI", NO_RSSI),
                tag.get("ChannelIndex", 0),
                min(tag.get(stamp, 0), LATEST),
                max(tag.get("TagSeenCount", 1), 1),
            )


FACTORY = DriverFactory(SllurpSettings, SllurpDriver)
