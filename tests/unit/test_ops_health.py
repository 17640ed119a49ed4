"""When the watchdog goes unfed and what /healthz answers, on a clock that the test turns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.ops.health import (
    CHECKPOINT_LIMIT,
    COMMIT_LIMIT,
    EVENT_TIME_LIMIT,
    HANG,
    PUBLISH_LIMIT,
    TURN_LIMIT,
    Health,
    ReaderState,
    Standing,
)

UP = ReaderState("dock-a", up=True)
DOWN = ReaderState("dock-b", up=False, detail="no route to host")
WINDOW = 0.25
IDLE = Standing(
    event_time=0,
    queued=0,
    committed=0,
    commits=0,
    pending=0,
    published=0,
    connected=True,
    connects=1,
    answers=1,
    checkpoint_due=False,
    checkpoints=1,
    checkpoint_attempts=1,
    remembered=10**9,
)


class Gateway:
    """Everything that health looks at, as plain attributes. Event time runs unless it `stands`."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.at = IDLE
        self.stands = False
        self.readers = [UP]
        self.broker = self.held = ""
        self.worries: list[str] = []
        self.health = Health(
            standing=lambda: self.at,
            window=WINDOW,
            readers=lambda: self.readers,
            broker=lambda: self.broker,
            held_back=lambda: self.held,
            worries=lambda: self.worries,
            monotonic=lambda: self.time,
        )

    def turn(self, seconds: float, **changes: int) -> None:
        """Ticks ten times a second for `seconds`, with everything as before but for `changes`."""
        self.at = replace(self.at, **changes)
        for _ in range(round(seconds * 10)):
            self.time += 0.1
            self.at = replace(self.at, event_time=self.at.event_time + (not self.stands))
            self.health.turned()

    @property
    def reasons(self) -> list[str]:
        status, body = self.health.report()
        assert (status == 503) == (body["status"] == "failing")
        return body["reasons"]


@pytest.fixture
def gateway():
    return Gateway()


def test_a_quiet_gateway_makes_progress(gateway):
    gateway.turn(10 * COMMIT_LIMIT)
    assert gateway.health.progress()
    assert gateway.health.report() == (
        200,
        {"status": "ok", "reasons": [], "readers": {"dock-a": "up"}},
    )


def test_a_pipeline_that_stops_is_no_progress(gateway):
    gateway.turn(1)
    gateway.time += TURN_LIMIT + 1
    assert not gateway.health.progress()
    assert gateway.reasons == ["the pipeline has not moved for 11 s"]
    gateway.turn(0.6)
    assert gateway.health.progress()


BUSY = {
    "event time": (EVENT_TIME_LIMIT + WINDOW, {}, {"event_time": 10**9}, "event time has been standing"),
    "commit": (COMMIT_LIMIT, {"queued": 5}, {"committed": 5}, "the ledger has not committed"),
    "checkpoint": (CHECKPOINT_LIMIT, {"checkpoint_due": True}, {"checkpoints": 2}, "a checkpoint has been due"),
    "publishing": (PUBLISH_LIMIT, {"pending": 5}, {"published": 1}, "the broker has taken none"),
}


@pytest.mark.parametrize("what", BUSY)
def test_what_stands_still_longer_than_its_deadline_is_failing_and_then_hangs(gateway, what):
    limit, work, moves, why = BUSY[what]
    gateway.turn(5 * CHECKPOINT_LIMIT)
    gateway.stands = what == "event time"
    gateway.turn(limit - 0.5, **work)
    assert gateway.reasons == []
    gateway.turn(1)
    assert len(gateway.reasons) == 1
    assert why in gateway.reasons[0]
    gateway.turn(limit * HANG)
    assert not gateway.health.progress()
    gateway.stands = False
    gateway.turn(0.6, **moves)
    assert gateway.health.progress()
    assert gateway.reasons == []


@pytest.mark.parametrize(
    ("what", "tries"), [("commit", "commits"), ("checkpoint", "checkpoint_attempts"), ("publishing", "answers")]
)
def test_what_tries_and_fails_is_failing_and_is_not_mended_by_a_restart(gateway, what, tries):
    limit, work, _, why = BUSY[what]
    for number in range(2, 20):
        gateway.turn(limit / 2, **work, **{tries: number})
        assert gateway.health.progress()
    assert why in gateway.reasons[0]


@pytest.mark.parametrize("what", ["commit", "checkpoint", "publishing"])
def test_what_is_always_behind_and_moves_is_well(gateway, what):
    limit, work, moves, _ = BUSY[what]
    (mark, _), *_ = moves.items()
    for number in range(2, 12):
        gateway.turn(limit / 2, **work, **{mark: number})
        assert gateway.health.progress()
        assert gateway.reasons == []


def test_work_queued_after_a_long_quiet_time_gets_its_full_time(gateway):
    gateway.turn(10 * COMMIT_LIMIT)
    gateway.turn(COMMIT_LIMIT - 1, queued=1)
    assert gateway.health.progress()


def test_more_work_does_not_give_the_work_that_waits_more_time(gateway):
    gateway.turn(COMMIT_LIMIT - 1, queued=3)
    gateway.turn(2, queued=4)
    assert not gateway.health.progress()


def test_a_history_that_stands_still_is_failing_and_no_reason_to_restart(gateway):
    gateway.turn(1, committed=5, remembered=0)
    for _ in range(58):
        gateway.turn(1)
    assert gateway.health.report()[0] == 200
    for _ in range(400):
        gateway.turn(1)
    status, said = gateway.health.report()
    assert (status, "alarms and pages are as old" in said["reasons"][0]) == (503, True)
    assert gateway.health.progress()
    gateway.turn(1, remembered=5)
    assert gateway.health.report()[0] == 200


def test_events_that_wait_for_a_broker_that_is_away_are_not_late(gateway):
    gateway.broker = "not connected"
    gateway.turn(PUBLISH_LIMIT * 10, pending=5, connected=False)
    assert gateway.reasons == ["the broker is away, events are kept: not connected"]
    assert gateway.health.progress()


def test_a_broker_that_comes_and_goes_and_takes_nothing_is_late(gateway):
    for number in range(2, 10):
        gateway.turn(PUBLISH_LIMIT / 4, pending=5, connected=True, connects=number, answers=number)
        gateway.turn(1, connected=False)
    assert "the broker has taken none" in gateway.reasons[0]
    assert gateway.health.progress()


@pytest.mark.parametrize(
    ("changes", "status", "word", "reasons"),
    [
        ({"readers": [UP, DOWN]}, 200, "degraded", ["reader dock-b is down: no route to host"]),
        (
            {"readers": [DOWN]},
            503,
            "failing",
            ["no reader is up", "reader dock-b is down: no route to host"],
        ),
        ({"readers": []}, 200, "ok", []),
        (
            {"readers": [UP, ReaderState("new", up=False)]},
            200,
            "degraded",
            ["reader new is down: not connected yet"],
        ),
        (
            {"broker": "connection refused"},
            200,
            "degraded",
            ["the broker is away, events are kept: connection refused"],
        ),
        ({"worries": ["the clock is behind"]}, 200, "degraded", ["the clock is behind"]),
        ({"held": "the ledger is full"}, 503, "failing", ["readers are held back: the ledger is full"]),
    ],
)
def test_what_a_person_should_know(gateway, changes, status, word, reasons):
    for name, value in changes.items():
        setattr(gateway, name, value)
    gateway.turn(1)
    found, body = gateway.health.report()
    assert (found, body["status"], body["reasons"]) == (status, word, reasons)
    assert gateway.health.progress()  # none of these is mended by a restart
