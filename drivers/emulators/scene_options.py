"""The options that every family of `rfid-gateway emulate` has: what is around the antennas, where reads are logged."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from drivers.emulators import scene
from drivers.emulators.scene import Scene


def add_scene(parser: argparse.ArgumentParser, *, rate: float, antennas: int) -> None:
    """Adds the options that `build_scene` reads; `rate` and `antennas` are their defaults."""
    parser.add_argument(
        "--scene",
        choices=sorted(_SCENES),
        default="traffic",
        help="traffic: tags come, move and go; population: all stay; serial: every read is a new tag (%(default)s)",
    )
    parser.add_argument("--tags", type=whole_number, default=50, help="tags in the scene (%(default)s)")
    parser.add_argument("--foreign", type=int, default=0, help="more tags in traffic that are no stock (%(default)s)")
    parser.add_argument("--rate", type=above_zero, default=rate, help="reads a second per antenna (%(default)s)")
    parser.add_argument("--antennas", type=whole_number, default=antennas, help="antennas (%(default)s)")
    parser.add_argument("--cycle", type=above_zero, default=60.0, help="seconds until traffic repeats (%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same scene and faults (%(default)s)"
    )


def add_log(parser: argparse.ArgumentParser, which: str) -> None:
    """Adds `--log` and `--name`; `which` reads are logged, as words after "every read that"."""
    parser.add_argument("--log", metavar="FILE", type=Path, help=f"write every read that {which} (recorded reads)")
    parser.add_argument("--name", default="reader", help="reader name in that log (%(default)s)")


def build_scene(args: argparse.Namespace, index: int = 0) -> Scene:
    """The scene that the options ask for; of several readers each `index` has another one. Raises ValueError."""
    return _SCENES[args.scene](args, range(1, args.antennas + 1), index)


def whole_number(text: str) -> int:
    """An option's type: 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def above_zero(text: str) -> float:
    """An option's type: above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def address(text: str) -> tuple[str, int]:
    """An option's type: HOST:PORT, with an IPv6 address in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 0xFFFF:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


_SCENES: dict[str, Callable[[argparse.Namespace, range, int], Scene]] = {
    "traffic": lambda args, ports, index: scene.traffic(
        args.tags, args.rate, ports, seed=args.seed + index, cycle=args.cycle, foreign=args.foreign
    ),
    "population": lambda args, ports, index: scene.population(args.tags, args.rate, ports, seed=args.seed + index),
    "serial": lambda args, ports, index: scene.serials(args.rate, ports, seed=args.seed + index, run=index),
}
