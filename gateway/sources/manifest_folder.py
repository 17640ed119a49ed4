"""The folder of manifests: whatever is put down there becomes the command `manifest`, or an alarm that says why not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from drivers.api import Log
from gateway.config.sources import FolderConfig
from gateway.inputs import Submit
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.manifest_csv import read_csv
from gateway.sources.manifest_json import read_json
from gateway.sources.watched_folder import Command, Contents, Purpose, WatchedFile, WatchedFolder
from gateway.text import printable

MAX_DONE = 1_000
"""Files kept in ``done/``; the oldest go. What they said is in the events."""


def manifest_folder(
    config: FolderConfig, submit: Submit, identifiers: IdentifierMap, log: Log, now: Callable[[], float]
) -> WatchedFolder:
    """The folder, ready to run. `now` is a monotonic clock in seconds."""
    purpose = Purpose(
        one="a manifest",
        many="manifests",
        section="manifests.folder",
        endings=(".json", ".csv"),
        keep=MAX_DONE,
        read=partial(_read, config=config, identifiers=identifiers),
        foreign="neither .json nor .csv: name the file after what it holds",
        refusal=_refusal,
    )
    return WatchedFolder(config, purpose, submit, log, now)


def _read(file: WatchedFile, content: bytes, *, config: FolderConfig, identifiers: IdentifierMap) -> Contents:
    if file.ending == ".json":
        args = read_json(content, modified=file.modified, zone=config.time_zone, identifiers=identifiers)
    else:
        columns = {str(ours): theirs for ours, theirs in config.columns.items()}
        args = read_csv(
            content, modified=file.modified, zone=config.time_zone, columns=columns, identifiers=identifiers
        )
    return Contents([("manifest", {"by": file.by} | args)], {"manifest": args["manifest"]})


def _refusal(file: WatchedFile, reason: str) -> Command:
    return "manifest.refused", {"source": "folder", "name": file.shown, "reason": printable(reason, 2000)}
