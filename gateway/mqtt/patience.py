"""How long and how often an event is tried before it is set apart, and when silence is taken for an answer."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.mqtt.answers import Answer

DEADLY = 3
"""Connections that end at one event alone before it is called the cause."""

STREAK = 3
"""Events called the cause one after the other, with none taken between, after which it is not the events."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds that a topic waits after a refusal: doubled at each, up to the longest."""

LONG = 8.0
"""Such a pause from which somebody is told why nothing is taken: the event was refused five times in eight seconds."""

SILENCE = 2.0
"""Seconds without any acknowledgement after which the oldest event is sent again; eight round trips if more."""

LONGEST_PROBE = 4
"""Times as long at the most, however often it was sent again."""

DEAF = 1.0
"""Seconds between two looks after which the gateway itself was busy: a broker's silence begins to count anew."""

OVERTAKEN = 1.0
"""Seconds after which an event is taken for passed over when a later one was acknowledged, at least."""

CROWD = 1_000
"""Events that wait behind refused ones: with so many the others behind them must be let through."""


@dataclass(slots=True, frozen=True)
class Limit:
    """How often and how long (seconds) an event is refused while others are taken until it is set apart."""

    refusals: int
    seconds: float
    crowded: float  # the same where none is taken but `CROWD` wait


LIMITS = {
    Answer.UNTIL_MENDED: Limit(2, 3.0, 3.0),
    Answer.NOT_NOW: Limit(5, 30.0, 600.0),
    Answer.SILENCE: Limit(4, 4.0, 600.0),
}
