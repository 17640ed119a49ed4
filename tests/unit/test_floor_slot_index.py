"""Where tags are in the table, for many at once: never anything but what the table's dictionary says."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest

from gateway.floor.presence import slot_index
from gateway.floor.presence.slot_index import SlotIndex
from gateway.floor.presence.table import Columns


def words(epcs: list[bytes]) -> npt.NDArray[np.uint32]:
    return np.frombuffer(b"".join(epcs), np.uint32).reshape(-1, 3)


def epc(number: int) -> bytes:
    return number.to_bytes(12, "big")


def same(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """A hash that says nothing: all tags want one cell."""
    return np.full(len(hashes), 1 << 63, np.uint64)


@pytest.mark.parametrize("hashes", ["as they are", "all the same"])
@pytest.mark.parametrize("seed", range(3))
def test_it_says_what_the_dictionary_says(seed: int, hashes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags come, leave, come back to other slots and give theirs to others, some of them no EPC-96."""
    if hashes == "all the same":
        monkeypatch.setattr(slot_index, "hashes_of", same)
    chance = random.Random(seed)
    tags = Columns()
    index = SlotIndex(tags)
    for _ in range(50):
        for _ in range(chance.randrange(200)):
            number = chance.randrange(6_000)
            tag = epc(number) if number % 50 else epc(number)[4:]
            if tag not in tags.slots:
                tags.new(tag)
        leaving = chance.sample(list(tags.slots), chance.randrange(1 + len(tags) // 2) if chance.random() < 0.2 else 0)
        for tag in leaving:
            tags.release(tags.slots[tag])
        asked = [epc(number) for number in chance.sample(range(6_000), chance.randrange(1, 400))]
        assert index.find(words(asked)).tolist() == [tags.slots.get(tag, -1) for tag in asked]


def test_the_blank_epc_is_a_tag_like_another() -> None:
    tags = Columns()
    index = SlotIndex(tags)
    blank = bytes(12)
    assert index.find(words([blank])).tolist() == [-1]
    slot = tags.new(blank)
    assert [index.find(words([blank])).tolist() for _ in range(2)] == [[slot]] * 2
    tags.release(slot)
    assert index.find(words([blank])).tolist() == [-1]


def test_what_was_found_once_is_not_asked_of_the_dictionary_again() -> None:
    class Asked(dict[bytes, int]):
        number = 0

        def get(self, *key: object) -> object:  # type: ignore[override]
            self.number += 1
            return super().get(*key)  # type: ignore[call-overload]

    tags = Columns()
    tags.slots = slots = Asked()
    index = SlotIndex(tags)
    epcs = [epc(number) for number in range(10_000)]
    for each in epcs:
        tags.new(each)
    for _ in range(3):  # cells that two tags want go to one of them at a time
        index.find(words(epcs))
    slots.number = 0
    assert index.find(words(epcs)).tolist() == list(range(10_000))
    assert slots.number < 10
