"""The subcommands that ask the history: `where`, `trail`, `zone` and `batch`, also while the gateway runs."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.clock import wall
from gateway.config.file import load
from gateway.errors import HistoryError, Refused
from gateway.history import schema
from gateway.history.answers import Trail
from gateway.history.asking import read
from gateway.history.footage import with_footage
from gateway.history.questions import Questions
from gateway.history.text import lines


def register(commands: Any) -> None:
    """Adds the subcommands to the `add_subparsers` of a parser."""
    _add(
        commands, "where", "what", "a UID, its last digits, a batch, a product or a scanned code", "where a package is"
    )
    trail = _add(
        commands, "trail", "what", "a UID, its last digits or a scanned code", "how a package came to where it is"
    )
    trail.add_argument("--before", metavar="TIME", help="only what was before this time")
    zone = _add(commands, "zone", "zone", "the zone's id", "what is in a zone, or was at a time")
    zone.add_argument("--at", metavar="TIME", help="such as 2026-02-14T09:00:00Z or …-05:00; now unless it is given")
    zone.add_argument("--after", metavar="UID", help="go on behind this UID, the last of the answer before")
    batch = _add(commands, "batch", "batch", "the batch's number or name", "where the packages of a batch are")
    batch.add_argument("--after", metavar="UID", help="go on behind this UID, the last of the answer before")


def _add(commands: Any, name: str, argument: str, meaning: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=f"ask the history {purpose}", description=f"Ask the history {purpose}."
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration (YAML)")
    parser.add_argument("--json", action="store_true", help="the answer as JSON, as the web API gives it")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N entries")
    parser.add_argument(argument, metavar=argument.upper(), help=meaning)
    parser.set_defaults(run=_run, question=name)
    return parser


def _run(args: argparse.Namespace) -> int:
    """Prints the answer; 1 where nothing was found, 2 where the question is wrong. Raises `RfidError`."""
    names = ("what", "zone", "batch", "at", "before", "after", "limit")
    given = {name: value for name in names if (value := getattr(args, name, None)) is not None}
    try:
        question = read(args.question, given)
    except Refused as refusal:
        print(f"rfid-gateway: {refusal}", file=sys.stderr)
        return 2
    config = load(args.config)
    path = config.history_file
    with closing(schema.open_reader(path)) as connection:
        try:
            answer = question.answer(Questions(connection, config.watched_zones()), wall())
        except sqlite3.Error as error:
            raise HistoryError(f"the history {path} cannot be read: {error}") from error
    if isinstance(answer, Trail):
        answer = with_footage(answer, config.cameras)
    if args.json:
        print(answer.model_dump_json())
    else:
        for line in lines(answer):
            print(line)
    found = getattr(answer, "packages", None) or getattr(answer, "uid", None) or getattr(answer, "tags", None)
    return 0 if found else 1
