"""Verdicts against truth: what was published must add up to what was walked."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.judge import Verdict
from benchmarks.accuracy.match import adds_up, among, weigh
from benchmarks.radio import Transit


def transit(direction, start, end, *signs):
    step = (end - start) / (len(signs) + 1)
    return Transit("U", "door", direction, start, end, tuple((start + step * (n + 1), s) for n, s in enumerate(signs)))


def verdict(direction, first, last, confidence=0.9):
    return Verdict("U", "door", direction, confidence, first, last, last + 2.0, None)


IN, OUT = transit("in", 10, 15, 1), transit("out", 20, 25, -1)
TURNED, HALF = transit("turned_back", 10, 15), transit("turned_back", 10, 15, 1, -1)

CASES = {
    "right": ([IN], [verdict("in", 8, 16)], [("right", False)]),
    "the wrong way": ([IN], [verdict("out", 8, 16)], [("wrong", False)]),
    "a passage taken for none": ([IN], [verdict("turned_back", 8, 16)], [("wrong", False)]),
    "undetermined": ([IN], [verdict("undetermined", 8, 16)], [("abstained", False)]),
    "nothing said": ([IN], [], [("silent", False)]),
    "said twice": ([IN], [verdict("in", 8, 12), verdict("in", 13, 16)], [("wrong", False)]),
    "static, and then in": ([IN], [verdict("standing", 5, 9.5), verdict("in", 9.6, 16)], [("right", False)]),
    "undetermined, and then in": ([IN], [verdict("undetermined", 8, 11), verdict("in", 12, 16)], [("right", False)]),
    "in and out, each right": (
        [IN, OUT],
        [verdict("in", 8, 17), verdict("out", 18, 26)],
        [("right", False), ("right", False)],
    ),
    "in and out, taken for one that returned": ([IN, OUT], [verdict("turned_back", 8, 26)], [("right", False)]),
    "in and out, the wrong way round": ([IN, OUT], [verdict("out", 8, 19.5), verdict("in", 18, 26)], [("wrong", True)]),
    "in and out, one of them left open": (
        [IN, OUT],
        [verdict("in", 8, 19.5), verdict("undetermined", 18, 26)],
        [("abstained", False)],
    ),
    "in and out, one of them left out": ([IN, OUT], [verdict("in", 8, 26)], [("wrong", True)]),
    "the wrong way, and once undetermined": (
        [IN],
        [verdict("undetermined", 8, 11), verdict("out", 12, 16)],
        [("wrong", False)],
    ),
    "said twice, and once undetermined": (
        [IN],
        [verdict("in", 8, 11), verdict("undetermined", 11, 13), verdict("in", 13, 16)],
        [("wrong", False)],
    ),
    "turned, called a passage and once undetermined": (
        [TURNED],
        [verdict("in", 8, 12), verdict("undetermined", 12, 16)],
        [("wrong", True)],
    ),
    "turned": ([TURNED], [verdict("turned_back", 8, 16)], [("right", False)]),
    "turned, called standing": ([TURNED], [verdict("standing", 8, 16)], [("right", False)]),
    "turned, called a passage": ([TURNED], [verdict("in", 8, 16)], [("wrong", True)]),
    "turned, undetermined": ([TURNED], [verdict("undetermined", 8, 16)], [("abstained", False)]),
    "half across, in and out": ([HALF], [verdict("in", 8, 12), verdict("out", 12.5, 16)], [("right", False)]),
    "not across at all, in and out": ([TURNED], [verdict("in", 8, 12), verdict("out", 12.5, 16)], [("wrong", True)]),
    "beside any attempt": ([IN], [verdict("in", 8, 16), verdict("out", 40, 44)], [("right", False), ("wrong", True)]),
}


@pytest.mark.parametrize("case", CASES)
def test_weighing(case):
    transits, verdicts, expected = CASES[case]
    assert [(weighed.result, weighed.false_passage) for weighed in weigh(transits, verdicts)] == expected


def test_transits_close_behind_each_other_are_weighed_alone():
    close = [transit("in", 10, 15, 1), transit("out", 15.5, 20, -1)]
    found = weigh(close, [verdict("in", 9, 15.1), verdict("out", 15.4, 21)])
    assert [weighed.result for weighed in found] in (["right"], ["right", "right"])
    assert sum(len(weighed.transits) for weighed in found) == 2


@pytest.mark.parametrize(
    ("claims", "crossings", "up"),
    [
        ([], [], True),
        ([], [1, -1], True),
        ([1, -1], [1, -1], True),
        ([-1, 1], [1, -1], False),
        ([1], [1, -1, 1], True),
        ([1, -1, 1], [1, -1, 1], True),
        ([1, -1, 1], [1], False),
        ([1, 1], [1, -1, 1], False),
        ([-1], [1], False),
        ([1, -1], [], False),
    ],
)
def test_ways_add_up(claims, crossings, up):
    assert adds_up(claims, crossings) is up


@pytest.mark.parametrize(
    ("claims", "crossings", "are"),
    [
        ([], [], True),
        ([], [1, -1], True),
        ([1], [1, -1], True),
        ([-1], [1, -1], True),
        ([1, 1], [1, -1, 1], True),  # the way back was left open
        ([-1, 1], [1, -1], False),
        ([1, 1], [1], False),
        ([-1], [1], False),
        ([1], [], False),
    ],
)
def test_ways_are_among_the_crossings(claims, crossings, are):
    assert among(claims, crossings) is are
