"""The trial of an event at which connections end: whether it is the event, its size, or whatever is sent.

What was awaited when the broker ended a connection is sent one at a time over the next ones. Before one at which they
end again is called the cause, another event has to be answered over such a connection: the last that was taken, sent
once more, or where none ever was, others that wait. Where the broker itself calls a message too large, none of that is
needed.
"""

from __future__ import annotations

from enum import Enum

from gateway.mqtt.delivery import Delivery
from gateway.mqtt.patience import DEADLY, STREAK
from gateway.mqtt.sizes import Sizes

HOPELESS = 2 * DEADLY
"""Connections that end at one event or another, none answered in between, after which somebody is asked to look."""


class Verdict(Enum):
    """What becomes of an event at which a connection has ended."""

    AGAIN = "not known yet: it is sent again"
    IN_PARTS = "it is sent again, in smaller parts"
    GUILTY = "it is the cause"


class Trial:
    """Counts the connections that end at single events. It outlives them."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._streak = 0  # events called the cause one after the other
        self._doubt = self._proved = False  # whether every connection ends: another event that is answered shows it
        self._ends = 0  # connections that have ended at single events since one was answered

    @property
    def in_doubt(self) -> bool:
        """Whether every connection may end, whatever is sent."""
        return self._doubt or self._streak >= STREAK

    @property
    def hopeless(self) -> bool:
        """Whether every connection seems to end, whatever event is sent."""
        return self.in_doubt and self._ends > HOPELESS

    def taken(self) -> None:
        """The broker has taken an event."""
        self._streak, self._doubt, self._proved = 0, False, self._doubt
        self._ends = 0

    def proved(self) -> None:
        """The broker has answered what it had taken before."""
        self._streak, self._doubt, self._proved = 0, False, True
        self._ends = 0

    def rank(self, delivery: Delivery) -> tuple[int, int, int]:
        """Where none was ever taken: how well a waiting event shows that not every connection ends, the least best: the
        next in order, unless it is large or connections ended at it. Where everything ends, the smallest."""
        size = delivery.size if self._streak >= STREAK else int(self._sizes.is_deadly(delivery))
        return delivery.deaths, size, delivery.event.sequence

    def judge(self, delivery: Delivery, others: bool, control: bool, too_large: bool) -> Verdict:
        """A connection has ended at `delivery` alone. `others`: there are other events to prove it with; `control`: one
        of them was taken before; `too_large`: the broker said that for this reason."""
        delivery.deaths += 1
        self._ends += 1
        if too_large and self._sizes.halve(delivery):
            delivery.deaths = 0
            return Verdict.IN_PARTS
        enough = 1 if self._sizes.is_deadly(delivery) else DEADLY
        if enough > 1 and delivery.deaths >= enough - 1 and not self._proved and others:
            self._doubt = True
            return Verdict.AGAIN
        if self._streak >= STREAK or delivery.deaths < enough:
            return Verdict.AGAIN
        self._proved = False
        if enough > 1 and not self._sizes.any_deadly and self._sizes.halve(delivery):
            delivery.deaths = enough - 1
            self._doubt = control
            return Verdict.IN_PARTS
        self._streak += 1
        self._sizes.condemned(delivery)
        return Verdict.GUILTY
