"""Everything that a driver author needs: what a driver hands over, what it is given, how it fails.

A driver talks to one reader. It knows nothing of zones, events or MQTT: it turns the reader's bytes into the items
below and puts them into the sink it was given, in the order in which the reader told them. Times are integers,
microseconds since the Unix epoch (UTC) by the gateway's clock, unless said otherwise.

A new driver is a `DriverFactory` in the entry-point group ``rfid_gateway.drivers``; nothing else in the gateway
changes. Inside a driver: a sans-I/O codec (bytes to messages, fed in any chunking), a session (one command in
flight, the stream of reads, heartbeat) and a transport.

Errors::

    RfidError
    └── DriverError         a reader cannot be used now; `permanent` says whether trying again can help
        └── ProtocolError   the peer broke its protocol; the message says what was seen
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

from drivers.polls import Polls

ENTRY_POINT_GROUP = "rfid_gateway.drivers"


class RfidError(Exception):
    """Root of every error that this project raises on purpose."""


class DriverError(RfidError):
    """A reader cannot be used now. `permanent` means that trying again unchanged cannot help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class ProtocolError(DriverError):
    """The peer sent bytes that its protocol does not allow."""


Row: TypeAlias = tuple[Any, ...]
"""One read: ``(epc: bytes, antenna: int, rssi: int, channel: int, time: int, count: int)``.

`rssi` is in steps of the batch's `rssi_unit`; `channel` is the reader's channel index, 0 when unknown; `time` is by
the reader's own clock in microseconds (add the batch's `offset` to get UTC); `count` is how many reads the row
stands for, at least 1. Where the batch says ``phase=True`` two more follow: phase in 1/4096 turn, Doppler in 1/16 Hz.
"""


class RssiUnit(StrEnum):
    """What one step of a row's RSSI is."""

    DBM = "dBm"
    CENTI_DBM = "cdBm"
    RAW = "raw"  # grows with the signal, 0 to 255; the vendor defines no unit


class ClockQuality(StrEnum):
    """Where the time of a read comes from."""

    SYNCED = "synced"  # the reader's own UTC, close to ours
    CORRECTED = "corrected"  # the reader's UTC is off; the measured offset is applied
    UPTIME = "uptime"  # the reader counts from its boot; the measured offset is applied
    ARRIVAL = "arrival"  # the reader says no time; stamped when the bytes arrived


@dataclass(slots=True)
class Batch:
    """Reads of one reader that arrived together, in arrival order: not in time order, and with repeats.

    `rows` are tuples, or `drivers.records.Records` where a driver leaves them as the reader's bytes.
    """

    reader: str
    arrival: int
    rows: Sequence[Row]
    offset: int = 0
    rssi_unit: RssiUnit = RssiUnit.DBM
    phase: bool = False
    tids: Mapping[bytes, bytes] = field(default_factory=dict)  # EPC to TID, where the reader sent one


@dataclass(slots=True, frozen=True)
class ReaderUp:
    """The reader is connected, configured and reading.

    `held` says that the reader kept its reads while it was not connected and will deliver them now; they may be
    older than `t`, and only a `ReaderAlive` says that the last of them has come.
    """

    reader: str
    t: int
    held: bool = False
    model: str = ""
    firmware: str = ""


@dataclass(slots=True, frozen=True)
class ReaderDown:
    """The reader is not reading. `reason` is a sentence for the operator."""

    reader: str
    t: int
    reason: str


@dataclass(slots=True, frozen=True)
class ReaderAlive:
    """A sign of life, such as a keepalive: every read that the reader made before it has been delivered."""

    reader: str
    t: int


@dataclass(slots=True, frozen=True)
class ReaderClock:
    """How the times of this reader's rows are to be understood from here on. `offset` in microseconds."""

    reader: str
    t: int
    quality: ClockQuality
    offset: int


@dataclass(slots=True, frozen=True)
class AntennaStatus:
    """An antenna was connected or lost (`antenna` counts from 1)."""

    reader: str
    t: int
    antenna: int
    up: bool
    reason: str = ""


@dataclass(slots=True, frozen=True)
class InputChange:
    """A general purpose input (photo-eye, dock door) changed."""

    reader: str
    t: int
    port: int
    state: bool


@dataclass(slots=True, frozen=True)
class ReaderCondition:
    """A condition that makes the reader read less well began or ended, such as ``throttled`` or ``buffer-warning``."""

    reader: str
    t: int
    condition: str
    active: bool
    detail: str = ""


@dataclass(slots=True, frozen=True)
class ReaderLoss:
    """Reads of this reader between `start` and `end` are lost or may be lost. `cause` is a short fixed word."""

    reader: str
    t: int
    start: int
    end: int
    cause: str
    certain: bool = True


Item: TypeAlias = (
    Batch
    | ReaderUp
    | ReaderDown
    | ReaderAlive
    | ReaderClock
    | AntennaStatus
    | InputChange
    | ReaderCondition
    | ReaderLoss
)


@dataclass(slots=True, frozen=True)
class Antenna:
    """An antenna port in use. `power` in dBm; None leaves what the reader has."""

    port: int
    power: float | None = None


class FileUse(NamedTuple):
    """A file named in the settings. One that is `secret` must not be readable for everybody."""

    path: Path
    secret: bool = False


class DriverSettings(BaseModel):
    """Base of a driver's own settings: the keys of a reader's entry in the configuration that are the driver's."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def endpoint(self) -> str | None:
        """What the reader is reached at, in words, so that no two entries mean the same one: a host and port, a serial
        port. None where there is no such thing."""
        return None

    def files(self) -> Mapping[str, FileUse]:
        """The files that the driver will read, by the path of their setting, such as ``tls.key_file``: they must be
        there when the configuration is checked."""
        return {}


class Log(Protocol):
    """The part of a structlog logger that drivers use: an event name and key-value pairs."""

    def debug(self, event: str, **fields: Any) -> Any:
        """A line for whoever looks for a fault."""
        ...

    def info(self, event: str, **fields: Any) -> Any:
        """A line about what goes as it should."""
        ...

    def warning(self, event: str, **fields: Any) -> Any:
        """A line about what somebody should look at."""
        ...

    def error(self, event: str, **fields: Any) -> Any:
        """A line about what is broken."""
        ...


@dataclass(slots=True, frozen=True)
class DriverContext:
    """What the gateway gives to a driver when it builds one. At `polls` the driver may have its links read in one go
    with those of others, where it makes no difference when that is."""

    reader: str
    antennas: tuple[Antenna, ...]
    sink: Callable[[Item], None]
    now: Callable[[], int]
    log: Log
    polls: Polls = field(default_factory=Polls)


class Driver(Protocol):
    """One reader. Built once for each reader in the configuration, run once for each connection."""

    async def run(self) -> NoReturn:
        """Connect, configure and stream into the sink until the link ends.

        Puts `ReaderUp` into the sink once reads can come. Raises `DriverError` when the link ends, for whatever
        reason; the gateway then puts `ReaderDown` into the sink, waits and calls again. When cancelled, it leaves
        the reader as a restart wants to find it (holding its reads where it can) and closes the link.
        """
        ...

    async def set_output(self, port: int, state: bool) -> None:
        """Switch a general purpose output (stack light, buzzer). Raises `DriverError` when not connected or refused."""
        ...

    def pause(self) -> None:
        """Stop taking bytes from the reader, so that its own flow control holds it back."""
        ...

    def resume(self) -> None:
        """Take bytes again."""
        ...


@dataclass(slots=True, frozen=True)
class DriverFactory:
    """What an entry point of the group ``rfid_gateway.drivers`` names."""

    settings: type[DriverSettings]
    build: Callable[[DriverContext, Any], Driver]  # (context, settings as validated by the model above)
