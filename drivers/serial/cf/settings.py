"""The settings of newer Chafon readers: keys of a reader's entry in the configuration. Times in seconds."""

from __future__ import annotations

from drivers.serial.settings import Address, SerialSettings


class CfSettings(SerialSettings):
    """CF600, CF591, CF815, H103 and their kin. They send without being asked, so that none can share a port; `address`
    255 is answered by every reader."""

    address: Address = 255
