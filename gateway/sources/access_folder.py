"""The folder of access events: a CSV file that an access-control system exports becomes the command `access`, a line
each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from drivers.api import Log
from gateway.clock import CLOCK_AHEAD, rfc3339
from gateway.config.drops import AccessConfig
from gateway.errors import Refused
from gateway.floor.gate.commands import read
from gateway.floor.statements import Access
from gateway.inputs import Command, Submit
from gateway.sources.table import SHEETS, Table, plain_name
from gateway.sources.times import read_time
from gateway.sources.watched_folder import Contents, Purpose, WatchedFile, WatchedFolder

MAX_LINES = 20_000
"""Lines of a file: a day of a busy site. Each becomes an event."""


def access_folder(config: AccessConfig, submit: Submit, log: Log, now: Callable[[], float]) -> WatchedFolder:
    """The folder, ready to run. `now` is a monotonic clock in seconds."""
    purpose = Purpose(
        one="access events",
        many="access events",
        section="access",
        endings=SHEETS,
        read=partial(_read, config=config),
    )
    return WatchedFolder(config, purpose, submit, log, now)


def _read(file: WatchedFile, content: bytes, *, config: AccessConfig) -> Contents:
    table, columns = Table(content, MAX_LINES), config.columns
    for column in (columns.door, columns.time, columns.action):
        table.need(column, "correct it, or access.columns of the configuration")
    commands = []
    for row in table.rows():
        args = {"door": plain_name(row.text(columns.door)), "action": row.text(columns.action)}
        args |= {"person": row.text(columns.person)} if columns.person in table else {}
        args |= {"source": row.text(columns.source) or file.shown} if columns.source in table else {}
        with row.named():
            time = read_time(row.text(columns.time), config.time_zone)
            if time is None or time > file.modified + CLOCK_AHEAD:
                raise Refused("has no time, or one after the file was written: correct it, or access.time_zone")
            args["time"] = rfc3339(time)
            read(Access, Command(file.modified, "access", args))
        commands.append(("access", args))
    if not commands:
        raise Refused("there is no line")
    return Contents(commands, {"events": len(commands)})
