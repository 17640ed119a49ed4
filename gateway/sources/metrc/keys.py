"""Objects from outside whose keys are found in any spelling: ``PackageLabel``, ``packageLabel``, ``PACKAGE_LABEL``.

Some answers of Metrc come in camelCase, and nobody promises which. Values are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Contradiction:
    """The value of a key that is there twice, in two spellings and with two values: of no use as any of them."""

    def __repr__(self) -> str:
        return "two values in two spellings"


CONTRADICTION = Contradiction()

_LONGEST_NUMBER = 18


def _folded(key: str) -> str:
    """A key without what spellings differ in; a leading underscore, which marks our own keys, stays."""
    mark = "_" if key.startswith("_") else ""
    return mark + key.replace("_", "").replace("-", "").replace(" ", "").lower()


class Keys(dict[str, Any]):
    """A JSON object, read only, found by its keys in any spelling."""

    def __init__(self, item: Mapping[Any, Any]) -> None:
        super().__init__()
        for key, value in item.items():
            folded = _folded(str(key))
            value = any_case(value)
            if folded in self and super().__getitem__(folded) != value:
                value = CONTRADICTION
            super().__setitem__(folded, value)

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(_folded(key))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and super().__contains__(_folded(key))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key` in any spelling."""
        return super().get(_folded(key), default)


def whole_number(value: Any) -> int | None:
    """A number or count as it was meant, also in quotes or with a fraction of nothing; None where it is none."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= _LONGEST_NUMBER:
        return int(value)
    if isinstance(value, float) and value.is_integer() and value < 1 << 53:
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def any_case(value: Any) -> Any:
    """`value` as JSON gave it, every object in it as `Keys`."""
    if isinstance(value, dict):
        return Keys(value)
    if isinstance(value, list):
        return [any_case(item) for item in value]
    return value
