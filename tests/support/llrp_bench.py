"""An LLRP session on the bench: no sockets and no waiting. A test says what the reader says, and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog

from drivers.api import Antenna, Batch, DriverContext, Item
from drivers.llrp.memory import Memory
from drivers.llrp.protocol.codec import Message, decode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.session import Session
from drivers.llrp.settings import LlrpSettings
from drivers.llrp.setup import State

SECOND = 1_000_000
T0 = 1_700_000_000 * SECOND
OK = E("LLRPStatus", StatusCode=0, ErrorDescription="")
HOLDS = E("EventsAndReports", HoldEventsAndReportsUponReconnect=1)


def failed(code: int, text: str = "") -> Element:
    return E("LLRPStatus", StatusCode=code, ErrorDescription=text)


def capabilities(
    *, vendor: int = 0, hold: int = 1, powers: Iterable[int] = (1000, 2000, 3000), modes: Iterable[int] = (0, 2)
) -> Element:
    """The body of an answer about capabilities. Powers in 1/100 dBm."""
    return E(
        "GET_READER_CAPABILITIES_RESPONSE",
        OK,
        E(
            "GeneralDeviceCapabilities",
            E("GPIOCapabilities", NumGPIs=4, NumGPOs=4),
            MaxNumberOfAntennaSupported=4,
            CanSetAntennaProperties=0,
            HasUTCClockCapability=1,
            DeviceManufacturerName=vendor,
            ModelName=7,
            ReaderFirmwareVersion="1.2.3",
        ),
        E("LLRPCapabilities", SupportsEventAndReportHolding=hold),
        E(
            "RegulatoryCapabilities",
            E(
                "UHFBandCapabilities",
                *(
                    E("TransmitPowerLevelTableEntry", Index=index, TransmitPowerValue=value)
                    for index, value in enumerate(powers, 1)
                ),
                E("FrequencyInformation", E("FrequencyHopTable", HopTableID=3, Frequency=[902750]), Hopping=1),
                E("C1G2UHFRFModeTable", *(E("C1G2UHFRFModeTableEntry", ModeIdentifier=mode) for mode in modes)),
            ),
        ),
    )


def event(*what: Element, utc: int | None = None, uptime: int | None = None) -> Message:
    """A READER_EVENT_NOTIFICATION; stamped at T0 unless told otherwise."""
    stamp = E("Uptime", Microseconds=uptime) if uptime is not None else E("UTCTimestamp", Microseconds=utc or T0)
    body = E("READER_EVENT_NOTIFICATION", E("ReaderEventNotificationData", stamp, *what))
    return Message(body.name, 0, body)


class Bench:
    """A session and everything that goes in and out of it. `at` is the monotonic clock; the wall clock follows it."""

    def __init__(
        self,
        *,
        memory: Memory | None = None,
        antennas: tuple[Antenna, ...] = (Antenna(1), Antenna(2)),
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.items: list[Item] = []
        self.sent: list[Message] = []
        self.at = 100.0
        self.memory = memory or Memory()
        context = DriverContext("r1", antennas, self.items.append, lambda: self.now, structlog.get_logger())
        self.session = Session(context, LlrpSettings(host="reader", **(settings or {})), self.memory, "reader:5084")
        self.session.start(self.at)

    @property
    def now(self) -> int:
        return T0 + round((self.at - 100.0) * SECOND)

    @property
    def state(self) -> State:
        return self.session.state

    def hear(self, message: Message) -> None:
        """The reader says something."""
        self.session.receive(message, self.now, self.at)
        self._collect()

    def wait(self, seconds: float) -> None:
        """Time goes by, and every alarm goes off when it is due."""
        end = self.at + seconds
        while (due := self.session.deadline) is not None and due <= end:
            self.at = max(self.at, due)
            self.session.tick(self.now, self.at)
            self._collect()
        self.at = end

    def take(self, kind: type[Item] | None = None) -> list[Any]:
        """The items since the last time, of one kind or all."""
        items = [item for item in self.items if kind is None or isinstance(item, kind)]
        self.items.clear()
        return items

    def greet(self, status: int = 0, **stamp: int) -> None:
        self.hear(event(E("ConnectionAttemptEvent", Status=status), **stamp))

    @property
    def asked(self) -> Message:
        """The last thing that the session sent."""
        return self.sent[-1]

    def answer(self, *parts: Element, status: Element = OK, identity: int | None = None, **fields: Any) -> None:
        """Answers the last request."""
        name = f"{self.asked.name}_RESPONSE"
        self.hear(Message(name, self.asked.id if identity is None else identity, E(name, status, *parts, **fields)))

    def refuse(self, code: int = 109, *, identity: int | None = None) -> None:
        """Answers the last request with an ERROR_MESSAGE."""
        body = E("ERROR_MESSAGE", failed(code))
        self.hear(Message(body.name, self.asked.id if identity is None else identity, body))

    def set_up(
        self,
        *,
        able: Element | None = None,
        found: Iterable[Element] = (),
        rospecs: Iterable[Element] = (),
        until: State = State.READING,
    ) -> None:
        """Goes on from wherever the session is until it reads, or is at `until`, the reader being agreeable."""
        if self.state is State.GREETING:
            self.greet()
        while self.state is not until:
            match self.asked.name:
                case "GET_SUPPORTED_VERSION":
                    self.refuse()
                case "GET_READER_CAPABILITIES":
                    body = able or capabilities()
                    self.hear(Message(body.name, self.asked.id, body))
                case "GET_READER_CONFIG" if self.state is State.LOOK:
                    self.answer(*found)
                case "GET_ROSPECS":
                    self.answer(*rospecs)
                case _:
                    self.answer()

    @property
    def rospec(self) -> Element:
        """The ROSpec that the session wants, from its ADD_ROSPEC."""
        return next(message for message in self.sent if message.name == "ADD_ROSPEC").body.need("ROSpec")

    def names(self) -> list[str]:
        """What was sent, by name."""
        return [message.name for message in self.sent]

    def _collect(self) -> None:
        self.sent += [decode(frame) for frame in self.session.take_outgoing()]


def batch_rows(items: Iterable[Item]) -> list[tuple[Any, ...]]:
    """All rows of all batches, in order."""
    return [row for item in items if isinstance(item, Batch) for row in item.rows]
