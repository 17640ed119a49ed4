"""What waits for its time is, after a checkpoint, what it was before."""

from __future__ import annotations

import orjson
import pytest

from drivers.api import (
    AntennaStatus,
    ClockQuality,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderUp,
)
from gateway.floor.pending import _KINDS, Pending
from gateway.inputs import Command, Restart

ITEMS = [
    AntennaStatus("dock", 5, 2, False, "cable"),
    Command(5, "count", {"zone": "vault"}),
    InputChange("dock", 5, 1, True),
    ReaderAlive("dock", 5),
    *(ReaderClock("dock", 5, quality, -3) for quality in ClockQuality),
    ReaderCondition("dock", 5, "hot", True, "61 degrees"),
    ReaderDown("dock", 5, "link lost"),
    ReaderUp("dock", 5, True, "R700", "8.1"),
    Restart(5, 2, False, True, ["presence"]),
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_what_waits_is_the_same_after_a_checkpoint(item):
    before = Pending()
    before.add(5, item)
    after = Pending()
    after.load(orjson.loads(orjson.dumps(before.dump())), before.number)
    loaded = after.pop()
    assert loaded == item
    assert [type(value) for value in vars_of(loaded)] == [type(value) for value in vars_of(item)]


def vars_of(item):
    return [getattr(item, name) for name in type(item).__dataclass_fields__]


def test_each_kind_is_tried():
    assert {type(item).__name__ for item in ITEMS} == set(_KINDS)
