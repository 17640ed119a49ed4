"""The command line: one subcommand for each thing that an operator does."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway import __version__
from gateway.config.model import Config
from gateway.config.yaml import Where
from gateway.errors import ConfigError, Refused, RfidError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand; returns its exit code: 0 done, 1 failed, 2 wrong configuration or arguments."""
    argv = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal cannot show is written as an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    args = _parser(all=argv[:1] != ["run"]).parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except RfidError as error:
        print(f"rfid-gateway: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is wrong and nobody is there to be told.
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130  # as shells say that somebody pressed Ctrl-C
    except OSError as error:
        print(f"rfid-gateway: {error}", file=sys.stderr)
        with contextlib.suppress(OSError):
            sys.stdout.close()  # what could not be written would be tried, and complained of, once more
        return 1


def _parser(*, all: bool = True) -> argparse.ArgumentParser:
    """With `all` subcommands, or those that a gateway which runs for months may as well know: what the others import
    would stay in its memory."""
    parser = argparse.ArgumentParser(prog="rfid-gateway", description="RFID readers in, movement events over MQTT out.")
    parser.add_argument("--version", action="version", version=f"rfid-gateway {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _add(commands, "run", "run the gateway until it is told to stop")
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration (YAML)")
    run.set_defaults(run=_run)

    check = _add(commands, "check", "check a configuration; says file, line and remedy of each error")
    check.add_argument("file", type=Path, metavar="FILE", help="the configuration (YAML)")
    check.set_defaults(run=_check)

    replay = _add(commands, "replay", "give recorded reads to the floor; events go to standard output")
    replay.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration (YAML)")
    replay.add_argument(
        "reads", metavar="READS", help="recorded reads, raw or lines (.gz too), or - for standard input"
    )
    replay.set_defaults(run=_replay)

    if all:
        _register(commands)
    return parser


def _add(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    """A subcommand that says what it does in the list of all and in its own help."""
    sentence = f"{purpose[:1].upper()}{purpose[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=sentence)
    return parser


def _register(commands: Any) -> None:
    from drivers.emulators import command as emulate
    from gateway.history import command as history
    from gateway.recording import convert
    from gateway.service import quarantine_command

    for subcommand in (convert, history, quarantine_command, emulate):
        subcommand.register(commands)


def _run(args: argparse.Namespace) -> int:
    from gateway.service.imports import later, never

    later("numpy")  # 11 MB, for portals and for a thousand reads a tick
    never("rich")  # 3 MB, for coloured tracebacks; structlog takes it where a developer has it
    never("greenlet")  # 1 MB, for context variables of structlog's that we do not use
    from gateway.run import serve  # not needed, and not light, for the other subcommands

    return serve(args.config)


def _check(args: argparse.Namespace) -> int:
    from gateway.config.file import check_command

    return check_command(args.file, _contents)


def _contents(config: Config) -> list[tuple[Where, str]]:
    """What is wrong inside the files that a configuration names, as far as this user may read them, with the path of
    the setting where the words do not say the file and its line: a start goes on without what they are for, and says
    so."""
    from gateway.mqtt.settings import check_files
    from gateway.sources.identifiers import read_identifiers
    from gateway.web.tokens import read_tokens

    problems: list[tuple[Where, str]] = [wrong] if (wrong := check_files(config)) else []
    if config.web is not None and (tokens := config.web.token_file) is not None and tokens.is_file():
        try:
            read_tokens(tokens)
        except ConfigError as error:
            problems += [((), problem) for problem in error.problems]
    if (identifiers := config.manifests.identifiers_file) is not None:
        try:
            read_identifiers(identifiers)
        except Refused as refusal:
            problems.append((("manifests", "identifiers_file"), str(refusal)))
    return problems


def _replay(args: argparse.Namespace) -> int:
    from gateway.replay import replay_command

    return replay_command(args.config, args.reads)
