"""Finding the targets, and the plain engine: seeds, damaged in the ways that codecs get wrong."""

from __future__ import annotations

import importlib
import pkgutil
import random
import time
from collections.abc import Iterator
from itertools import count, takewhile

import tests.fuzz
from tests.fuzz import Target

MAX_SIZE = 1 << 16
"""Inputs stay below it, so that speed goes into variety."""

_EDGES = (0, 1, 0x7F, 0x80, 0xFF)


class Finding(Exception):
    """An input that a target did not survive."""

    def __init__(self, target: str, data: bytes) -> None:
        super().__init__(f"{target} fails on bytes.fromhex({data.hex()!r})")


def targets() -> dict[str, Target]:
    """All targets, by ``<codec>.<target>``."""
    found = {}
    for module in pkgutil.iter_modules(tests.fuzz.__path__):
        if module.name.startswith("fuzz_"):
            codec = module.name.removeprefix("fuzz_")
            loaded: dict[str, Target] = importlib.import_module(f"tests.fuzz.{module.name}").TARGETS
            found.update({f"{codec}.{name}": target for name, target in loaded.items()})
    return found


def mutations(seeds: list[bytes], source: random.Random) -> Iterator[bytes]:
    """Endless input: the seeds as they are, then damaged copies of them and of each other."""
    yield from seeds
    while True:
        data = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 5)):
            _damage(data, seeds, source)
        yield bytes(data[:MAX_SIZE])


def _damage(data: bytearray, seeds: list[bytes], source: random.Random) -> None:
    at = source.randint(0, len(data))
    kind = source.randrange(6)
    if kind == 0:
        data[at : at + 1] = bytes((source.choice(_EDGES),))
    elif kind == 1:
        data[at : at + 1] = bytes((source.randrange(256),))
    elif kind == 2:
        data[at : at + 2] = source.randrange(0x10000).to_bytes(2, "big")
    elif kind == 3:
        del data[at : at + source.randint(1, 16)]
    elif kind == 4:
        data[at:at] = data[at : at + source.randint(1, 64)]
    else:
        other = source.choice(seeds)
        start = source.randint(0, len(other))
        data[at:at] = other[start : start + source.randint(1, 64)]


def fuzz(name: str, target: Target, *, seconds: float = 0, runs: int = 0, seed: int = 0) -> int:
    """Runs a target for that long, or that often; returns how often. Raises Finding."""
    until = time.monotonic() + seconds
    inputs = mutations(target.seeds(), random.Random(seed))
    numbers = range(runs) if runs else takewhile(lambda _: time.monotonic() < until, count())
    done = 0
    for _, data in zip(numbers, inputs, strict=False):
        try:
            target.run(data)
        except Exception as error:
            raise Finding(name, data) from error
        done += 1
    return done
