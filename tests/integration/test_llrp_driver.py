"""The LLRP driver against the emulated readers, over real sockets."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter

import pytest

from drivers.api import (
    Antenna,
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
    RssiUnit,
)
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.llrp.identity import IDENTITIES
from drivers.emulators.scene import population, serials
from tests.support.claims import some
from tests.support.llrp_rig import Rig

SECOND = 1_000_000


@pytest.mark.parametrize("identity", sorted(IDENTITIES))
async def test_every_kind_of_reader_is_inventoried(identity: str) -> None:
    scene = population(20, rate=200, antennas=(1, 2))
    async with LlrpEmulator(scene, identity, keep_reads=True) as reader:
        antennas = (Antenna(1, 25.0), Antenna(2))
        async with Rig(antennas, host=reader.host, port=reader.port, keepalive=0.2).running() as rig:
            await rig.until(lambda: len(set(rig.epcs)) == 20, "all 20 tags")
            await rig.until(lambda: len(rig.of(ReaderAlive)) >= 3, "keepalives")
        assert {row[1] for batch in rig.of(Batch) for row in batch.rows} == {1, 2}
        model = rig.of(ReaderUp)[0].model
        assert {"impinj": "Impinj", "zebra": "Zebra"}.get(identity.split("-")[0], "vendor") in model
        for batch in rig.of(Batch):
            for row in batch.rows:
                assert abs(row[4] + batch.offset - batch.arrival) < 10 * SECOND, "times are ours"
        made = Counter((seen.epc, seen.antenna) for seen in reader.reads)
        got = Counter((row[0], row[1]) for batch in rig.of(Batch) for row in batch.rows)
        assert got <= made


async def test_impinj_extras_arrive() -> None:
    async with LlrpEmulator(population(5, rate=100), "impinj-r700") as reader:
        settings = {"phase": True, "doppler": True, "tid": True, "search_mode": "dual-target", "session": 2}
        async with Rig(host=reader.host, port=reader.port, **settings).running() as rig:
            await rig.until(lambda: len(set(rig.epcs)) == 5, "all tags")
    batch = rig.of(Batch)[-1]
    assert batch.rssi_unit is RssiUnit.CENTI_DBM
    assert batch.phase
    assert all(len(row) == 8 for row in some(batch.rows))
    assert set(batch.tids) == {row[0] for row in batch.rows}


async def test_a_reader_whose_clock_is_off_is_corrected() -> None:
    async with (
        LlrpEmulator(population(5, rate=100), "impinj-r700", clock_error=90 * SECOND) as reader,
        Rig(host=reader.host, port=reader.port).running() as rig,
    ):
        await rig.until(lambda: rig.epcs, "reads")
    clock = rig.of(ReaderClock)[0]
    assert clock.quality is ClockQuality.CORRECTED
    assert abs(clock.offset + 90 * SECOND) < 10 * SECOND
    batch = rig.of(Batch)[0]
    assert abs(batch.rows[-1][4] + batch.offset - batch.arrival) < 10 * SECOND, "times are ours"


@pytest.mark.slow
async def test_six_cuts_in_ten_seconds_lose_no_read_of_a_reader_that_holds() -> None:
    async with LlrpEmulator(serials(rate=400), "impinj-r700", keep_reads=True) as reader:
        rig = Rig(host=reader.host, port=reader.port)
        async with rig.running(again=True):
            for cut in range(1, 7):
                await rig.up(cut)
                seen = len(rig.epcs)
                await rig.until(lambda: len(rig.epcs) > seen + 200, "reads after the cut")  # noqa: B023
                assert reader.drop()
            await rig.up(7)
            last = len(rig.of(ReaderAlive))
            await rig.until(lambda: len(rig.of(ReaderAlive)) > last, "a keepalive")
        # The last few may still be in the reader: it delivers reads up to 0.1 s late.
        newest = max(row[4] for batch in rig.of(Batch) for row in batch.rows)
        due = {seen.epc for seen in reader.reads if seen.time < newest - SECOND // 2}
        got = Counter(rig.epcs)
        assert due - got.keys() == set(), f"{len(due - got.keys())} of {len(due)} reads are missing"
        assert max(got.values()) == 1, "no read came twice"
    assert [up.held for up in rig.of(ReaderUp)] == [False] + [True] * 6
    assert rig.of(ReaderLoss) == []
    assert len(due) > 1000


async def test_stopping_leaves_the_reader_reading_and_holding() -> None:
    async with LlrpEmulator(serials(rate=300), "impinj-r700", keep_reads=True) as reader:
        settings = {"host": reader.host, "port": reader.port}
        first = Rig(**settings)
        async with first.running():
            await first.until(lambda: len(first.epcs) > 50, "reads")
        assert not reader.connected
        assert reader.reader.counters.cuts == 0
        made = len(reader.reads)
        await reader.until(lambda: len(reader.reads) > made + 100)
        second = Rig(**settings)
        async with second.running():
            await second.until(lambda: len(second.of(ReaderAlive)) >= 1, "the held reads")
        assert second.of(ReaderUp)[0].held
        got = Counter(first.epcs + second.epcs)
        missing = {seen.epc for seen in reader.reads[: made + 50]} - got.keys()
        assert missing == set()


async def test_every_held_read_comes_before_the_first_sign_of_life() -> None:
    async with LlrpEmulator(serials(rate=500), "impinj-r700", keep_reads=True) as reader:
        rig = Rig(host=reader.host, port=reader.port, keepalive=30.0)
        async with rig.running(again=True):
            await rig.until(lambda: len(rig.epcs) > 100, "reads")
            reader.drop(away=0.5)
            await rig.up(2)
            await rig.until(lambda: isinstance(rig.items[-1], ReaderAlive) or len(rig.of(ReaderAlive)) > 1, "alive")
        up = rig.items.index(rig.of(ReaderUp)[1])
        alive = next(i for i, item in enumerate(rig.items) if i > up and isinstance(item, ReaderAlive))
        got = {row[0] for item in rig.items[:alive] if isinstance(item, Batch) for row in item.rows}
        until = rig.items[up].t
        held = {seen.epc for seen in reader.reads if seen.time < until - 150_000}  # reads may be late by 0.1 s
        assert held - got == set()


async def test_changed_settings_take_the_place_of_the_old_rospec() -> None:
    async with LlrpEmulator(population(5, rate=100), "impinj-r420") as reader:
        for session in (1, 2):
            async with Rig(host=reader.host, port=reader.port, session=session).running() as rig:
                await rig.until(lambda: rig.epcs, "reads")
            assert rig.of(ReaderUp)[0].held is False


async def test_a_reader_without_hold() -> None:
    identity = dataclasses.replace(IDENTITIES["zebra-fx9600"], can_hold=False)
    async with LlrpEmulator(serials(rate=200), identity) as reader:
        rig = Rig(host=reader.host, port=reader.port)
        async with rig.running(again=True):
            await rig.until(lambda: len(rig.epcs) > 20, "reads")
            reader.drop()
            await rig.up(2)
    assert [up.held for up in rig.of(ReaderUp)][:2] == [False, False]


async def test_inputs_outputs_and_antennas() -> None:
    outputs: list[tuple[int, bool]] = []
    scene = population(5, rate=50)
    async with LlrpEmulator(
        scene, "impinj-r700", on_output=lambda port, state: outputs.append((port, state))
    ) as reader:
        settings = {"inputs": [{"port": 1}, {"port": 2, "settle": 0.05}]}
        async with Rig(host=reader.host, port=reader.port, **settings).running() as rig:
            await rig.until(lambda: rig.epcs, "reads")
            rig.items.clear()
            reader.set_input(1, True)
            reader.set_input(2, True)
            reader.set_antenna(1, False)
            await rig.until(lambda: len(rig.of(InputChange)) >= 2, "both inputs")
            await rig.until(lambda: rig.of(AntennaStatus), "the antenna")
            assert {(change.port, change.state) for change in rig.of(InputChange)} == {(1, True), (2, True)}
            assert [(status.antenna, status.up) for status in rig.of(AntennaStatus)] == [(1, False)]
            await asyncio.gather(*(rig.driver.set_output(port, True) for port in (1, 2, 3)))
            await rig.driver.set_output(1, False)
            assert outputs == [(1, True), (2, True), (3, True), (1, False)]
            with pytest.raises(DriverError, match="output 77 is not possible"):
                await rig.driver.set_output(77, True)


async def test_a_photo_eye_starts_and_stops_reading() -> None:
    async with LlrpEmulator(population(5, rate=200), "impinj-r700") as reader:
        settings = {"start": {"input": 1, "state": True}, "stop": {"input": 1, "state": False, "after": 60.0}}
        async with Rig(host=reader.host, port=reader.port, **settings).running() as rig:
            await rig.until(lambda: rig.of(ReaderAlive), "up")
            assert [item.active for item in rig.of(ReaderCondition)] == [True], "it waits for its trigger"
            assert rig.epcs == []
            reader.set_input(1, True)
            await rig.until(lambda: rig.epcs, "reads")
            reader.set_input(1, False)
            await rig.until(lambda: len(rig.of(ReaderCondition)) == 3, "it waits again")
            assert [item.active for item in rig.of(ReaderCondition)] == [True, False, True]


async def test_a_full_hold_buffer_is_a_loss_with_its_range() -> None:
    async with LlrpEmulator(serials(rate=1000), "impinj-r700", hold_buffer=200) as reader:
        rig = Rig(host=reader.host, port=reader.port)
        async with rig.running(again=True):
            await rig.until(lambda: rig.epcs, "reads")
            reader.drop(away=0.6)
            newest = max(row[4] for batch in rig.of(Batch) for row in batch.rows)
            await rig.until(lambda: rig.of(ReaderLoss), "the loss")
    loss = rig.of(ReaderLoss)[0]
    assert loss.cause == "reader-buffer-overflow"
    assert loss.certain
    assert newest - SECOND <= loss.start <= loss.end <= rig.now()
    assert any(item.condition == "buffer-warning" for item in rig.of(ReaderCondition))


async def test_a_reader_that_hangs_is_noticed_and_its_link_may_have_swallowed_reads() -> None:
    async with LlrpEmulator(serials(rate=100), "impinj-r700") as reader:
        rig = Rig(host=reader.host, port=reader.port, keepalive=0.15)
        async with rig.running(again=True):
            await rig.until(lambda: rig.epcs, "reads")
            frozen = rig.now()
            reader.freeze()
            await rig.until(lambda: rig.failures, "the dead link")
            assert "3 keepalives are missing" in str(rig.failures[0])
            reader.freeze(False)
            await rig.until(lambda: rig.of(ReaderLoss), "the loss")
            loss = rig.of(ReaderLoss)[0]
            assert (loss.cause, loss.certain) == ("link-cut", False)
            assert loss.start <= frozen < loss.end


async def test_a_second_client_is_told_who_is_first() -> None:
    async with (
        LlrpEmulator(population(5, rate=50), "impinj-r700") as reader,
        Rig(host=reader.host, port=reader.port).running() as rig,
    ):
        await rig.up()
        error = await Rig(host=reader.host, port=reader.port).fails()
        assert "another client is connected to this reader" in str(error)


@pytest.mark.parametrize("keepalive", [30.0, 0.1], ids=["short pause", "pause that the reader takes for a dead link"])
async def test_paused_the_reader_is_held_back_and_nothing_is_lost(keepalive: float) -> None:
    async with LlrpEmulator(serials(rate=2000), "impinj-r700", keep_reads=True) as reader:
        rig = Rig(host=reader.host, port=reader.port, keepalive=keepalive)
        async with rig.running(again=True):
            await rig.until(lambda: len(rig.epcs) > 100, "reads")
            rig.driver.pause()
            await asyncio.sleep(0)
            seen, made = len(rig.epcs), len(reader.reads)
            await reader.until(lambda: len(reader.reads) > made + 3000)
            assert len(rig.epcs) == seen, "nothing is taken while paused"
            assert rig.failures == [], "and nothing is overdue"
            rig.driver.resume()
            await rig.until(lambda: len(rig.epcs) > seen + 3000, "what was held back")
        got = rig.epcs
        assert len(set(got)) == len(got)
        assert {seen.epc for seen in reader.reads[: made + 2500]} - set(got) == set()


@pytest.mark.parametrize(
    ("settings", "antenna", "message"),
    [
        ({}, Antenna(1, 50.0), "power 50 dBm is not possible: this reader does "),
        ({"mode": 999}, Antenna(1), "mode 999 is not possible: this reader knows the modes "),
        ({}, Antenna(200), "antenna 200 is not possible: this reader has "),
    ],
)
async def test_what_the_reader_cannot_do(settings: dict[str, int], antenna: Antenna, message: str) -> None:
    async with LlrpEmulator(population(1, rate=10), "impinj-r700") as reader:
        error = await Rig((antenna,), host=reader.host, port=reader.port, **settings).fails()
        assert message in str(error)
        assert error.permanent


@pytest.mark.parametrize("count", [1, 10, 100])
async def test_however_many_reads_a_report_all_are_told_before_the_sign_of_life(count: int) -> None:
    async with LlrpEmulator(serials(rate=30), "impinj-r700", keep_reads=True) as reader:
        rig = Rig(host=reader.host, port=reader.port, keepalive=0.3, report_every=count)
        async with rig.running():
            await rig.until(lambda: len(rig.of(ReaderAlive)) >= 4, "signs of life")
            last = max(index for index, item in enumerate(rig.items) if isinstance(item, ReaderAlive))
        got = {row[0] for item in rig.items[:last] if isinstance(item, Batch) for row in item.rows}
        # Made is what the emulator delivered by then: reads are late by at most 0.1 s there.
        made = {seen.epc for seen in reader.reads if rig.of(ReaderUp)[0].t < seen.time < rig.items[last].t - 200_000}
        assert made - got == set()
        assert made


async def test_who_stops_reading_gets_the_reads_on_which_the_reader_sat() -> None:
    """A reader that does not hold reads for the next connection would lose them."""
    async with LlrpEmulator(serials(rate=30), "impinj-r700", keep_reads=True) as reader:
        rig = Rig(host=reader.host, port=reader.port, report_every=1_000, hold=False)
        async with rig.running():
            await rig.until(lambda: len(rig.of(ReaderUp)) == 1, "the reader")
            await reader.until(lambda: len(reader.reads) >= 50)
            made = {seen.epc for seen in reader.reads if seen.time > rig.of(ReaderUp)[0].t}
        assert made - {row[0] for batch in rig.of(Batch) for row in batch.rows} == set()
        assert made
