"""Inputs from outside that cannot be judged because the floor itself fails on them: stated as a loss, and left out.

What a reader or a backend sends may meet a fault in the floor. One such input must stop nothing: neither those that
come behind it, nor each start, which is given the journal again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from drivers.api import Batch, Item, ReaderLoss
from gateway.clock import LATEST
from gateway.inputs import Command, Input

CAUSE = "input-unjudged"
"""The cause of such a loss."""

OUTSIDE = (*get_args(Item), Command)
"""What comes from outside, and may be left out. What the gateway itself says, such as the time, never is."""


def lost(item: Input, gateway: str, *, certain: bool) -> ReaderLoss:
    """The statement that an input from outside was not judged: of its reader, or of the `gateway` where it is a
    command. `certain`: nothing of it was; otherwise the floor failed in the midst of it."""
    start, end = _span(item)
    return ReaderLoss(getattr(item, "reader", gateway), end, start, end, CAUSE, certain)


def together(one: ReaderLoss, other: ReaderLoss) -> ReaderLoss:
    """Both statements, of the same reader, as one."""
    start, end = min(one.start, other.start), max(one.end, other.end)
    return replace(one, t=end, start=start, end=end)


def _span(item: Any) -> tuple[int, int]:
    """The times of an input, microseconds UTC; of a batch, of its reads, as far as they can be read."""
    if not isinstance(item, Batch):
        return _moment(item.t), _moment(item.t)
    arrival = _moment(item.arrival)
    try:
        times = [row[4] + item.offset for row in item.rows]
        return min(_moment(min(times)), arrival), arrival
    except Exception:  # whatever is wrong with it, it is about to be said
        return arrival, arrival


def _moment(t: Any) -> int:
    return min(max(t, 0), LATEST) if isinstance(t, int) else 0
