"""The sections about what comes from handhelds and from access control: topics, and folders of CSV files."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config.base import FilePath, Identifier, Name, Section, TimeZone


class DropConfig(Section):
    """A folder in which CSV files are put down. A file is taken once it has not changed for `settle` seconds."""

    directory: FilePath
    settle: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    poll: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    max_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 8 << 20


class ReadsColumns(Section):
    """What the files of a handheld call the columns. Without `reader` a file is named after its handheld, without
    `time` it was read when the file was written."""

    uid: Name = "uid"
    reader: Name | None = None
    time: Name | None = None


class ReadsFolderConfig(DropConfig):
    """A folder for what handhelds have read."""

    columns: ReadsColumns = ReadsColumns()


_LEVEL = re.compile(r"[^+#\x00-\x1f]+")


def _filter(text: str) -> str:
    """An MQTT topic filter that begins with a name."""
    levels = text.split("/")
    good = all(level in ("+", "") or _LEVEL.fullmatch(level) for level in levels[:-1])
    if not good or not (levels[-1] in ("+", "#", "") or _LEVEL.fullmatch(levels[-1])):
        raise ValueError("is no topic filter: + and # stand for whole levels, # for the last ones")
    if not _LEVEL.fullmatch(levels[0]) or text.startswith("$"):
        raise ValueError("takes in what is not meant: begin with the name of a level, not with + or #")
    return text


TopicFilter = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_filter)]


class HandheldsConfig(Section):
    """Handhelds beside the command `reads`. `topics` are those on which Zebra RFD40 and RFD90 sleds publish `dataEVT`,
    whose last level is the serial number; `names` gives sleds names of their own. `zones` are those that no antenna
    looks at and that are counted with handhelds alone."""

    topics: Annotated[list[TopicFilter], Field(max_length=16)] = []
    names: Annotated[dict[Name, Identifier], Field(max_length=1000)] = {}
    zones: Annotated[list[Identifier], Field(max_length=1000)] = []
    folder: ReadsFolderConfig | None = None


class AccessColumns(Section):
    """What the files of an access-control system call the columns; `person` and `source` may be missing."""

    door: Name = "door"
    time: Name = "time"
    action: Name = "action"
    person: Name = "person"
    source: Name = "source"


class AccessConfig(DropConfig):
    """A folder for what an access-control system exports: doors opened, badges shown. Times without an offset are in
    `time_zone`."""

    columns: AccessColumns = AccessColumns()
    time_zone: TimeZone = "UTC"
