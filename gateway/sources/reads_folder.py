"""The folder of reads: a CSV file with what a handheld has read becomes the command `reads`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from drivers.api import Log
from gateway.clock import CLOCK_AHEAD, rfc3339
from gateway.config.drops import ReadsColumns, ReadsFolderConfig
from gateway.errors import Refused
from gateway.floor.counts.commands import HandReads
from gateway.floor.gate.commands import MAX_UIDS, read
from gateway.inputs import Command, Submit
from gateway.sources.table import SHEETS, Table, plain_name
from gateway.sources.watched_folder import Contents, Purpose, WatchedFile, WatchedFolder

MAX_LINES = 100_000


def reads_folder(config: ReadsFolderConfig, submit: Submit, log: Log, now: Callable[[], float]) -> WatchedFolder:
    """The folder, ready to run. `now` is a monotonic clock in seconds."""
    purpose = Purpose(
        one="reads of a handheld",
        many="reads of handhelds",
        section="handhelds.folder",
        endings=SHEETS,
        read=partial(_read, columns=config.columns),
    )
    return WatchedFolder(config, purpose, submit, log, now)


def _read(file: WatchedFile, content: bytes, *, columns: ReadsColumns) -> Contents:
    table = Table(content, MAX_LINES)
    for column in (columns.uid, columns.reader, columns.time):
        if column is not None:
            table.need(column, "correct it, or handhelds.folder.columns of the configuration")
    found: dict[tuple[str, str], list[str]] = {}
    for row in table.rows():
        reader = plain_name(row.text(columns.reader) if columns.reader is not None else file.stem)
        time = row.text(columns.time) if columns.time is not None else rfc3339(file.modified)
        uid = row.identifier(columns.uid).upper()
        with row.named():
            said = read(HandReads, Command(file.modified, "reads", {"reader": reader, "uids": [uid], "time": time}))
            if said.time is not None and said.time > file.modified + CLOCK_AHEAD:
                raise Refused("the time is after that at which the file was written: set the handheld's clock")
        found.setdefault((reader, time), []).append(uid)
    if not found:
        raise Refused("there is no line with a read")
    commands = [
        ("reads", {"reader": reader, "by": reader, "time": time, "uids": uids[first : first + MAX_UIDS]})
        for (reader, time), uids in sorted(found.items(), key=lambda item: item[0][1])
        for first in range(0, len(uids), MAX_UIDS)
    ]
    return Contents(commands, {"reads": sum(map(len, found.values()))})
