"""``python -m tests.fuzz``: runs every fuzz target, one after the other."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from tests.fuzz.engine import Finding, fuzz, targets


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="names, or beginnings of names, of targets; all without any")
    parser.add_argument("--seconds", type=float, default=20, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="of the plain engine")
    parser.add_argument("--plain", action="store_true", help="do not use atheris even where it is installed")
    parser.add_argument("--atheris", metavar="CORPUS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.atheris:
        _atheris(options.targets[0], options.atheris, options.seconds)
    chosen = {
        name: target
        for name, target in targets().items()
        if not options.targets or name.startswith(tuple(options.targets))
    }
    guided = importlib.util.find_spec("atheris") is not None and not options.plain
    failed = 0
    for name, target in chosen.items():
        if guided:
            failed += _run_apart(name, options.seconds)
            continue
        try:
            done = fuzz(name, target, seconds=options.seconds, seed=options.seed)
            print(f"{name}: {done} inputs, nothing found")
        except Finding as finding:
            print(f"{name}: {finding}\n  {type(finding.__cause__).__name__}: {finding.__cause__}")
            failed += 1
    return 1 if failed else 0


def _run_apart(name: str, seconds: float) -> int:
    """Atheris takes over the process that it runs in, so each target gets one."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(targets()[name].seeds()):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--atheris", corpus]
        return int(subprocess.run(command, check=False).returncode != 0)


def _atheris(name: str, corpus: str, seconds: float) -> NoReturn:
    """Only what is imported from here on is instrumented."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["drivers", "gateway"]):
        target = targets()[name]
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds:.0f}", corpus], target.run)
    atheris.Fuzz()
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
