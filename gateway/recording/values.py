"""The values of a recorded line, by key. Each function says what it wanted where it finds something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from gateway.clock import EARLIEST, LATEST, SECOND

# A float holds microseconds exactly up to here (the year 2106); beyond, a line is read again with decimals.
_EXACT_SECONDS = 2.0**32

# Readers count microseconds in 64 bits.
_MOST_STRINGS = 16
_MAX_SECONDS = 1 << 45

# Far above any phase or Doppler shift; without a bound, 1e300 would become an integer of that size.
_MAX_NUMBER = 1_000_000

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){0,62}")


class Wrong(Exception):
    """What is wrong with a line."""


class Inexact(Exception):
    """A time is too large to be exact as a float: a reader with a wild clock."""


def integer(record: Mapping[str, Any], key: str, low: int, high: int, default: int | None = None) -> int:
    """A whole number from `low` to `high`. Raises Wrong."""
    value = record.get(key, default)
    if type(value) is not int or not low <= value <= high:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be a whole number from {low} to {high}')
    return value


def number(record: Mapping[str, Any], key: str, default: float | None = None) -> float:
    """A number of reasonable size. Raises Wrong."""
    value: Any = record.get(key, default)
    if type(value) not in (int, float, Decimal) or abs(value) > _MAX_NUMBER:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be a number, and at most {_MAX_NUMBER:,}')
    return float(value)


def time(record: Mapping[str, Any], key: str) -> int:
    """Seconds as microseconds: exact, because rounding only takes away what the float added."""
    value: Any = record.get(key)
    if type(value) not in (int, float, Decimal) or abs(value) > _MAX_SECONDS:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be a time in seconds')
    if type(value) is float and abs(value) >= _EXACT_SECONDS:
        raise Inexact
    micros: int = round(value * SECOND)
    return micros


def moment(record: Mapping[str, Any], key: str) -> int:
    """As `time`, of a time or a span that can be written down: only what a reader says of its reads may be wilder."""
    micros = time(record, key)
    if not EARLIEST <= micros <= LATEST:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be a time in seconds, before 9999-12-30')
    return micros


def string(record: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text. Raises Wrong."""
    value = record.get(key, default)
    if type(value) is not str:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be a string')
    return value


def word(record: Mapping[str, Any], key: str, words: list[str]) -> str:
    """The text under `key`, which must be one of `words`. Raises Wrong."""
    value = record.get(key)
    if value not in words:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be one of {", ".join(words)}')
    return cast(str, value)


def flag(record: Mapping[str, Any], key: str, default: bool | None = None) -> bool:
    """True or false. Raises Wrong."""
    value = record.get(key, default)
    if type(value) is not bool:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be true or false')
    return value


def mapping(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object. Raises Wrong."""
    value = record.get(key)
    if type(value) is not dict:
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be an object')
    return value


def strings(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A short list of strings; none where the key is missing."""
    value = record.get(key, [])
    if type(value) is not list or len(value) > _MOST_STRINGS or not all(type(entry) is str for entry in value):
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be a list of at most {_MOST_STRINGS} strings')
    return tuple(value)


def binary(record: Mapping[str, Any], key: str) -> bytes:
    """Bytes, written as hex. Raises Wrong."""
    value = record.get(key)
    if type(value) is not str or not _HEX.fullmatch(value):
        raise Wrong(f'"{key}" is {_shown(record, key)}: it must be up to 62 bytes as a string of hex digits')
    return bytes.fromhex(value)


def _shown(record: Mapping[str, Any], key: str) -> str:
    """The value as it is shown in a message: never more than a glance of it."""
    if key not in record:
        return "missing"
    shown = repr(record[key])
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
