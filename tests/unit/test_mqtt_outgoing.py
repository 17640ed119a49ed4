"""What is sent when, and what becomes of it: a broker as a function, and a clock that is only a number."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.envelope import Event
from gateway.mqtt.answers import Answer, End, classify
from gateway.mqtt.closed_topics import LONGEST_PAUSE
from gateway.mqtt.delivery import DONE, TABLE, Delivery, Stage, Step
from gateway.mqtt.notices import remedy
from gateway.mqtt.outgoing import Outgoing
from gateway.mqtt.pace import Pace
from gateway.mqtt.waiting import Waiting

CLOSE = -2
"""What a broker answers that ends the connection instead."""

CLOSE_TOO_LARGE = -3
"""The same, and it says that something was too large."""

Broker = Callable[[float, Event], int | None]
"""(time, event): a reason code, None for no answer, or `CLOSE`."""


def events(count: int, topics: int = 2, sizes: dict[int, int] | None = None) -> list[Event]:
    return [
        Event(number, f"id-{number}", f"events/movement/{number % topics}", b"x" * (sizes or {}).get(number, 200))
        for number in range(1, count + 1)
    ]


@dataclass
class World:
    """A broker and everything that is on its way to it, one millisecond away."""

    broker: Broker
    outgoing: Outgoing = field(default_factory=lambda: Outgoing(Pace(100)))
    now: float = 0.0
    taken: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    apart: dict[int, Delivery] = field(default_factory=dict)
    mark: int = 0
    connections: int = 1
    copies: int = 0  # of all that were taken
    _seen: set[int] = field(default_factory=set)
    _coming: list[tuple[float, int, Delivery, int, int]] = field(default_factory=list)

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> World:
        while self.now < until and not done():
            self.outgoing.look(self.now)
            self._send()
            self._settle()
            wait = self.outgoing.wait(self.now)
            step = self.now + (wait if wait is not None else 1.0)
            self.now = max(min(step, self._coming[0][0]) if self._coming else step, self.now + 1e-6)
            while self._coming and self._coming[0][0] <= self.now:
                _, _, delivery, number, code = heapq.heappop(self._coming)
                self.outgoing.answered(delivery, number, classify(code), hex(code), self.now)
        self._settle()
        return self

    def _send(self) -> None:
        while (delivery := self.outgoing.next(self.now)) is not None:
            sequence, room = delivery.event.sequence, self.outgoing.sizes.room_for(delivery)
            payload = delivery.event.payload[: int(min(room, delivery.size))]  # the first of its parts
            code = self.broker(self.now, replace(delivery.event, payload=payload))
            self.sent.append(sequence)
            if code in (CLOSE, CLOSE_TOO_LARGE):
                self._reconnect(End.UNKNOWN if code == CLOSE else End.TOO_LARGE)
                return
            if code is not None:
                heapq.heappush(self._coming, (self.now + 0.001, len(self.sent), delivery, delivery.number, code))
            if code == 0 and sequence not in self._seen:  # as a consumer sees it: a copy is dropped by its id
                self._seen.add(sequence)
                self.taken.append(sequence)

    def _reconnect(self, end: End) -> None:
        """What the broker had acknowledged arrives before the end does."""
        for _, _, delivery, number, code in sorted(self._coming, key=lambda one: one[:2]):
            self.outgoing.answered(delivery, number, classify(code), hex(code), self.now)
        self._coming.clear()
        self.outgoing.cut(end)
        self.connections += 1
        self.now += 0.5

    def _settle(self) -> None:
        for delivery in self.outgoing.settled:
            if delivery.stage is Stage.ACKNOWLEDGED:
                self.apart.pop(delivery.event.sequence, None)
            else:
                self.apart[delivery.event.sequence] = delivery
        self.outgoing.settled = []
        self.mark = self.outgoing.advance() or self.mark


def deliver(count: int, broker: Broker, until: float = 300.0, **more: object) -> World:
    world = World(broker)
    world.outgoing.add(events(count, **more))  # type: ignore[arg-type]
    return world.run(until, lambda: world.mark == count)


def bucket(rate: float) -> Callable[[float], bool]:
    """True `rate` times a second."""
    left, at = rate, 0.0

    def free(now: float) -> bool:
        nonlocal left, at
        left, at = min(rate, left + (now - at) * rate), now
        if left < 1:
            return False
        left -= 1
        return True

    return free


def test_without_trouble_everything_goes_at_once_in_order() -> None:
    world = deliver(1000, lambda now, event: 0)
    assert world.taken == list(range(1, 1001))
    assert world.now < 1.1


@pytest.mark.parametrize("answer", [0x97, 0x96, 0x80, 0xEE, None])
@pytest.mark.parametrize("rate", [5.0, 20.0, 200.0])
def test_a_limit_of_messages_a_second_is_found_and_made_use_of(rate: float, answer: int | None) -> None:
    """However the broker shows it: everything gets through, at half the limit or more, and nothing is set apart."""
    free = bucket(rate)
    world = deliver(400, lambda now, event: 0 if free(now) else answer)
    assert sorted(world.taken) == list(range(1, 401))
    assert not world.apart
    assert world.now < 2 * 400 / rate + 10
    assert len(world.sent) < 700


@pytest.mark.parametrize("lost", [0.1, 0.2, 0.3, 0.4])
def test_acknowledgements_that_are_lost_by_chance_at_any_pace_do_not_slow_events_down_for_long(lost: float) -> None:
    random = Random(7)
    world = deliver(2000, lambda now, event: None if random.random() < lost else 0, topics=7)
    assert world.mark == 2000
    assert world.now < 120
    assert len(world.apart) <= 20, "chance may pass one over eight times"


def test_the_rate_is_without_limit_again_when_the_trouble_is_over() -> None:
    world = deliver(300, lambda now, event: 0 if now > 5 else 0x97)
    assert world.mark == 300
    world.outgoing.add(Event(number, "", "t", b"") for number in range(301, 4301))
    world.run(400, lambda: world.mark == 4300)
    assert not world.outgoing.pace.slow


@pytest.mark.parametrize("topics", [1, 2, 7])
@pytest.mark.parametrize("answer", [0x87, 0x8A, 0x90])
def test_what_everything_is_refused_for_is_waited_for_in_order(answer: int, topics: int) -> None:
    """Access rules that are wrong for eight seconds: nothing is set apart, and nothing is out of order afterwards."""
    world = deliver(150, lambda now, event: 0 if now > 8 else answer, topics=topics)
    assert world.taken == list(range(1, 151))
    assert not world.apart
    assert world.now < 20


def test_a_topic_that_alone_is_denied_goes_to_quarantine_and_the_others_go_on() -> None:
    world = deliver(100, lambda now, event: 0x87 if event.topic.endswith("/1") else 0, until=60)
    assert world.mark == 100
    assert world.taken == list(range(2, 101, 2))
    assert sorted(world.apart) == list(range(1, 100, 2))
    assert {delivery.stage for delivery in world.apart.values()} == {Stage.SET_APART}
    assert len(world.sent) < 110, "the denied topic was asked again and again"


def test_a_refusal_for_good_is_set_apart_at_once_and_never_sent_again() -> None:
    world = deliver(10, lambda now, event: 0x99 if event.sequence == 4 else 0)
    assert world.apart[4].stage is Stage.SET_APART_FOR_GOOD
    assert world.sent.count(4) == 1
    assert world.taken == [1, 2, 3, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("answer", [0x80, 0xEE, None])
def test_an_event_that_is_refused_for_now_for_ever_does_not_stop_the_others(answer: int | None) -> None:
    world = deliver(50, lambda now, event: answer if event.sequence == 7 else 0, topics=3)
    assert world.mark == 50
    assert set(world.apart) == {7}
    assert world.apart[7].stage is Stage.SET_APART
    assert sorted(world.taken) == sorted(set(range(1, 51)) - {7})


def busy_source() -> list[Event]:
    """Twenty events a second for two minutes, one in a hundred of them of a topic of its own."""
    return [
        replace(event, topic="events/count/seldom") if event.sequence % 100 == 0 else event
        for event in events(2400, topics=4)
    ]


def busy(answer: int | None, bad: Callable[[Event], bool]) -> World:
    """They meet a broker that gives those that are `bad` always this answer."""
    world, source = World(lambda now, event: answer if bad(event) else 0), busy_source()
    for start in range(0, len(source), 20):
        world.outgoing.add(source[start : start + 20])
        world.run(world.now + 1.0)
    return world


@pytest.mark.parametrize("answer", [None, 0x97])
def test_one_event_that_alone_is_never_taken_slows_the_others_down_only_once(answer: int | None) -> None:
    world = busy(answer, lambda event: event.sequence == 100)
    assert set(world.apart) == {100}
    assert len(world.taken) >= 2390
    assert world.outgoing.pace.rate > 20


BAD = {
    "some events of a topic": lambda event: event.topic.endswith("/3") and event.sequence % 20 == 3,
    "all events of a topic, seldom": lambda event: event.topic.endswith("/seldom"),
}


@pytest.mark.parametrize("name", BAD)
def test_some_that_are_never_answered_do_not_slow_the_others_down(name: str) -> None:
    world = busy(None, BAD[name])
    topics = {event.topic for event in busy_source() if BAD[name](event)}
    good = {event.sequence for event in busy_source() if event.topic not in topics}
    assert len(good & set(world.taken)) >= 0.99 * len(good)
    assert not good & set(world.apart)


def test_a_topic_that_alone_is_refused_for_now_does_not_slow_the_others_down() -> None:
    world = busy(0x97, BAD["all events of a topic, seldom"])
    assert len(world.taken) >= 0.99 * (2400 - 24)


@pytest.mark.parametrize("answered", [0, 1])
def test_a_window_of_which_most_is_never_answered_lets_the_others_through(answered: int) -> None:
    silent = range(1 + answered, 9)
    world = World(lambda now, event: None if event.sequence in silent else 0, Outgoing(Pace(10)))
    world.outgoing.add(events(200))
    assert set(world.run(60.0).taken) >= set(range(9, 201))
    assert world.run(200.0).mark == 200
    assert set(world.apart) == set(silent)


def test_a_probe_that_could_not_be_sent_is_not_forgotten() -> None:
    """There is no room for it over a connection whose window is awaited, and then the connection ends, or an answer
    comes to another event."""
    for late_answer in (True, False):
        outgoing = Outgoing(Pace(2))
        outgoing.add(events(2))
        first, second = outgoing.next(0.0), outgoing.next(0.0)
        assert first is not None
        assert second is not None
        for now in range(4):
            outgoing.look(float(now))  # the first is to be sent again alone, and nobody asks for it
        if late_answer:
            outgoing.answered(second, second.number, Answer.TAKEN, "", 4.0)
        else:
            outgoing.cut(End.OWN)
        assert outgoing.next(5.0) is first


@pytest.mark.parametrize("answer", [0x99, 0x95, 0x97, 0x87])
def test_a_broker_that_is_silent_and_then_refuses_one_event_gets_the_others(answer: int) -> None:
    def broker(now: float, event: Event) -> int | None:
        return None if now < 10 else answer if event.sequence == 1 else 0

    world = deliver(20, broker, topics=20, until=50.0)
    assert sorted(world.taken) == list(range(2, 21))
    assert 1 in world.apart or answer == 0x97, "which is tried for longer"


def test_one_lost_acknowledgement_on_a_busy_site_is_asked_for_again() -> None:
    lost: list[int] = []

    def broker(now: float, event: Event) -> int | None:
        if event.sequence == 21 and not lost:
            lost.append(21)
            return None
        return 0

    world = deliver(500, broker)
    assert world.mark == 500
    assert world.sent.count(21) == 2
    assert world.now < 3


def test_a_broker_that_is_silent_gets_one_event_at_a_time_until_it_answers() -> None:
    world = deliver(300, lambda now, event: 0 if now > 30 else None, until=60)
    assert world.mark == 300
    assert len(world.sent) < 300 + 120
    assert world.now < 50


@pytest.mark.parametrize("limit", [1000, 2000, 4999])
@pytest.mark.parametrize(("answer", "connections"), [(CLOSE, 1 + 3 + 3), (CLOSE_TOO_LARGE, 1 + 1 + 3), (0x95, 1)])
@pytest.mark.parametrize("topics", [1, 3])
def test_an_event_that_is_too_large_for_the_broker_goes_in_parts_and_so_do_later_ones(
    topics: int, answer: int, connections: int, limit: int
) -> None:
    """At most one connection for each time that the parts are halved, and none once the limit is known."""
    sizes = {40: 5000, 60: 5001, 80: 30_000}
    world = deliver(100, lambda now, event: answer if len(event.payload) > limit else 0, topics=topics, sizes=sizes)
    assert sorted(world.taken) == list(range(1, 101))
    assert answer == 0x95 or world.taken == list(range(1, 101))
    assert not world.apart
    assert answer == 0x95 or world.sent.count(80) == 1
    assert world.connections <= connections
    assert not remedy(world.outgoing)
    assert limit / 2 <= world.outgoing.sizes.room <= limit
    assert not world.outgoing.pace.slow


def test_a_limit_is_believed_only_once_parts_within_it_were_taken() -> None:
    world = deliver(100, lambda now, event: CLOSE if event.sequence == 40 else 0, sizes={40: 5000, 60: 4000})
    assert set(world.apart) == {40}
    assert world.outgoing.sizes.room == math.inf


def test_what_is_too_large_in_the_smallest_parts_waits_in_quarantine_until_somebody_raises_the_limit() -> None:
    limit = 300
    sizes = {40: 5000, 60: 310, 80: 30_000}
    world = deliver(100, lambda now, event: 0x95 if len(event.payload) > limit else 0, sizes=sizes)
    assert sorted(world.taken) == [number for number in range(1, 101) if number not in sizes]
    assert {number: one.stage for number, one in world.apart.items()} == dict.fromkeys(sizes, Stage.SET_APART)
    assert "310 bytes do not fit" in remedy(world.outgoing)
    limit = 4000
    world.outgoing.add_quarantined([world.apart[number].event for number in sizes])
    world.run(world.now + 60, lambda: not world.apart)
    assert not world.apart
    assert not remedy(world.outgoing)


def test_a_topic_waits_for_its_event_that_goes_in_parts_and_the_others_do_not() -> None:
    outgoing = Outgoing(Pace(1))
    outgoing.add(events(5, sizes={1: 5000}))
    first = outgoing.next(0.0)
    assert first is not None
    outgoing.answered(first, first.number, Answer.TOO_LARGE, "", 0.1)
    outgoing.look(0.1)
    assert [one.event.sequence for one in iter(partial(_answer_next, outgoing), None)] == [1, 2, 3, 4, 5]
    assert outgoing.sizes.room == 2500


def _answer_next(outgoing: Outgoing) -> Delivery | None:
    outgoing.look(0.2)
    delivery = outgoing.next(0.2)
    if delivery is not None:
        outgoing.answered(delivery, delivery.number, Answer.TAKEN, "", 0.3)
    return delivery


POISON = dict.fromkeys(range(20, 200, 20), 5000)


@pytest.mark.parametrize("topics", [1, 3])
def test_an_event_at_which_connections_end_in_parts_too_is_set_apart_by_name_and_size(topics: int) -> None:
    world = deliver(100, lambda now, event: CLOSE if event.sequence == 40 else 0, topics=topics, sizes={40: 5000})
    assert world.taken == [number for number in range(1, 101) if number != 40]
    assert world.sent.count(40) == 4 + 3
    assert "7 connections at this event of 5000 bytes" in world.apart[40].reason
    assert world.apart[40].stage is Stage.SET_APART_FOR_GOOD


def test_a_topic_at_which_connections_end_is_left_out_and_tried_again_by_command_and_in_time() -> None:
    """AWS IoT Core ends the connection at what its rules forbid: a busy topic must not keep all others waiting."""
    allowed = False

    def broker(now: float, event: Event) -> int:
        return 0 if allowed or event.topic.endswith("/1") else CLOSE

    world = deliver(600, broker, topics=3)
    denied = [number for number in range(1, 601) if number % 3 != 1]
    assert sorted(world.apart) == denied
    assert world.connections <= 20
    final = [number for number, one in world.apart.items() if one.stage is Stage.SET_APART_FOR_GOOD]
    assert len(final) == 2 * 3, "those that were sent; the others come by themselves when one is taken"
    connections = world.connections
    world.outgoing.closed_topics.forgive()
    world.outgoing.add_quarantined([world.apart[number].event for number in denied[:100]])
    world.run(world.now + 20)
    assert sorted(world.apart) == denied
    assert world.connections <= connections + 2 * 3
    allowed = True
    world.now += LONGEST_PAUSE
    world.outgoing.add_quarantined([world.apart[number].event for number in denied[100:]])
    world.run(world.now + 60)
    assert sorted(world.apart) == denied[:100]


def test_the_next_event_of_that_size_costs_one_connection() -> None:
    sizes = {number: 5000 + number for number in POISON}
    world = deliver(200, lambda now, event: CLOSE if event.sequence in sizes else 0, sizes=sizes)
    assert set(world.apart) == set(sizes)
    assert world.taken == [number for number in range(1, 201) if number not in sizes]
    assert world.connections <= 1 + 7 + len(sizes)


def test_a_broker_at_which_every_connection_ends_is_not_blamed_on_the_events() -> None:
    world = deliver(100, lambda now, event: 0 if now > 120 else CLOSE)
    assert len(world.apart) <= 3
    assert not remedy(world.outgoing)
    assert sorted([*world.taken, *world.apart]) == list(range(1, 101))


def test_somebody_is_asked_to_look_where_every_connection_ends() -> None:
    world = deliver(100, lambda now, event: CLOSE, until=20.0)
    assert not world.apart
    assert "ends the connection at every event" in remedy(world.outgoing)


def test_somebody_is_told_why_nothing_is_taken_for_long() -> None:
    refuses = True
    world = deliver(100, lambda now, event: 0x87 if refuses else 0, topics=3, until=6.0)
    assert not remedy(world.outgoing), "it may be over soon"
    world.run(20.0)
    assert "refuses events: 0x87" in remedy(world.outgoing)
    refuses = False
    world.run(60.0)
    assert world.taken == list(range(1, 101))
    assert not remedy(world.outgoing)


def test_nobody_is_told_to_look_at_a_broker_that_refuses_one_topic_and_takes_the_others() -> None:
    """Those events are in quarantine, and that is said."""
    world = deliver(100, lambda now, event: 0x87 if event.topic.endswith("1") else 0, topics=3)
    assert world.apart
    assert not remedy(world.outgoing)


def test_many_events_that_end_connections_in_a_row_do_not_stop_those_behind_them() -> None:
    sizes = {number: 9000 - number for number in range(10, 30)}  # each smaller than the one before
    world = deliver(60, lambda now, event: CLOSE if event.sequence in sizes else 0, sizes=sizes)
    assert set(world.apart) == set(sizes)
    assert sorted(world.taken) == [number for number in range(1, 61) if number not in sizes]


def test_cut_connections_that_are_nobodys_fault_set_nothing_apart() -> None:
    cuts = iter(range(3, 400, 17))
    when = [next(cuts)]

    def broker(now: float, event: Event) -> int:
        if len(world.sent) >= when[0]:
            when[0] = next(cuts, 10**9)
            return CLOSE
        return 0

    world = World(broker)
    world.outgoing.add(events(300))
    world.run(300, lambda: world.mark == 300)
    assert world.taken == list(range(1, 301))
    assert not world.apart


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_connections_that_are_cut_as_soon_as_they_stand_keep_the_order(every: int) -> None:
    """However often it happens at the same event, which is not its fault."""

    def broker(now: float, event: Event) -> int:
        return CLOSE if 20 <= len(world.sent) < 60 and len(world.sent) % (every + 1) else 0

    world = World(broker)
    world.outgoing.add(events(200, topics=3))
    world.run(300, lambda: world.mark == 200)
    assert world.taken == sorted(world.taken)
    assert len(world.taken) + len(world.apart) == 200


@pytest.mark.parametrize("rate", [2, 5, 20, 100])
def test_a_broker_that_hangs_up_at_more_than_its_rate_is_sent_less(rate: int) -> None:
    free = bucket(rate)
    world = deliver(600, lambda now, event: 0 if free(now) else CLOSE, until=1000.0)
    assert world.taken == list(range(1, 601))
    assert not world.apart
    assert world.connections < 15
    assert world.now < 1.5 * 600 / rate


@pytest.mark.slow
def test_a_broker_that_hung_up_is_asked_for_more_ever_more_rarely() -> None:
    """Two hours of a backlog at a broker which hangs up above 20 a second."""
    free = bucket(20)
    world = deliver(100_000, lambda now, event: 0 if free(now) else CLOSE, until=7_000.0)
    assert not world.apart
    assert world.connections < 80


def test_a_broker_that_says_it_was_too_much_at_once_is_believed() -> None:
    outgoing = Outgoing(Pace(100))
    outgoing.add(events(50))
    while outgoing.next(0.0) is not None:
        pass
    outgoing.cut(End.TOO_FAST)
    assert outgoing.pace.slow
    assert outgoing.pace.window < 50


def test_cuts_that_one_event_explains_slow_nothing_down() -> None:
    world = deliver(400, lambda now, event: CLOSE if event.sequence in POISON else 0, sizes=POISON)
    assert not world.outgoing.pace.slow
    assert world.outgoing.pace.window == 100


def test_what_comes_from_quarantine_is_sent_and_told_of() -> None:
    world = deliver(10, lambda now, event: 0x99 if event.sequence == 4 and now < 5 else 0)
    world.now = 6.0
    assert world.outgoing.add_quarantined([world.apart[4].event]) == {4}
    assert world.outgoing.add_quarantined([world.apart[4].event]) == set(), "it is under way already"
    world.run(10)
    assert not world.apart
    assert world.taken[-1] == 4
    assert world.mark == 10


def test_an_event_that_was_passed_over_while_it_waited_waits_again_beside_what_is_left_of_it() -> None:
    first, second = events(2)
    waiting = Waiting()
    passed_over, released = Delivery(second), Delivery(second, quarantined=True)
    for delivery in (Delivery(first), passed_over):
        waiting.again(delivery)
    passed_over.go(Step.TOPIC_DENIED)
    waiting.again(released)
    found = []
    while head := waiting.head():
        waiting.pop(head)
        found.append(head)
    assert [delivery.event for delivery in found] == [first, second]
    assert found[1] is released


ANSWERS = [0, 0, 0, 0, 0x97, 0x87, 0x99, 0xEE, None, CLOSE]


@given(st.lists(st.sampled_from(ANSWERS), max_size=120), st.integers(1, 60), st.integers(1, 3))
def test_whatever_a_broker_answers_each_event_is_taken_or_set_apart(
    script: list[int | None], count: int, topics: int
) -> None:
    answers: Iterable[int | None] = iter(script)
    world = deliver(count, lambda now, event: next(answers, 0), until=3000, topics=topics)  # type: ignore[call-overload]
    assert world.mark == count
    assert set(world.taken) | set(world.apart) == set(range(1, count + 1))


@given(st.lists(st.sampled_from(ANSWERS), max_size=60), st.integers(1, 40))
def test_one_at_a_time_the_order_of_each_topic_is_kept(script: list[int | None], count: int) -> None:
    """More than one at a time, a broker that refuses one and takes the next has changed the order itself."""
    answers: Iterable[int | None] = iter(script)
    world = World(lambda now, event: next(answers, 0), Outgoing(Pace(1)))  # type: ignore[call-overload]
    world.outgoing.add(events(count))
    world.run(3000, lambda: world.mark == count)
    for parity in (0, 1):
        first = [number for number in dict.fromkeys(world.taken) if number % 2 == parity]
        assert first == sorted(first)


def test_the_table_leads_everywhere_and_nowhere_back_from_what_is_done() -> None:
    reached = {stage for row in TABLE.values() for stage in row.values()}
    assert reached | {Stage.WAITING} == set(Stage)
    for stage in DONE:
        assert set(TABLE[stage].values()) <= {Stage.ACKNOWLEDGED}
    assert {*TABLE[Stage.SENT]} >= {*Answer}, "an answer to what was sent is missing"
    assert {step for row in TABLE.values() for step in row if isinstance(step, Step)} == set(Step)


def test_an_hour_with_a_broker_that_refuses_throttles_closes_and_denies_by_turns() -> None:
    """Two events a second come in. What may be delivered is, once by id; the rest is in quarantine by name."""
    poison = dict.fromkeys(range(100, 7200, 700), 5000)
    free = bucket(5)

    def broker(now: float, event: Event) -> int | None:
        if event.sequence in poison:
            return CLOSE
        if event.sequence % 500 == 0:
            return 0x99
        match int(now // 60) % 8:
            case 1:
                return 0x97 if not free(now) else 0
            case 2:
                return 0 if free(now) else None
            case 3 if now % 60 < 30:
                return CLOSE
            case 4 if event.topic.endswith("/1"):
                return 0x87
            case 5 if now % 60 < 20:
                return 0x87
            case 6:
                return 0xEE if event.sequence % 7 == int(now) % 7 else 0
            case _:
                return 0

    world = World(broker)
    waiting = deque(events(7200, topics=5, sizes=poison))
    while world.mark < 7200 and world.now < 4000:
        world.outgoing.add(waiting.popleft() for _ in range(min(20, len(waiting))))
        world.run(world.now + 10)
        by_itself = [one.event for one in world.apart.values() if one.stage is Stage.SET_APART]
        world.outgoing.denied -= {event.topic for event in by_itself}
        world.outgoing.add_quarantined(sorted(by_itself, key=lambda event: event.sequence))
    final = {number for number, one in world.apart.items() if one.stage is Stage.SET_APART_FOR_GOOD}
    for_good = set(poison) | set(range(500, 7201, 500))
    assert final <= for_good | {number for number in final if "ended" in world.apart[number].reason}
    assert len(final - for_good) <= 3, "taken for the cause while every connection ended"
    assert set(world.taken) | set(world.apart) == set(range(1, 7201))
    assert set(poison) <= final
    assert world.copies - len(world.taken) < 100, "besides the controls a broker gets each event once"


def test_what_is_damaged_in_the_ledger_is_set_apart_and_the_rest_goes_on():
    outgoing = Outgoing(Pace(10))
    whole = [Event(number, f"id-{number}", "t", b"x") for number in (1, 3)]
    outgoing.add([whole[0], Event(2, "id-2", "t", b"y", damage="it is damaged"), whole[1]])
    sent = []
    while (delivery := outgoing.next(0.0)) is not None:
        sent.append(delivery.event)
        outgoing.answered(delivery, delivery.number, Answer.TAKEN, "", 0.0)
    assert sent == whole
    assert [(one.event.sequence, one.reason, one.stage) for one in outgoing.settled] == [
        (2, "it is damaged", Stage.SET_APART_FOR_GOOD)
    ]
    assert outgoing.advance() == 3
