"""The board: what is true now, one topic for each thing, for whoever looks.

`state/...` is retained, QoS 1: a subscriber gets the newest at once. Only the newest payload of a topic is kept and
sent: a state that changes faster than it can be published is published as it is then. After a reconnect the whole board
is published again, because the broker may have lost it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import NoReturn

from drivers.api import Log
from gateway.mqtt.interface import Connection, Outcome
from gateway.mqtt.stats import MqttStats
from gateway.mqtt.suspects import Suspects
from gateway.tasks import loop_time
from gateway.text import first_of

MAX_TOPICS = 10_000
"""Topics on the board: some for each zone and reader of the largest site, and an end to a mistake that makes more."""

BURST = 20
"""States sent before the broker must have acknowledged one: they share its window with the events."""

ACK_SECONDS = 5.0
"""Seconds after which a state that the broker has not acknowledged is sent again, and from then on without asking for
one: each acknowledgement that does not come takes a place in the window for as long as the connection lasts."""

RETRY_SECONDS = 30.0
"""Seconds after which a state that the broker refused is sent again, unless it has changed before."""

_FORGET = b""
"""The retained payload that makes a broker forget a topic (MQTT 5, section 3.3.1.3)."""

_RETAIN_NOT_SUPPORTED = 0x9A

_NAMED = 5
"""Topics that a log line names."""


class Board:
    """The newest payload of each topic below `base`. `quiet` says when nothing must be sent beside an event."""

    def __init__(
        self, base: str, interval: float, log: Log, stats: MqttStats, quiet: Callable[[], bool] = lambda: False
    ) -> None:
        self.base = base
        self._interval = interval  # seconds: a topic is published at most so often
        self._log = log
        self._stats = stats
        self._quiet = quiet
        self._payloads: dict[str, bytes] = {}
        self._changed: dict[str, None] = {}  # in the order of the changes
        self._wake = asyncio.Event()
        self._refused: dict[str, float] = {}  # when it is to be sent again
        self._taken: set[str] = set()  # topics that the broker has taken over this connection
        self._unanswered: set[str] = set()  # topics of which the broker left a state unacknowledged
        self._suspects = Suspects()
        self._retain = True
        self._retained = False  # the broker has taken a retained state
        self._elsewhere: dict[str, None] = {}  # topics that are not below the base and are to be forgotten
        self._clearing = False  # one of them is awaited

    def set(self, topic: str, payload: bytes) -> None:
        """Puts `payload` on the board at `topic`, such as ``state/zone/vault``. The same again does nothing."""
        if not topic.startswith("state/"):
            raise ValueError(f"the board has topics below state/, not {topic!r}")
        if self._payloads.get(topic) == payload:
            return
        if topic not in self._payloads and len(self._payloads) >= MAX_TOPICS:
            raise ValueError(f"the board is full: {MAX_TOPICS} topics, no room for {topic!r}")
        self._payloads[topic] = payload
        self._changed[topic] = None
        self._wake.set()

    def ahead(self, connection: Connection, topic: str, payload: bytes) -> None:
        """Puts `payload` on the board and sends it before whatever is sent next. Only where the broker has taken this
        topic over this connection: `serve` is what finds out."""
        if self._payloads.get(topic) == payload:
            return
        if topic in self._taken and self._retain and not self._quiet():
            self._payloads[topic] = payload
            connection.send(self.base + topic, payload, qos=0, retain=True)
        else:
            self.set(topic, payload)

    def remove(self, topic: str) -> None:
        """Takes a topic off the board and makes the broker forget it, whichever run has put it there."""
        self.set(topic, _FORGET)

    @property
    def problem(self) -> str:
        """Which states the broker does not take, for the operator; else nothing."""
        topics = sorted({*self._refused, *self._suspects.all_left_out})
        if not topics:
            return ""
        return (
            f"the MQTT broker does not take {self.base}{first_of(topics)}: who looks there sees what was; check its "
            "access rules and how much it takes at once"
        )

    def leaving(self) -> list[str]:
        """Topics that were taken off and that the broker has not yet been made to forget."""
        return [topic for topic, payload in self._payloads.items() if payload == _FORGET]

    def clear(self, topics: Iterable[str]) -> None:
        """Makes the broker forget whole topics that are not below the base, once, before anything else is published."""
        self._elsewhere.update(dict.fromkeys(topics))

    def elsewhere(self) -> list[str]:
        """Former topics that the broker has not yet been made to forget."""
        return list(self._elsewhere)

    async def serve(self, connection: Connection) -> NoReturn:
        """Publishes the whole board, then every change, until the connection ends."""
        self._refused.clear()
        self._taken.clear()
        self._changed.update((topic, None) for topic in self._payloads if topic.startswith("state/"))
        await self._clear_elsewhere(connection)
        while True:
            self._take_up_refused()
            if self._changed and not self._quiet():
                await self._publish(connection)
                await asyncio.sleep(self._interval)
            elif self._changed:
                await asyncio.sleep(self._interval)
            else:
                self._wake.clear()
                await self._sleep()

    async def _clear_elsewhere(self, connection: Connection) -> None:
        """A broker may not let the gateway publish there, and say so, or end the connection: then that is left."""
        for topic in self.elsewhere() if self._retain else ():
            outcome = connection.send(topic, _FORGET, qos=min(1, connection.features.qos), retain=True)
            self._clearing = not outcome.done()
            await asyncio.wait([outcome], timeout=ACK_SECONDS)
            if not outcome.done() or outcome.result().lost:
                return  # the next connection goes on with it
            self._clearing = False
            del self._elsewhere[topic]
            if not outcome.result().accepted:
                self._leave_elsewhere(topic, str(outcome.result()))
                return

    def _leave_elsewhere(self, topic: str, reason: str) -> None:
        self._log.warning(
            "the MQTT broker does not let the gateway clear what it retained under its former root, site or name; "
            "clear these topics with an empty retained message",
            topics=[topic, *self._elsewhere][:_NAMED],
            number=1 + len(self._elsewhere),
            reason=reason,
        )
        self._elsewhere.clear()

    async def try_suspects(self, connection: Connection) -> None:
        """States that may have ended a connection, one at a time and before anything else is sent."""
        for topic in self._suspects.names:
            if connection.lost.done():
                return
            if topic in self._payloads:
                await self._publish_burst(connection, [topic])
            if topic in self._refused:
                await self._suspects.outlasted(connection.lost)

    def cut(self, blame: bool) -> bool:
        """The connection has ended; whether it was at a state alone. `blame`: the broker ended it, and a state may have
        been the cause."""
        if self._clearing and blame and self._elsewhere:
            first = next(iter(self._elsewhere))
            del self._elsewhere[first]
            self._leave_elsewhere(first, "it ended the connection there")
        self._clearing = False
        topic = self._suspects.cut(blame, loop_time())
        if topic is not None:
            self._leave_out(topic)
        return self._suspects.found

    def _leave_out(self, topic: str) -> None:
        """Connections end at the state `topic`: it is the retain flag, or the state, which is left out then."""
        if self._retain and not self._retained:
            self._retain = False
            self._suspects.forgive()
            self._log.warning(
                "the MQTT broker ends the connection at retained messages: states are published without retain",
                topic=self.base + topic,
            )
        else:
            self._log.error(
                "the MQTT broker ends the connection at a state: it is left out for half an hour",
                topic=self.base + topic,
                bytes=len(self._payloads.get(topic, b"")),
            )

    async def _sleep(self) -> None:
        """Until something has changed or a refused state is due."""
        now = loop_time()
        try:
            async with asyncio.timeout(max(0.0, min(self._refused.values()) - now) if self._refused else None):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _take_up_refused(self) -> None:
        now = loop_time()
        for topic in [topic for topic, due in self._refused.items() if due <= now]:
            del self._refused[topic]
            self._changed[topic] = None

    async def _publish(self, connection: Connection) -> None:
        changed, self._changed = list(self._changed), {}
        for start in range(0, len(changed), BURST):
            await self._publish_burst(connection, changed[start : start + BURST])

    async def _publish_burst(self, connection: Connection, topics: list[str]) -> None:
        now = loop_time()
        topics = [topic for topic in topics if not self._suspects.left_out(topic, now)]
        started = [(topic, self._payloads[topic], self._start(connection, topic)) for topic in topics]
        awaited = [topic for topic, _, outcome in started if not outcome.done()]
        self._suspects.awaits(awaited)
        if started:
            await asyncio.wait([outcome for _, _, outcome in started], timeout=ACK_SECONDS)
        unanswered = []
        for topic, payload, outcome in started:
            if outcome.done():
                self._note(topic, payload, outcome.result())
                is_kept = self._retain and payload != _FORGET and topic in awaited
                self._retained = self._retained or (is_kept and outcome.result().accepted)
            else:
                outcome.cancel()  # one that still waits for its turn must not follow a newer one
                self._changed[topic] = None
                unanswered.append(topic)
        self._unanswered.update(unanswered[:1])  # the others may wait for that one
        if not connection.lost.done():
            self._suspects.given_up()

    def _start(self, connection: Connection, topic: str) -> asyncio.Future[Outcome]:
        qos = 0 if topic in self._unanswered else min(1, connection.features.qos)
        return connection.send(self.base + topic, self._payloads[topic], qos=qos, retain=self._retain)

    def _note(self, topic: str, payload: bytes, outcome: Outcome) -> None:
        if outcome.accepted:
            self._suspects.answered(topic)
            self._taken.add(topic)
            self._refused.pop(topic, None)
            self._stats.states_published += 1
            if payload == _FORGET and self._payloads.get(topic) == _FORGET:
                del self._payloads[topic]
                self._changed.pop(topic, None)  # what was tried alone is still to be published with the others
        elif not outcome.lost:
            self._suspects.refused([topic], loop_time())
            self._stats.states_refused += 1
            if outcome.code == _RETAIN_NOT_SUPPORTED:
                self._retain = False
            if not self._refused:  # once for as long as any is refused
                self._log.error(
                    "the MQTT broker refuses states; they are sent again",
                    topic=self.base + topic,
                    reason=str(outcome),
                )
            self._refused[topic] = loop_time() + RETRY_SECONDS
