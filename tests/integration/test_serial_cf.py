"""The driver of newer Chafon readers against the emulated one, over ptys."""

from __future__ import annotations

import pytest

from drivers.api import ClockQuality, ReaderAlive, ReaderClock, ReaderLoss, ReaderUp, RssiUnit
from drivers.emulators.scene import Field, Scene, serials
from drivers.emulators.serial.cf import Cf
from drivers.serial.cf import FACTORY
from drivers.serial.cf.frames import INVENTORIES, Cmd, command
from tests.support.serial_rig import EVERY_LINE, LINES, rig

SETTINGS = {"reply_timeout": 1.0}


@pytest.mark.parametrize("line", EVERY_LINE)
async def test_every_whole_frame_gives_its_reads_once(line, tmp_path):
    scene = serials(150, [1, 2], late=0.0)
    async with rig(
        FACTORY, Cf, tmp_path, scene=scene, faults=LINES[line], antennas=[1, 2], settings=SETTINGS, ports=2
    ) as made:
        await made.until(lambda: len(made.owed) > 150)
        made.emulator.scene = Scene({1: Field(rate=1)})
        await made.until(lambda: made.owed <= made.got().keys())
        assert not made.failures
        assert max(made.got().values()) == 1
        assert made.got() <= made.sent


async def test_names_the_reader_and_sets_its_power(tmp_path):
    async with rig(FACTORY, Cf, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.of(ReaderAlive) and made.rows())
        assert made.of(ReaderUp)[0].model == "Chafon CF600 V1.24"
        assert made.of(ReaderClock)[0].quality is ClockQuality.ARRIVAL
        assert made.emulator.power == 23
        assert -12_800 <= made.rows()[0][2] < 0
        assert {batch.rssi_unit for batch in made.items if hasattr(batch, "rssi_unit")} == {RssiUnit.CENTI_DBM}


async def test_takes_over_a_reader_that_reads_on_after_a_crash(tmp_path):
    def reading(reader):
        reader.command(command(255, Cmd.INVENTORY, INVENTORIES[0]))

    async with rig(FACTORY, Cf, tmp_path, settings=SETTINGS, prepare=reading) as made:
        await made.until(lambda: made.of(ReaderAlive))
        assert not made.failures


async def test_an_inventory_that_ends_is_asked_for_again(tmp_path):
    async with rig(FACTORY, Cf, tmp_path, settings=SETTINGS, rounds=5) as made:
        await made.until(lambda: made.rows())
        await made.until(lambda: not made.emulator.reading)
        seen = len(made.rows())
        await made.until(lambda: len(made.rows()) > seen + 20)
        assert not made.failures


async def test_a_reader_of_another_address_does_not_answer(tmp_path):
    async with rig(FACTORY, Cf, tmp_path, settings={**SETTINGS, "address": 7}, address=3) as made:
        await made.until(lambda: made.failures)
        assert "no newer Chafon reader answers" in str(made.failures[0])


async def test_a_silent_reader_is_down_and_a_paused_one_loses_its_time(tmp_path):
    async with rig(FACTORY, Cf, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.driver.pause()
        await made.until(lambda: not made.emulator.reading)
        made.driver.resume()
        await made.until(lambda: made.of(ReaderLoss))
        await made.until(lambda: made.emulator.reading)
        made.emulator.command = lambda frame: None
        made.emulator.reading = False
        await made.until(lambda: made.failures)
        assert "silent" in str(made.failures[0])
