"""The settings of R2000 readers: keys of a reader's entry in the configuration. Times in seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivers.serial.settings import Address, BusSettings


class R2000Settings(BusSettings):
    """R2000 readers (frames that begin with A0), 4 to 16 ports. `max_temperature` in degrees Celsius and
    `min_return_loss` in dB are where the reader counts as too hot and an antenna as badly matched."""

    address: Address = 1
    region: Literal["FCC", "ETSI", "CHN"] | None = None
    session: Annotated[int, Field(ge=0, le=3)] = 0
    max_temperature: Annotated[int, Field(ge=20, le=120)] = 65
    min_return_loss: Annotated[int, Field(ge=0, le=20)] = 3
