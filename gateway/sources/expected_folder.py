"""The folder of expected sets: whatever CSV is put down there becomes the command `expected`, once for each zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from drivers.api import Log
from gateway.clock import rfc3339
from gateway.config import Config
from gateway.config.sources import ExpectedColumns, ExpectedConfig
from gateway.inputs import Submit
from gateway.sources.expected_csv import read_csv
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.table import SHEETS
from gateway.sources.watched_folder import Contents, Purpose, WatchedFile, WatchedFolder


def expected_folder(
    config: ExpectedConfig,
    zones: Mapping[str, str],
    submit: Submit,
    identifiers: IdentifierMap,
    log: Log,
    now: Callable[[], float],
) -> WatchedFolder:
    """The folder, ready to run. `zones` is what `zone_names` gives; `now` is a monotonic clock in seconds."""
    purpose = Purpose(
        one="expected sets",
        many="expected sets",
        section="expected",
        endings=SHEETS,
        read=partial(_read, columns=config.columns, zones=zones, identifiers=identifiers),
    )
    return WatchedFolder(config, purpose, submit, log, now)


def zone_names(config: Config) -> dict[str, str]:
    """What a zone may be called in a file, in lower case, and which zone that is: its id, its name, and what
    `expected.zones` says, which goes before the others."""
    names = {zone.name.lower(): zone.id for zone in config.zones if zone.name}
    names |= {zone.id.lower(): zone.id for zone in config.zones}
    if config.expected is not None:
        names |= {place.lower(): zone for place, zone in config.expected.zones.items()}
    return names


def _read(
    file: WatchedFile,
    content: bytes,
    *,
    columns: ExpectedColumns,
    zones: Mapping[str, str],
    identifiers: IdentifierMap,
) -> Contents:
    found = read_csv(content, stem=file.stem, columns=columns, zones=zones, identifiers=identifiers)
    origin = {"as_of": rfc3339(file.modified), "source": f"file {file.shown}", "by": file.by}
    return Contents(
        [("expected", {"zone": zone, "uids": uids} | origin) for zone, uids in found.sets.items()],
        {"zones": {zone: len(uids) for zone, uids in found.sets.items()}, "remark": found.remark()},
    )
