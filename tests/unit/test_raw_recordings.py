"""Raw recordings: the same inputs as the lines, in a tenth of the space; and files that are not what they should be."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from random import Random

import pytest
import structlog

from drivers.api import Batch, ReaderUp, RssiUnit
from drivers.records import RecordFormat, Records
from gateway.cli import main
from gateway.config import JournalConfig, RecordingConfig
from gateway.inputs import Command, Input, Tick
from gateway.ledger.journal import Journal
from gateway.recording import blocks, bulk, lines, read
from gateway.recording.files import recordings
from gateway.recording.read import RecordError, encode, open_items, read_positions
from gateway.recording.recorder import Recorder
from gateway.recording.write import Gap

T = 1_700_000_000_000_000
FORMAT = RecordFormat(30, [("epc", 2, "12s"), ("antenna", 15, "H"), ("rssi", 18, "b"), ("time", 20, "Q")])


def records(number: int, count: int = 3) -> Records:
    body = bytearray()
    for row in range(count):
        record = bytearray(FORMAT.size)
        struct.pack_into(">2x12sxHxbxQ", record, 0, (number * 16 + row).to_bytes(12, "big"), 1, -60, T + number + row)
        body += record
    return Records(FORMAT, bytes(body))


def item_at(position: int) -> Input:
    match position % 5:
        case 0:
            return Tick(T + position)
        case 1:
            return Batch("dock-b", T + position, [(b"\1" * 12, 1, -60, 0, T + position, 1)], tids={b"\1" * 12: b"\2"})
        case 2:
            return Command(T + position, "count", {"zone": "vault"})
    return Batch("dock-a", T + position, records(position), 0, RssiUnit.DBM)


class Run:
    """A journal and a recorder of one run in `directory`."""

    def __init__(self, directory: Path, form: str = "raw", journal: str = "journal") -> None:
        self.files = directory / "recording"
        self.journal = Journal(JournalConfig(directory=directory / journal, max_bytes=1 << 20))
        self.journal.open()
        config = RecordingConfig.model_validate({"directory": self.files, "format": form})
        self.recorder = Recorder(config, structlog.get_logger(), lambda: T)
        self.recorder.resume(self.journal)

    def take(self, count: int) -> None:
        for _ in range(count):
            item = item_at(self.journal.position + 1)
            self.recorder.append(self.journal.append(item), item)

    def close(self) -> None:
        self.recorder.close()
        self.journal.close()


def recorded(directory: Path) -> list[tuple[int | None, Input | Gap]]:
    found = []
    for path in recordings(directory / "recording"):
        with open_items(path) as items:
            found += list(items)
    return found


def expected(first: int, last: int) -> list[tuple[int, Input]]:
    return [(position, item_at(position)) for position in range(first, last + 1)]


def test_what_is_appended_is_in_the_file(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(100)
    run.close()
    assert recorded(tmp_path) == expected(1, 100)
    assert [path.suffix for path in recordings(tmp_path / "recording")] == [".raw"]


def test_a_recording_cut_off_at_any_byte_is_completed_from_the_journal(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(20)
    run.close()
    Run(tmp_path).close()  # a block behind it, from what the start adds: none, and nothing twice
    assert recorded(tmp_path) == expected(1, 20)
    (path,) = recordings(tmp_path / "recording")
    content = path.read_bytes()
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        Run(tmp_path).close()
        assert recorded(tmp_path) == expected(1, 20), end
        for other in recordings(tmp_path / "recording"):
            other.unlink()
        path.write_bytes(content)


@pytest.mark.parametrize("form", ["raw", "lines"])
def test_the_format_may_change_from_one_run_to_the_next(tmp_path: Path, form: str) -> None:
    """The end of the last file is cut where an input may be there in part, and nothing is twice or missing."""
    other = {"raw": "lines", "lines": "raw"}[form]
    for count, kind in ((7, form), (7, other), (7, form)):
        run = Run(tmp_path, kind)
        run.take(count)
        run.close()
    assert recorded(tmp_path) == expected(1, 21)
    assert len(recordings(tmp_path / "recording")) >= 3


def test_zeros_of_a_power_cut_are_cut_off(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(10)
    run.close()
    (path,) = recordings(tmp_path / "recording")
    with path.open("ab") as file:
        file.write(bytes(4096))
    run = Run(tmp_path)
    run.take(5)
    run.close()
    assert recorded(tmp_path) == expected(1, 15)


@pytest.mark.parametrize("target", ["other.raw", "other.jsonl", "other.jsonl.gz"])
def test_a_recording_is_converted_and_comes_back(tmp_path: Path, target: str) -> None:
    run = Run(tmp_path)
    run.take(50)
    run.close()
    (path,) = recordings(tmp_path / "recording")
    middle, end = tmp_path / target, tmp_path / "again.raw"
    assert main(["convert", str(path), str(middle)]) == 0
    assert main(["convert", str(middle), str(end)]) == 0
    with open_items(end) as items:
        assert list(items) == expected(1, 50)


def test_what_is_there_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "reads.jsonl", tmp_path / "there.raw"
    source.write_bytes(encode(Tick(T), 1))
    target.write_bytes(b"precious")
    assert main(["convert", str(source), str(target)]) == 2
    assert "there.raw: cannot be written: File exists" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"


def test_gaps_are_kept(tmp_path: Path) -> None:
    chunk: list[tuple[int, Input | Gap]] = [(5, Gap(T, 1, 5)), (6, Tick(T))]
    path = tmp_path / "reads.raw"
    path.write_bytes(blocks.encode_blocks(chunk, "ab" * 16))
    with open_items(path) as items:
        assert list(items) == chunk


def test_ten_times_smaller(tmp_path: Path) -> None:
    random = Random(1)
    chunk: list[tuple[int, Input | Gap]] = []
    for position in range(1, 200):
        body = b"".join(
            struct.pack(">2x12sxHxbxQ2x", random.randrange(5000).to_bytes(12, "big"), 1, -60 - row % 9, T + row * 1000)
            for row in range(50)
        )
        chunk.append((position, Batch("dock-a", T, Records(FORMAT, body), 0, RssiUnit.DBM)))
    size = len(blocks.encode_blocks(chunk, ""))
    assert size * 8 < sum(len(encode(item, position)) for position, item in chunk)


def sealed(body: bytes) -> bytes:
    return blocks._block(body, 1, 1, "")


RECORD = struct.Struct("<BI")
HOSTILE = {
    "no block": (b"RFIDRAW1" + b"\0" * 100, "it is not one of a recording"),
    "cut off in its header": (sealed(b"")[:30], "it is cut off"),
    "cut off in its body": (sealed(b"x" * 100)[:-1], "it is cut off"),
    "another body": (sealed(b"x" * 100)[:-1] + b"y", "it is not what was written"),
    "a record cut off": (sealed(RECORD.pack(0, 100) + b"x"), "a record in it is cut off"),
    "the beginning of a record": (sealed(b"\0\0"), "a record in it is cut off"),
    "an unknown kind": (sealed(RECORD.pack(7, 1) + b"x"), "of the kind 7"),
    "half a batch": (sealed(RECORD.pack(1, 4) + b"xxxx"), "a batch in it is cut off"),
    "a format that is none": (
        sealed(RECORD.pack(1, 33) + bytes(28) + struct.pack("<HH", 1, 1)[:0] + b"xxxxx"),
        "batch",
    ),
    "a line that is none": (sealed(RECORD.pack(0, 4) + b"nope"), "not JSON"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused(tmp_path: Path, case: str) -> None:
    content, words = HOSTILE[case]
    path = tmp_path / "reads.raw"
    path.write_bytes(content)
    with open_items(path) as items, pytest.raises(RecordError, match=words):
        list(items)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ([("epc", 0, "63s")], 80),
        ([("epc", 0, "12s"), ("count", 12, "Q")], 20),
        ([("epc", 0, "12s"), ("rssi", 12, "Q")], 20),
    ],
)
def test_columns_that_no_reader_has_are_refused(tmp_path: Path, fields: list[tuple[str, int, str]], size: int) -> None:
    path = tmp_path / "reads.raw"
    batch = Batch("r", T, Records(RecordFormat(size, fields), bytes(size)))
    path.write_bytes(blocks.encode_blocks([(1, batch)], ""))
    with open_items(path) as items, pytest.raises(RecordError, match="columns that no reader has"):
        list(items)


def test_a_block_that_says_that_it_is_huge_is_not_unpacked() -> None:
    packed = sealed(b"x")[blocks.HEADER_BYTES :]
    head = blocks._HEADER.pack(blocks.MAGIC, 1, bytes(16), 1, 1, blocks.MOST + 1, len(packed), zlib.crc32(packed))
    with pytest.raises(blocks.Broken, match="larger than 64 MB"):
        list(blocks.decode_body(head + struct.pack("<I", zlib.crc32(head)), packed))


def test_what_says_within_that_it_is_huge_is_not_made_room_for() -> None:
    frame = struct.pack("<IBBQ", 0xFD2FB528, 0b11000000, 0, 1 << 40) + b"\1\0\0"  # RFC 8878, 3.1.1: so many bytes
    head = blocks._HEADER.pack(blocks.MAGIC, 1, bytes(16), 1, 1, 10, len(frame), zlib.crc32(frame))
    with pytest.raises(blocks.Broken, match="its size is wrong"):
        list(blocks.decode_body(head + struct.pack("<I", zlib.crc32(head)), frame))


# ---- many lines at once


def written(random: Random, position: int) -> list[bytes]:
    """Lines of one position, of many kinds, with and without what is optional."""
    if random.random() < 0.2:
        return [encode(random.choice([Tick(T + position), ReaderUp("a", T), Gap(T, 1, 2)]), position)]
    unit = random.choice([RssiUnit.DBM, RssiUnit.CENTI_DBM, RssiUnit.CENTI_DBM, RssiUnit.RAW])
    rows = [
        (
            random.randbytes(random.choice([12, 12, 12, 4])),
            random.choice([1, 2, 10, 65535]),
            random.choice([-61, -6150, 0, 5, 12, -99999]) if unit is not RssiUnit.DBM else random.randrange(-128, 127),
            random.choice([0, 0, 7, 40]),
            T + position * 1000 + random.randrange(-100_000, 100_000) * random.choice([1, 1, 100]),
            random.choice([1, 1, 1, 3, 1000, 65536]),
        )
        for _ in range(random.choice([1, 2, 40, 300]))
    ]
    batch = Batch(random.choice(["r-01", "r-02", "é", "a b"]), T + position, rows, 0, unit)
    return encode(batch, random.choice([position, position, None])).splitlines(keepends=True)


def spoilt(random: Random, line: bytes) -> bytes:
    """The same line, written or put otherwise, so that it means the same, another thing, or nothing."""
    return random.choice(
        [
            line.replace(b",", b", ").replace(b":", b": "),
            line.replace(b'"n"', b'"m"'),
            line.replace(b"rssi", b"rssi_raw"),
            line.replace(b'"antenna":1', b'"antenna":01'),
            line.replace(b"\n", b"\r\n"),
            line.replace(b'"t":1', b'"t":0'),
            line.replace(b"A", b"a"),
            line.replace(b"A", b"G"),
            line.replace(b'"count":3', b'"count":0'),
            b"\n",
            line[: len(line) // 2],
        ]
    )


@pytest.mark.parametrize("seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 60))])
def test_many_lines_at_once_are_what_they_are_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    content: list[bytes] = []
    while len(content) < 400:
        content += written(random, len(content) + 1)
    for _ in range(random.choice([0, 0, 1, 5])):
        at = random.randrange(len(content))
        content[at] = spoilt(random, content[at])
    monkeypatch.setattr(read, "_CHUNK", random.choice([50, 130, 20_000]))
    monkeypatch.setattr(bulk, "_TEMPLATES", random.choice([2, 16]))
    grouping = lines.Grouping()
    reference = (found for part in (grouping.lines(content, 1), grouping.end()) for found in part)
    one_by_one, error = drawn(reference)
    at_once, other = drawn(read_positions(content))
    assert error == other
    assert rows_of(at_once) == rows_of(one_by_one)
    if not any(position is None for position, _ in one_by_one):
        assert at_once == one_by_one


def drawn(items: object) -> tuple[list[tuple[int | None, Input | Gap]], str]:
    """What comes, up to an error, and what that says."""
    found: list[tuple[int | None, Input | Gap]] = []
    try:
        for item in items:  # type: ignore[attr-defined]
            found.append(item)  # noqa: PERF402 - what came before an error counts
    except RecordError as error:
        return found, str(error)
    return found, ""


def rows_of(items: list[tuple[int | None, Input | Gap]]) -> list[object]:
    """The reads one by one: batches without positions may be cut elsewhere."""
    flat: list[object] = []
    for position, item in items:
        if isinstance(item, Batch):
            flat += [(position, item.reader, item.rssi_unit, row, item.phase) for row in item.rows]
        else:
            flat.append((position, item))
    return flat


def test_what_is_no_recording_leaves_no_file_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "notes.txt", tmp_path / "reads.raw"
    source.write_text("no recording\n")
    assert main(["convert", str(source), str(target)]) == 2
    assert capsys.readouterr().err.startswith(f"{source}: line 1: not JSON")
    assert not target.exists()
    assert main(["convert", str(tmp_path / "nothing"), str(target)]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'nothing'}: cannot be read: No such file or directory\n"


def test_what_came_before_a_file_ends_badly_is_read(tmp_path: Path) -> None:
    content = b"".join(encode(Batch("r", T, [(bytes(12), 1, -60, 0, T + n, 1)] * 5), n) for n in range(1, 4000))
    path = tmp_path / "reads.jsonl.gz"
    path.write_bytes(gzip.compress(content, 1)[:-2000])
    with open_items(path) as items:
        found, error = drawn(items)
    assert "cannot be read further" in error
    assert len(found) > 1000
    assert [position for position, _ in found] == list(range(1, len(found) + 1))
