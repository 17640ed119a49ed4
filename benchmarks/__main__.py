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
    "llrp_decode",
    "wire_to_verdict",
    "portal",
    "memory",
    "ledger",
    "history",
    "puback",
    "serial_frames",
]


README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- made by `make bench-readme` -->", "<!-- to here -->"


def write_readme() -> None:
    """Measures the daemon and puts its table into the README."""
    rows = list(importlib.import_module("benchmarks.daemon").measure())
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors for all of it"
    README.write_text("\n".join([before + BEGIN, "", f"{machine}:", "", *rows, "", END + after]))


def main(wanted: list[str]) -> None:
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
