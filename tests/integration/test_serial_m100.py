"""The M100 driver against the emulated module, over ptys."""

from __future__ import annotations

import pytest

from drivers.api import ClockQuality, DriverError, ReaderAlive, ReaderClock, ReaderLoss, ReaderUp
from drivers.emulators.scene import Field, Scene, Stay, Tag, serials
from drivers.emulators.serial.m100 import M100
from drivers.serial.m100 import FACTORY
from drivers.serial.m100.frames import COMMAND, FOREVER, Cmd, frame_of
from tests.support.serial_rig import EVERY_LINE, LINES, rig

SETTINGS = {"reply_timeout": 1.0, "region": "US"}


@pytest.mark.parametrize("line", EVERY_LINE)
async def test_every_whole_frame_gives_its_reads_once(line, tmp_path):
    scene = serials(150, [1], late=0.0)
    async with rig(FACTORY, M100, tmp_path, scene=scene, faults=LINES[line], settings=SETTINGS) as made:
        await made.until(lambda: len(made.owed) > 150)
        made.emulator.scene = Scene({1: Field(rate=1)})
        await made.until(lambda: made.owed <= made.got().keys())
        assert not made.failures
        assert max(made.got().values()) == 1
        assert made.got() <= made.sent


async def test_names_the_module_and_writes_only_what_differs(tmp_path):
    async with rig(FACTORY, M100, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.of(ReaderAlive))
        up = made.of(ReaderUp)[0]
        assert (up.model, up.firmware) == ("M100 26dBm V1.0", "V2.3.5")
        assert made.of(ReaderClock)[0].quality is ClockQuality.ARRIVAL
        assert (made.emulator.region, made.emulator.power, made.emulator.writes) == (2, 2300, 2)


def stream(module):
    """As a host left it that crashed."""
    module.command(frame_of(COMMAND, Cmd.POLLS, FOREVER))


async def test_takes_over_a_module_that_polls_on_after_a_crash(tmp_path):
    async with rig(FACTORY, M100, tmp_path, settings=SETTINGS, prepare=stream) as made:
        await made.until(lambda: made.of(ReaderAlive))
        assert not made.failures


@pytest.mark.parametrize("heartbeat", [True, False])
async def test_polls_are_asked_for_again_when_they_run_out(heartbeat, tmp_path):
    def few(module):
        module.most_polls = 10

    async with rig(FACTORY, M100, tmp_path, settings=SETTINGS, prepare=few, heartbeat=heartbeat) as made:
        await made.until(lambda: made.rows())
        seen = len(made.rows())
        await made.until(lambda: not made.emulator.polls)
        await made.until(lambda: len(made.rows()) > seen + 30)
        assert not made.failures


async def test_frame_marks_inside_an_epc_are_bytes_like_others(tmp_path):
    epc = bytes.fromhex("BB02220011BB7E7EBB01FF00")
    scene = Scene({1: Field(rate=50)}, [Tag(epc, (Stay(1, 0, 1 << 60),))])
    async with rig(FACTORY, M100, tmp_path, scene=scene, settings=SETTINGS) as made:
        await made.until(lambda: len(made.rows()) > 20)
        assert {row[0] for row in made.rows()} == {epc}
        assert made.got()[epc, 1] <= made.sent[epc, 1]


async def test_outputs_and_holding_back(tmp_path):
    async with rig(FACTORY, M100, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        await made.driver.set_output(4, True)
        assert made.emulator.outputs == {4: True}
        await made.until(lambda: made.emulator.polls)
        made.driver.pause()
        await made.until(lambda: not made.emulator.polls)
        made.driver.resume()
        await made.until(lambda: made.emulator.polls)
        assert made.of(ReaderLoss)[0].cause == "held-back"
        with pytest.raises(DriverError, match="pins 1 to 4"):
            await made.driver.set_output(5, True)


async def test_a_refused_power_is_said(tmp_path):
    def weak(module):
        module.power = 1000

    async with rig(FACTORY, M100, tmp_path, settings={**SETTINGS, "region": "EU"}, prepare=weak) as made:
        await made.until(lambda: made.rows())
        assert made.emulator.power == 2300
    async with rig(FACTORY, M100, tmp_path, settings=SETTINGS, antennas=[1, 2]) as made:
        await made.until(lambda: made.failures)
        assert "one antenna" in str(made.failures[0])


async def test_a_stop_leaves_the_module_quiet(tmp_path):
    async with rig(FACTORY, M100, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        module = made.emulator
    assert not module.polls


async def test_outputs_switch_while_held_back(tmp_path):
    async with rig(FACTORY, M100, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.driver.pause()
        await made.until(lambda: not made.emulator.polls)
        await made.driver.set_output(3, True)
        assert made.emulator.outputs == {3: True}
        assert not made.emulator.polls
        made.driver.resume()
        await made.until(lambda: made.emulator.polls)
        assert not made.failures
