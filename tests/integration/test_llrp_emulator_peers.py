"""Other people's clients take the emulator for a reader: sllurp and llrpkit inventory it, for ten seconds each, and
miss nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from llrpkit import Reader, TagReport
from llrpkit.client import check_status
from llrpkit.protocol import enums, messages, params
from sllurp.llrp import LLRPReaderClient, LLRPReaderConfig

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.llrp.identity import IDENTITIES, IMPINJ
from drivers.emulators.scene import PACKAGE_PREFIX, SECOND, population, tid_of
from tests.support.claims import some

TAGS, RATE, ANTENNAS, MISS = 30, 150, (1, 2), 0.05
READS_A_SECOND = RATE * len(ANTENNAS) * (1 - MISS)

pytestmark = pytest.mark.slow


def emulated(identity: str) -> LlrpEmulator:
    return LlrpEmulator(population(TAGS, RATE, ANTENNAS, miss=MISS), identity, keep_reads=True)


async def reads_for(emulator: LlrpEmulator, seconds: float, seen: Sequence[object]) -> None:
    """Lets the emulator read for so long, switches it off, and waits until the client has `seen` all that was read:
    a client that stops throws away what is still on its way."""
    await emulator.until(lambda: bool(emulator.reads))
    await asyncio.sleep(seconds)
    emulator.switch_off()
    await emulator.until(lambda: len(seen) >= len(emulator.reads), 60)


def wanted_number(emulator: LlrpEmulator) -> object:
    """The number of reads for the time from the first to the last, on however busy a machine."""
    times = [read.time for read in emulator.reads]
    return pytest.approx((max(times) - min(times)) / SECOND * READS_A_SECOND, rel=0.1)


def sllurp_client(port: int, seen: list[dict]) -> LLRPReaderClient:
    """A client with a thread of its own, which adds to `seen` the tags that are reported."""
    additions = {"EnableRFPhaseAngle": True, "EnablePeakRSSI": True, "EnableRFDopplerFrequency": True}
    config = LLRPReaderConfig(
        {
            "antennas": list(ANTENNAS),
            "start_inventory": True,
            "reset_on_connect": True,
            "report_every_n_tags": 1,
            "tag_content_selector": {"EnableAntennaID": True, "EnablePeakRSSI": True, "EnableROSpecID": False},
            "impinj_tag_content_selector": additions,
        }
    )
    client = LLRPReaderClient("127.0.0.1", port, config)
    client.add_tag_report_callback(lambda _, tags: seen.extend(tags))
    return client


async def test_sllurp_inventories_a_speedway():
    seen: list[dict] = []
    async with emulated("impinj-r420") as emulator:
        client = sllurp_client(emulator.port, seen)
        await asyncio.to_thread(client.connect)
        try:
            await reads_for(emulator, 10.0, seen)
        finally:
            # Called here, on the emulator's own thread: sllurp sends its farewell first and waits for the answer only
            # then, so that an answer in between would be missed.
            client.disconnect()
            await asyncio.to_thread(client.join, 10)
        assert not client.is_alive()
    assert len(seen) == wanted_number(emulator)
    made = Counter((read.epc, read.rssi) for read in emulator.reads)
    assert Counter((bytes.fromhex(tag["EPC"].decode()), tag["ImpinjPeakRSSI"]) for tag in seen) == made
    assert {tag["AntennaID"] for tag in seen} == set(ANTENNAS)
    assert {"ImpinjRFPhaseAngle", "ImpinjRFDopplerFrequency"} <= seen[0].keys()


@pytest.mark.parametrize("identity", sorted(IDENTITIES))
async def test_llrpkit_inventories_every_model(identity):
    model = IDENTITIES[identity]
    seen: list[TagReport] = []

    async def inventory(reader: Reader, **extra: bool) -> None:
        power = reader.capabilities.transmit_powers[3]
        async for tag in reader.inventory(tx_power_dbm=power, **extra):
            seen.append(tag)  # noqa: PERF401 - it is looked at while it grows

    async with emulated(identity) as emulator:
        async with Reader("127.0.0.1", emulator.port) as reader:
            assert (reader.model_number, reader.firmware) == (model.model, model.firmware)
            assert reader.max_antennas == model.antennas
            assert reader.is_impinj is (model.manufacturer == IMPINJ)
            extra = {"include_phase": True, "include_doppler": True, "include_tid": True} if reader.is_impinj else {}
            task = asyncio.create_task(inventory(reader, **extra))
            try:
                await reads_for(emulator, 10.0 if identity == "impinj-r700" else 2.0, seen)
            finally:
                task.cancel()
                await asyncio.wait([task])
            assert task.cancelled(), task.exception()
            assert reader.client.dropped_reports == 0
        await emulator.until(lambda: not emulator.connected)
    assert len(seen) == wanted_number(emulator)
    assert Counter(tag.epc for tag in seen) == Counter(read.epc for read in emulator.reads)
    assert {tag.antenna for tag in seen} == set(ANTENNAS)
    if model.manufacturer == IMPINJ:
        assert all(tag.tid == tid_of(tag.epc) for tag in some(seen))
        assert len({tag.phase_deg for tag in seen}) > 100


async def test_llrpkit_filters_tags():
    async with emulated("impinj-r700") as emulator, Reader("127.0.0.1", emulator.port) as reader:
        async for tag in reader.inventory(epc_filter=f"{PACKAGE_PREFIX}0000000A", max_tags=20, duration=5.0):
            assert tag.epc_hex.upper() == f"{PACKAGE_PREFIX}0000000A"
        assert len({read.epc for read in emulator.reads}) == 1


async def test_llrpkit_reads_between_two_edges_of_an_input():
    async with emulated("impinj-r700") as emulator, Reader("127.0.0.1", emulator.port) as reader:
        # llrpkit expects events of inputs without asking for them; a reader tells them when they are switched on.
        state = params.EventNotificationState(event_type=enums.NotificationEventType.GPI_Event, notification_state=True)
        spec = params.ReaderEventNotificationSpec(event_notification_states=[state])
        request = messages.SET_READER_CONFIG(reset_to_factory_default=False, reader_event_notification_spec=spec)
        check_status(await reader.client.transact(request))
        windows = reader.windows(1, settle=0.2, duration=3.0)
        loop = asyncio.get_running_loop()
        for at, state in ((0.5, True), (1.0, False), (1.5, True), (2.0, False)):
            loop.call_later(at, emulator.set_input, 1, state)
        found = [window async for window in windows]
        assert len(found) == 2
        for window in found:
            assert len(window.tags) == pytest.approx(READS_A_SECOND / 2, rel=0.25)
