"""The scores of the recordings, held against what can be counted by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.recordings import __main__ as recordings
from benchmarks.recordings import files, silence, zones
from benchmarks.recordings.files import Read, Trial
from benchmarks.recordings.floor import Said, movements
from benchmarks.recordings.picture import timeline
from gateway.clock import SECOND
from tests.support.claims import some

TAG = "1A4060300048D3D006000201"
T0 = 1_700_000_000 * SECOND


def reads(begin: int, end: int, near: int, far: int) -> Iterator[Read]:
    for step in range(begin * 4, end * 4):
        t = T0 + step * SECOND // 4
        yield Read(t, near, TAG, -50.0)
        yield Read(t + 1, far, TAG, -65.0)


def carried() -> Trial:
    """A minute in a, a minute in b."""
    stays: list[tuple[int, str | None]] = [(T0, "a"), (T0 + 60 * SECOND, "b")]
    return Trial("carried", TAG, [*reads(0, 60, 1, 2), *reads(60, 120, 2, 1)], stays, T0 + 120 * SECOND)


def said(movement: str, target: str, at: float, confidence: float = 0.9) -> Said:
    return Said(movement, None, target, confidence, T0, T0 + round(at * SECOND))


def test_a_statement_holds_from_when_it_is_published():
    found = zones.score(carried(), [said("arrived", "a", 6), said("moved", "b", 72), said("moved", "a", 108)])
    assert found.share == pytest.approx((54 + 36) / 120)
    assert (found.true, found.said, found.delays, found.moves) == (1, 1, [12.0], 2)
    assert found.claims == [(0.9, True), (0.9, False)]


def test_what_is_never_said_is_not_said():
    found = zones.score(carried(), [said("arrived", "a", 0)])
    assert (found.said, found.share) == (0, 0.5)


@pytest.mark.parametrize("judge", ["floor", "6 dB"])
def test_both_judges_find_a_tag_that_is_carried(judge):
    trial, ports = carried(), {1: "a", 2: "b"}
    found = movements(trial.reads, ports) if judge == "floor" else zones.six_db(trial.reads, ports)
    assert [(one.movement, one.target) for one in found] == [("arrived", "a"), ("moved", "b")]
    assert 60 < (found[1].at - T0) / SECOND < 75
    assert timeline(trial, found, []).count("<rect") == 2 + 2 + 2  # truth, floor, legend


@pytest.mark.slow
def test_silence_is_weighed_against_the_timeout_that_is_as_late():
    trial = Trial("room", TAG, [*reads(0, 60, 1, 2), *reads(100, 160, 1, 2)], [(T0, "a")], T0 + 160 * SECOND)
    fixed = [silence.of_timeout(trial, timeout) for timeout in (10, 30, 60)]
    assert [one.false for one in fixed] == [1, 1, 0]
    floor = silence.of_floor(trial, {1: "a", 2: "a"})
    assert floor.false == 1
    assert all(0 <= delay < 90 for delay in some(floor.delays))
    assert silence.false_at_equal_delay(floor, fixed, "mean") <= 1
    assert [right for _, right in floor.claims] == [False, True]


def test_without_recordings_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    assert recordings.main([]) == 0
    assert "SKIPPED" in capsys.readouterr().err


@pytest.mark.skipif(not files.FOLDER.exists(), reason=f"no recordings of real readers in {files.FOLDER}")
@pytest.mark.slow
def test_a_count_misses_nothing_that_it_read():
    from benchmarks.recordings.counts import walks

    (walk, *_) = walks(0.25)
    assert walk.read > 5
    assert walk.missing == 0
