"""A broker that refuses, throttles, hangs up and denies by turns: every event that it may take it gets, once by id,
large ones in parts, and in order but for those that it has refused or dropped itself, whose later ones it had by then;
the others are in quarantine by name, and leave it by command.

`make torture-hour` has an hour of it; both versions of MQTT at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import orjson

from gateway.events.envelope import ALARM, Event, Fact
from gateway.mqtt import answers
from gateway.mqtt.parts import PART
from tests.support.claims import some
from tests.support.delivery import Delivery
from tests.support.ledgers import START, TestLedger
from tests.support.mqtt_service import BASE, service
from tests.support.odd_broker import CLOSE, OddBroker, odd_broker
from tests.support.subscriber import until
from tests.torture.conftest import LENGTH

TURN, ROUNDS = {"short": (1.0, 1), "long": (8.0, 3), "hour": (30.0, 12)}[LENGTH]
"""Seconds that the broker behaves in one way, and how often it goes through all of them."""

EVERY, AT_ONCE = (0.1, 2) if LENGTH == "short" else (1.0, 5)
"""Seconds between events, and how many come together."""

CODES = [*sorted(answers._REFUSALS), 0xC3, 0xFE]
LARGE = 5_000
POISON = b"poison "
PLACES = ["vault", "dock", "cage", "office"]
_HANGS_UP = 20


class Mood:
    """What the broker does with an event, by turns."""

    def __init__(self, five: bool) -> None:
        self.five = five
        self.mended = False
        self.refused: set[int] = (
            set()
        )  # events that it has refused, dropped or hung up at: it changes their order itself
        self.random = Random(5)
        self._codes = itertools.cycle(CODES)
        self._recent: list[float] = []
        ways = [
            self.good,
            self.throttle_silently,
            self.hang_up_at_all,
            self.hang_up_at_too_many,
            self.refuse_to_connect,
        ]
        if five:
            ways += [self.throttle, self.deny_a_topic, self.deny_all, self.every_code]
        self.ways = ways
        self._started = asyncio.get_running_loop().time()

    @property
    def over(self) -> bool:
        return self._now() - self._started > TURN * ROUNDS * len(self.ways)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _way(self) -> Any:
        if self.mended or self.over:
            return self.good
        return self.ways[int((self._now() - self._started) / TURN) % len(self.ways)]

    def admit(self, five: bool, retained_will: bool) -> bool:
        return self._way() != self.refuse_to_connect

    def puback(self, topic: str, payload: bytes) -> int | None:
        if "/events/" not in topic:
            return 0
        is_bad = not self.mended and (len(payload) > LARGE or POISON in payload)
        code: int | None = CLOSE if is_bad else self._way()(topic)
        if code != 0:
            self.refused.add(orjson.loads(payload)["sequence"])
        return code

    def _many(self, rate: int) -> bool:
        now = self._now()
        self._recent = [at for at in self._recent if at > now - 1] + [now]
        return len(self._recent) > rate

    def good(self, topic: str) -> int | None:
        return 0

    def throttle(self, topic: str) -> int | None:
        return 0x97 if self._many(5) else 0

    def throttle_silently(self, topic: str) -> int | None:
        return None if self._many(5) else 0

    def hang_up_at_all(self, topic: str) -> int | None:
        return CLOSE

    def hang_up_at_too_many(self, topic: str) -> int | None:
        return CLOSE if self._many(_HANGS_UP) else 0

    def refuse_to_connect(self, topic: str) -> int | None:
        return CLOSE

    def deny_a_topic(self, topic: str) -> int | None:
        return 0x87 if topic.endswith("/vault") else 0

    def deny_all(self, topic: str) -> int | None:
        return 0x87

    def every_code(self, topic: str) -> int | None:
        return next(self._codes) if self.random.random() < 0.2 else 0


class Watched(TestLedger):
    """A ledger that remembers what was ever in quarantine."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.apart: set[int] = set()

    def set_apart(self, event: Event, reason: str, final: bool) -> None:
        self.apart.add(event.sequence)
        super().set_apart(event, reason, final)


def alarms(numbers: itertools.count[int], count: int) -> list[Fact]:
    """One in two hundred is too large for the broker, and one ends each connection however it is sent."""
    special = {50: "x" * LARGE, 150: POISON.decode() * (LARGE // 10)}
    return [
        Fact(ALARM, PLACES[number % 4], START + number, {"why": special.get(number % 200, "x" * 50)})
        for number in itertools.islice(numbers, count)
    ]


class Received:
    """What has come, as a consumer has it that joins parts: the events by number, in the order of their last pieces."""

    def __init__(self, broker: OddBroker) -> None:
        self._broker = broker
        self._read = 0
        self._texts: defaultdict[tuple[str, int], dict[int, str]] = defaultdict(dict)
        self.events: dict[int, bytes] = {}

    def read(self) -> dict[int, bytes]:
        for topic, payload in self._broker.taken[self._read :]:
            self._read += 1
            if "events/" in topic:
                self._take(payload)
        return self.events

    def _take(self, payload: bytes) -> None:
        said = orjson.loads(payload)
        if said["type"] == PART:
            data = said["data"]
            texts = self._texts[data["of"], data["parts"]]
            texts[data["part"]] = data["text"]
            if len(texts) < data["parts"]:
                return
            payload = "".join(text for _, text in sorted(texts.items())).encode()
        assert self.events.setdefault(said["sequence"], payload) == payload, "an event changed"


async def release(broker: OddBroker) -> None:
    """Commands it until it is cancelled: this broker keeps nothing for a gateway that is just away."""
    while True:
        broker.tell(BASE + "cmd/quarantine.release", b'{"all": true}')
        await asyncio.sleep(1.0)


async def trial(version: str, directory: Path) -> str:
    ledger = Watched(directory / f"ledger-{version}.db")
    ledger.start()
    ledger.recognised()
    delivery = Delivery(ledger)

    mood, numbers = Mood(version == "5"), itertools.count(1)
    async with (
        odd_broker(puback=mood.puback, admit=mood.admit) as broker,
        service(broker.port, ledger, handler=delivery.handle, commands=delivery.names, version=version) as mqtt,
    ):
        delivery.sender = mqtt
        while not mood.over:
            ledger.append(alarms(numbers, AT_ONCE), 0)
            await ledger.flush()
            mqtt.wake()
            await asyncio.sleep(EVERY)
        count = ledger.stats().sequence
        poison = set(range(150, count + 1, 200))
        received = Received(broker)

        def missing() -> set[int]:
            return set(range(1, count + 1)) - set(received.read())

        def told() -> str:
            pace = mqtt._publisher.outgoing.pace.rate
            return f"{sorted(missing() - poison)[:20]} missing, {ledger.stats()}, pace {pace}"

        await until(lambda: not ledger.stats().pending, 600, told)
        listed: list[dict[str, Any]] = []
        while page := (await delivery.handle("quarantine.list", {"after": listed[-1]["sequence"] if listed else 0}))[
            "events"
        ]:
            listed += page
        assert missing() == {event["sequence"] for event in listed}, "what was not taken is in quarantine by name"
        assert poison <= missing()
        mood.mended = True
        releasing = asyncio.create_task(release(broker))
        await until(lambda: not missing() and not ledger.stats().quarantined, 600, told)
        releasing.cancel()
        by_place = defaultdict(list)
        for number in received.read():
            if number not in ledger.apart | mood.refused:
                by_place[number % 4].append(number)
        assert all(order == sorted(order) for order in some(by_place.values()))
        assert len(received.read()) == count
        figure = (
            f"MQTT {version}: {count:,} events, {len(listed)} released by command, {broker.connections} connections"
        )
    await ledger.close()
    return figure


async def test_a_broker_that_is_bad_by_turns_gets_every_event(tmp_path, say, monkeypatch) -> None:
    if LENGTH == "short":
        monkeypatch.setattr("gateway.mqtt.second_tries.FIRST_PAUSE", 0.5)
        monkeypatch.setattr("gateway.mqtt.second_tries.LONGEST_PAUSE", 2.0)
        monkeypatch.setattr("gateway.mqtt.link.LONGEST_DELAY", 1.0)
    figures = await asyncio.gather(*(trial(version, tmp_path) for version in ("5", "3.1.1")))
    say(
        "a bad broker gets every event once, in order, or it is in quarantine",
        f"refuses with every code, throttles, hangs up, denies, {TURN:g} s each, {ROUNDS} times",
        "; ".join(figures),
    )
