"""Replay and recording: reads a second of processor time from a raw recording and from lines, and bytes a read."""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from drivers.api import Batch, RssiUnit
from drivers.records import RecordFormat, Records
from gateway.config import Config
from gateway.inputs import Input, Tick
from gateway.recording.blocks import encode_blocks
from gateway.recording.read import open_items
from gateway.recording.write import Gap, encode
from gateway.replay import replay_facts

READERS, TAGS, EVERY = 64, 100, 100_000
READS = 2_000_000
START = 1_700_000_000_000_000
CHUNK = 650  # inputs of a second
FORMAT = RecordFormat(
    47,
    [
        ("epc", 4, "12s"),
        ("antenna", 17, "H"),
        ("rssi", 20, "b"),
        ("channel", 22, "H"),
        ("time", 25, "Q"),
        ("count", 45, "H"),
    ],
)


def measure() -> Iterator[str]:
    """One line for each form."""
    config = Config.model_validate(
        {
            "site": "bench",
            "gateway": "bench",
            "zones": [{"id": f"z{number}"} for number in range(READERS)],
            "readers": [
                {
                    "id": f"r{number}",
                    "driver": "llrp",
                    "host": "localhost",
                    "antennas": [{"port": port, "zone": f"z{number}"} for port in (1, 2, 3, 4)],
                }
                for number in range(READERS)
            ],
        }
    )
    chunk = list(_inputs(Random(1)))
    began = time.process_time()
    raw = b"".join(encode_blocks(chunk[at : at + CHUNK], "") for at in range(0, len(chunk), CHUNK))
    packing = time.process_time() - began
    began = time.process_time()
    lines = b"".join([encode(item, position) for position, item in chunk])
    writing = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        for name, content, seconds in (("reads.raw", raw, packing), ("reads.jsonl", lines, writing)):
            path = Path(folder) / name
            path.write_bytes(content)
            began = time.process_time()
            with open_items(path) as items:
                facts = sum(1 for _ in replay_facts(config, (item for _, item in items if not isinstance(item, Gap))))
            rate = READS / (time.process_time() - began)
            yield (
                f"{name}: replay {rate:,.0f} reads/s ({facts:,} facts); {len(content) / READS:.1f} bytes a read, "
                f"{seconds / READS * 1e6:.2f} us to write one"
            )


def _inputs(chance: Random) -> Iterator[tuple[int, Input]]:
    """What 64 readers of 1,000 reads a second give: standing stock at four antennas."""
    position, t, made = 0, START, 0
    while made < READS:
        t += EVERY
        for reader in range(READERS):
            body = bytearray()
            for read in range(100):
                record = bytearray(FORMAT.size)
                record[:4] = b"\x00\xf0\x00\x2f"
                tag = reader * TAGS + chance.randrange(TAGS)
                record[4:16] = b"\x1a\x40\x60\x30\x00\x48\xd3" + tag.to_bytes(5, "big")
                struct.pack_into(">H", record, 17, t // 250_000 % 4 + 1)
                struct.pack_into(">b", record, 20, -60 - chance.randrange(8))
                struct.pack_into(">H", record, 22, 7)
                struct.pack_into(">Q", record, 25, t - EVERY + read * 1_000)
                struct.pack_into(">H", record, 45, 1)
                body += record
            position += 1
            made += 100
            yield position, Batch(f"r{reader}", t, Records(FORMAT, bytes(body)), 0, RssiUnit.DBM)
        position += 1
        yield position, Tick(t)
