"""The settings of the serial families: the keys of a reader's entry that are the driver's. Times in seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from drivers.api import DriverSettings
from drivers.serial.transport import check_port

SerialDevice = Annotated[str, AfterValidator(check_port)]
Baud = Literal[9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600]
Address = Annotated[int, Field(ge=0, le=255)]
Inputs = Annotated[list[Annotated[int, Field(ge=1, le=4)]], Field(max_length=4)]
InputPoll = Annotated[float, Field(ge=0.02, le=10)]


class SerialSettings(DriverSettings):
    """What every serial reader needs. `device` is a port (prefer the stable names in /dev/serial/by-id) or
    ``socket://HOST:PORT``. `inputs` are the general purpose inputs to watch, every `input_poll` seconds.
    `reply_timeout` is how long a command may go unanswered; a device server far away may need more."""

    device: SerialDevice
    baud: Baud = 115200
    reply_timeout: Annotated[float, Field(ge=0.05, le=10)] = 0.5
    inputs: Inputs = Field(default=[])
    input_poll: InputPoll = 0.2


class BusSettings(SerialSettings):
    """A family whose readers have addresses and can share an RS-485 bus. `echo`: the transceiver hears itself."""

    address: Address
    echo: bool = False


MercuryRegion = Literal[
    "NA", "EU", "KR", "IN", "JP", "PRC", "EU2", "EU3", "KR2", "PRC2", "AU", "NZ", "NA2", "NA3", "IS", "MY", "ID",
    "PH", "TW", "MO", "RU", "SG", "JP2", "JP3", "VN", "TH", "AR", "HK", "BD", "EU4", "IS2", "NA4", "OPEN",
]  # fmt: skip


class MercurySettings(SerialSettings):
    """ThingMagic modules. One cycle is `on` seconds of reading and `off` seconds of rest; a shorter cycle dates reads
    better, a rest keeps a small module cool. `antenna_check` asks the module which antennas it can feel; turn it off
    for antennas without a direct-current path, which no module can feel."""

    region: MercuryRegion | None = None
    session: Annotated[int, Field(ge=0, le=3)] = 0
    on: Annotated[float, Field(ge=0.05, le=10)] = 0.25
    off: Annotated[float, Field(ge=0, le=10)] = 0.0
    antenna_check: bool = True


UhfBand = Literal["China2", "US", "Korea", "EU", "Ukraine", "Peru", "China1", "EU3", "Taiwan", "US3"]


class Uhf288Settings(BusSettings):
    """UHFReader18, UHFReader288, RRU98xx and UHFEx10. `mode` answer: the gateway asks for every round, antenna after
    antenna, each of `scan_time`; realtime: the reader sends reads by itself, and can not share a bus.

    `channels` are the first and last of the `band`; without `band` the reader's own stay. `fast_id` asks for TIDs.
    `epc_with_pc`: a few readers put the two PC bytes before each EPC."""

    baud: Baud = 57600
    address: Address = 0
    mode: Literal["answer", "realtime"] = "answer"
    band: UhfBand | None = None
    channels: Annotated[list[Annotated[int, Field(ge=0, le=63)]], Field(min_length=2, max_length=2)] | None = None
    q: Annotated[int, Field(ge=0, le=15)] = 4
    session: Annotated[int, Field(ge=0, le=3)] = 0
    scan_time: Annotated[float, Field(ge=0.1, le=25.5)] = 0.3
    fast_id: bool = False
    epc_with_pc: bool = False


class R2000Settings(BusSettings):
    """R2000 readers (frames that begin with A0), 4 to 16 ports. `max_temperature` in degrees Celsius and
    `min_return_loss` in dB are where the reader counts as too hot and an antenna as badly matched."""

    address: Address = 1
    region: Literal["FCC", "ETSI", "CHN"] | None = None
    session: Annotated[int, Field(ge=0, le=3)] = 0
    max_temperature: Annotated[int, Field(ge=20, le=120)] = 65
    min_return_loss: Annotated[int, Field(ge=0, le=20)] = 3


class M100Settings(SerialSettings):
    """MagicRF M100 and R200 modules: one antenna, shelf and desk class."""

    region: Literal["China900", "US", "EU", "China800", "Korea"] | None = None
