"""`rfid-gateway emulate llrp`: an emulated LLRP reader, or several on consecutive ports, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.llrp.identity import IDENTITIES
from drivers.emulators.read_log import ReadLog
from drivers.emulators.running import run_until_stopped
from drivers.emulators.scene import SECOND
from drivers.emulators.scene_options import above_zero, add_log, add_scene, address, build_scene, whole_number
from drivers.emulators.stdin_lines import obeying_stdin

_STDIN_HELP = """\
While it runs, each line on standard input does something to the first reader, or to all with a `*` in front:
  gpi PORT on|off        an input changes          antenna PORT on|off    an antenna is plugged in or falls off
  drop [SECONDS]         the connection is cut, and nobody can connect for so long
  abort                  the connection is reset   freeze | thaw          the reader hangs, or comes back
  counters               prints what was read, sent, held and lost
"""


def register(families: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the family `llrp` below `emulate`."""
    parser = families.add_parser(
        "llrp",
        help="an LLRP reader on a TCP port",
        description="An LLRP reader that is not there. Any LLRP client can connect to it.",
        epilog=_STDIN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5084, help="port of the first reader, 0 for any (%(default)s)")
    parser.add_argument("--readers", type=whole_number, default=1, help="how many, on consecutive ports (%(default)s)")
    parser.add_argument("--identity", choices=sorted(IDENTITIES), default="impinj-r700", help="model (%(default)s)")
    parser.add_argument("--uptime", action="store_true", help="no UTC clock: the same as --identity uptime-only")
    parser.add_argument("--call", metavar="HOST:PORT", type=address, help="call a client instead of listening")
    add_scene(parser, rate=100.0, antennas=2)
    parser.add_argument("--hold-buffer", type=whole_number, default=50_000, help="reads that can wait (%(default)s)")
    parser.add_argument("--clock-error", type=float, default=0.0, help="seconds that its UTC is ahead (%(default)s)")
    parser.add_argument("--drop-every", metavar="SECONDS", type=above_zero, help="cut the connection again and again")
    add_log(parser, "is made")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs until SIGINT or SIGTERM. The exit status: 0, or 1 when it cannot begin."""
    return run_until_stopped("llrp", partial(_serve, args))


async def _serve(args: argparse.Namespace, stop: asyncio.Event) -> None:
    log = ReadLog(args.log) if args.log else None
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(_build(args, index, log)) for index in range(args.readers)]
        for reader in readers:
            where = f"calls {args.call[0]}:{args.call[1]}" if args.call else f"listens on {reader.host}:{reader.port}"
            print(f"{reader.name} ({reader.reader.identity.name}) {where}", flush=True)
        with obeying_stdin(lambda words: _carry_out_line(words, readers)):
            await stop.wait()
    if log is not None:
        await log.close()
    for reader in readers:
        print(summary(reader), flush=True)


def _build(args: argparse.Namespace, index: int, log: ReadLog | None) -> LlrpEmulator:
    model = IDENTITIES["uptime-only" if args.uptime else args.identity]
    own_mac = (int.from_bytes(model.mac, "big") + index).to_bytes(8, "big")
    return LlrpEmulator(
        build_scene(args, index),
        replace(model, mac=own_mac),
        name=args.name if args.readers == 1 else f"{args.name}-{index + 1}",
        host=args.host,
        port=args.port + index if args.port else 0,
        call=args.call,
        hold_buffer=args.hold_buffer,
        clock_error=round(args.clock_error * SECOND),
        drop_every=args.drop_every,
        log=log,
        on_output=lambda port, state: print(f"output {port} {'on' if state else 'off'}", flush=True),
    )


def summary(emulator: LlrpEmulator) -> str:
    """One line about a reader's whole life."""
    counters, waiting = emulator.reader.counters, len(emulator.reader.buffer)
    return (
        f"{emulator.name}: {counters.made} reads made, {counters.sent} sent, {counters.held} held for a while, "
        f"{waiting} still waiting, {counters.overflowed} overflowed, {counters.discarded} discarded, "
        f"{counters.cuts} cuts"
    )


def _carry_out_line(words: list[str], readers: list[LlrpEmulator]) -> None:
    for_all = words[:1] == ["*"]
    for reader in readers if for_all else readers[:1]:
        if words:
            _carry_out(words[1:] if for_all else words, reader)


def _carry_out(words: list[str], reader: LlrpEmulator) -> None:
    match words:
        case ["gpi", port, ("on" | "off") as state] if port.isdigit() and int(port) in reader.reader.inputs:
            reader.set_input(int(port), state == "on")
        case ["antenna", port, ("on" | "off") as state] if port.isdigit() and int(port) in reader.reader.scene.fields:
            reader.set_antenna(int(port), state == "on")
        case ["drop"]:
            reader.drop()
        case ["drop", seconds] if seconds.replace(".", "", 1).isdigit():
            reader.drop(away=float(seconds))
        case ["abort"]:
            reader.drop(abort=True)
        case ["freeze"]:
            reader.freeze()
        case ["thaw"]:
            reader.freeze(False)
        case ["counters"]:
            print(summary(reader), flush=True)
        case _:
            print(f"not understood: {' '.join(words)}\n{_STDIN_HELP}", file=sys.stderr)
