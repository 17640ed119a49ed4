"""The shell around the floor, part by part: pipeline, commands, retained topics, outputs, health. Fakes for what is
outside; ledger and journal are real, the clock is the test's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import structlog

from drivers.api import DriverError, ReaderCondition
from gateway.errors import Refused
from gateway.inputs import Command, Restart
from gateway.readers.fleet import Readers
from gateway.service.commands import Commands
from gateway.service.monitor import Vitals
from gateway.service.outputs import Lights
from gateway.service.retained_names import RetainedNames
from gateway.service.state_topics import StateTopics
from tests.support.service_scene import Clock, FakeDrivers, FakeMqtt, config, storage

TAG = "1A4060300048D3D000000001"
QUIET: Any = structlog.testing.CapturingLogger


class Site(SimpleNamespace):
    """A running shell; `steps` lets readers read and time go on."""

    async def steps(self, number: int, *, tag: str = TAG) -> None:
        """So many quarters of a second, in each of which the first reader reads the tag."""
        for _ in range(number):
            await asyncio.sleep(0)
            self.drivers["r1"].reads(tag)
            self.clock.pass_(0.25)
            self.pipeline.tick()

    async def events(self) -> list[dict[str, Any]]:
        """The data of the events that are on disk."""
        await self.ledger.flush()
        return [orjson.loads(event.payload)["data"] for event in await self.ledger.read(0, 100, 1 << 20)]


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    log = QUIET()
    log.bind = lambda **fields: log
    drivers, clock, present = FakeDrivers(monkeypatch), Clock(), config(tmp_path)
    async with storage(present, clock, log) as (kept, pipeline), asyncio.TaskGroup() as group:
        readers = Readers(group, pipeline.hear, clock.steady, log)
        alarms = SimpleNamespace(known=False, number=0, problem=lambda: "", by_state=dict, losses=lambda *_: [])
        history = SimpleNamespace(sequence=0, problem="")
        it = Site(config=present, drivers=drivers, clock=clock, ledger=kept.ledger, pipeline=pipeline, readers=readers)
        it.alarms, it.history, it.log, it.mqtt = alarms, history, log, FakeMqtt(present)
        it.logs, it.page = SimpleNamespace(dropped=0), SimpleNamespace(trouble=SimpleNamespace(words=list))
        it.commands = Commands(pipeline, readers, history, alarms, clock.now)  # type: ignore[arg-type]
        await readers.apply(present.readers)
        for _ in range(3):
            await asyncio.sleep(0)
        yield it
        await readers.stop()


# ---- pipeline


async def test_what_is_read_is_journalled_judged_and_on_disk(site: Site) -> None:
    await site.steps(40)
    assert [data["movement"] for data in await site.events()] == ["arrived"]
    assert site.pipeline.floor.zone_state("vault")["population"] == 1


async def test_a_checkpoint_is_due_at_its_time_and_lets_the_journal_go(site: Site) -> None:
    site.pipeline.tick()
    position = site.pipeline.checkpoint()
    assert site.pipeline.checkpoint_missing, "taken, and not on disk"
    assert not site.pipeline.checkpoint_due
    site.pipeline.release(position)
    assert not site.pipeline.checkpoint_missing
    site.clock.pass_(site.config.ledger.checkpoint_every)
    site.pipeline.tick()
    assert site.pipeline.checkpoint_due


async def test_time_waits_while_a_checkpoint_is_being_taken(site: Site) -> None:
    site.pipeline.tick()
    before = site.pipeline.last_tick
    site.pipeline.begin_checkpoint()
    site.clock.pass_(1)
    site.pipeline.tick()
    assert site.pipeline.last_tick == before
    for _ in site.pipeline.slices():
        pass
    site.pipeline.tick()
    assert site.pipeline.last_tick > before


async def test_who_waits_for_the_disk_is_told_when_a_checkpoint_is_there(site: Site) -> None:
    site.pipeline.tick()
    position = site.pipeline.take(Command(site.clock.now(), "access", {"door": "d", "action": "granted"}))
    waiting = asyncio.ensure_future(site.pipeline.safe(position))
    await asyncio.sleep(0)
    assert not waiting.done()
    site.pipeline.release(site.pipeline.checkpoint())
    await asyncio.wait_for(waiting, 60)


async def test_a_ledger_without_room_holds_the_readers_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.pipeline.congestion == ""
    monkeypatch.setattr(type(site.ledger), "room", False)
    assert "the ledger has no room" in site.pipeline.congestion
    monkeypatch.setattr(type(site.ledger), "problem", "ledger.db was deleted")
    assert site.pipeline.congestion == "the ledger has no room: ledger.db was deleted"


# ---- commands


async def test_a_command_is_an_input_of_the_floor_and_its_answer_says_when(site: Site) -> None:
    answer = await site.commands.handle("access", {"door": "north", "action": "granted"})
    assert set(answer) == {"accepted"}
    assert [data["door"] for data in await site.events()] == ["north"]


@pytest.mark.parametrize(
    ("name", "args", "why"),
    [
        ("nothing", {}, "there is no command 'nothing'"),
        ("manifest.refused", {}, "there is no command"),  # what only the gateway itself says
        ("access", {"door": "north"}, "access: action"),
        ("output", {"reader": "r1", "port": 0, "state": True}, "output: port: must be greater"),
        ("output", {"reader": "r9", "port": 1, "state": True}, "r9"),
        ("status", {"more": 1}, "more is unknown: write one of request"),
    ],
)
async def test_a_command_that_is_wrong_is_refused_and_changes_nothing(
    site: Site, name: str, args: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await site.commands.handle(name, args)
    assert await site.events() == []


async def test_status_has_the_status_of_every_reader(site: Site) -> None:
    answer = await site.commands.handle("status", {})
    assert answer["readers"] == {name: {"status": "up", "error": ""} for name in ("r1", "r2")}


async def test_an_output_is_switched_or_the_reason_is_given(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"reader": "r1", "port": 3, "state": True}
    assert await site.commands.handle("output", wanted) == wanted
    assert site.drivers["r1"].outputs == {3: True}
    monkeypatch.setattr(site.drivers["r1"], "set_output", failing)
    with pytest.raises(Refused, match="output 3 of reader r1 was not switched: no wire"):
        await site.commands.handle("output", wanted)


async def test_nothing_is_taken_once_the_gateway_stops(site: Site) -> None:
    site.commands.close()
    with pytest.raises(Refused, match="the gateway is stopping"):
        await site.commands.handle("access", {"door": "north", "action": "granted"})


async def failing(port: int, state: bool) -> None:
    raise DriverError("no wire")


# ---- retained topics


async def test_the_retained_topics_say_what_is_true_and_what_is_gone_is_cleared(site: Site) -> None:
    site.pipeline.retained = RetainedNames(["state/zone/vault", "state/zone/once"])
    topics = StateTopics(site.mqtt.board, site.pipeline, site.ledger, site.readers, site.alarms)
    await site.steps(40)
    topics.update(site.config)
    retained = site.mqtt.retained()
    assert orjson.loads(retained["state/zone/vault"])["population"] == 1
    assert orjson.loads(retained["state/reader/r1"])["status"] == "up"
    assert retained["state/zone/once"] == b""
    assert "state/zone/once" in site.pipeline.retained.names, "until the broker has forgotten it"


async def test_what_was_retained_under_a_former_name_is_to_be_cleared(site: Site) -> None:
    site.pipeline.retained = RetainedNames(["state/zone/vault"], base="rfid/v1/once/dock/")
    StateTopics(site.mqtt.board, site.pipeline, site.ledger, site.readers, site.alarms)
    former = site.mqtt.board.elsewhere()
    assert {"rfid/v1/once/dock/state/gateway", "rfid/v1/once/dock/state/zone/vault"} < set(former)
    kept = RetainedNames.load(site.pipeline.retained.dump())
    assert (kept.base, kept.former) == (site.mqtt.board.base, former)
    kept.at("rfid/v1/once/dock/")
    assert kept.former == [f"base/state/{name}" for name in ("gateway", "ledger", "alarms")], "it has its name again"


def test_the_names_that_an_earlier_release_saved_are_of_no_former_name() -> None:
    kept = RetainedNames.load('["state/zone/vault"]')
    kept.at("rfid/v1/site/dock/")
    assert (kept.names, kept.former) == (["state/zone/vault"], [])


async def test_counts_alone_are_published_now_and_then_and_with_whatever_else_is_new(site: Site) -> None:
    topics = StateTopics(site.mqtt.board, site.pipeline, site.ledger, site.readers, site.alarms)

    def said() -> dict[str, Any]:
        topics.update(site.config)
        state: dict[str, Any] = orjson.loads(site.mqtt.retained()["state/reader/r1"])
        return state

    first = said()
    await site.steps(30)
    assert said()["reads"] == first["reads"], "7.5 s"
    await site.steps(12)
    later = said()
    assert later["reads"] > first["reads"]
    await site.steps(4)
    site.drivers["r1"].context.sink(ReaderCondition("r1", site.clock.now(), "throttled", active=True))
    await site.steps(1)
    assert said()["reads"] > later["reads"], "it is hot, which is said at once"


# ---- outputs


@pytest.mark.looptime
async def test_an_output_is_switched_again_until_it_is_as_wanted_and_said_once() -> None:
    outputs: dict[int, bool] = {}
    tries: list[float] = []

    async def set_output(port: int, state: bool) -> None:
        tries.append(asyncio.get_running_loop().time())
        if len(tries) < 4:
            raise DriverError("no wire")
        outputs[port] = state

    log = QUIET()
    gate = SimpleNamespace(outputs=lambda: [("r1", 5, True)], outputs_unlit=dict)
    readers = SimpleNamespace(get=lambda reader: SimpleNamespace(driver=SimpleNamespace(set_output=set_output)))
    lights = Lights(lambda: gate, readers, log)  # type: ignore[arg-type,return-value]
    running = asyncio.ensure_future(lights.run())
    lights.look()
    await asyncio.sleep(30)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert outputs == {5: True}
    assert [round(when - tries[0]) for when in tries] == [0, 1, 2, 3], "and not once more when it is done"
    assert len(log.calls) == 1


@pytest.mark.looptime
async def test_a_reader_that_does_not_answer_keeps_no_light_of_another_dark() -> None:
    switched: list[tuple[str, float]] = []

    def driver_of(reader: str) -> SimpleNamespace:
        async def set_output(port: int, state: bool) -> None:
            await asyncio.sleep(20 if reader == "slow" else 0)
            switched.append((reader, asyncio.get_running_loop().time() - began))

        return SimpleNamespace(driver=SimpleNamespace(set_output=set_output))

    gate = SimpleNamespace(outputs=lambda: [("slow", 1, True), ("quick", 1, True)], outputs_unlit=dict)
    lights = Lights(lambda: gate, SimpleNamespace(get=driver_of), QUIET())  # type: ignore[arg-type,return-value]
    running = asyncio.ensure_future(lights.run())
    began = asyncio.get_running_loop().time()
    lights.look()
    await asyncio.sleep(5)
    gate.outputs = lambda: [("quick", 1, False)]
    lights.look()
    await asyncio.sleep(30)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert [(reader, round(when)) for reader, when in switched] == [("quick", 0), ("quick", 5), ("slow", 20)]


@pytest.mark.looptime
async def test_an_output_that_is_no_docks_any_more_is_switched_off() -> None:
    outputs: dict[tuple[str, int], bool] = {}

    class Fleet(dict[str, Any]):
        def __iter__(self) -> Any:
            return iter([SimpleNamespace(reader="r1")])

        def get(self, reader: str) -> Any:  # type: ignore[override]
            async def set_output(port: int, state: bool) -> None:
                outputs[reader, port] = state

            assert reader == "r1", "what is gone is not asked"
            return SimpleNamespace(driver=SimpleNamespace(set_output=set_output))

    green, interlock, gone = ("r1", 3), ("r1", 4), ("r9", 1)
    shown = {green: True, interlock: False, gone: True}
    gate = SimpleNamespace(outputs=lambda: [(*at, level) for at, level in shown.items() if at != gone])
    gate.outputs_unlit = lambda: {at: not level for at, level in shown.items()}
    lights = Lights(lambda: gate, Fleet(), QUIET())  # type: ignore[arg-type,return-value]
    running = asyncio.ensure_future(lights.run())
    lights.look()
    await asyncio.sleep(1)
    assert outputs == {green: True, interlock: False}
    gate.outputs_of, gate.outputs_unlit = list, dict
    lights.restart()
    await asyncio.sleep(1)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert outputs == {green: False, interlock: True}


# ---- health and metrics


async def test_health_and_metrics_are_of_the_parts_as_they_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    vitals = Vitals(site, site.log)  # type: ignore[arg-type]
    await site.steps(40)
    shown = vitals.snapshot()
    assert shown.zones == {"vault": 1, "dock": 0}
    assert [(figures.reader, figures.up) for figures in shown.readers] == [("r1", True), ("r2", True)]
    assert vitals.health.report()[0] == 200
    site.mqtt.connected = False
    site.mqtt.worried.append("the MQTT broker does not let the gateway subscribe")
    site.alarms.number = 2
    site.alarms.losses = lambda now, within: ["reads of r1 lost"]
    worries = orjson.dumps(vitals.health.report()[1]).decode()
    assert "not connected" in worries
    assert "does not let the gateway subscribe" in worries
    assert "2 alarms are open" in worries
    assert "reads of r1 lost" in worries
    monkeypatch.setattr(type(site.ledger), "room", False)
    assert vitals.health.report()[0] == 503


async def test_a_restart_is_said_to_the_floor_like_any_other_input(site: Site) -> None:
    await site.steps(4)
    now = site.clock.now()
    site.pipeline.take(Restart(now, now - 1, clean=True))
    assert site.pipeline.floor.reader_state("r1")["status"] == "down"
