"""Readers whose links are read once for each tick: their keepalives are answered, and they are held back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.api import Batch
from drivers.llrp.protocol.codec import Message
from drivers.llrp.protocol.element import E
from tests.integration.test_llrp_driver_links import server_context
from tests.support import certificates
from tests.support.llrp_rig import FakeReader, Rig, scripted

HELD = 200
KEEPALIVE_AFTER = 40


def epc(number: int) -> bytes:
    return number.to_bytes(12, "big")


def report(number: int) -> Message:
    """One read, now, in a message of its own."""
    now = Rig.now()
    tag = E(
        "TagReportData",
        E("EPC_96", EPC=epc(number)),
        E("AntennaID", AntennaID=1),
        E("PeakRSSI", PeakRSSI=-60),
        E("FirstSeenTimestampUTC", Microseconds=now),
        E("LastSeenTimestampUTC", Microseconds=now),
        E("TagSeenCount", TagCount=1),
    )
    return Message("RO_ACCESS_REPORT", number, E("RO_ACCESS_REPORT", tag))


def gathered(rig: Rig) -> bool:
    """Whether what came in messages of its own has come in one piece."""
    return any(len(batch.rows) >= 10 for batch in rig.of(Batch))


class Chatterbox:
    """The script of a reader that says every read by itself and sends keepalives between them."""

    def __init__(self) -> None:
        self.sent = 0
        self.owed: set[int] = set()
        self.answered: set[int] = set()
        self.quiet = asyncio.Event()

    async def __call__(self, reader: FakeReader) -> None:
        await reader.set_up()
        answers = asyncio.create_task(self._listen(reader))
        while not self.quiet.is_set():
            reader.say(report(self.sent))
            self.sent += 1
            if self.sent % KEEPALIVE_AFTER == 0:
                self.keep_alive(reader, 1_000 + self.sent)
            await reader.writer.drain()
            await asyncio.sleep(0.001)
        while True:  # nothing is read any more
            self.keep_alive(reader, 100_000 + len(self.owed))
            await asyncio.wait([answers], timeout=0.05)
            if answers.done():
                return await answers

    def keep_alive(self, reader: FakeReader, identity: int) -> None:
        self.owed.add(identity)
        reader.say(Message("KEEPALIVE", identity, E("KEEPALIVE")))

    async def _listen(self, reader: FakeReader) -> None:
        while True:
            request = await reader.asked()
            if request.name == "KEEPALIVE_ACK":
                self.answered.add(request.id)
            else:
                reader.serve(request)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_keepalives_are_answered_on_a_link_that_gathers(tls: bool, tmp_path: Path) -> None:
    files = certificates.make(tmp_path) if tls else None
    reader = Chatterbox()
    trusted = {"ca_file": str(files.file("ca.crt"))} if files else None
    async with scripted(reader, tls=server_context(files) if files else None) as port:
        rig = Rig(host="localhost", port=port, tls=trusted)
        async with rig.running():
            await rig.until(lambda: gathered(rig) and len(reader.answered) >= 4, "keepalives among reads")
            reader.quiet.set()
            answered = len(reader.answered)
            await rig.until(lambda: len(reader.answered) > answered + 2, "keepalives and nothing else")
            await rig.until(lambda: len(rig.epcs) >= reader.sent, "every read")
            assert rig.failures == []
        assert rig.epcs == [epc(number) for number in range(reader.sent)]
        assert reader.answered <= reader.owed


async def test_a_link_that_gathers_is_held_back_and_lives() -> None:
    reader = Chatterbox()
    async with scripted(reader) as port:
        rig = Rig(host="127.0.0.1", port=port)
        async with rig.running():
            await rig.until(lambda: gathered(rig), "reads")
            rig.driver.pause()
            await asyncio.sleep(0)
            seen, sent = len(rig.epcs), reader.sent
            await rig.until(lambda: reader.sent > sent + HELD, "the reader goes on")
            assert len(rig.epcs) == seen, "nothing is taken meanwhile"
            rig.driver.resume()
            reader.quiet.set()
            await rig.until(lambda: len(rig.epcs) >= reader.sent, "what was held back")
            await rig.until(lambda: len(reader.answered) > reader.sent / KEEPALIVE_AFTER, "its keepalives")
            assert rig.failures == []
        assert rig.epcs == [epc(number) for number in range(reader.sent)]
