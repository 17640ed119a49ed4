"""The simple rules do what they are called, each on a pass where the others may differ."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.rules import RULES
from drivers.emulators.scene import SECOND, Seen

SIDES = {1: "inside", 2: "outside"}


def reads(*rows):
    """(seconds, antenna, dBm)"""
    return [Seen(b"", antenna, round(100 * rssi), 1, round(t * SECOND), 0, 0) for t, antenna, rssi in rows]


OUTSIDE_FIRST = reads((1, 2, -60), (2, 2, -55), (3, 1, -55), (4, 1, -60))
ONE_SIDE = reads((1, 2, -60), (2, 2, -55))
STRAY_START = reads((1, 1, -79), (2, 2, -50), (3, 2, -52), (5, 1, -50), (6, 1, -53))  # inside has one early weak read
LATE_STRAYS = reads((1, 1, -70), (2, 2, -50), (5, 1, -48), (8, 2, -75), (8.5, 2, -75), (9, 2, -75))


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (OUTSIDE_FIRST, dict.fromkeys(["first seen", "RSSI peak", "mean time", "weighted time"], "in")),
        (
            ONE_SIDE,
            dict.fromkeys(["first seen", "RSSI peak", "mean time", "weighted time"]) | {"6 dB location": "turned_back"},
        ),
        (STRAY_START, {"first seen": "out", "RSSI peak": "in", "weighted time": "in"}),
        (LATE_STRAYS, {"RSSI peak": "in", "mean time": "out", "weighted time": "in"}),
        (
            reads((1, 2, -50), (2, 1, -55), (3, 1, -45)),
            {"6 dB location": "turned_back"},
        ),  # 5 dB are not enough
        (reads((1, 2, -50), (2, 1, -43)), {"6 dB location": "in"}),
        ([], dict.fromkeys(RULES)),
    ],
    ids=["plain", "one side", "an early stray", "late strays", "less than 6 dB", "more than 6 dB", "nothing"],
)
def test_rules(case, expected):
    assert {name: RULES[name](case, SIDES) for name in expected} == expected
