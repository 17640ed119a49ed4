"""The settings of ThingMagic modules: keys of a reader's entry in the configuration. Times in seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivers.serial.settings import SerialSettings

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
