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

MODULES = ["llrp_decode", "wire_to_verdict", "portal", "memory", "ledger", "history", "puback", "serial_frames"]


def main(wanted: list[str]) -> None:
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
