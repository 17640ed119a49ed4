"""Other people's clients take the emulator for a reader: sllurp and llrpkit inventory it for ten seconds each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from llrpkit import Reader
from llrpkit.client import check_status
from llrpkit.protocol import enums, messages, params
from sllurp.llrp import LLRPReaderClient, LLRPReaderConfig

from drivers.emulators.llrp import LlrpEmulator
from drivers.emulators.llrp_identity import IDENTITIES, IMPINJ
from drivers.emulators.scene import PACKAGE_PREFIX, population, tid_of

TAGS, RATE, ANTENNAS, MISS = 30, 150, (1, 2), 0.05
TEN_SECONDS = 10 * RATE * len(ANTENNAS) * (1 - MISS)

pytestmark = pytest.mark.slow


def emulated(identity: str) -> LlrpEmulator:
    return LlrpEmulator(population(TAGS, RATE, ANTENNAS, miss=MISS), identity, keep_reads=True)


def sllurp_inventory(port: int, seconds: float, impinj: bool) -> list[dict]:
    """The tags that sllurp's threaded client reports."""
    additions = {"EnableRFPhaseAngle": True, "EnablePeakRSSI": True, "EnableRFDopplerFrequency": True}
    config = LLRPReaderConfig(
        {
            "antennas": list(ANTENNAS),
            "start_inventory": True,
            "reset_on_connect": True,
            "report_every_n_tags": 1,
            "tag_content_selector": {"EnableAntennaID": True, "EnablePeakRSSI": True, "EnableROSpecID": False},
            **({"impinj_tag_content_selector": additions} if impinj else {}),
        }
    )
    seen: list[dict] = []
    client = LLRPReaderClient("127.0.0.1", port, config)
    client.add_tag_report_callback(lambda _, tags: seen.extend(tags))
    client.connect()
    time.sleep(seconds)
    client.disconnect(timeout=5)
    assert not client.is_alive()
    return seen


async def test_sllurp_inventories_a_speedway():
    async with emulated("impinj-r420") as emulator:
        seen = await asyncio.to_thread(sllurp_inventory, emulator.port, 10.0, True)
        assert len(seen) == pytest.approx(TEN_SECONDS, rel=0.1)
        assert {tag["EPC"] for tag in seen} == {read.epc.hex().encode() for read in emulator.reads}
        assert Counter(tag["AntennaID"] for tag in seen).keys() == set(ANTENNAS)
        # It throws away what comes after it began to stop; nothing else may be missing.
        assert emulator.reader.counters.sent - len(seen) < 4 * RATE  # what is still on its way
        made = Counter((read.epc, read.rssi) for read in emulator.reads)
        told = Counter((bytes.fromhex(tag["EPC"].decode()), tag["ImpinjPeakRSSI"]) for tag in seen)
        assert told <= made
        assert {"ImpinjRFPhaseAngle", "ImpinjRFDopplerFrequency"} <= seen[0].keys()


@pytest.mark.parametrize("identity", sorted(IDENTITIES))
async def test_llrpkit_inventories_every_model(identity):
    seconds = 10.0 if identity == "impinj-r700" else 2.0
    model = IDENTITIES[identity]
    async with emulated(identity) as emulator:
        async with Reader("127.0.0.1", emulator.port) as reader:
            assert (reader.model_number, reader.firmware) == (model.model, model.firmware)
            assert reader.max_antennas == model.antennas
            assert reader.is_impinj is (model.manufacturer == IMPINJ)
            extra = {"include_phase": True, "include_doppler": True, "include_tid": True} if reader.is_impinj else {}
            power = reader.capabilities.transmit_powers[3]
            seen = [tag async for tag in reader.inventory(duration=seconds, tx_power_dbm=power, **extra)]
            assert reader.client.dropped_reports == 0
        await emulator.until(lambda: not emulator.connected)
        assert len(seen) == pytest.approx(TEN_SECONDS * seconds / 10, rel=0.15)
        made = Counter(read.epc for read in emulator.reads)
        assert Counter(tag.epc for tag in seen) <= made
        assert sum(made.values()) - len(seen) < 4 * RATE  # it drops what comes after it began to stop
        assert {tag.antenna for tag in seen} == set(ANTENNAS)
        if model.manufacturer == IMPINJ:
            assert all(tag.tid == tid_of(tag.epc) for tag in seen)
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
            assert len(window.tags) == pytest.approx(TEN_SECONDS / 20, rel=0.25)
