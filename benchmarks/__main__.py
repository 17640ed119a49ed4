"""`make bench`: every benchmark, or those named, one after the other, each with its peers on the same bytes.

Rates are medians or best of rounds as each table says. The machine's own noise is larger than most differences: read
the ratios, and compare two versions in runs back to back.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from pathlib import Path

MODULES = [
    "daemon",
    "path",
    "checkpoints",
    "replay",
    "recovery",
    "llrp_decode",
    "wire_to_verdict",
    "portal",
    "memory",
    "ledger",
    "history",
    "books",
    "puback",
    "serial_frames",
]


README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- made by `make bench-readme` -->", "<!-- to here -->"


README_LOADS = ("100 reads a message", "10 reads a message", "1 read a message, each in a segment of its own")


def write_readme() -> None:
    """Measures the daemon, the way of a read, checkpoints and replay, and puts what came of it into the README."""
    from benchmarks import checkpoints, daemon, path, recovery, replay

    load = os.getloadavg()[1]
    quiet = [case for case in daemon.CASES if case.load.get("readers") == 1]
    cases = [case for case in daemon.CASES if case.name in README_LOADS] + quiet
    tables = [list(daemon.measure(cases)), list(path.table())]
    lists = [[f"- {line}" for line in part.measure()] for part in (checkpoints, replay, recovery)]
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors for all of it"
    others = f"others kept the machine busy meanwhile (load {load:.0f})" if load > 2 else "nothing else ran"
    rows = [row for part in (*tables, *lists) for row in (*part, "")]
    README.write_text("\n".join([before + BEGIN, "", f"{machine}; {others}:", "", *rows, END + after]))


def main(wanted: list[str]) -> None:
    """Runs the benchmarks of these names, or all; with ``--readme`` writes their figures into the README."""
    if wanted == ["--readme"]:
        write_readme()
        return
    unknown = sorted(set(wanted) - set(MODULES))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(MODULES)}")
    print(f"Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} processors")
    for name in wanted or MODULES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n== {name}: {(module.__doc__ or '').strip().splitlines()[0]}")
        started = time.perf_counter()
        for row in module.measure():
            print(row, flush=True)
        print(f"   ({time.perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    main(sys.argv[1:])
