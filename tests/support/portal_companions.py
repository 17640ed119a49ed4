"""Companions of a tag, as a test chooses them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gateway.floor.portals.companions import Companions, Trace, TraceTable, alone


def all_of(traces: Sequence[Trace]) -> Companions:
    """Companions, whoever they are."""
    news = tuple(sum(column) for column in zip(*(trace.news for trace in traces), strict=True))
    return Companions(len(traces), news, TraceTable(traces), np.arange(len(traces))) if traces else alone()
