"""`driver: sllurp`: the library behind our driver interface, against the emulated readers."""

from __future__ import annotations

import asyncio
import builtins
from collections import Counter
from typing import Any

import pytest

from drivers.api import Antenna, AntennaStatus, Batch, ClockQuality, DriverError, ReaderAlive, ReaderClock, ReaderUp
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population, serials
from drivers.sllurp import FACTORY
from tests.support.llrp_rig import FakeReader, Rig, scripted
from tests.support.mosquitto import free_port

SECOND = 1_000_000


def rig(reader: Any, antennas: tuple[Antenna, ...] = (Antenna(1),), **settings: Any) -> Rig:
    return Rig(antennas, factory=FACTORY, host=reader.host, port=reader.port, **settings)


@pytest.mark.parametrize("identity", ["impinj-r700", "zebra-fx9600"])
async def test_it_inventories(identity: str) -> None:
    async with LlrpEmulator(population(20, rate=200), identity, keep_reads=True, clock_error=5 * SECOND) as reader:
        async with rig(reader, (Antenna(1, 25.0), Antenna(2, 20.0)), keepalive=0.2).running() as ours:
            await ours.until(lambda: len(set(ours.epcs)) == 20, "all 20 tags")
            await ours.until(lambda: len(ours.of(ReaderAlive)) >= 2, "keepalives")
            reader.set_antenna(1, False)
            await ours.until(lambda: ours.of(AntennaStatus), "the antenna")
        assert not Counter(ours.epcs) - Counter(seen.epc for seen in reader.reads)
    assert ours.of(ReaderUp)[0].held is False
    clock = ours.of(ReaderClock)[0]
    assert (clock.quality, round(clock.offset / SECOND)) == (ClockQuality.CORRECTED, -5)
    batch = ours.of(Batch)[-1]
    assert abs(batch.rows[-1][4] + batch.offset - batch.arrival) < SECOND


async def test_paused_its_thread_waits() -> None:
    async with LlrpEmulator(serials(rate=500), "zebra-fx9600", keep_reads=True) as reader:
        async with rig(reader, keepalive=0.2).running() as ours:
            await ours.until(lambda: len(ours.epcs) > 50, "reads")
            ours.driver.pause()
            await asyncio.sleep(0.3)
            seen, made = len(ours.epcs), len(reader.reads)
            await reader.until(lambda: len(reader.reads) > made + 500)
            assert len(ours.epcs) == seen
            assert ours.failures == []
            ours.driver.resume()
            await ours.until(lambda: len(ours.epcs) > seen + 400, "what was held back")
        assert len(set(ours.epcs)) == len(ours.epcs)


async def test_a_report_without_tags_is_none() -> None:
    async with LlrpEmulator(population(5, rate=100), "zebra-fx9600") as reader, rig(reader).running() as ours:
        await ours.up()
        reader.reader.outbox.empty_report()
        seen = len(ours.epcs)
        await ours.until(lambda: ours.failures or len(ours.epcs) > seen + 50, "reads behind it")
        assert ours.failures == []


async def test_a_cut_link_is_an_error_and_it_comes_back() -> None:
    async with LlrpEmulator(population(5, rate=100), "zebra-fx9600") as reader, rig(reader).running(again=True) as ours:
        await ours.until(lambda: ours.epcs, "reads")
        reader.drop()
        await ours.up(2)
        assert "sllurp ended the connection" in str(ours.failures[0])


async def test_a_second_client_is_told_who_is_first() -> None:
    async with LlrpEmulator(population(5, rate=50)) as reader, rig(reader).running() as first:
        await first.up()
        assert "another client is connected to this reader" in str(await rig(reader).fails())


async def test_a_hanging_reader_is_noticed() -> None:
    async with LlrpEmulator(population(5, rate=50)) as reader, rig(reader, keepalive=0.2).running() as ours:
        await ours.until(lambda: ours.of(ReaderAlive), "a keepalive")
        reader.freeze()
        await ours.until(lambda: ours.failures, "the dead link")
        assert "3 keepalives are missing" in str(ours.failures[0])


async def test_nobody_there_and_somebody_else_there() -> None:
    port = free_port()
    error = await Rig(factory=FACTORY, host="127.0.0.1", port=port).fails()
    assert str(error) == f"127.0.0.1:{port}: cannot connect: Connection refused"

    async def silent(reader: FakeReader) -> None:
        await reader.asked()

    async with scripted(silent) as port:
        error = await Rig(factory=FACTORY, host="127.0.0.1", port=port, setup_timeout=0.3, keepalive=0.2).fails()
    assert "not reading after 0.3 s: is this an LLRP reader?" in str(error)


async def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("sllurp"):
            raise ImportError("No module named 'sllurp'")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", absent)
    error = await Rig(factory=FACTORY, host="127.0.0.1").fails()
    assert "pip install rfid-gateway[sllurp]" in str(error)
    assert error.permanent


async def test_what_it_cannot_do() -> None:
    with pytest.raises(DriverError, match="give `power` for each"):
        Rig((Antenna(1, 20.0), Antenna(2)), factory=FACTORY, host="127.0.0.1")
    with pytest.raises(DriverError, match="sllurp cannot; use `driver: llrp`"):
        await Rig(factory=FACTORY, host="127.0.0.1").driver.set_output(1, True)
