"""What the log says of the way to the broker: one line a minute for each kind of trouble, never one an event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from drivers.api import Log
from gateway.mqtt.answers import Answer
from gateway.mqtt.delivery import Delivery, Stage
from gateway.mqtt.outgoing import Outgoing

EVERY = 60.0
"""Seconds between two lines about the same kind of trouble."""


@dataclass(slots=True)
class _Seen:
    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    example: str = ""
    largest: int = 0


class Notices:
    """Gathers refusals, silences and events set apart, and logs them as sums."""

    def __init__(self, log: Log, base: str) -> None:
        self._log = log
        self._base = base
        self._refused = _Seen()
        self._apart = _Seen()
        self._silences = 0
        self._slow = False
        self._next = 0.0

    def refused(self, delivery: Delivery, answer: Answer, reason: str) -> None:
        """The broker refused an event."""
        self._note(self._refused, delivery, f"{answer.value}: {reason}")

    def set_apart(self, delivery: Delivery) -> None:
        """An event went to quarantine."""
        again = "" if delivery.stage is Stage.SET_APART else "; not tried again by itself"
        self._note(self._apart, delivery, delivery.reason + again)

    def _note(self, seen: _Seen, delivery: Delivery, reason: str) -> None:
        seen.count += 1
        if len(seen.reasons) < 100 or reason in seen.reasons:
            seen.reasons[reason] += 1
        seen.example = f"{delivery.event.id} on {self._base}{delivery.event.topic}, {delivery.size} bytes"

    def look(self, outgoing: Outgoing, now: float) -> None:
        """Logs what was gathered, where the last lines are a minute old."""
        unanswered = outgoing.silences - self._silences
        slow = outgoing.pace.slow
        if now < self._next or not (self._refused.count or self._apart.count or unanswered or slow != self._slow):
            return
        self._next = now + EVERY
        if self._refused.count:
            self._log.warning(
                "the MQTT broker refuses events; they are sent again",
                refused=self._refused.count,
                why=_most(self._refused.reasons),
                example=self._refused.example,
                rate=_rate(outgoing),
            )
            self._refused = _Seen()
        if self._apart.count:
            self._log.error(
                "events were put into quarantine; see them with quarantine.list, send them with quarantine.release",
                events=self._apart.count,
                why=_most(self._apart.reasons),
                example=self._apart.example,
            )
            self._apart = _Seen()
        if unanswered:
            self._log.warning(
                "the MQTT broker left events unanswered; they are sent again, more slowly",
                unanswered=unanswered,
                rate=_rate(outgoing),
                what="look for a limit of messages per second at the broker",
            )
            self._silences = outgoing.silences
        elif self._slow and not slow:
            self._log.info("the MQTT broker takes events at full speed again")
        self._slow = slow


def _most(reasons: Counter[str]) -> str:
    return "; ".join(f"{reason} ({count} times)" for reason, count in reasons.most_common(3))


def _rate(outgoing: Outgoing) -> str:
    return f"{outgoing.pace.rate:.1f}/s, {int(outgoing.pace.window)} at once" if outgoing.pace.slow else "not limited"
