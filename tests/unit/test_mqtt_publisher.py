"""The publisher against a connection that acknowledges, refuses and breaks off as the test likes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import LinkError
from gateway.mqtt import second_tries
from gateway.mqtt.answers import End
from gateway.mqtt.interface import ACCEPTED, LOST_CODE, Features, Outcome, Properties
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.stats import MqttStats
from tests.support.memory_ledger import MemoryLedger

REFUSED = Outcome(0x99, "Payload format invalid")
LOST = Outcome(LOST_CODE, "cut")


class ScriptedConnection:
    """Answers the n-th message with the n-th letter of its script: ``a``ccepted, ``r``efused, ``x`` ends it."""

    window = 10
    max_packet = 1 << 20
    features = Features()
    ended = End.OWN

    def __init__(self, script: str, delivered: list[int]) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._script = iter(script)
        self._delivered = delivered
        self.outstanding: list[tuple[asyncio.Future[Outcome], Outcome]] = []
        self.most_outstanding = 0

    def send(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: Properties | None = None
    ) -> asyncio.Future[Outcome]:
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        letter = "x" if self.lost.done() else next(self._script, "a")
        if letter == "x":
            if not self.lost.done():
                self.lost.set_result("cut")
            outcome.set_result(LOST)
            return outcome
        if letter == "a":
            self._delivered.append(int(payload.split(b":")[1].strip(b" }")))
        self.outstanding.append((outcome, ACCEPTED if letter == "a" else REFUSED))
        self.most_outstanding = max(self.most_outstanding, len(self.outstanding))
        return outcome

    def acknowledge(self, order: Sequence[int]) -> None:
        """Settles what is outstanding, in this order: a broker need not acknowledge in the order of sending."""
        waiting, self.outstanding = self.outstanding, []
        for index in sorted(range(len(waiting)), key=lambda index: order[index % len(order)] if order else index):
            outcome, result = waiting[index]
            outcome.set_result(result)

    def end(self) -> None:
        if not self.lost.done():
            self.lost.set_result("cut")
        for outcome, _ in self.outstanding:
            outcome.set_result(LOST)
        self.outstanding = []

    @property
    def unacknowledged(self) -> int:
        return len(self.outstanding)

    async def listen(self, filters: Sequence[str]) -> list[Outcome]:
        raise NotImplementedError

    def pause(self) -> None: ...

    def resume(self) -> None: ...


async def run_through(
    publisher: Publisher, ledger: MemoryLedger, connection: ScriptedConnection, order: list[int]
) -> None:
    """Serves this connection until everything is published or it ends."""
    serving = asyncio.create_task(publisher.serve(connection))
    while ledger.stats().pending and not serving.done():
        for _ in range(5):
            await asyncio.sleep(0)
        connection.acknowledge(order)
    connection.end()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError, LinkError):
        await serving


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(0, 60),
    scripts=st.lists(st.text("aaaaarx", max_size=40), max_size=4),
    order=st.lists(st.integers(0, 9), max_size=10),
    window=st.integers(1, 20),
)
def test_every_event_is_published_or_refused_in_order_over_any_connections(
    count: int, scripts: list[str], order: list[int], window: int
) -> None:
    async def scenario() -> None:
        ledger = MemoryLedger()
        ledger.add(count)
        stats = MqttStats()
        publisher = Publisher(ledger, "base/", window, lambda: 0, structlog.testing.CapturingLogger(), stats)  # type: ignore[arg-type]
        delivered: list[int] = []
        for script in [*scripts, ""]:
            connection = ScriptedConnection(script, delivered)
            await run_through(publisher, ledger, connection, order)
            assert connection.most_outstanding <= min(window, connection.window)
        await asyncio.wait_for(publisher.drained(), 1)
        assert stats.published + stats.refused == count
        taken = list(dict.fromkeys(delivered))
        if not any("r" in script for script in scripts):  # a broker that refuses one has changed the order itself
            assert taken == sorted(taken)
        assert set(range(1, count + 1)) - set(taken) <= set(ledger.refusals)

    asyncio.run(scenario())


async def test_the_mark_never_passes_an_event_that_is_not_acknowledged() -> None:
    ledger = MemoryLedger()
    ledger.add(3)
    publisher = Publisher(ledger, "base/", 10, lambda: 0, structlog.get_logger(), MqttStats())
    connection = ScriptedConnection("", [])
    serving = asyncio.create_task(publisher.serve(connection))
    for _ in range(10):
        await asyncio.sleep(0)
    first, second, third = (outcome for outcome, _ in connection.outstanding)
    second.set_result(ACCEPTED)
    third.set_result(ACCEPTED)
    for _ in range(10):
        await asyncio.sleep(0)
    assert ledger.marks == []
    first.set_result(ACCEPTED)
    for _ in range(10):
        await asyncio.sleep(0)
    assert ledger.marks == [3]
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def test_a_fault_of_the_ledger_comes_out() -> None:
    class Broken(MemoryLedger):
        async def read(self, after: int, limit: int, max_bytes: int) -> list:  # type: ignore[type-arg]
            raise OSError("disk")

    ledger = Broken()
    ledger.add(1)
    publisher = Publisher(ledger, "base/", 10, lambda: 0, structlog.get_logger(), MqttStats())
    with pytest.raises(OSError, match="disk"):
        await asyncio.wait_for(publisher.serve(ScriptedConnection("", [])), 1)


async def test_the_broker_is_told_of_a_number_before_it_gets_the_event() -> None:
    ledger, said, delivered = MemoryLedger(), [], []
    publisher = Publisher(
        ledger, "base/", 10, lambda: 0, structlog.get_logger(), MqttStats(),
        announce=lambda connection: said.append((ledger.stats().sequence, len(connection.outstanding))),
    )  # fmt: skip
    for count in (3, 4):
        ledger.add(count)
        connection = ScriptedConnection("", delivered)
        await run_through(publisher, ledger, connection, [])
    assert [sequence for sequence, _ in said] == [3, 7]
    assert {sent for _, sent in said} == {0}


@pytest.mark.looptime
@pytest.mark.parametrize("others", [0, 1])
async def test_what_is_set_apart_in_front_of_the_mark_is_released_once_the_mark_has_passed_it(others: int) -> None:
    ledger = MemoryLedger(published=others)
    ledger.add(others + 2)
    for event in ledger.events[:others]:  # behind the mark, and released together with it
        ledger.set_apart(event, "refused", True)
    publisher = Publisher(ledger, "base/", 10, lambda: 0, structlog.get_logger(), MqttStats())
    connection = ScriptedConnection("ar" + "a" * 9, [])
    serving = asyncio.create_task(publisher.serve(connection))
    await asyncio.sleep(0.1)
    (awaited, taken), (refused, answer) = connection.outstanding
    refused.set_result(answer)
    await asyncio.sleep(0.1)
    assert set(ledger.refusals) == set(range(1, others + 1)) | {others + 2}
    ledger.again = set(ledger.refusals)
    publisher.released()
    await asyncio.sleep(5)
    assert ledger.marks == [], "an event in front is still awaited"
    connection.outstanding = connection.outstanding[2:]
    awaited.set_result(taken)
    for _ in range(30):
        await asyncio.sleep(0.5)
        connection.acknowledge([])
    assert ledger.refusals == {}
    assert ledger.recovered == [*range(1, others + 1), others + 2]
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@pytest.mark.looptime
async def test_more_released_events_than_are_fetched_at_once_all_go_where_nothing_else_happens() -> None:
    count = 3 * second_tries.BATCH
    ledger = MemoryLedger(published=count)
    ledger.add(count)
    for event in ledger.events:
        ledger.set_apart(event, "refused", True)
    publisher = Publisher(ledger, "base/", 10, lambda: 0, structlog.get_logger(), MqttStats())
    connection = ScriptedConnection("", [])
    serving = asyncio.create_task(publisher.serve(connection))
    await asyncio.sleep(1)
    ledger.again = set(ledger.refusals)
    publisher.released()
    for _ in range(count):
        await asyncio.sleep(0.01)
        connection.acknowledge([])
    assert ledger.recovered == list(range(1, count + 1))
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
