"""What every section of the configuration is made of: the strict base model and the kinds of values.

Times are seconds. Identifiers become MQTT topic levels and file names, hence their narrow alphabet.
"""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
)

from gateway.text import closest

IDENTIFIER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
HEX_PATTERN = r"^[0-9A-F]{1,124}$"

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER_PATTERN)]
FORMS: dict[str, str] = {}
"""What to write, in words, for each pattern of the configuration's own: a regular expression is no remedy."""


def in_the_form(words: str, pattern: str, **more: Any) -> StringConstraints:
    """Text that fits `pattern`, and `words` that say so to who wrote another: ``write … such as …``."""
    FORMS[pattern] = words
    return StringConstraints(pattern=pattern, **more)


HexPrefix = Annotated[str, StringConstraints(pattern=HEX_PATTERN)]
FilePath = Annotated[Path, Strict(False)]  # text is a path, in Python as in JSON
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A section of the configuration: strict about types, frozen, and nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def zone_info(name: str) -> tzinfo:
    """The time zone of that name in the system's database. Raises ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = available_timezones()
        if not known:
            raise ValueError("this machine knows no time zones: install its package tzdata") from error
        close = closest(name, known, cutoff=0.8)
        remedy = f"did you mean `{close}`?" if close else "write one such as America/Denver"
        raise ValueError(f"there is no time zone `{name}`: {remedy}") from error


def _time_zone(name: str) -> str:
    zone_info(name)
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
