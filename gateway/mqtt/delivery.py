"""One event on its way to the broker: its stages, and the table of what leads from one to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from gateway.events.envelope import Event
from gateway.mqtt.answers import Answer


class Stage(Enum):
    """Where an event is on its way."""

    WAITING = "waiting"
    SENT = "sent"
    DEFERRED = "refused for now, or until something is mended: waits with its topic, then is sent again"
    ACKNOWLEDGED = "acknowledged"
    SET_APART = "in quarantine, tried again by itself and by command"
    SET_APART_FOR_GOOD = "in quarantine, sent again by command only"


class Step(Enum):
    """What happens to an event other than an answer."""

    SEND = "sent"
    DUE = "its time has come"
    PATIENCE_ENDS = "refused several times while others were taken"
    TOPIC_WAITS = "an earlier event of its topic is deferred"
    TOPIC_DENIED = "an earlier event of its topic is in quarantine"
    GOES_IN_PARTS = "it is too large, and goes again in smaller parts"
    TOPIC_CLOSED = "connections end at events of its topic"
    ENDS_CONNECTIONS = "connections end at this event"
    DAMAGED = "the ledger does not have it as it was written"


TABLE: dict[Stage, dict[Answer | Step, Stage]] = {
    Stage.WAITING: {
        Step.SEND: Stage.SENT,
        Step.TOPIC_WAITS: Stage.DEFERRED,
        Step.TOPIC_DENIED: Stage.SET_APART,
        Step.TOPIC_CLOSED: Stage.SET_APART,
        Step.DAMAGED: Stage.SET_APART_FOR_GOOD,
        Answer.TAKEN: Stage.ACKNOWLEDGED,  # the answer to a copy that was given up
    },
    Stage.SENT: {
        Answer.TAKEN: Stage.ACKNOWLEDGED,
        Answer.NOT_NOW: Stage.DEFERRED,
        Answer.UNTIL_MENDED: Stage.DEFERRED,
        Answer.TOO_LARGE: Stage.SET_APART,  # in the smallest parts: until somebody raises the broker's limit
        Answer.NEVER: Stage.SET_APART_FOR_GOOD,
        Answer.SILENCE: Stage.WAITING,
        Answer.CUT: Stage.WAITING,
        Step.PATIENCE_ENDS: Stage.SET_APART,
        Step.GOES_IN_PARTS: Stage.DEFERRED,
        Step.ENDS_CONNECTIONS: Stage.SET_APART_FOR_GOOD,
    },
    Stage.DEFERRED: {
        Step.DUE: Stage.WAITING,
        Step.TOPIC_DENIED: Stage.SET_APART,
        Answer.TAKEN: Stage.ACKNOWLEDGED,
    },
    Stage.ACKNOWLEDGED: {},
    Stage.SET_APART: {Answer.TAKEN: Stage.ACKNOWLEDGED},
    Stage.SET_APART_FOR_GOOD: {Answer.TAKEN: Stage.ACKNOWLEDGED},
}
"""The way of an event. What a row does not name changes nothing: a late answer to a copy that was sent again."""

DONE = frozenset({Stage.ACKNOWLEDGED, Stage.SET_APART, Stage.SET_APART_FOR_GOOD})
"""The mark of what is published moves over events in these stages."""


@dataclass(slots=True, eq=False)
class Delivery:
    """An event and how it fares. Times are seconds of the event loop's clock."""

    event: Event
    stage: Stage = Stage.WAITING
    number: int = 0  # of the copy that is awaited: copies are numbered in the order of sending
    sent_at: float = 0.0
    copies: int = 0
    first: int = 0  # number of the first copy
    refusals: int = 0  # and silences
    refused_at: float = 0.0  # the first of them
    taken_before: int = 0  # events that the broker had taken by then
    deaths: int = 0  # connections that ended when this event alone was awaited
    room: float = math.inf  # bytes of a payload above which it goes in parts, as more was too large
    sent: float = math.inf  # bytes of the largest payload of the copy that is awaited
    suspect: bool = False  # connections have ended while it was awaited: it is sent alone
    quarantined: bool = False  # it comes from quarantine or is resent, and the mark has passed it
    replayed: bool = False  # somebody asked for it again
    reason: str = ""

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.event.payload)

    def go(self, cause: Answer | Step) -> Stage:
        """Takes the step that the table names for `cause`, none where it names none; returns the stage."""
        self.stage = TABLE[self.stage].get(cause, self.stage)
        return self.stage
