"""Where the ledger stands: how far events are written, published, acknowledged and given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Marks:
    """Sequence numbers up to which something holds, and counts of rows.

    Events are undelivered from `settled` on, and those in quarantine are undelivered wherever they are.
    """

    sequence: int = 0  # the newest event
    published: int = 0  # the broker has them
    acknowledged: int = 0  # the backend has them, by its own word
    given_up: int = 0  # dropped to make room, and stated as a loss
    delivered: int = 0  # published or acknowledged, whichever the configuration waits for
    checkpoint: int = 0  # what the last checkpoint of the floor's state includes
    stored: int = 0  # events in the file
    quarantined: int = 0
    quarantined_settled: int = 0  # those of them at or before `settled`
    trimmed: int = 0  # up to here only events in quarantine are left

    @property
    def settled(self) -> int:
        """The last sequence number of which nothing is to be sent any more."""
        return max(self.delivered, self.given_up)

    @property
    def undelivered(self) -> int:
        """How many events wait to be delivered."""
        return self.sequence - self.settled + self.quarantined_settled

    @property
    def pending(self) -> int:
        """Events that have yet to be published."""
        return self.sequence - max(self.published, self.given_up)
