"""The settings of UHFReader18 and UHFReader288: keys of a reader's entry in the configuration. Times in seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivers.serial.settings import Address, Baud, BusSettings

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

    @property
    def bus_address(self) -> int | None:
        """A reader that sends by itself cannot share its port."""
        return self.address if self.mode == "answer" else None
