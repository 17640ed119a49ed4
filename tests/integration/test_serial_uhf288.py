"""The UHFReader driver against the emulated readers, over ptys and buses."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    DriverError,
    InputChange,
    Item,
    ReaderAlive,
    ReaderClock,
    ReaderLoss,
    ReaderUp,
    RssiUnit,
)
from drivers.emulators.scene import Field, InputEdge, Scene, serials, tid_of
from drivers.emulators.serial.line import PtyPort, SharedWire
from drivers.emulators.serial.uhf288 import Uhf288
from drivers.serial.uhf288 import FACTORY as UHF288
from tests.support.serial_rig import EVERY_LINE, LINES, build, rig

SETTINGS = {"scan_time": 0.1, "reply_timeout": 1.0}


@pytest.mark.parametrize("line", EVERY_LINE)
async def test_every_whole_frame_gives_its_reads_once(line, tmp_path):
    scene = serials(200, [1, 2], late=0.0)
    async with rig(
        UHF288, Uhf288, tmp_path, scene=scene, faults=LINES[line], antennas=[1, 2], settings=SETTINGS
    ) as made:
        await made.until(lambda: len(made.owed) > 150)
        made.emulator.scene = Scene({1: Field(rate=1), 2: Field(rate=1)})
        await made.until(lambda: made.owed <= made.got().keys())
        assert not made.failures
        assert max(made.got().values()) == 1
        assert made.got() <= made.sent


@pytest.mark.parametrize("model", ["UHFReader18", "UHFReader288M", "UHFReader288MP", "E310"])
async def test_names_the_reader_and_reads(model, tmp_path):
    async with rig(UHF288, Uhf288, tmp_path, settings=SETTINGS, model=model) as made:
        await made.until(lambda: made.rows() and made.of(ReaderAlive))
        assert model in made.of(ReaderUp)[0].model
        assert made.of(ReaderUp)[0].firmware == "2.11"
        assert made.of(ReaderClock)[0].quality is ClockQuality.ARRIVAL
        batch = made.of(Batch)[0]
        assert batch.rssi_unit is RssiUnit.RAW
        assert (batch.rows[0][2] > 0) is (model != "UHFReader18")
        assert not made.failures


async def test_flash_is_written_only_when_something_differs(tmp_path):
    settings = {**SETTINGS, "band": "US"}

    def set_up(reader):
        reader.power = 23

    async with rig(UHF288, Uhf288, tmp_path, settings=settings, prepare=set_up) as made:
        await made.until(lambda: made.rows())
        assert made.emulator.writes == 0
    async with rig(UHF288, Uhf288, tmp_path, settings={**settings, "band": "EU3"}) as made:
        await made.until(lambda: made.rows())
        assert made.emulator.writes == 2
        assert (made.emulator.power, made.emulator.band) == (23, (0x83, 0x40))


@pytest.mark.parametrize("model", ["UHFReader18", "UHFReader288M"])
@pytest.mark.slow
async def test_a_reader_left_in_real_time_mode_is_brought_back(model, tmp_path):
    async with rig(UHF288, Uhf288, tmp_path, settings=SETTINGS, model=model, realtime=True) as made:
        await made.until(lambda: len(made.of(ReaderAlive)) > 2)
        assert not made.failures
        assert made.emulator.realtime is False


@pytest.mark.slow
async def test_real_time_mode_lives_by_its_heartbeat(tmp_path):
    settings = {**SETTINGS, "mode": "realtime"}
    async with rig(UHF288, Uhf288, tmp_path, antennas=[1, 3], settings=settings) as made:
        await made.until(lambda: len(made.of(ReaderAlive)) > 1)
        assert made.emulator.mask == 0b101
        assert {row[1] for row in made.rows()} == {1, 3}
        assert made.of(ReaderLoss) == []
        made.emulator.realtime = False
        await made.until(lambda: made.failures)
        assert "silent for 3 s" in str(made.failures[0])


async def test_fast_id_brings_tids(tmp_path):
    async with rig(UHF288, Uhf288, tmp_path, settings={**SETTINGS, "fast_id": True}) as made:
        await made.until(lambda: made.rows())
        for batch in made.of(Batch):
            assert batch.tids == {row[0]: tid_of(row[0]) for row in batch.rows}


async def test_a_missing_antenna_is_named_and_does_not_stop_the_others(tmp_path):
    async with rig(UHF288, Uhf288, tmp_path, antennas=[1, 2], settings=SETTINGS) as made:
        await made.until(lambda: len(made.of(AntennaStatus)) == 2)
        made.emulator.missing.add(2)
        await made.until(lambda: len(made.of(AntennaStatus)) == 3)
        made.emulator.missing.clear()
        await made.until(lambda: len(made.of(AntennaStatus)) == 4)
        changes = [(item.antenna, item.up) for item in made.of(AntennaStatus)]
        assert changes == [(1, True), (2, True), (2, False), (2, True)]
        assert not made.failures


async def test_a_full_memory_is_a_loss(tmp_path):
    async with rig(UHF288, Uhf288, tmp_path, settings=SETTINGS) as made:
        await made.until(lambda: made.rows())
        made.emulator.memory_full = True
        await made.until(lambda: made.of(ReaderLoss))
        loss = made.of(ReaderLoss)[0]
        assert loss.cause == "reader-memory-full"
        assert loss.start < loss.end == loss.t


@pytest.mark.slow
async def test_outputs_and_inputs_between_rounds(tmp_path):
    scene = serials(50, [1])
    scene.inputs = [InputEdge(500_000, 1, True)]
    settings = {**SETTINGS, "inputs": [1], "input_poll": 0.05}
    async with rig(UHF288, Uhf288, tmp_path, scene=scene, settings=settings) as made:
        await made.until(lambda: len(made.of(InputChange)) == 2)
        await made.driver.set_output(2, True)
        assert made.emulator.outputs == {1: False, 2: True}
        await made.driver.set_output(1, True)
        assert made.emulator.outputs == {1: True, 2: True}
        with pytest.raises(DriverError, match="outputs 1 and 2"):
            await made.driver.set_output(3, True)
        assert not made.failures


REFUSALS = [
    ({"inputs": [2]}, [1], "UHFReader288M", "one input"),
    ({}, [1, 2], "UHFReader18", "configure one antenna"),
    ({"band": "EU", "channels": [3, 40]}, [1], "UHFReader288M", "band EU has 0 to 14"),
]


@pytest.mark.parametrize(("settings", "antennas", "model", "message"), REFUSALS)
async def test_what_cannot_work_is_said(settings, antennas, model, message, tmp_path):
    async with rig(UHF288, Uhf288, tmp_path, antennas=antennas, settings={**SETTINGS, **settings}, model=model) as made:
        await made.until(lambda: made.failures)
        assert message in str(made.failures[0])
        assert made.failures[0].permanent


async def bus(tmp_path, addresses, echo_on_line, configured_echo, seconds_up):
    """Readers with `addresses` on one pty, a driver for each; the items of each and the failures."""
    wire = SharedWire(PtyPort(tmp_path / "bus"), echo=echo_on_line)
    items: dict[int, list[Item]] = {address: [] for address in addresses}
    failures: list[DriverError] = []
    readers = [Uhf288(wire.tap(), serials(100, [1], run=address), address=address) for address in addresses]
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    await asyncio.sleep(0.02)
    for address in addresses:
        settings = {**SETTINGS, "device": str(tmp_path / "bus"), "address": address, "echo": configured_echo}
        driver = build(UHF288, items[address].append, settings, [1], reader=f"r{address}")
        tasks.append(asyncio.create_task(driver.run()))
    deadline = asyncio.get_running_loop().time() + seconds_up
    while asyncio.get_running_loop().time() < deadline and not all(
        sum(isinstance(item, ReaderAlive) for item in own) > 2 for own in items.values()
    ):
        await asyncio.sleep(0.02)
        failures = [task.exception() for task in tasks if task.done()]
        if failures:
            break
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError, DriverError):
            await task
    return items, failures


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.slow
async def test_readers_share_a_bus(echo, tmp_path):
    items, failures = await bus(tmp_path, [1, 2, 7], echo, echo, 8)
    assert not failures
    for address, own in items.items():
        rows = [row for item in own if isinstance(item, Batch) for row in item.rows]
        assert rows
        assert {int.from_bytes(row[0][2:4], "big") for row in rows} == {address}


async def test_an_echo_that_is_not_configured_is_named(tmp_path):
    _, failures = await bus(tmp_path, [1], True, False, 8)
    assert "echo: true" in str(failures[0])


async def test_two_readers_with_one_address_are_refused(tmp_path):
    _, failures = await bus(tmp_path, [1, 255], False, False, 8)
    assert "its own address" in str(failures[0])
