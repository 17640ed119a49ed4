"""The subcommands `quarantine list` and `quarantine release`: asked of the running gateway over its broker."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from gateway.config.file import load
from gateway.errors import Refused


def register(commands: Any) -> None:
    """Adds the subcommands to the `add_subparsers` of a parser."""
    parser = commands.add_parser("quarantine", help="events that the broker did not take: list them, send them again")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="what is in quarantine and why")
    listed.add_argument("--topic", help="only this topic, such as events/alarm/vault")
    listed.add_argument(
        "--after", type=int, metavar="SEQUENCE", help="go on behind the event with this sequence number"
    )
    released = actions.add_parser("release", help="send events again")
    which = released.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="everything in quarantine")
    which.add_argument("--topic", help="everything on this topic")
    which.add_argument(
        "--sequence",
        type=int,
        action="append",
        dest="sequences",
        metavar="N",
        help="the event with this sequence number; may be given again",
    )
    for action, name in ((listed, "quarantine.list"), (released, "quarantine.release")):
        action.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration (YAML)")
        action.set_defaults(run=_run, command=name)


def _run(args: argparse.Namespace) -> int:
    """Prints the answer. Raises `RfidError`."""
    from gateway.mqtt.request import request  # not light, and not needed for the other subcommands

    names = ("topic", "after", "all", "sequences")
    arguments = {name: value for name in names if (value := getattr(args, name, None))}
    answer = asyncio.run(request(load(args.config), args.command, arguments))
    if answer.get("status") != "ok":
        raise Refused(str(answer.get("reason")))
    for line in _lines(answer["result"]):
        print(line)
    return 0


def _lines(result: dict[str, Any]) -> list[str]:
    if "released" in result:
        return [f"{_events(result['released'])} sent again; what the broker refuses comes back to quarantine"]
    lines = [
        f"{event['sequence']:>10}  {event['time']}  {event['topic']}  {event['bytes']} bytes  {event['reason']}; "
        + ("released" if event["released"] else f"sent again {event['tried_again']}")
        for event in result["events"]
    ]
    return [*lines, f"{_events(result['total'])} in quarantine"]


def _events(number: int) -> str:
    return f"{number} event{'' if number == 1 else 's'}"
