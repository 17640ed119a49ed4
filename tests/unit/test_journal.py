"""The journal: a ring that survives the process, wherever it was interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import marshal
import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderLoss,
    ReaderUp,
    RssiUnit,
)
from gateway.config import JournalConfig
from gateway.errors import LedgerError
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, Tick
from gateway.ledger import segment
from gateway.ledger.journal import Journal, JournalState
from gateway.ledger.layouts import RELEASED, Layout

T = 1_700_000_000_000_000
MEGABYTE = 1 << 20

ONE_OF_EACH: list[Input] = [
    Batch("dock-a", T, [(b"\x1a" * 12, 1, -61, 3, T - 5, 2), (b"", 2, -70, 0, T - 900_000, 1)]),
    Batch("dock-a", T, [(b"\x01", 1, -6150, 0, 17, 1, 2048, -3)], 9, RssiUnit.CENTI_DBM, True, {b"\x01": b"\xe2\x80"}),
    Batch("dock-b", T, [], 0, RssiUnit.RAW),
    ReaderUp("dock-a", T, True, "Speedway", "5.14"),
    ReaderDown("dock-a", T, "connection reset: check the cable"),
    ReaderAlive("dock-a", T),
    ReaderClock("dock-a", T, ClockQuality.CORRECTED, -12_345),
    AntennaStatus("dock-a", T, 2, False, "no load"),
    InputChange("dock-a", T, 1, True),
    ReaderCondition("dock-a", T, "throttled", True, "71 °C"),
    ReaderLoss("dock-a", T, T - 100, T - 50, "overflow", False),
    Tick(T),
    Command(T, "count", {"zone": "vault", "expected": ["1A40"], "nested": {"a": [1, 2.5, None, True]}}),
    Restart(T, T - 5, True, False),
    Restart(T, T - 5, False, rebuilt=("presence", "gate")),
    Restart(T, T - 5, False, True, kept=T - 9),
    Dropped(T, 1, 9, T - 100, T - 1),
    ClockStep(T, 3_600, 3_000, "set"),
    Lateness(T, 250_000),
]


def journal_in(directory: Path, max_bytes: int = MEGABYTE) -> Journal:
    return Journal(JournalConfig(directory=directory, max_bytes=max_bytes))


def opened(directory: Path, max_bytes: int = MEGABYTE) -> tuple[Journal, JournalState]:
    journal = journal_in(directory, max_bytes)
    return journal, journal.open()


def fill(journal: Journal, count: int) -> list[Input]:
    """Appends so many ticks and batches."""
    items: list[Input] = []
    for _ in range(count):
        position = journal.position + 1
        item: Input = Tick(T + position)
        if position % 2:
            item = Batch("dock-a", T, [(row.to_bytes(12, "big"), 1, -60, 0, T + row, 1) for row in range(20)])
        assert journal.append(item) == position
        items.append(item)
    return items


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.journal"))


def test_every_kind_of_input_comes_back_as_it_was(tmp_path: Path) -> None:
    journal, state = opened(tmp_path)
    assert state == JournalState(journal.id, 1, 0)
    for item in ONE_OF_EACH:
        journal.append(item)
    assert [item for _, item in journal.read(0)] == ONE_OF_EACH
    journal.close()
    again, state = opened(tmp_path)
    assert state == JournalState(journal.id, 1, len(ONE_OF_EACH))
    assert list(again.read(3)) == list(enumerate(ONE_OF_EACH, start=1))[3:]
    again.close()


def test_rows_may_be_any_sequence(tmp_path: Path) -> None:
    class Rows(list):  # type: ignore[type-arg]
        pass

    journal, _ = opened(tmp_path)
    row = (b"\x01", 1, -60, 0, T, 1)
    journal.append(Batch("dock-a", T, Rows([row])))
    journal.append(Batch("dock-a", T, (row,)))
    assert [list(item.rows) for _, item in journal.read(0) if isinstance(item, Batch)] == [[row], [row]]
    journal.close()


def test_positions_go_on_over_restarts(tmp_path: Path) -> None:
    items: list[Input] = []
    for _ in range(3):
        journal, state = opened(tmp_path)
        assert state.last == len(items)
        items += fill(journal, 7)
        journal.close()
    journal, _ = opened(tmp_path)
    assert list(journal.read(0)) == list(enumerate(items, start=1))
    assert journal.position == 21
    journal.close()


def test_read_skips_what_is_before_over_many_segments(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    items = list(enumerate(fill(journal, 600), start=1))
    assert len(segments(tmp_path)) > 4
    for after in (0, 1, 150, 299, 599, 600):
        assert list(journal.read(after)) == items[after:]
    journal.close()


def test_release_deletes_whole_segments_and_lowers_the_pressure(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    items = list(enumerate(fill(journal, 800), start=1))
    pressure = journal.pressure
    used = sum(path.stat().st_size for path in segments(tmp_path))
    assert pressure == pytest.approx(used / MEGABYTE)
    journal.release(400)
    assert pressure / 2 - 1 / 16 < journal.pressure < pressure / 2 + 1 / 16
    assert list(journal.read(400)) == items[400:]
    journal.release(journal.position)
    assert journal.pressure < 1 / 16
    journal.close()

    again, state = opened(tmp_path)
    assert (state.last, again.position, state.lost) == (800, 800, "")
    assert again.append(Tick(T)) == 801
    again.close()


@pytest.mark.slow
def test_a_write_cut_off_at_any_byte_loses_only_the_last_input(tmp_path: Path) -> None:
    """What a kill leaves: any beginning of the last record, or of a segment's header."""
    whole = tmp_path / "whole"
    journal, _ = opened(whole)
    items = list(enumerate(fill(journal, 3), start=1))
    journal.close()
    content = segments(whole)[0].read_bytes()
    ends = [segment.HEADER_BYTES]
    for position, item in items:
        ends.append(ends[-1] + len(segment.encode_record(position, item)))
    assert ends[-1] == len(content)

    cut = tmp_path / "cut"
    cut.mkdir()
    name = segments(whole)[0].name
    for length in range(len(content) + 1):
        (cut / name).write_bytes(content[:length])
        again, state = opened(cut)
        survivors = sum(end <= length for end in ends[1:])
        assert state.last == survivors, length
        assert state.lost == ""
        begun = max((end for end in ends if end <= length), default=0)
        assert state.torn == length - begun
        assert [item for _, item in again.read(0)] == [item for _, item in items[:survivors]]
        assert again.append(Tick(T)) == survivors + 1
        again.close()
        third, state = opened(cut)
        assert (state.last, state.torn) == (survivors + 1, 0)
        third.close()
        for path in segments(cut):
            path.unlink()


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (0, "not one of a journal"),
        (30, "not one of a journal"),
        (segment.HEADER_BYTES + 6, "record 1 is not what was written"),
        (segment.HEADER_BYTES + 20, "record 1 is not what was written"),
    ],
)
def test_damage_is_a_lost_journal_and_never_misread(tmp_path: Path, where: int, why: str) -> None:
    journal, _ = opened(tmp_path)
    fill(journal, 5)
    journal.close()
    path = segments(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[where] ^= 0x40
    path.write_bytes(content)
    again, state = opened(tmp_path)
    assert why in state.lost
    assert str(path) in state.lost
    assert (state.first, state.last) == (1, 0)
    assert state.id != journal.id
    assert list(again.read(0)) == []
    again.close()


def test_zeros_behind_the_end_are_no_records(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    fill(journal, 5)
    journal.close()
    with segments(tmp_path)[0].open("ab") as file:
        file.write(bytes(64))
    _, state = opened(tmp_path)
    assert "record 6 is not what was written" in state.lost


def test_a_missing_segment_is_a_lost_journal(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    fill(journal, 600)
    journal.close()
    segments(tmp_path)[2].unlink()
    _, state = opened(tmp_path)
    assert "does not follow the one before" in state.lost


def rewritten(directory: Path, *, layout: int | None = None, python: int | None = None, marshal: int = 4) -> None:
    """Makes the only segment look as if another release or another Python had written it."""
    (path,) = segments(directory)
    data = bytearray(path.read_bytes())
    magic, own, major, minor, _, journal, first, _ = segment._HEADER.unpack_from(data)
    head = segment._HEADER.pack(
        magic, own if layout is None else layout, major, minor if python is None else python, marshal, journal, first, 0
    )[:-4]
    data[: len(head) + 4] = head + struct.pack("<I", zlib.crc32(head))
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"layout": 12345}, "a newer version of the gateway"), ({"python": 99, "marshal": 99}, "Python 3.99")],
)
def test_a_journal_of_a_newer_version_is_not_guessed_at(tmp_path: Path, changes: dict[str, int], why: str) -> None:
    journal, _ = opened(tmp_path)
    fill(journal, 3)
    journal.close()
    rewritten(tmp_path, **changes)
    again, state = opened(tmp_path)
    assert why in state.lost
    assert state.last == 0
    again.close()


@pytest.mark.parametrize("records", [0, len(ONE_OF_EACH)])
def test_a_journal_of_another_python_is_read_and_not_written_on(tmp_path: Path, records: int) -> None:
    journal, _ = opened(tmp_path)
    for item in ONE_OF_EACH[:records]:
        journal.append(item)
    journal.close()
    rewritten(tmp_path, python=9)
    again, state = opened(tmp_path)
    assert (state.lost, state.last) == ("", records)
    again.append(Tick(T))
    assert [item for _, item in again.read(0)] == [*ONE_OF_EACH[:records], Tick(T)]
    again.close()
    assert len(segments(tmp_path)) == (2 if records else 1)
    newest = segment.Segment(segments(tmp_path)[-1])
    assert not newest.header.foreign
    _, state = opened(tmp_path)
    assert (state.lost, state.last) == ("", records + 1)


def test_records_of_an_older_layout_are_read_by_the_names_of_their_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older release had the classes in another order, and one without its newest field."""
    classes = reversed(segment.PRESENT.classes)
    older = Layout(1, tuple((name, fields[:-1] if name == "AntennaStatus" else fields) for name, fields in classes))
    journal, _ = opened(tmp_path)
    journal.close()
    (path,) = segments(tmp_path)
    written = [
        (AntennaStatus("r1", T, 2, True, "as new"), ["r1", T, 2, True]),
        (
            Batch("r1", T, [(b"\x01", 1, -61, 0, T, 1)], 9),
            ["r1", T, [(b"\x01", 1, -61, 0, T, 1)], 9, "dBm", False, None],
        ),
        (ReaderClock("r1", T, ClockQuality.SYNCED, 3), ["r1", T, "synced", 3]),
    ]
    names = [name for name, _ in older.classes]
    with path.open("ab") as file:
        for position, (item, values) in enumerate(written, start=1):
            body = marshal.dumps((names.index(type(item).__name__), *values))
            file.write(segment._RECORD.pack(len(body), zlib.crc32(body, position)) + body)
    rewritten(tmp_path, layout=older.checksum)
    monkeypatch.setitem(segment._LAYOUTS, older.checksum, older)
    again, state = opened(tmp_path)
    assert (state.lost, state.last) == ("", 3)
    assert [item for _, item in again.read(0)] == [AntennaStatus("r1", T, 2, True), *(item for item, _ in written[1:])]
    again.close()


def test_every_released_layout_can_be_read() -> None:
    """A field that is new since a release has a default, and none that was there is gone."""
    classes = {name: segment._BY_NAME[name] for name, _ in segment.PRESENT.classes}
    for layout in RELEASED:
        for name, old in layout.classes:
            fields = {field.name: field for field in dataclasses.fields(classes[name])}
            assert set(old) <= set(fields), name
            for field in set(fields) - set(old):
                missing = (fields[field].default, fields[field].default_factory)
                assert missing != (dataclasses.MISSING, dataclasses.MISSING), f"{name}.{field} needs a default"


def test_begin_forgets_and_numbers_on_under_a_new_id(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    fill(journal, 5)
    before = journal.id
    journal.begin(1000)
    assert journal.id != before
    assert journal.position == 1000
    assert journal.append(Tick(T)) == 1001
    journal.close()
    again, state = opened(tmp_path)
    assert state == JournalState(journal.id, 1001, 1001)
    assert list(again.read(1000)) == [(1001, Tick(T))]
    again.close()


def test_appending_goes_on_above_the_bound_up_to_twice(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    big = Batch("dock-a", T, [(row.to_bytes(12, "big"), 1, -60, 0, T, 1) for row in range(1000)])
    while journal.pressure < 1.97:
        journal.append(big)
        assert not journal.problem
    journal.append(big)
    assert "twice its bound: the ledger takes no checkpoint" in journal.problem
    journal.release(journal.position)
    last = journal.append(big)
    assert not journal.problem
    journal.release(last - 1)
    journal.close()
    again, state = opened(tmp_path)
    assert (state.lost, list(again.read(last - 1))) == ("", [(last, big)])
    again.close()


@pytest.mark.parametrize("how", ["a short write", "no space", "a read-only file system"])
def test_what_cannot_be_written_is_passed_over_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how) -> None:
    journal, _ = opened(tmp_path)
    fill(journal, 3)
    real = os.write

    def fails(descriptor: int, data: bytes) -> int:
        if how == "a short write":
            return real(descriptor, data[:10])
        number = errno.ENOSPC if how == "no space" else errno.EROFS
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fails)
    assert [journal.append(Tick(T)) for _ in range(3)] == [4, 5, 6]
    assert ("is full" in journal.problem) == (how != "a read-only file system")
    assert "cannot be written (Read-only file system)" in journal.problem or how != "a read-only file system"
    monkeypatch.undo()
    assert journal.append(Tick(T)) == 7
    assert not journal.problem
    journal.close()
    again, state = opened(tmp_path)
    assert "does not follow the one before" in state.lost, "a journal with a gap counts as lost"
    again.close()


def test_a_checkpoint_behind_the_gap_makes_the_journal_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _ = opened(tmp_path)
    fill(journal, 3)
    monkeypatch.setattr(os, "write", lambda fd, data: 0)
    journal.append(Tick(T))
    monkeypatch.undo()
    assert journal.append(Tick(T)) == 5
    journal.release(4)
    journal.close()
    again, state = opened(tmp_path)
    assert (state.lost, list(again.read(4))) == ("", [(5, Tick(T))])
    again.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small tmpfs")
def test_somebody_else_who_fills_the_file_system_takes_nothing_of_the_ring(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode()}")
    try:
        journal, _ = opened(tmp_path / "journal")
        with (tmp_path / "somebody").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(65_536)):
                pass
        big = Batch("dock-a", T, [(row.to_bytes(12, "big"), 1, -60, 0, T, 1) for row in range(300)])
        while journal.pressure < 0.95:
            journal.append(big)
            assert not journal.problem
        journal.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_small_file_system_lowers_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        f_bavail = 50
        f_frsize = 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Small)
    journal, _ = opened(tmp_path)
    fill(journal, 100)
    used = sum(path.stat().st_size for path in segments(tmp_path))
    assert journal.pressure > used / 200_000, "half of the space there is, so that twice the bound fits"
    journal.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    with pytest.raises(LedgerError, match=f"in use by another process .pid {os.getpid()}"):
        journal_in(tmp_path).open()
    journal.close()
    again, _ = opened(tmp_path)
    again.close()


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="file/journal"):
        journal_in(tmp_path / "file" / "journal").open()


def test_values_that_are_no_plain_data_change_nothing(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path)
    with pytest.raises(ValueError, match="unmarshallable"):
        journal.append(Command(T, "count", {"zone": object()}))
    assert journal.append(Tick(T)) == 1
    journal.close()
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("what", ["the directory", "the file that is written", "a file before it"])
def test_a_journal_that_is_deleted_begins_anew_behind_its_newest_input(tmp_path: Path, what: str) -> None:
    directory = tmp_path / "journal"
    journal = Journal(JournalConfig(directory=directory, max_bytes=MEGABYTE))
    journal.open()
    while len(files := sorted(directory.glob("*.journal"))) < 3:
        journal.append(Tick(T))
    assert not journal.renewed()
    if what == "the directory":
        shutil.rmtree(directory)
    else:
        files[-1 if what == "the file that is written" else 0].unlink()
    journal.append(Tick(T))
    identity, newest = journal.id, journal.position
    assert journal.renewed()
    assert not journal.renewed()
    journal.append(Tick(T + 1))
    journal.close()

    again = Journal(JournalConfig(directory=directory, max_bytes=MEGABYTE))
    assert again.open() == JournalState(identity, newest + 1, newest + 1, 0)
    assert list(again.read(after=newest)) == [(newest + 1, Tick(T + 1))]
    again.close()


def test_a_journal_that_cannot_begin_anew_says_so_until_it_can(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal = Journal(JournalConfig(directory=directory, max_bytes=MEGABYTE))
    journal.open()
    journal.append(Tick(T))
    shutil.rmtree(directory)
    directory.write_text("a file where the directory should be")
    for _ in range(2):
        assert not journal.renewed()
        journal.append(Tick(T))
        assert str(directory) in journal.problem
    directory.unlink()
    assert journal.renewed()
    journal.append(Tick(T))
    assert journal.problem == ""
    journal.close()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    others = [tmp_path / "copy.journal", tmp_path / "copy.spare"]
    for other in others:
        other.write_bytes(b"")
    journal = Journal(JournalConfig(directory=tmp_path, max_bytes=1 << 20))
    assert journal.open().lost == ""
    journal.append(Tick(1))
    journal.begin(7)
    journal.close()
    assert [other.exists() for other in others] == [True, True]
