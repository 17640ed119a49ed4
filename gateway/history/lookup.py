"""The ways in which a text may name packages, as SQL over the history's tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from gateway.history.identify import SHORTEST_END, Asked

By: TypeAlias = Literal["uid", "identifier", "retail id", "last digits", "batch", "product", "nothing"]

Lookup: TypeAlias = tuple[By, str, tuple[object, ...]]
"""What it would name them by, the query for their UIDs, in order, and its values."""


def lookups(wanted: Asked) -> Iterator[Lookup]:
    """The lookups to try, the surest first: the first that finds anything is what was meant."""
    text = wanted.text
    if wanted.uid is not None:
        by: By = "uid" if wanted.index is None else "retail id"
        yield by, "SELECT uid FROM tag WHERE uid = ?", (wanted.uid,)
    yield "identifier", "SELECT uid FROM item WHERE identifier = ? ORDER BY uid", (text,)
    if wanted.end is not None and len(wanted.end) >= SHORTEST_END:
        ends = "SELECT uid FROM tag WHERE substr(uid, -4) = ? AND uid LIKE ? ORDER BY uid"
        yield "last digits", ends, (wanted.end[-4:], f"%{wanted.end}")
    yield "batch", "SELECT uid FROM item WHERE batch = ? COLLATE NOCASE ORDER BY uid", (text,)
    if wanted.index is None and len(text) >= 3:
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        yield "product", "SELECT uid FROM item WHERE product LIKE ? ESCAPE '\\' ORDER BY uid", (f"%{pattern}%",)
