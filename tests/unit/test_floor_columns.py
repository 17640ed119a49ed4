"""The table of live tags: columns to everybody, rows in memory, chunks in a checkpoint."""

from __future__ import annotations

import struct

import pytest

from gateway.errors import LedgerError
from gateway.floor.presence.states import State
from gateway.floor.presence.table import CHUNK, ROW, Columns

NAMES = (
    "last",
    "dark",
    "reads",
    "windows",
    "mask",
    "level",
    "mean",
    "widest",
    "antenna",
    "strongest",
    "since",
    "queued",
)


def filled(count):
    """Tags of which no two values are alike, so that none can be in another's place."""
    tags = Columns()
    for number in range(count):
        slot = tags.new(number.to_bytes(12, "big"))
        tags.state[slot] = State.PRESENT
        for place, name in enumerate(NAMES[:-1]):
            getattr(tags, name)[slot] = (number * 16 + place) % 30_000
    return tags


def content(tags):
    return {epc: [getattr(tags, name)[slot] for name in (*NAMES, "state")] for epc, slot in tags.slots.items()}


def test_a_table_that_grows_keeps_what_it_holds():
    assert list(content(filled(2 * CHUNK + 1)).items())[: CHUNK - 1] == list(content(filled(CHUNK - 1)).items())


def test_a_row_is_what_the_columns_say():
    tags = filled(3)
    assert ROW.unpack_from(tags.rows, 2 * ROW.size) == tuple(getattr(tags, name)[2] for name in NAMES[:10])
    assert struct.calcsize("=" + ROW.format.removeprefix("@")) == ROW.size  # no gaps: also what the other order has


def test_a_released_slot_is_blank():
    tags = filled(3)
    tags.release(1)
    assert tags.new(b"new") == 1
    assert [getattr(tags, name)[1] for name in NAMES] == [0] * len(NAMES)


def test_chunks_restore_the_table():
    tags = filled(CHUNK + 5)
    tags.state[7] = State.FREE
    tags.release(7)
    restored = Columns()
    restored.load([part for _, part in tags.changed()])
    assert content(restored) == content(tags)
    assert restored.free == [7]
    assert [number for number, _ in restored.changed()] == [0, 1]


def test_a_chunk_of_a_machine_of_the_other_byte_order():
    tags = filled(5)
    ((_, part),) = tags.changed()
    at = 5
    rows = part[at : at + 5 * ROW.size]
    since = part[at + len(rows) : at + len(rows) + 40]
    mine, other = ("<", ">") if part[:1] == b"l" else (">", "<")
    codes = ROW.format.removeprefix("@")
    swapped = b"".join(struct.pack(other + codes, *row) for row in struct.iter_unpack(mine + codes, rows))
    swapped += struct.pack(f"{other}5q", *struct.unpack(f"{mine}5q", since))
    header = (b"b" if part[:1] == b"l" else b"l") + part[1:5]
    restored = Columns()
    restored.load([header + swapped + part[at + len(swapped) :]])
    assert content(restored) == content(tags)


@pytest.mark.parametrize("cut", [1, 5, 200])
def test_a_chunk_that_is_cut_short_is_refused(cut):
    ((_, part),) = filled(5).changed()
    with pytest.raises(LedgerError, match="restore the ledger"):
        Columns().load([part[:-cut]])
