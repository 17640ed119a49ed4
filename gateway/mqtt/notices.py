"""What the log says of the way to the broker: one line a minute for each kind of trouble, never one an event."""

from __future__ import annotations

import math

from drivers.api import Log
from drivers.sparse_log import LOG_EVERY, SparseLog
from gateway.mqtt.answers import Answer
from gateway.mqtt.delivery import Delivery, Stage
from gateway.mqtt.outgoing import Outgoing


class Notices:
    """Logs refusals, silences, and events that are set apart."""

    def __init__(self, log: Log, base: str) -> None:
        self._log = log
        self._events = SparseLog(log)
        self._base = base
        self._silences = 0
        self._slow = False
        self._room = math.inf
        self._next = 0.0

    def refused(self, delivery: Delivery, answer: Answer, reason: str) -> None:
        """The broker refused an event."""
        self._events.warning(
            "the MQTT broker refuses events; they are sent again",
            reason=f"{answer.value}: {reason}",
            example=self._named(delivery),
        )

    def set_apart(self, delivery: Delivery) -> None:
        """An event went to quarantine."""
        again = "" if delivery.stage is Stage.SET_APART else "; not tried again by itself"
        self._events.error(
            "events were put into quarantine; see them with quarantine.list, send them with quarantine.release",
            reason=delivery.reason + again,
            example=self._named(delivery),
        )

    def look(self, outgoing: Outgoing, now: float) -> None:
        """Logs a limit that was found, and silences and the rate where the last lines are a minute old."""
        self._tell_room(outgoing.sizes.room)
        unanswered = outgoing.silences - self._silences
        slow = outgoing.pace.slow
        if now < self._next or not (unanswered or slow != self._slow):
            return
        self._next = now + LOG_EVERY
        if unanswered:
            self._log.warning(
                "the MQTT broker left events unanswered; they are sent again, more slowly",
                unanswered=unanswered,
                rate=_rate(outgoing),
                remedy="look for a limit of messages per second at the broker",
            )
            self._silences = outgoing.silences
        elif slow:
            self._log.info("events are sent more slowly, as the MQTT broker takes them", rate=_rate(outgoing))
        else:
            self._log.info("the MQTT broker takes events at full speed again")
        self._slow = slow

    def _tell_room(self, room: float) -> None:
        if room < self._room:
            self._room = room
            self._log.warning(
                "the MQTT broker ends the connection at large messages; events go in parts from now on",
                bytes=int(room),
                remedy="set mqtt.max_packet_size to what the broker takes, and it need not be found at each start",
            )

    def _named(self, delivery: Delivery) -> str:
        return f"{delivery.event.id} on {self._base}{delivery.event.topic}, {delivery.size} bytes"


def _rate(outgoing: Outgoing) -> str:
    return f"{outgoing.pace.rate:.1f}/s, {int(outgoing.pace.window)} at once" if outgoing.pace.slow else "not limited"
