"""A part that stands still is never healthy beyond its deadline."""

from __future__ import annotations

import asyncio
import time

import orjson

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from gateway.ops.health import CHECKPOINT_LIMIT, COMMIT_LIMIT, EVENT_TIME_LIMIT, HISTORY_LIMIT, PUBLISH_LIMIT
from tests.e2e.site import config
from tests.e2e.test_service import get
from tests.support.mosquitto import free_port
from tests.support.wedged import program

LIMITS = {
    "floor": EVENT_TIME_LIMIT,
    "publisher": PUBLISH_LIMIT,
    "checkpoint": CHECKPOINT_LIMIT,
    "commit": COMMIT_LIMIT,
    "history": HISTORY_LIMIT,
}
SLACK = 15.0
"""Seconds beyond the limit: a window, the interval of checkpoints, and a loaded machine."""
LONGER = 10.0
"""Seconds for which it is looked at beyond the first word, where the trial has its full length: it must not be called
healthy again before it moves."""


async def test_a_wedge_is_failing_within_its_deadline_and_as_long_as_it_lasts(
    make_daemon, shared_broker, tmp_path, say, long
):
    """All parts at the same time, each in a gateway of its own: what takes so long is waiting."""
    parts, longer = (list(LIMITS), LONGER) if long else (["floor"], 2.0)
    async with asyncio.TaskGroup() as group:
        found = [group.create_task(wedged(make_daemon, shared_broker.port, tmp_path, part, longer)) for part in parts]
    for part, task in zip(parts, found, strict=True):
        say(f"a {part} that stands still is not healthy", "the part does nothing, without an error", task.result())


async def wedged(make_daemon, broker: int, tmp_path, part: str, longer: float) -> str:
    """What became of a gateway one part of which stood still for a while."""
    async with LlrpEmulator(serials(rate=20), name="door", hold_buffer=100_000) as door:
        port = free_port()
        settings = config(tmp_path / part, broker, {"door": door}) | {"http": {"port": port}, "gateway": part}
        daemon = make_daemon(tmp_path / part, settings)
        wedge = tmp_path / f"{part}-wedge"
        daemon.program = program(part, wedge)
        if part == "checkpoint":
            wedge.touch()  # it takes none from the start
        await daemon.start()
        if part != "checkpoint":
            await health(port, 200, 60)
            wedge.touch()
        reasons, after = await health(port, 503, LIMITS[part] + SLACK, door_is_up=True)
        until = time.monotonic() + longer
        while time.monotonic() < until:
            assert (await get(port, "/healthz"))[0] == 503, f"{part} stands still"
            await asyncio.sleep(0.5)
        wedge.unlink()
        _, well = await health(port, 200, 60)
        assert await daemon.stop() == 0, daemon.log[-2000:]
        return f"503 after {after:.0f} s: {reasons[0]}, and as long as it lasted; 200 again after {well:.1f} s"


async def health(port: int, wanted: int, within: float, *, door_is_up: bool = False) -> tuple[list[str], float]:
    """Waits for an answer with this status; gives its reasons and how long it took."""
    began = time.monotonic()
    while True:
        status, body = await get(port, "/healthz")
        answer = orjson.loads(body)
        if status == wanted and not (door_is_up and "no reader is up" in answer["reasons"]):
            return answer["reasons"], time.monotonic() - began
        assert time.monotonic() - began < within, f"after {within:.0f} s still {status}: {answer}"
        await asyncio.sleep(0.2)
