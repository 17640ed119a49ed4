"""Event time over clocks that somebody sets: it never goes back, never stands, and says how far it was set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Batch, ClockQuality, ReaderAlive, ReaderClock, ReaderLoss
from gateway.clock import MILLISECOND, SECOND
from gateway.inputs import ClockStep
from gateway.service.event_clock import SLEW, STEP, EventClock
from tests.support.machine import HOUR, START
from tests.support.machine import Machine as Clocks


class Machine(Clocks):
    """A machine and the clock of a process that runs on it since its start."""

    def __init__(self, wall: int = START) -> None:
        super().__init__(wall)
        self.clock = super().clock()


def test_without_a_step_it_is_the_wall_clock():
    machine = Machine()
    machine.pass_time(5 * SECOND)
    assert (machine.clock.look(), machine.clock.now(), machine.clock.lead) == (None, machine.wall, 0)


def test_set_forward_it_jumps_with_the_wall_clock_when_it_looks():
    machine = Machine()
    machine.set_wall(HOUR)
    assert machine.clock.now() == START
    assert machine.clock.look() == ClockStep(START + HOUR, HOUR, HOUR, "set")
    assert (machine.clock.look(), machine.clock.now()) == (None, START + HOUR)


def test_set_back_it_goes_on_in_its_own_time():
    machine = Machine()
    machine.set_wall(-HOUR)
    assert machine.clock.look() == ClockStep(START, -HOUR, 0, "set")
    machine.pass_time(SECOND)
    assert machine.clock.now() == START + SECOND
    assert machine.clock.lead == HOUR


def test_what_was_set_back_is_taken_off_what_is_set_forward():
    machine = Machine()
    machine.set_wall(-HOUR)
    machine.clock.look()
    machine.set_wall(HOUR + 3 * SECOND)
    assert machine.clock.look() == ClockStep(START + 3 * SECOND, HOUR + 3 * SECOND, 3 * SECOND, "set")
    assert machine.clock.lead == 0


def test_a_lead_is_repaid_slowly():
    machine = Machine()
    machine.set_wall(-SECOND)
    machine.clock.look()
    for _ in range(1_000):
        before = machine.clock.now()
        machine.pass_time(2 * SECOND)
        machine.clock.look()
        assert machine.clock.now() - before >= 2 * SECOND - 2 * SECOND // SLEW
    assert machine.clock.lead == 0
    assert machine.clock.now() == machine.wall


def test_two_readings_that_differ_a_little_date_nothing():
    machine = Machine()
    for number in range(200):
        machine.set_wall(3 if number % 2 else -3)
        machine.pass_time(SECOND)
        machine.clock.look()
        batch = Batch("dock", machine.clock.steady(), [])
        assert machine.clock.dated(batch).offset == 0


def test_a_small_difference_is_no_step_and_many_are_one():
    machine = Machine()
    steps = []
    for _ in range(5):
        machine.set_wall(STEP // 2 - 1)
        steps.append(machine.clock.look())
    assert [step is not None for step in steps] == [False, False, True, False, False]


def test_it_jumps_in_whole_windows():
    machine = Machine()
    machine.clock.grain = 250 * MILLISECOND
    machine.set_wall(HOUR + 400 * MILLISECOND)
    step = machine.clock.look()
    assert step is not None
    assert (step.by, step.jump) == (HOUR + 400 * MILLISECOND, HOUR + 250 * MILLISECOND)
    assert machine.clock.lead == -150 * MILLISECOND


def test_a_machine_that_was_asleep_says_so():
    machine = Machine()
    machine.sleep(HOUR)
    step = machine.clock.look()
    assert step == ClockStep(START + HOUR, HOUR, HOUR, "suspended")
    machine.set_wall(HOUR)
    step = machine.clock.look()
    assert step is not None
    assert step.cause == "set"


@pytest.mark.parametrize("behind", [20 * SECOND, START])
def test_after_a_start_it_goes_on_behind_the_last_run(behind):
    machine = Machine(START - behind)
    assert machine.clock.seed(START) == ClockStep(START, -behind, 0, "behind")
    machine.pass_time(SECOND)
    assert (machine.clock.look(), machine.clock.now(), machine.clock.lead) == (None, START + SECOND - 500, behind - 500)


def test_a_last_run_in_the_past_changes_nothing():
    machine = Machine()
    assert machine.clock.seed(START - HOUR) is None
    assert machine.clock.now() == START


def test_a_busy_machine_is_not_taken_for_a_step():
    machine = Machine()

    def wall() -> int:
        machine.pass_time(SECOND)  # something else ran between the two readings
        return machine.wall

    busy = EventClock(wall, lambda: machine.mono, lambda: machine.boot)
    assert busy.look() is None


@given(st.lists(st.tuples(st.sampled_from(["pass", "set", "sleep"]), st.integers(-(10**15), 10**15)), max_size=40))
def test_it_never_goes_back_and_goes_on_as_fast_as_the_monotonic_clock(happened):
    machine = Machine()
    clock = machine.clock
    for what, amount in happened:
        before, mono = clock.now(), machine.mono
        match what:
            case "pass":
                machine.pass_time(abs(amount) % HOUR)
            case "set":
                machine.set_wall(amount)
            case _:
                machine.sleep(abs(amount))
        step = clock.look()
        passed = machine.mono - mono
        went = clock.now() - before - (step.jump if step else 0)
        assert abs(went - passed) <= passed // SLEW + 1
        assert clock.now() >= machine.wall - STEP


def test_what_drivers_say_is_brought_to_event_time():
    machine = Machine()
    machine.set_wall(HOUR)
    machine.clock.look()
    t = machine.clock.steady()
    assert machine.clock.dated(ReaderAlive("r", t)) == ReaderAlive("r", t + HOUR)
    assert machine.clock.dated(ReaderLoss("r", t, t - 2, t - 1, "x")) == ReaderLoss(
        "r", t + HOUR, t + HOUR - 2, t + HOUR - 1, "x"
    )
    clock = ReaderClock("r", t, ClockQuality.CORRECTED, -5)
    assert machine.clock.dated(clock) == ReaderClock("r", t + HOUR, ClockQuality.CORRECTED, HOUR - 5)
    batch = machine.clock.dated(Batch("r", t, [(b"e", 1, -60, 0, t - 9, 1)]))
    assert isinstance(batch, Batch)
    assert (batch.arrival, batch.rows[0][4] + batch.offset) == (t + HOUR, t + HOUR - 9)


def test_age_runs_whatever_becomes_of_the_clocks():
    machine = Machine()
    assert machine.clock.age() == 0, "nothing is old before it is known how old it may be"
    machine.clock.seed_age(START - HOUR)
    machine.set_wall(10_000 * HOUR)
    machine.clock.look()
    machine.pass_time(SECOND)
    assert machine.clock.age() == START - HOUR + SECOND
