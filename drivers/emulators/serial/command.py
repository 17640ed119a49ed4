"""`rfid-gateway emulate FAMILY`: an emulated serial reader on a pty or a TCP port, one for each family."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import pkgutil
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import drivers.emulators.serial as home
from drivers.emulators.read_log import ReadLog
from drivers.emulators.running import run_until_stopped
from drivers.emulators.scene import Seen
from drivers.emulators.scene_options import above_zero, add_log, add_scene, address, build_scene
from drivers.emulators.serial.line import Faults, Port, PtyPort, TcpPort
from drivers.emulators.serial.reader import EmulatedReader, Emulator
from drivers.emulators.stdin_lines import obeying_stdin

_STDIN_HELP = """\
While it runs, a line on standard input does something to the reader:
  antenna PORT on|off    an antenna is plugged in or falls off (where the family has them)
  unplug [SECONDS]       the port goes away for so long      reboot          a power dip
  input PORT on|off      an input changes                    counters        prints what was read and sent
"""


@cache
def emulators() -> dict[str, Emulator]:
    """The emulated families by name: every file beside this one that has an `EMULATOR`."""
    names = [module.name for module in pkgutil.iter_modules(home.__path__)]
    modules = {name: importlib.import_module(f"{home.__name__}.{name}") for name in names if name != "command"}
    return {
        name: found for name, module in modules.items() if isinstance(found := vars(module).get("EMULATOR"), Emulator)
    }


def register(families: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the serial families below `emulate`."""
    for family, emulator in sorted(emulators().items()):
        parser = families.add_parser(
            family,
            help=f"a serial reader of the {family} family on a pty or a TCP port",
            description=f"A reader of the {family} family that is not there. Any client can open its port.",
            epilog=_STDIN_HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_port(parser)
        if emulator.models:
            parser.add_argument(
                "--model", choices=emulator.models, default=emulator.model, help="(default: %(default)s)"
            )
        if emulator.address is not None:
            parser.add_argument("--address", type=int, default=emulator.address, help="on the bus (%(default)d)")
        add_scene(parser, rate=50.0, antennas=1)
        add_log(parser, "is sent whole")
        _add_faults(parser)
        parser.set_defaults(run=run)


def _add_port(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--pty", metavar="LINK", type=Path, help="a pty behind this symbolic link")
    where.add_argument("--tcp", metavar="HOST:PORT", type=address, help="a device server in raw TCP mode; port 0: any")


def _add_faults(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bytewise", action="store_true", help="send one byte at a time")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="send so much later")
    parser.add_argument("--noise", type=float, default=0.0, metavar="SHARE", help="of bytes changed, lost or added")
    parser.add_argument("--flips", type=float, default=0.0, metavar="SHARE", help="of frames with a wrong last byte")
    parser.add_argument("--cuts", type=float, default=0.0, metavar="SHARE", help="of frames cut short, then silence")
    parser.add_argument("--unplug-every", type=above_zero, metavar="SECONDS", help="the port goes away for a second")
    parser.add_argument("--reboot-every", type=above_zero, metavar="SECONDS", help="a power dip")


def run(args: argparse.Namespace) -> int:
    """Runs until SIGINT or SIGTERM. The exit status: 0, or 1 when it cannot begin."""
    return run_until_stopped(args.family, partial(_serve, args))


async def _serve(args: argparse.Namespace, stop: asyncio.Event) -> None:
    port: Port = PtyPort(args.pty) if args.pty else TcpPort(*args.tcp)
    reader = build(args, port)
    log = ReadLog(args.log) if args.log else None
    counts = _count(reader, log, args.name)
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(reader.run(), name="reader")]
    if args.unplug_every:
        tasks.append(asyncio.create_task(_unplug_again(reader, args.unplug_every)))
    if args.reboot_every:
        tasks.append(asyncio.create_task(_reboot_again(reader, args.reboot_every)))
    await asyncio.sleep(0.05)
    if not tasks[0].done():
        where = args.pty if args.pty else f"{args.tcp[0]}:{port.port}" if isinstance(port, TcpPort) else ""
        print(f"{args.name} ({args.family}) is on {where}", flush=True)
    unplugging: set[asyncio.Task[None]] = set()

    def carry_out(words: list[str]) -> None:
        said = obey(reader, words, unplugging)
        print(_summary("counters", counts) if said == "counters" else said, flush=True)

    stopping = asyncio.create_task(stop.wait())
    with obeying_stdin(carry_out):
        await asyncio.wait([stopping, tasks[0]], return_when=asyncio.FIRST_COMPLETED)
    failed = tasks[0].exception() if tasks[0].done() else None
    for task in (stopping, *tasks):
        task.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await task
    if log:
        await log.close()
    if failed:
        raise failed
    print(_summary(args.name, counts), flush=True)


def build(args: argparse.Namespace, port: Port) -> EmulatedReader:
    """The reader that the command line describes."""
    emulator = emulators()[args.family]
    faults = Faults(args.bytewise, args.delay, args.noise, args.flips, args.cuts)
    more = {key: getattr(args, key) for key in ("model", "address") if hasattr(args, key)}
    if emulator.has_ports:
        more["ports"] = max(4, args.antennas)
    return emulator.reader(port, build_scene(args), faults=faults, seed=args.seed, **more)


def _count(reader: EmulatedReader, log: ReadLog | None, name: str) -> dict[str, int]:
    counts = {"whole": 0, "broken": 0}
    loop = asyncio.get_running_loop()

    def read(seen: Seen, whole: bool) -> None:
        counts["whole" if whole else "broken"] += 1
        if log and whole:
            log.add([seen], name, reader.began)
            loop.call_soon(log.flush)

    reader.on_read = read
    return counts


def _summary(name: str, counts: dict[str, int]) -> str:
    return f"{name}: {counts['whole']} reads sent whole, {counts['broken']} broken or unheard"


async def _unplug_again(reader: EmulatedReader, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await reader.unplug(1.0)


async def _reboot_again(reader: EmulatedReader, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        reader.reboot()


def obey(reader: EmulatedReader, words: list[str], unplugging: set[asyncio.Task[None]]) -> str:
    """One line of standard input; what to print."""
    match words:
        case ["counters"]:
            return "counters"
        case ["reboot"]:
            reader.reboot()
        case ["unplug", *more] if not more or more[0].replace(".", "", 1).isdecimal():
            task = asyncio.create_task(reader.unplug(float(more[0]) if more else 1.0))
            unplugging.add(task)
            task.add_done_callback(unplugging.discard)
        case ["antenna", port, "on" | "off" as state] if port.isdecimal() and hasattr(reader, "missing"):
            (reader.missing.discard if state == "on" else reader.missing.add)(int(port))
        case ["input", port, "on" | "off" as state] if port.isdecimal():
            reader.inputs[int(port)] = state == "on"
        case _:
            return f"not understood: {' '.join(words)[:60]!r}"
    return "ok"
