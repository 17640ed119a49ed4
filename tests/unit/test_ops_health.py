"""When the watchdog goes unfed and what /healthz answers, on a clock that the test turns."""

from __future__ import annotations

import pytest

from gateway.ops.health import COMMIT_LIMIT, TURN_LIMIT, Health, ReaderState

UP = ReaderState("dock-a", up=True)
DOWN = ReaderState("dock-b", up=False, detail="no route to host")


class Gateway:
    """Everything that health looks at, as plain attributes."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waiting = self.committed = 0
        self.readers = [UP]
        self.broker = self.held = ""
        self.health = Health(
            ledger=lambda: (self.waiting, self.committed),
            readers=lambda: self.readers,
            broker=lambda: self.broker,
            held_back=lambda: self.held,
            monotonic=lambda: self.time,
        )

    def turn(self, seconds: float) -> None:
        """Ticks ten times a second for `seconds`."""
        for _ in range(round(seconds * 10)):
            self.time += 0.1
            self.health.turned()


@pytest.fixture
def gateway():
    return Gateway()


def test_a_quiet_gateway_makes_progress(gateway):
    gateway.turn(10 * COMMIT_LIMIT)
    assert gateway.health.progress()
    assert gateway.health.report() == (200, {"status": "ok", "reasons": [], "readers": {"dock-a": "up"}})


def test_a_pipeline_that_stops_is_no_progress(gateway):
    gateway.turn(1)
    gateway.time += TURN_LIMIT + 1
    assert not gateway.health.progress()
    assert gateway.health.report()[0] == 503
    assert gateway.health.report()[1]["reasons"] == ["the pipeline has not moved for 11 s"]
    gateway.turn(0.1)
    assert gateway.health.progress()


def test_a_ledger_that_commits_nothing_is_no_progress_though_the_loop_turns(gateway):
    gateway.turn(1)
    gateway.waiting = 5
    gateway.turn(COMMIT_LIMIT - 1)
    assert gateway.health.progress()
    gateway.turn(2)
    assert not gateway.health.progress()
    assert gateway.health.report()[1]["reasons"] == ["the ledger has not committed for 31 s what it was given"]
    gateway.committed = 5
    gateway.turn(0.1)
    assert gateway.health.progress()


def test_a_ledger_that_is_always_behind_and_moves_makes_progress(gateway):
    gateway.waiting = 5
    for _ in range(10):
        gateway.committed += 1
        gateway.turn(COMMIT_LIMIT / 2)
        assert gateway.health.progress()


def test_work_queued_after_a_long_quiet_time_gets_its_full_time(gateway):
    gateway.turn(10 * COMMIT_LIMIT)
    gateway.waiting = 1
    gateway.turn(COMMIT_LIMIT - 1)
    assert gateway.health.progress()


def test_more_work_does_not_give_the_work_that_waits_more_time(gateway):
    gateway.waiting = 3
    gateway.turn(COMMIT_LIMIT - 1)
    gateway.waiting = 4
    gateway.turn(2)
    assert not gateway.health.progress()


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
