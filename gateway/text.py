"""Text that came from outside, made fit to be shown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def printable(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, with an ellipsis where it was cut; what could move a terminal's cursor,
    end a line or hide is written as an escape such as ``\\x1b``."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean `x`?`` or, where nothing is close, what there is."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else f"write one of {', '.join(known)}"
