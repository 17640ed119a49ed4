"""What every model of an event is made of: the strict base and the kinds of values."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", json_schema_extra={"format": "date-time"})
]
Count = Annotated[int, Field(ge=0)]
Uid = Annotated[str, Field(pattern=r"^[0-9A-F]{4,124}$")]


class Part(BaseModel):
    """Nothing but what is named; consumers should nevertheless bear new keys, which are no new version."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
