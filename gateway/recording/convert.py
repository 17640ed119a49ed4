"""``rfid-gateway convert``: a recording in the other form, raw or as JSON lines."""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from gateway.errors import Refused
from gateway.inputs import Input
from gateway.recording.blocks import encode_blocks
from gateway.recording.read import RecordError, complaint, open_items
from gateway.recording.write import Gap, encode

_CHUNK = 2_000


def register(commands: Any) -> None:
    """Adds the subcommand to the command line."""
    purpose = "turn a recording into JSON lines, or lines into a raw recording"
    command = commands.add_parser(
        "convert", help=purpose, description="Turn a recording into JSON lines, or lines into a raw recording."
    )
    command.add_argument("source", metavar="FROM", help="a recording in either form (.gz too), or - for standard input")
    command.add_argument("target", metavar="TO", help="a file: raw if it ends in .raw, else lines (.gz too), or -")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    try:
        with open_items(args.source) as items:
            convert(items, args.target)
    except Refused as refused:
        print(complaint(args.source, refused), file=sys.stderr)
        return 2
    return 0


def convert(items: Iterable[tuple[int | None, Input | Gap]], target: str) -> None:
    """Writes inputs and gaps, with the positions that they have, to the file `target`: raw where its name ends in
    ``.raw``, as lines otherwise. Raises `Refused` where the file cannot be written or is there already."""
    with ExitStack() as stack:
        try:
            if target == "-":
                file = sys.stdout.buffer
            elif target.endswith(".gz"):
                file = cast(BinaryIO, stack.enter_context(gzip.open(target, "xb", compresslevel=6)))
            else:
                file = stack.enter_context(Path(target).open("xb"))
            for content in _encoded(items, raw=target.endswith(".raw")):
                file.write(content)
            file.flush()
        except RecordError:
            if target != "-" and file.tell() == 0:  # of a damaged recording what could be read stays
                Path(target).unlink()
            raise
        except OSError as error:
            raise Refused(f"{target}: cannot be written: {error.strerror or error}") from error


def _encoded(items: Iterable[tuple[int | None, Input | Gap]], *, raw: bool) -> Iterator[bytes]:
    rest = iter(items)
    last = 0
    while chunk := list(islice(rest, _CHUNK)):
        if not raw:
            yield b"".join([encode(item, position) for position, item in chunk])
            continue
        numbered = []
        for position, item in chunk:
            last = position if position is not None else last + 1
            numbered.append((last, item))
        yield encode_blocks(numbered, "")
