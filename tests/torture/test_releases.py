"""Upgrade and downgrade of the daemon: a newer release takes over, an older one says so and touches nothing."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import PACKAGE_PREFIX, population, serials
from tests.e2e.site import BASE, config, events_of, movements, recorded, replayed, told
from tests.e2e.test_service import get
from tests.support.mosquitto import free_port
from tests.support.newer_release import PROGRAM
from tests.support.release_files import laid_out
from tests.support.subscriber import Subscriber, until
from tests.torture.test_weather import status

RELEASES = sorted(Path(__file__).parents[1].joinpath("fixtures", "releases").iterdir())
STANDING = 10


async def test_an_upgrade_moves_nothing_and_a_downgrade_is_refused_until_it_is_made_up_for(
    make_daemon, broker, tmp_path, say, long
):
    rounds = 3 if long else 1
    async with (
        LlrpEmulator(population(STANDING, rate=100), name="vault", hold_buffer=100_000) as vault,
        LlrpEmulator(serials(rate=20), name="door", hold_buffer=100_000) as door,
    ):
        health = free_port()
        settings = config(tmp_path / "gateway", broker.port, {"vault": vault, "door": door})
        daemon = make_daemon(tmp_path / "gateway", settings | {"http": {"port": health}})
        this = daemon.program
        with (
            Subscriber(broker.port, BASE + "events/#") as seen,
            Subscriber(broker.port, BASE + "state/gateway", client_id="watcher") as state,
        ):
            await daemon.start()
            await seen.until(lambda s: len(movements(events_of(s), PACKAGE_PREFIX)) >= STANDING, 60)
            for _ in range(rounds):
                await daemon.kill()
                daemon.program = PROGRAM
                await daemon.start()
                before = len(events_of(seen))
                await seen.until(lambda s, before=before: len(events_of(s)) >= before + 20, 60)
                assert await daemon.stop() == 0, daemon.log[-4000:]
                daemon.program = this
                await daemon.start()
                reasons = await status(health, 503)
                assert "install that release again" in reasons
                await until(lambda: state.last(BASE + "state/gateway")["status"] == "failing", 60)
                assert not vault.connected
                await daemon.kill()
                daemon.program = PROGRAM
                await daemon.start()
            await door.until(lambda: door.connected and vault.connected, 60)
            door.switch_off()
            assert await daemon.stop() == 0, daemon.log[-4000:]
            expected = await replayed(daemon.config_file, recorded(daemon.directory / "reads"))
            await seen.until(lambda s: len(events_of(s)) >= len(expected), 120)
            events = events_of(seen)
    assert told(events) == told(expected)
    assert [movement for movement, _ in movements(events, PACKAGE_PREFIX)] == ["arrived"] * STANDING
    say(
        "an upgrade moves nothing, a downgrade is refused and harms nothing",
        f"{rounds} times: SIGKILL, a release with newer formats takes over, this one is put back, and the newer again",
        f"503 with what to install; {len(events)} events, equal to the replay of the recording",
    )


async def test_what_each_release_left_is_taken_over_by_the_daemon(make_daemon, broker, tmp_path, say):
    taken = []
    for release in RELEASES:
        folder = tmp_path / release.name
        health = free_port()
        own = {"mqtt": {"port": broker.port, "root": release.name}, "http": {"port": health}}
        daemon = make_daemon(folder, YAML(typ="safe").load(release / "config.yaml") | own)
        laid_out(release, folder)
        with Subscriber(broker.port, f"{release.name}/v1/+/+/events/#", client_id=f"watcher-{release.name}") as seen:
            await daemon.start()
            assert b"rfid_gateway_start_refused 0.0" in (await get(health, "/metrics"))[1]
            await seen.until(lambda s: any(event["type"] == "rfid.loss.v1" for event in events_of(s)), 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]
            events = events_of(seen)
        assert [event["sequence"] for event in events] == list(range(events[0]["sequence"], events[-1]["sequence"] + 1))
        taken.append(len(events))
    say(
        "what a release left, killed at work, is taken over",
        f"the files of {len(RELEASES)} releases: ledger, checkpoint, journal",
        f"{sum(taken)} events published, without a gap",
    )
