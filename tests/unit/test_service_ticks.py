"""When time is told: as soon as a window has waited long enough, and not in vain."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from drivers.api import Batch, ReaderUp
from gateway.clock import SECOND
from gateway.config import Config
from gateway.inputs import Command
from gateway.service.pipeline import Pipeline
from tests.support.gate_scene import manifest_args
from tests.support.service_scene import Clock, config, storage

DOCK: dict[str, Any] = {
    "portals": [{"id": "door", "inside": "vault", "outside": None}],
    "docks": [{"id": "dock-1", "portal": "door"}],
}
TAG = bytes.fromhex("1A4060300048D3D000000001")


def told(clock: Clock, pipeline: Pipeline, times: int) -> list[int]:
    """The event times at which time is told, when it should be, so many times."""
    made = []
    for _ in range(times):
        clock.pass_(pipeline.until_tick)
        pipeline.tick()
        made.append(pipeline.last_tick)
    return made


@contextlib.asynccontextmanager
async def running(site: Config, clock: Clock) -> AsyncIterator[Pipeline]:
    async with storage(site, clock, structlog.testing.CapturingLogger()) as (_, pipeline):
        yield pipeline


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("window", [0.25, 0.1, 0.2])
@pytest.mark.parametrize("lateness", [0.0, 0.13, 1.0])
async def test_it_is_told_once_for_each_window_when_that_has_waited_for_late_reads(
    tmp_path: Path, clock: Clock, window: float, lateness: float
) -> None:
    site = config(tmp_path, floor={"window": window, "lateness": lateness})
    async with running(site, clock) as pipeline:
        clock.pass_(0.07)
        pipeline.tick()
        width = round(window * SECOND)
        times = told(clock, pipeline, 20)
        assert [t % width for t in times] == [round(lateness * SECOND) % width] * 20
        assert times[-1] - times[0] == 19 * width


async def test_what_was_read_is_stated_by_the_tick_that_closes_its_window(tmp_path: Path, clock: Clock) -> None:
    site = config(tmp_path, presence={"dwell": 0}, floor={"lateness": 0.1})
    async with running(site, clock) as pipeline:
        pipeline.take(ReaderUp("r1", clock.t))
        told(clock, pipeline, 8)
        begin = (clock.t // 250_000 + 1) * 250_000
        clock.pass_((begin + 20_000 - clock.t) / SECOND)
        pipeline.tick()
        pipeline.take(Batch("r1", clock.t, [(TAG, 1, -60, 0, clock.t, 1)]))
        times = []
        while "rfid.movement.v1" not in pipeline.floor.stats.events:
            times += told(clock, pipeline, 1)
        assert times == [begin + 100_000, begin + 350_000]


async def test_wide_windows_do_not_keep_lamps_and_pages_waiting(tmp_path: Path, clock: Clock) -> None:
    site = config(tmp_path, floor={"window": 5.0})
    async with running(site, clock) as pipeline:
        times = told(clock, pipeline, 60)
        assert max(late - early for early, late in itertools.pairwise(times)) <= 0.25 * SECOND


async def test_a_dock_that_loads_is_looked_at_more_often(tmp_path: Path, clock: Clock) -> None:
    async with running(config(tmp_path, floor={"lateness": 0}, **DOCK), clock) as pipeline:
        pipeline.tick()
        assert pipeline.until_tick == 0.25
        pipeline.command(Command(clock.t, "manifest", manifest_args({1: {}})))
        pipeline.command(Command(clock.t, "gate.open", {"dock": "dock-1", "by": "ann"}))
        told(clock, pipeline, 1)
        assert [t % 250_000 for t in told(clock, pipeline, 6)] == [100_000, 200_000, 0] * 2
        pipeline.command(Command(clock.t, "gate.close", {"dock": "dock-1"}))
        told(clock, pipeline, 8)
        assert [t % 250_000 for t in told(clock, pipeline, 4)] == [0] * 4


async def test_a_dock_that_loads_is_never_looked_at_less_often_than_others(tmp_path: Path, clock: Clock) -> None:
    site = config(tmp_path, floor={"window": 5.0, "tick": 5.0, "lateness": 0}, **DOCK)
    async with running(site, clock) as pipeline:
        pipeline.tick()
        pipeline.command(Command(clock.t, "manifest", manifest_args({1: {}})))
        pipeline.command(Command(clock.t, "gate.open", {"dock": "dock-1", "by": "ann"}))
        times = told(clock, pipeline, 40)
        assert pipeline.floor.gate.warnings.are_on
        assert max(late - early for early, late in itertools.pairwise(times)) <= 0.25 * SECOND


async def test_a_checkpoint_that_is_being_taken_does_not_put_it_off_for_long(tmp_path: Path, clock: Clock) -> None:
    async with running(config(tmp_path), clock) as pipeline:
        pipeline.tick()
        pipeline.begin_checkpoint()
        assert pipeline.until_tick < 0.05
        pipeline.finish_checkpoint()
