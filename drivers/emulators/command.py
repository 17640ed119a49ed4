"""`rfid-gateway emulate`: readers that are not there, a family each. `python -m drivers.emulators` is the same."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from drivers.emulators.llrp import command as llrp_command
from drivers.emulators.serial import command as serial_command

FAMILIES = (llrp_command, serial_command)
"""Modules with a `register` that adds their families' command lines; it sets `run`, a function of the arguments."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command `emulate`. The parsed arguments carry ``run(args) -> int``, the exit status."""
    parser = subparsers.add_parser("emulate", help="a reader that is not there, for any client to connect to")
    _add_families(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of ``python -m drivers.emulators``."""
    parser = argparse.ArgumentParser(prog="python -m drivers.emulators", description=__doc__)
    _add_families(parser)
    args = parser.parse_args(arguments)
    status: int = args.run(args)
    return status


def _add_families(parser: argparse.ArgumentParser) -> None:
    families = parser.add_subparsers(dest="family", required=True, metavar="FAMILY")
    for module in FAMILIES:
        module.register(families)
