"""What the settings of all serial families share: keys of a reader's entry in the configuration. Times in seconds."""

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

    @property
    def bus_address(self) -> int | None:
        """The reader's address on a bus that several share; None where it must have its port for itself."""
        return None

    @property
    def hears_itself(self) -> bool:
        """What is sent comes back, and is not the reader's."""
        return False

    def endpoint(self) -> str:
        """The port, with the address where readers can share it."""
        address = self.bus_address
        return self.device if address is None else f"{self.device}, address {address}"


class BusSettings(SerialSettings):
    """A family whose readers have addresses and can share an RS-485 bus. `echo`: the transceiver hears itself."""

    address: Address
    echo: bool = False

    @property
    def bus_address(self) -> int | None:
        """See `SerialSettings`."""
        return self.address

    @property
    def hears_itself(self) -> bool:
        """See `SerialSettings`."""
        return self.echo
