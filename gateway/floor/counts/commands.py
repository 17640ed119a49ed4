"""What may be asked of counts: the arguments of each command as a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config.base import Identifier
from gateway.events.count_models import How
from gateway.floor.gate.commands import Arguments, Uids, Who
from gateway.floor.gate.manifest import Text, Time
from gateway.inputs import Command

COMMANDS = ("count", "expected", "count.open", "count.close")
"""The commands that are about counts. ``reads`` is too, where it names no dock."""


def of_counts(command: Command) -> bool:
    """Whether a command is about counts. What a handheld read is, unless it was read at a dock."""
    return command.name in COMMANDS or (command.name == "reads" and command.args.get("dock") is None)


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("one is there twice")
    return names


class OpenCount(Arguments):
    """`by` begins to count `zones`. With `devices` only the reads of these handhelds are for this count."""

    zones: Annotated[list[Identifier], Field(min_length=1, max_length=16), AfterValidator(_distinct)]
    by: Who
    devices: Annotated[list[Identifier], Field(max_length=16), AfterValidator(_distinct)] = Field(default=[])


class CloseCount(Arguments):
    """`by` has finished the count that `zone` belongs to. `note` is what they have to say of it."""

    zone: Identifier
    by: Who
    note: Text = ""


class HandReads(Arguments):
    """A handheld has read tags, at `time` by its clock: for the count of `zone`, or for whichever is open, or for none.
    With `how` barcode somebody has held each package in their hands."""

    reader: Identifier
    uids: Uids
    zone: Identifier | None = None
    how: How = "rfid"
    time: Time | None = None
