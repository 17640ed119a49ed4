"""The settings of MagicRF M100 and R200 modules: keys of a reader's entry in the configuration. Times in seconds."""

from __future__ import annotations

from typing import Literal

from drivers.serial.settings import SerialSettings


class M100Settings(SerialSettings):
    """MagicRF M100 and R200 modules: one antenna, shelf and desk class."""

    region: Literal["China900", "US", "EU", "China800", "Korea"] | None = None
