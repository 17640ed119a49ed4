"""What every type of event is made of: strictness, and the kinds of values."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from gateway.config import Identifier

Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", json_schema_extra={"format": "date-time"})
]
Count = Annotated[int, Field(ge=0)]
Uid = Annotated[str, Field(pattern=r"^[0-9A-F]{4,124}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

strict = with_config(ConfigDict(extra="forbid", strict=True))
"""For the type of an event or of a part of one: nothing but what is named. Consumers should nevertheless bear new keys,
which are no new version."""

From = TypedDict("From", {"from": Identifier | None})
FromWords = TypedDict("FromWords", {"from": str | None})
"""What was before: a place, or words. `from` is a word of the language, and so cannot stand in a class."""
