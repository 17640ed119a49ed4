"""The R2000 driver against the emulated reader, over ptys, TCP and a bus."""

from __future__ import annotations

import pytest

from drivers.api import (
    AntennaStatus,
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
from drivers.emulators.serial.r2000 import R2000
from drivers.serial.r2000 import FACTORY
from tests.support.serial_rig import EVERY_LINE, LINES, rig

SETTINGS = {"reply_timeout": 1.0}


@pytest.mark.parametrize("line", EVERY_LINE)
async def test_every_whole_frame_gives_its_reads_once(line, tmp_path):
    scene, settings = serials(200, [1, 2], late=0.0), {"reply_timeout": 0.4}  # where frames are lost, one asks again
    async with rig(
        FACTORY, R2000, tmp_path, scene=scene, faults=LINES[line], antennas=[1, 2], settings=settings
    ) as made:
        await made.until(lambda: len(made.owed) > 150)
        made.emulator.scene = Scene({1: Field(rate=1), 2: Field(rate=1)})
        await made.until(lambda: made.owed <= made.got().keys())
        assert not made.failures
        assert max(made.got().values()) == 1
        assert made.got() <= made.sent


@pytest.mark.parametrize("antennas", [[1], [1, 2, 4], [2, 7], [1, 16]])
async def test_every_port_of_4_8_and_16_reads(antennas, tmp_path):
    async with rig(FACTORY, R2000, tmp_path, antennas=antennas, settings=SETTINGS, ports=16) as made:
        await made.until(lambda: {row[1] for row in made.rows()} == set(antennas))
        assert made.got() <= made.sent
        assert made.emulator.lasting_power == []
        assert set(made.emulator.temporary_power) == {23}
        assert not made.failures


async def test_names_the_reader(tmp_path):
    async with rig(FACTORY, R2000, "tcp", settings={**SETTINGS, "region": "ETSI"}) as made:
        await made.until(lambda: made.of(ReaderAlive) and made.rows())
        up = made.of(ReaderUp)[0]
        assert (up.model, up.firmware) == ("R2000 reader EMULATED", "1.9")
        assert made.of(ReaderClock)[0].quality is ClockQuality.ARRIVAL
        assert made.emulator.region == bytes([2, 0, 6])
        assert -70 < made.rows()[0][2] < -40
        assert 1 <= made.rows()[0][3] <= 64


@pytest.mark.parametrize("antennas", [[2], [1, 2]])
async def test_a_missing_antenna_is_named_and_comes_back(antennas, tmp_path):
    async with rig(FACTORY, R2000, tmp_path, antennas=antennas, settings=SETTINGS) as made:
        await made.until(lambda: len(made.of(AntennaStatus)) == len(antennas))
        made.emulator.missing.add(2)
        await made.until(lambda: not made.of(AntennaStatus)[-1].up)
        made.emulator.missing.clear()
        await made.until(lambda: made.of(AntennaStatus)[-1].up)
        assert [item.antenna for item in made.of(AntennaStatus)][-2:] == [2, 2]
        assert not made.failures


async def test_a_hot_reader_and_a_bad_match_are_conditions(tmp_path):
    def warm(reader):
        reader.temperature = 71
        reader.return_loss[2] = 1

    async with rig(FACTORY, R2000, tmp_path, antennas=[1, 2], settings=SETTINGS, prepare=warm) as made:
        await made.until(lambda: len(made.of(ReaderCondition)) == 2)
        hot, match = made.of(ReaderCondition)
        assert (hot.condition, hot.active, hot.detail) == ("hot", True, "the reader is at 71 degrees Celsius")
        assert (match.condition, match.active) == ("high-return-loss", True)
        assert "antenna 2" in match.detail


@pytest.mark.slow
async def test_a_reader_in_the_middle_of_repeated_rounds_is_waited_for_or_reset(tmp_path):
    def busy(reader):
        reader.command(bytes.fromhex("A004018901D1")[:4] + b"\xfe\xd4")

    async with rig(FACTORY, R2000, tmp_path, settings={"reply_timeout": 2.0}, prepare=busy) as made:
        await made.until(lambda: made.of(ReaderAlive))
        assert not made.failures


@pytest.mark.slow
async def test_outputs_and_inputs_between_rounds(tmp_path):
    scene = serials(50, [1])
    scene.inputs = [InputEdge(500_000, 2, True)]
    settings = {**SETTINGS, "inputs": [1, 2], "input_poll": 0.05}
    async with rig(FACTORY, R2000, tmp_path, scene=scene, settings=settings) as made:
        await made.until(lambda: len(made.of(InputChange)) == 3)
        assert made.of(InputChange)[-1].port == 2
        assert made.of(InputChange)[-1].state is True
        await made.driver.set_output(4, True)
        assert made.emulator.outputs == {4: True}
        with pytest.raises(DriverError, match="called 3 and 4"):
            await made.driver.set_output(1, True)


@pytest.mark.slow
async def test_nothing_is_asked_for_while_held_back(tmp_path):
    async with rig(FACTORY, R2000, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.driver.pause()
        seen = -1
        while seen != made.emulator.commands:
            seen = made.emulator.commands
            await made.rest(0.3)
        made.driver.resume()
        await made.until(lambda: made.emulator.commands > seen)
        assert made.of(ReaderLoss)[0].cause == "held-back"


@pytest.mark.parametrize(("code", "text"), [(0x53, "53, RF chip does not answer"), (0x99, "99, meaning unknown")])
async def test_errors_without_end_end_the_connection_with_their_meaning(code, text, tmp_path):
    async with rig(FACTORY, R2000, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.emulator.errors.append(code)
        before = len(made.rows())
        await made.until(lambda: not made.emulator.errors and len(made.rows()) > before)
        assert not made.failures, "one error is passed over"
        made.emulator.errors.extend([code] * 20)
        await made.until(lambda: made.failures)
        made.emulator.errors.clear()
        assert text in str(made.failures[0])
        await made.until(lambda: len(made.of(ReaderUp)) == 2)
