"""What the MQTT side counts about itself. The operations side turns it into metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class MqttStats:
    """Counters since the start, and the present state."""

    connected: bool = False
    why_not: str = ""  # why the last attempt to connect failed
    connects: int = 0
    connect_failures: int = 0

    published: int = 0  # events that the broker has taken
    resent: int = 0  # events sent once more because the connection had ended before their PUBACK
    refused: int = 0  # events that the broker has refused
    outstanding: int = 0  # events sent and not acknowledged, now
    last_published: int = 0  # when the broker last took an event, microseconds UTC

    states_published: int = 0
    states_refused: int = 0

    commands_done: int = 0
    commands_refused: int = 0
    commands_failed: int = 0
    commands_repeated: int = 0  # answered from memory
    commands_held: int = 0  # times that no more was read from the broker until some were done
    answers_undelivered: int = 0
    acks: int = 0
    acks_refused: int = 0
