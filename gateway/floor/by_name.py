"""The fields of a dataclass by name, for checkpoints with tens of thousands of them."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any


def by_name(record: Any) -> dict[str, Any]:
    """The fields of a dataclass of two fields or more, as they are. `dataclasses.asdict` copies what is in them, which
    takes several times as long."""
    names = _names(record.__class__)
    return dict(zip(names, attrgetter(*names)(record), strict=True))


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))
