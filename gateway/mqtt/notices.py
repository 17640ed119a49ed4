"""What the log says of the way to the broker: one line a minute for each kind of trouble, never one an event."""

from __future__ import annotations

import math

from drivers.api import Log
from drivers.sparse_log import LOG_EVERY, SparseLog
from gateway.mqtt.answers import Answer
from gateway.mqtt.delivery import Delivery, Stage
from gateway.mqtt.outgoing import Outgoing

LEAST_PACKET = 2_000
"""Bytes of a packet that a broker must take for every event to go, in parts: the smallest part and a long topic."""


class Notices:
    """Logs refusals, silences, and events that are set apart."""

    def __init__(self, log: Log, base: str) -> None:
        self._log = log
        self._events = SparseLog(log)
        self._base = base
        self._silences = 0
        self._slow = False
        self._room = math.inf
        self._remedy = ""
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
        """Logs a limit that was found, what is to be done at the broker, and silences and the rate where the last lines
        are a minute old."""
        self._tell_room(outgoing.sizes.room)
        self._tell_remedy(remedy(outgoing))
        unanswered = outgoing.silences - self._silences
        slow = outgoing.pace.slow
        if now < self._next or not (unanswered or slow != self._slow):
            return
        self._next = now + LOG_EVERY
        if unanswered:
            self._log.warning(
                "the MQTT broker left events unanswered; they are sent again",
                unanswered=unanswered,
                rate=_rate(outgoing),
                remedy="see whether the broker hangs; if it does not, look for its limit of messages per second",
            )
            self._silences = outgoing.silences
        elif slow:
            self._log.info("events are sent more slowly, as the MQTT broker takes them", rate=_rate(outgoing))
        else:
            self._log.info("the MQTT broker takes events at full speed again")
        self._slow = slow

    def _tell_room(self, room: float) -> None:
        if room < self._room:
            self._log.warning(
                "the MQTT broker takes no large messages; events go in parts from now on",
                bytes=int(room),
                remedy="set mqtt.max_packet_size to what the broker takes, and it need not be found at each start",
            )
        self._room = room

    def _tell_remedy(self, words: str) -> None:
        if words and words.partition(":")[0] != self._remedy.partition(":")[0]:
            self._log.error("the MQTT broker does not take events", remedy=words)
        elif self._remedy and not words:
            self._log.info("the MQTT broker takes these events again")
        self._remedy = words

    def _named(self, delivery: Delivery) -> str:
        return f"{delivery.event.id} on {self._base}{delivery.event.topic}, {delivery.size} bytes"


def remedy(outgoing: Outgoing) -> str:
    """What is to be done at the broker, for the operator, where it does not take events whatever is tried; else
    nothing."""
    if outgoing.sizes.unfit < math.inf:
        return (
            f"the MQTT broker's limit is too low: {int(outgoing.sizes.unfit)} bytes do not fit and cannot be cut "
            f"smaller; let it take packets of {LEAST_PACKET:,} bytes at least, and they are sent by themselves"
        )
    if outgoing.trial.hopeless:
        return (
            "the MQTT broker ends the connection at every event: check that its rules let this login publish to "
            f"events/#, and that it takes packets of {LEAST_PACKET:,} bytes"
        )
    if refusal := outgoing.held.refusal:
        return f"the MQTT broker refuses events: {refusal}; mend that there, and they are sent by themselves"
    return ""


def _rate(outgoing: Outgoing) -> str:
    return f"{outgoing.pace.rate:.1f}/s, {int(outgoing.pace.window)} at once" if outgoing.pace.slow else "not limited"
