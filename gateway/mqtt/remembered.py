"""What the broker remembers of the ledger: the retained `state/ledger`, with its epoch and newest sequence number.

A ledger that was put back from a copy, or whose write-ahead log was cut off by a power cut, would give numbers away
again that consumers have seen on other events. Beside the journal there is a witness of that, which a reboot takes; the
broker is another: it is told of a number before it gets the event. So the first connection of a run compares, before
an event is published. A reload may bring a run back to a broker that it has told already: the mark names the run.
"""

from __future__ import annotations

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.mqtt.interface import Connection, Message, Outbox

TOPIC = "state/ledger"

_TRIES = 2
"""Connections that ask. There are brokers that end the connection of whoever subscribes to what they do not allow."""


def mark(ledger: Outbox) -> bytes:
    """The payload of `TOPIC`."""
    return orjson.dumps({"epoch": ledger.epoch, "sequence": ledger.stats().sequence, "run": ledger.run})


class _Mark(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    epoch: str
    sequence: int = Field(ge=0, le=2**63 - 1)
    run: str = ""


class Remembered:
    """The retained mark at `topic`: `ask`, then it is `known`."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._tries = 0
        self._mark: _Mark | None = None

    def takes(self, message: Message) -> bool:
        """Whether the message is about the mark; then it is acknowledged, and what is not a mark is passed over."""
        if message.topic != self._topic:
            return False
        if message.retain and message.payload:
            try:
                self._mark = _Mark.model_validate_json(message.payload)
            except ValidationError:
                self._mark = None
        message.acknowledge()
        return True

    async def ask(self, connection: Connection) -> None:
        """Has the broker send the mark. Raises `LinkError`."""
        self._tries += 1
        if self._tries <= _TRIES and (await connection.listen([self._topic]))[0].accepted:
            await connection.listen([self._topic])  # what is retained comes before the answer to this

    def known(self, connection: Connection, ledger: Outbox) -> int:
        """The newest event that it knows of from a run before, 0 for none. It is asked no more.

        Epochs are named by when they began. Where it knows a later one than the ledger has, the beginning of that was
        cut off with the log: the ledger has gone on from there without what it had, whatever its own numbers say.
        """
        if self._tries <= _TRIES:
            connection.leave([self._topic])
        self._tries = _TRIES
        mark = self._mark
        if mark is None or mark.run == ledger.run:
            return 0
        if mark.epoch == ledger.epoch:
            return mark.sequence
        return ledger.opened_at + 1 if mark.epoch > ledger.epoch and not ledger.begun else 0
