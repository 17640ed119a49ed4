"""Which commands the floor takes, which part of it says whether one can be carried out, and which carries it out."""

from __future__ import annotations

from gateway.errors import Refused
from gateway.events.envelope import Fact
from gateway.floor import statements
from gateway.floor.books.books import Books
from gateway.floor.books.commands import COMMANDS as BOOK_COMMANDS
from gateway.floor.counts.commands import COMMANDS as COUNT_COMMANDS
from gateway.floor.counts.commands import of_counts
from gateway.floor.counts.counts import Counts
from gateway.floor.gate import COMMANDS as GATE_COMMANDS
from gateway.floor.gate.gate import Gate
from gateway.floor.gate.knowledge import manifest_of
from gateway.floor.pending import Pending
from gateway.inputs import Command

COMMANDS: tuple[str, ...] = (*BOOK_COMMANDS, *COUNT_COMMANDS, *GATE_COMMANDS, *statements.COMMANDS)
"""The commands that are the floor's."""

KNOWLEDGE = ("manifest", "manifest.withdraw", "manifest.refused", "watch", "stock", "destroy")
"""Commands that tell the gate what is so, at no moment of the floor: known at once, so that the command to open a
session, which waits for event time, may follow at once."""


def read(command: Command) -> None:
    """Reads the arguments of a manifest, which takes long, before it is admitted: in any thread. Raises Refused."""
    if command.name == "manifest":
        command.typed(manifest_of)


def admit(command: Command, gate: Gate, counts: Counts, books: Books, pending: Pending) -> None:
    """Raises Refused, saying why, where a command would not be carried out once what is `pending` is. Changes
    nothing."""
    if command.name not in COMMANDS:
        raise Refused(f"no command {command.name!r}: the floor takes {', '.join(COMMANDS)}")
    if command.name in statements.COMMANDS:
        statements.admit(command)
    elif command.name in BOOK_COMMANDS:
        books.admit(command)
    elif of_counts(command):
        counts.admit(command, pending.commands())
    else:
        gate.admit(command, pending.commands())


def at_once(command: Command, gate: Gate) -> list[Fact] | None:
    """Carries out a command that waits for no event time; None for one that does."""
    if command.name in statements.COMMANDS:
        return gate.dealt_with(statements.facts(command))
    return gate.command(command) if command.name in KNOWLEDGE else None


def carry_out(command: Command, gate: Gate, counts: Counts, books: Books) -> list[Fact]:
    """Carries out a command to whose moment event time has come."""
    if command.name in BOOK_COMMANDS:
        return books.carry_out(command)
    return counts.carry_out(command) if of_counts(command) else gate.command(command)
