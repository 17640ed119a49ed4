"""The commands about delivery: what is in quarantine, what is to leave it, and what is to be sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.ledger.ledger import Ledger
from gateway.ledger.quarantine import Quarantined
from gateway.text import validated

MAX_LISTED = 100
"""Events in one answer, which has some 30 kB then; `after` asks for the next ones."""

Sequence = Annotated[int, Field(ge=1, le=2**63 - 1)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    request: Annotated[str, Field(max_length=128)] | None = None
    by: Annotated[str, Field(max_length=128)] | None = None


class _List(_Arguments):
    """`after`: a sequence number. `topic`: as in the list, such as ``events/alarm/vault``."""

    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = MAX_LISTED
    topic: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class _Release(_Arguments):
    """Which events: by number, by topic, or all of them; exactly one of the three."""

    sequences: Annotated[list[Sequence], Field(min_length=1, max_length=1_000)] | None = None
    topic: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    all: bool = False


class _Resend(_Arguments):
    """Events `from` to `to` of `epoch`, by sequence number, both included."""

    epoch: Annotated[str, Field(min_length=1, max_length=64)]
    first: Annotated[int, Field(ge=1, le=2**63 - 1, alias="from")]
    last: Annotated[int, Field(ge=1, le=2**63 - 1, alias="to")]


class Sender(Protocol):
    """What sends again."""

    def released(self) -> None:
        """Events in quarantine are to be sent again."""

    def resend(self, first: int, last: int) -> None:
        """Sends the events `first` to `last` again."""


class DeliveryCommands:
    """`quarantine.list`, `quarantine.release` and `resend`."""

    def __init__(self, ledger: Ledger, sender: Callable[[], Sender]) -> None:
        self._ledger = ledger
        self._sender = sender  # the present one: a reload may replace it
        self.handlers: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "quarantine.list": self._list,
            "quarantine.release": self._release,
            "resend": self._resend,
        }

    async def _list(self, args: dict[str, Any]) -> dict[str, Any]:
        wanted = validated(_List, args, "quarantine.list")
        found = await self._ledger.quarantined(wanted.limit, wanted.after, wanted.topic)
        return {"total": self._ledger.stats().quarantined, "events": [_described(event) for event in found]}

    async def _release(self, args: dict[str, Any]) -> dict[str, Any]:
        wanted = validated(_Release, args, "quarantine.release")
        if (wanted.sequences is not None) + (wanted.topic is not None) + wanted.all != 1:
            raise Refused("say which events: sequences, or topic, or all")
        count = await self._ledger.release(wanted.sequences, wanted.topic)
        if not count:
            raise Refused("none of these is in quarantine: see quarantine.list")
        self._sender().released()
        return {"released": count}

    async def _resend(self, args: dict[str, Any]) -> dict[str, Any]:
        wanted = validated(_Resend, args, "resend")
        stats = self._ledger.stats()
        if wanted.epoch != stats.epoch:
            raise Refused(f"epoch {wanted.epoch!r} is not the present one, {stats.epoch}: its events are not here")
        if wanted.first > wanted.last:
            raise Refused("from must not be greater than to")
        last = min(wanted.last, stats.published)
        oldest = next(iter(await self._ledger.committed(wanted.first - 1, 1, 1)), None)
        if oldest is None or oldest[0] > last:
            raise Refused(f"none of these is in the ledger any more, or has been published yet ({stats.published} is)")
        self._sender().resend(oldest[0], last)
        return {"from": oldest[0], "to": last}


def _described(event: Quarantined) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "id": event.id,
        "topic": event.topic,
        "bytes": event.size,
        "reason": event.reason,
        "time": rfc3339(event.time),
        "tried_again": "by command" if event.final else "by itself",
        "released": event.released,
    }
