"""The recorder: every journalled input in the files, once, in order."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
import structlog

from drivers.api import Batch
from gateway.config import JournalConfig, RecordingConfig
from gateway.inputs import Input, Tick
from gateway.ledger.journal import Journal
from gateway.recording import recorder as recorder_module
from gateway.recording.files import Recording, recordings
from gateway.recording.read import encode, open_items, open_reads, read_items
from gateway.recording.recorder import Recorder
from gateway.recording.write import Gap

T = 1_700_000_000_000_000
MEGABYTE = 1 << 20


def item_at(position: int) -> Input:
    rows = [(position.to_bytes(12, "big"), 1, -60, 0, T + row, 1) for row in range(position % 4)]
    return Batch("dock-a", T + position, rows) if rows else Tick(T + position)


class Run:
    """A journal and a recorder of one run in `directory`."""

    def __init__(
        self,
        directory: Path,
        max_bytes: int = 64 * MEGABYTE,
        now: Callable[[], int] = lambda: T,
        form: Literal["lines", "raw"] = "lines",
    ) -> None:
        self.files = directory / "recording"
        self.journal = Journal(JournalConfig(directory=directory / "journal", max_bytes=MEGABYTE))
        self.journal.open()
        config = RecordingConfig(directory=self.files, format=form, max_bytes=max_bytes)
        self.recorder = Recorder(config, structlog.get_logger(), now)

    def resume(self) -> int:
        return self.recorder.resume(self.journal)

    def take(self, count: int) -> None:
        for _ in range(count):
            item = item_at(self.journal.position + 1)
            self.recorder.append(self.journal.append(item), item)

    def close(self) -> None:
        self.recorder.close()
        self.journal.close()

    def paths(self) -> list[Path]:
        return sorted(self.files.iterdir())

    def recorded(self) -> list[Input]:
        items: list[Input] = []
        for path in self.paths():
            with open_reads(path) as lines:
                items.extend(read_items(lines))
        return items


def inputs(first: int, last: int) -> list[Input]:
    return [item_at(position) for position in range(first, last + 1)]


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.002)


def test_what_is_appended_is_in_the_file_and_position_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.resume() == 0
    assert run.recorder.position == 0
    run.take(50)
    wait_for(lambda: run.recorder.position == 50)
    assert run.recorded() == inputs(1, 50)
    assert [path.name for path in run.paths()] == ["reads-20231114T221320.000000Z.jsonl"]
    run.close()


def test_close_writes_what_is_queued(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.resume()
    run.take(500)
    run.close()
    assert run.recorder.position == 500
    assert run.recorded() == inputs(1, 500)


def test_a_restart_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for _ in range(3):
        run = Run(tmp_path)
        assert run.resume() in (0, 1), "the last one may be written again"
        run.take(20)
        run.close()
    assert len(run.paths()) == 1
    assert run.recorded() == inputs(1, 60)


@pytest.mark.slow
def test_a_recording_cut_off_at_any_byte_is_completed_from_the_journal(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.resume()
    run.take(12)
    run.close()
    path = run.paths()[0]
    content = path.read_bytes()
    for length in range(0, len(content) + 1, 7):
        path.write_bytes(content[:length])
        again = Run(tmp_path)
        again.resume()
        again.close()
        assert again.recorded() == inputs(1, 12), length
        assert again.recorder.position == 12
        for other in again.paths():
            other.unlink()


def test_what_the_journal_has_released_is_not_written_again(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.resume()
    while len(list((tmp_path / "journal").glob("*.journal"))) < 3:
        run.take(100)
    last = run.journal.position
    run.recorder.close()
    run.journal.release(last)
    run.journal.close()
    again = Run(tmp_path)
    again.resume()
    again.take(5)
    again.close()
    assert again.recorded() == inputs(1, last + 5)


def test_inputs_that_were_journalled_and_not_recorded_are_copied(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.resume()
    run.take(10)
    run.recorder.close()
    for position in range(11, 31):
        run.journal.append(item_at(position))
    run.journal.close()
    again = Run(tmp_path)
    assert again.resume() == 21, "the last recorded one is written again"
    again.close()
    assert again.recorded() == inputs(1, 30)


def test_a_lost_journal_begins_a_new_file_that_is_told_apart(tmp_path: Path) -> None:
    """Positions begin behind the last checkpoint then, which may be before the end of the recording."""
    run = Run(tmp_path)
    run.resume()
    run.take(100)
    run.close()
    for path in (tmp_path / "journal").glob("*.journal"):
        path.unlink()
    again = Run(tmp_path)
    again.journal.begin(60)
    assert again.resume() == 0
    assert again.recorder.position == 60
    again.take(10)
    again.recorder.close()
    again.journal.close()
    third = Run(tmp_path)
    third.resume()
    third.take(10)
    third.close()
    assert third.recorded() == inputs(1, 100) + inputs(61, 80)
    firsts = [orjson.loads(path.read_bytes().splitlines()[0]) for path in third.paths()]
    assert [line["journal"] for line in firsts] == [run.journal.id, third.journal.id]


@pytest.mark.slow
def test_files_are_rotated_and_the_oldest_deleted(tmp_path: Path) -> None:
    clock = iter(range(T, T + 10**9, 10**6))
    run = Run(tmp_path, max_bytes=MEGABYTE, now=lambda: next(clock))
    run.resume()
    for _ in range(40):
        run.take(400)
        wait_for(lambda: run.recorder.position == run.journal.position)
        run.journal.release(run.recorder.position)
    run.close()
    sizes = [path.stat().st_size for path in run.paths()]
    assert sum(sizes) <= MEGABYTE
    assert len(sizes) >= 5
    items = run.recorded()
    assert items[-1] == item_at(16_000)
    assert items == inputs(16_000 - len(items) + 1, 16_000)


def test_names_sort_in_order_even_if_the_clock_is_set_back(tmp_path: Path) -> None:
    clock = iter([T, T - 10**9, T + 1])
    for _ in range(3):
        run = Run(tmp_path, now=lambda: next(clock))
        run.journal.begin(0)
        run.resume()
        run.take(3)
        run.close()
    assert [path.name for path in run.paths()] == [
        "reads-20231114T221320.000000Z.jsonl",
        "reads-20231114T221320.000001Z.jsonl",
        "reads-20231114T221320.000002Z.jsonl",
    ]


def test_a_full_disk_costs_the_oldest_files_first_and_then_leaves_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_RETRY", 0.02)
    monkeypatch.setattr(recorder_module, "_QUEUED_LINES", 100)
    run = Run(tmp_path)
    run.journal.begin(0)
    run.resume()
    run.take(5)
    run.close()
    run = Run(tmp_path)
    run.journal.begin(0)
    run.resume()
    run.take(5)
    wait_for(lambda: run.recorder.position == 5)
    assert len(run.paths()) == 2

    real = os.write
    full = True

    def write(descriptor: int, data: bytes) -> int:
        if full and descriptor == run.recorder._recording._file:
            real(descriptor, bytes(data[:7]))
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    run.take(100)
    wait_for(lambda: "No space left" in run.recorder.problem)
    assert len(run.paths()) == 1, "the older file was given up first"
    run.take(20)
    assert run.recorder.position == 125, "the journal need not keep what is left out"
    full = False
    wait_for(lambda: run.recorder.problem == "")
    wait_for(lambda: run.recorder._queued == 0)
    run.take(3)
    run.close()
    content = b"".join(path.read_bytes() for path in run.paths())
    (first,) = re.findall(rb'"gap":\{"first":(\d+),"last":125\}', content)
    assert run.recorded() == [*inputs(1, int(first) - 1), *inputs(126, 128)]


def test_a_directory_that_cannot_be_used_is_named_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_RETRY", 0.02)
    run = Run(tmp_path)
    run.files.write_text("")
    run.resume()
    run.take(3)
    wait_for(lambda: "recording cannot be written" in run.recorder.problem)
    run.files.unlink()
    wait_for(lambda: run.recorder.problem == "")
    run.close()
    assert run.recorded() == inputs(1, 3)


@pytest.mark.parametrize("form", ["lines", "raw"])
@pytest.mark.parametrize("restarted", [False, True])
def test_an_input_that_cannot_be_encoded_leaves_a_gap_and_holds_up_no_other(
    tmp_path: Path, form: Literal["lines", "raw"], restarted: bool
) -> None:
    """Reads of five columns, as no driver makes them: live, and at a start that completes the recording."""
    rows: Any = [(bytes(12), 1, -60, 0, T)]
    run = Run(tmp_path, form=form)
    if not restarted:
        run.resume()
    items = [*inputs(1, 2), Batch("dock-a", T + 3, rows), *inputs(4, 5)]
    for item in items:
        position = run.journal.append(item)
        if not restarted:
            run.recorder.append(position, item)
    if restarted:
        run.resume()
    wait_for(lambda: run.recorder.position == 5, 60)
    run.close()
    assert run.recorder.problem == ""
    (path,) = run.paths()
    with open_items(path) as found:
        assert [item for _, item in found] == [*inputs(1, 2), Gap(T + 3, 3, 3), *inputs(4, 5)]


@pytest.mark.parametrize("tail", [bytes(500), b"\n\n", b"{}\n", b'{"n":"x"}\n'])
def test_a_tail_that_is_not_ours_is_left_alone(tmp_path: Path, tail: bytes) -> None:
    run = Run(tmp_path)
    run.resume()
    run.take(3)
    run.close()
    path = run.paths()[0]
    content = path.read_bytes()
    path.write_bytes(content + tail)
    again = Run(tmp_path)
    again.resume()
    again.close()
    if tail.endswith(b"\n"):
        assert len(again.paths()) == 2
        assert path.read_bytes() == content + tail
    else:
        assert again.recorded() == inputs(1, 3)


def test_a_position_of_many_lines_is_cut_off_whole(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.resume()
    run.take(2)
    rows = [(row.to_bytes(12, "big"), 1, -60, 0, T + row, 1) for row in range(3000)]
    big = Batch("dock-a", T, rows)
    run.recorder.append(run.journal.append(big), big)
    run.close()
    path = run.paths()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3003
    path.write_bytes(b"".join(lines[:1500]))
    again = Run(tmp_path)
    assert again.resume() == 1
    again.close()
    assert again.recorded() == [*inputs(1, 2), big]
    assert encode(big, 3) in path.read_bytes()


@pytest.mark.parametrize("name", ["reads-incident", "reads-20260101T000000.000000Z (copy)", "reads-"])
@pytest.mark.parametrize("suffix", [".jsonl", ".raw"])
def test_what_somebody_keeps_beside_a_recording_is_left_alone(tmp_path: Path, name: str, suffix: str) -> None:
    kept = tmp_path / f"{name}{suffix}"
    kept.write_bytes(b"of somebody's own")
    recording = Recording(RecordingConfig(directory=tmp_path), lambda: T)
    recording.open()
    recording.continue_last()
    recording.write(b"a block", "00")
    recording.close()
    assert kept.read_bytes() == b"of somebody's own"
    assert len(recordings(tmp_path)) == 1
