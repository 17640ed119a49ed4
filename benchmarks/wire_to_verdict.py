"""Reads a second from the bytes of a reader's connection to what the floor says, on one core.

Framing, report decoder, windows, presence and the ticks of event time; no sockets, no ledger. The scene: 64 readers
of 1,000 reads a second each, which take four antennas in turn, a window each, over 40 tags of standing stock. Out of
time order by up to 50 ms, as real readers are. Every message comes in a chunk of its own.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator

from drivers.api import Batch, ReaderUp
from drivers.llrp.framing import HEADER_SIZE, Frames
from drivers.llrp.reports import ReportDecoder
from gateway.clock import MILLISECOND, SECOND
from gateway.config import Config
from gateway.floor import Floor
from gateway.inputs import Tick

START = 1_700_000_000 * SECOND
RATE = 1_000
READERS = 64
SECONDS = 5
TAGS = 40
TICK = 100 * MILLISECOND

_RECORD = struct.Struct(">HH B12s BH Bb BH BQ BQ BH")
_HEADER = struct.Struct(">HII")

Chunks = list[list[tuple[str, bytes]]]
"""For each tick, what arrived before it: reader and bytes."""


def measure() -> Iterator[str]:
    """One line for each size of message; rates are of processor time, the best of three rounds."""
    reads = READERS * RATE * SECONDS
    for per_message in (100, 10, 1):
        best, facts = _best(READERS, _chunks(READERS, SECONDS, per_message))
        yield (
            f"wire to verdict, {per_message:>3} reads a message: {reads / best:>9,.0f} reads/s; "
            f"{READERS} readers at {RATE:,} reads/s take {best / SECONDS:.0%} of a core ({facts} facts)"
        )


def _best(readers: int, chunks: Chunks) -> tuple[float, int]:
    """Seconds of processor time for the chunks, the best of three rounds, and how many facts came out."""
    rounds = [_round(readers, chunks) for _ in range(3)]
    return min(rounds)


def _round(readers: int, chunks: Chunks) -> tuple[float, int]:
    floor = Floor(_config(readers))
    links = {f"reader-{number}": (Frames(), ReportDecoder()) for number in range(readers)}
    for reader in links:
        floor.feed(ReaderUp(reader, START))
    facts = 0
    now = START
    began = time.process_time()
    for arrived in chunks:
        now += TICK
        for reader, data in arrived:
            frames, decoder = links[reader]
            bodies = [memoryview(frame)[HEADER_SIZE:] for _, _, _, frame in frames.feed(data)]
            report = decoder.decode_frames(bodies)
            facts += len(floor.feed(Batch(reader, now, report.rows, 0, report.rssi_unit, report.phase)))
        facts += len(floor.feed(Tick(now)))
    return time.process_time() - began, facts


def _config(readers: int) -> Config:
    return Config.model_validate(
        {
            "site": "bench",
            "gateway": "bench",
            "zones": [{"id": f"zone-{number}"} for number in range(readers)],
            "readers": [
                {
                    "id": f"reader-{number}",
                    "driver": "llrp",
                    "antennas": [{"port": port, "zone": f"zone-{number}"} for port in (1, 2, 3, 4)],
                }
                for number in range(readers)
            ],
        }
    )


def _chunks(readers: int, seconds: int, per_message: int) -> Chunks:
    chance = random.Random(1)
    chunks: Chunks = []
    streams = [_reads(number, seconds, chance) for number in range(readers)]
    ticks = seconds * SECOND // TICK
    per_tick = RATE * TICK // SECOND
    for tick in range(ticks):
        arrived = []
        for number, stream in enumerate(streams):
            records = stream[tick * per_tick : (tick + 1) * per_tick]
            messages = [_message(records[at : at + per_message]) for at in range(0, per_tick, per_message)]
            arrived += [(f"reader-{number}", message) for message in messages]
        chunks.append(arrived)
    return chunks


def _reads(number: int, seconds: int, chance: random.Random) -> list[bytes]:
    """The tag reports of one reader, in the order in which it sends them."""
    records = []
    for read in range(seconds * RATE):
        t = START + read * SECOND // RATE - chance.randrange(50 * MILLISECOND)
        antenna = (read * 4 // RATE) % 4 + 1
        epc = struct.pack(">IIHH", 0x1A406030, number, 0, chance.randrange(TAGS))
        rssi = chance.randrange(-70, -50)
        fields = (240, _RECORD.size, 141, epc, 129, antenna, 134, rssi, 135, 7, 130, t, 132, t, 136, 1)
        records.append(_RECORD.pack(*fields))
    return records


def _message(records: list[bytes]) -> bytes:
    body = b"".join(records)
    return _HEADER.pack(1 << 10 | 61, HEADER_SIZE + len(body), 1) + body


if __name__ == "__main__":
    for line in measure():
        print(line)
