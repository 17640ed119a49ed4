"""Claims about everything that was found, which nothing found must not satisfy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def some(found: Iterable[T]) -> list[T]:
    """What was found, in a list; that it is anything at all is asserted."""
    listed = list(found)
    assert listed, "nothing was found, of which anything could be said"
    return listed
