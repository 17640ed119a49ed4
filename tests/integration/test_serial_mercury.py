"""The Mercury driver against the emulated module, over ptys."""

from __future__ import annotations

import pytest

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    DriverError,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderLoss,
    ReaderUp,
)
from drivers.emulators.scene import Field, InputEdge, Scene, serials
from drivers.emulators.serial.mercury import Mercury
from drivers.serial.mercury import FACTORY as MERCURY
from drivers.serial.mercury.frames import start_reading
from gateway.clock import wall
from tests.support.claims import some
from tests.support.serial_rig import EVERY_LINE, LINES, rig

SETTINGS = {"region": "NA", "reply_timeout": 1.0}


@pytest.mark.parametrize("line", EVERY_LINE)
async def test_every_whole_frame_gives_its_reads_once(line, tmp_path):
    scene = serials(100, [1, 2], late=0.0)
    async with rig(
        MERCURY, Mercury, tmp_path, scene=scene, faults=LINES[line], antennas=[1, 2], settings=SETTINGS
    ) as made:
        await made.until(lambda: len(made.owed) > 150)
        made.emulator.scene = Scene({1: Field(rate=1)})
        await made.until(lambda: made.owed <= made.got().keys())
        assert not made.failures
        assert max(made.got().values()) == 1
        assert made.got() <= made.sent


@pytest.mark.slow
async def test_reads_are_dated_within_their_cycle(tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS) as made:
        sent = {}
        made.emulator.on_read = lambda seen, whole: sent.__setitem__(seen.epc, wall() - made.emulator.now() + seen.time)
        await made.until(lambda: len(made.rows()) > 200)
        assert made.of(ReaderClock)[0].quality is ClockQuality.UPTIME
        errors = sorted(abs(time - sent[epc]) for epc, _, _, _, time, _ in made.rows() if epc in sent)
        assert errors[len(errors) // 2] < 30_000
        for batch in made.of(Batch):
            assert all(row[4] <= batch.arrival for row in some(batch.rows))


async def test_names_the_module_and_configures_it(tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, antennas=[1, 3], settings=SETTINGS) as made:
        await made.until(lambda: made.of(ReaderAlive) and made.of(AntennaStatus))
        up = made.of(ReaderUp)[0]
        assert (up.model, up.firmware) == ("ThingMagic Micro", "01.09.00.21")
        module = made.emulator
        assert (module.region, module.antennas, module.power[1]) == (1, [1, 3], 2300)
        assert module.config[0x0C] == 0
        assert [item.antenna for item in made.of(AntennaStatus) if item.up] == [1, 3]


def stream(module):
    """As a host left it that crashed."""
    module.booted, module.region = True, 1
    module.command(start_reading(100, 0))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["Micro", "M6e old", "Nano", "M6e", "M7e"])
async def test_takes_over_a_module_that_streams_on_after_a_crash(model, tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS, prepare=stream, model=model) as made:
        await made.until(lambda: len(made.of(ReaderAlive)) > 1)
        assert not made.failures
        assert model.split()[0] in made.of(ReaderUp)[0].model


@pytest.mark.slow
async def test_a_module_that_leaves_out_its_checks_is_told_to_send_them(tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS, crc=False) as made:
        await made.until(lambda: made.of(ReaderAlive))
        assert not made.failures
        assert made.emulator.crc


async def test_a_reboot_in_mid_stream_is_noticed_and_configured_again(tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.emulator.reboot()
        await made.until(lambda: len(made.of(ReaderUp)) == 2)
        assert "restarted by itself" in str(made.failures[0])
        assert made.emulator.booted
        assert made.emulator.region == 1


@pytest.mark.slow
async def test_silence_is_noticed(tmp_path):
    settings = {**SETTINGS, "antenna_check": False}
    async with rig(MERCURY, Mercury, tmp_path, settings=settings) as made:
        await made.until(lambda: made.rows())
        made.emulator.streaming = False
        await made.until(lambda: made.failures)
        assert "has been silent for 2.5 s" in str(made.failures[0])


@pytest.mark.parametrize(("status", "condition"), [(0x0504, "throttled"), (0x0505, "high-return-loss")])
async def test_warnings_become_conditions(status, condition, tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.emulator.statuses += [status, status]
        await made.until(lambda: made.of(ReaderCondition))
        assert [(item.condition, item.active) for item in made.of(ReaderCondition)] == [(condition, True)]
        assert not made.failures


@pytest.mark.parametrize("model", ["Micro", "M6e old"])
@pytest.mark.slow
async def test_a_missing_antenna_is_named(model, tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, antennas=[1, 2], settings=SETTINGS, model=model) as made:
        await made.until(lambda: len(made.of(AntennaStatus)) == 2)
        made.emulator.missing.add(2)
        made.emulator.statuses.append(0x0503)
        await made.until(lambda: len(made.of(AntennaStatus)) == 3)
        last = made.of(AntennaStatus)[-1]
        assert (last.antenna, last.up) == (2, False)
        await made.until(lambda: made.emulator.streaming)
        assert not made.failures


@pytest.mark.parametrize("model", ["Micro", "M6e old"])
async def test_outputs_switch_while_reading(model, tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS, model=model) as made:
        await made.until(lambda: made.rows())
        await made.driver.set_output(3, True)
        assert made.emulator.outputs == {3: True}
        await made.driver.set_output(3, False)
        assert made.emulator.outputs == {3: False}
        with pytest.raises(DriverError, match="pins 1 to 4"):
            await made.driver.set_output(9, True)
        seen = len(made.rows())
        await made.until(lambda: len(made.rows()) > seen)
        assert not made.failures


@pytest.mark.slow
async def test_inputs_are_watched_while_reading(tmp_path):
    scene = serials(100, [1])
    scene.inputs = [InputEdge(600_000, 1, True), InputEdge(3_000_000, 1, False)]
    settings = {**SETTINGS, "inputs": [1], "input_poll": 0.05}
    async with rig(MERCURY, Mercury, tmp_path, scene=scene, settings=settings) as made:
        await made.until(lambda: len(made.of(InputChange)) == 3)
        assert [(item.port, item.state) for item in made.of(InputChange)] == [(1, False), (1, True), (1, False)]


@pytest.mark.slow
async def test_held_back_reads_are_said_to_be_lost(tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.driver.pause()
        await made.until(lambda: not made.emulator.streaming)
        made.driver.resume()
        await made.until(lambda: made.emulator.streaming)
        loss = made.of(ReaderLoss)[0]
        assert (loss.cause, loss.certain) == ("held-back", False)
        seen = len(made.rows())
        await made.until(lambda: len(made.rows()) > seen)
        assert not made.failures


REFUSALS = [
    ({}, "no region", True),
    ({"region": "NA", "inputs": [1]}, "cannot report inputs while it reads", True),
]


@pytest.mark.parametrize(("settings", "message", "permanent"), REFUSALS)
async def test_what_cannot_work_is_said(settings, message, permanent, tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings={"reply_timeout": 0.25, **settings}, model="M6e old") as made:
        await made.until(lambda: made.failures)
        assert message in str(made.failures[0])
        assert made.failures[0].permanent is permanent


async def test_a_stop_leaves_the_module_quiet(tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        module = made.emulator
    assert not module.streaming


async def test_outputs_switch_while_held_back(tmp_path):
    async with rig(MERCURY, Mercury, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.driver.pause()
        await made.until(lambda: not made.emulator.streaming)
        await made.driver.set_output(3, True)
        assert made.emulator.outputs == {3: True}
        assert not made.emulator.streaming
        made.driver.resume()
        await made.until(lambda: made.emulator.streaming)
        assert not made.failures
