"""Recorded reads: what the lines look like, and which ones are refused."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import orjson
import pytest

from drivers.api import Batch, ClockQuality, InputChange, ReaderClock, ReaderLoss, ReaderUp, RssiUnit
from gateway.clock import LATEST
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, Tick
from gateway.recording.read import RecordError, encode, open_reads, read_items
from tests.unit.test_journal import ONE_OF_EACH

T = 1_700_000_000_123_456
EPC = bytes.fromhex("1A4060300048D3D006913126")

LINES: list[tuple[Input, str]] = [
    (
        Batch("dock-a", T, [(EPC, 1, -6150, 0, T, 1)], 0, RssiUnit.CENTI_DBM),
        '{"t":1700000000.123456,"reader":"dock-a","antenna":1,"epc":"1A4060300048D3D006913126","rssi":-61.50}',
    ),
    (
        Batch("dock-a", T, [(EPC, 2, -61, 7, T, 3, 1024, -24)], 0, RssiUnit.DBM, True, {EPC: b"\xe2\x80"}),
        '{"t":1700000000.123456,"reader":"dock-a","antenna":2,"epc":"1A4060300048D3D006913126","rssi":-61,'
        '"phase":1.5708,"doppler":-1.5,"channel":7,"count":3,"tid":"E280"}',
    ),
    (
        Batch("dock-a", T, [(EPC, 1, 187, 0, T, 1)], 0, RssiUnit.RAW),
        '{"t":1700000000.123456,"reader":"dock-a","antenna":1,"epc":"1A4060300048D3D006913126","rssi_raw":187}',
    ),
    (InputChange("dock-a", T, 1, True), '{"t":1700000000.123456,"reader":"dock-a","gpi":1,"state":true}'),
    (
        ReaderClock("dock-a", T, ClockQuality.CORRECTED, -1_250),
        '{"t":1700000000.123456,"reader":"dock-a","clock":{"quality":"corrected","offset":-0.001250}}',
    ),
    (ReaderUp("dock-a", T), '{"t":1700000000.123456,"reader":"dock-a","status":"up"}'),
    (Tick(T), '{"t":1700000000.123456,"tick":true}'),
    (
        Command(T, "count", {"zone": "vault"}),
        '{"t":1700000000.123456,"command":{"name":"count","zone":"vault"}}',
    ),
    (
        Command(T, "count", {"name": "x"}),
        '{"t":1700000000.123456,"command":{"name":"count","args":{"name":"x"}}}',
    ),
    (
        Restart(T, T - 1_000_000, False, True),
        '{"t":1700000000.123456,"restart":{"since":1699999999.123456,"clean":false,"journal_lost":true}}',
    ),
    (
        Dropped(T, 3, 9, T - 2, T - 1),
        '{"t":1700000000.123456,"dropped":{"first":3,"last":9,"start":1700000000.123454,"end":1700000000.123455}}',
    ),
    (
        ClockStep(T, -1_000_000, 0, "behind"),
        '{"t":1700000000.123456,"clock_step":{"by":-1.000000,"jump":0.000000,"cause":"behind"}}',
    ),
    (Lateness(T, 250_000), '{"t":1700000000.123456,"lateness":0.250000}'),
]


@pytest.mark.parametrize(("item", "line"), LINES, ids=[line[24:70] for _, line in LINES])
def test_an_input_is_this_line_and_back(item: Input, line: str) -> None:
    assert encode(item).decode() == line + "\n"
    assert list(read_items([line])) == [item]


def test_every_kind_of_input_comes_back() -> None:
    """With positions, batches come back as they were, but for the offset: it is added to the times of the rows."""
    lines = b"".join(encode(item, position) for position, item in enumerate(ONE_OF_EACH, start=1)).splitlines(True)
    expected = list(ONE_OF_EACH)
    batch = expected[1]
    assert isinstance(batch, Batch)
    epc, antenna, rssi, channel, time, count, phase, doppler = batch.rows[0]
    expected[1] = Batch(
        batch.reader,
        batch.arrival,
        [(epc, antenna, rssi, channel, time + batch.offset, count, phase, doppler)],
        0,
        batch.rssi_unit,
        True,
        batch.tids,
    )
    del expected[2]  # no reads, no line
    assert list(read_items(lines)) == expected


def test_the_arrival_of_a_batch_is_recorded_with_its_position() -> None:
    batch = Batch("dock-a", T + 5_000, [(EPC, 1, -61, 0, T, 1), (EPC, 2, -62, 0, T - 90_000_000, 1)])
    lines = encode(batch, 12).splitlines()
    assert [orjson.loads(line)["n"] for line in lines] == [12, 12]
    assert [orjson.loads(line).get("at") for line in lines] == [1700000000.128456, None]
    assert list(read_items(lines)) == [batch]


def test_two_batches_of_a_reader_stay_two() -> None:
    row = (EPC, 1, -61, 0, T, 1)
    batches = [Batch("dock-a", T, [row]), Batch("dock-a", T, [row])]
    lines = [encode(batch, position) for position, batch in enumerate(batches)]
    assert list(read_items(lines)) == batches


def test_lines_of_a_phase_and_others_are_different_batches() -> None:
    lines = [
        '{"t": 1.0, "reader": "a", "antenna": 1, "epc": "AA", "rssi": -60.5, "phase": 3.14}',
        '{"t": 1.0, "reader": "a", "antenna": 1, "epc": "AA", "rssi": -60.5}',
        '{"t": 1.0, "reader": "a", "antenna": 1, "epc": "AA", "rssi": -60}',
        '{"t": 1.0, "reader": "b", "antenna": 1, "epc": "AA", "rssi": -60}',
        "",
        '{"t": 1.0, "reader": "b", "antenna": 2, "epc": "aa", "rssi": -60, "note": "other keys are ignored"}',
    ]
    batches = [item for item in read_items(lines) if isinstance(item, Batch)]
    assert [(batch.reader, batch.phase, batch.rssi_unit, len(batch.rows)) for batch in batches] == [
        ("a", True, RssiUnit.CENTI_DBM, 1),
        ("a", False, RssiUnit.CENTI_DBM, 1),
        ("a", False, RssiUnit.DBM, 1),
        ("b", False, RssiUnit.DBM, 2),
    ]
    assert batches[0].rows[0][6] == round(3.14 / (2 * math.pi) * 4096)


def test_reads_without_positions_are_grouped_within_bounds() -> None:
    def line(t: float) -> str:
        return f'{{"t": {t:.6f}, "reader": "a", "antenna": 1, "epc": "AA", "rssi": -60.5}}'

    spread = [line(100 + step * 0.01) for step in range(20)]
    sizes = [len(item.rows) for item in read_items(spread) if isinstance(item, Batch)]
    assert sum(sizes) == 20
    assert max(sizes) == 6, "50 ms, so that ticks come between"
    many = [line(100) for _ in range(2500)]
    assert [len(item.rows) for item in read_items(many) if isinstance(item, Batch)] == [1000, 1000, 500]
    backwards = [line(100), line(99.97), line(90)]
    groups = [item for item in read_items(backwards) if isinstance(item, Batch)]
    assert [(len(item.rows), item.arrival) for item in groups] == [(2, 100_000_000), (1, 90_000_000)]


@pytest.mark.parametrize(
    "t", [0, 1, -1, 999_999, -1_500_000, 1_700_000_000_000_001, (1 << 32) * 1_000_000 + 1, (1 << 63) + 12_345]
)
def test_any_time_that_a_reader_may_claim_is_exact(t: int) -> None:
    batch = Batch("a", 5, [(EPC, 1, -61, 0, t, 1)])
    said = min(t, LATEST)  # what cannot be written down is refused of everything but a read
    loss = ReaderLoss("a", 5, said - 1, said, "overflow")
    command = Command(said, "count", {"share": 0.5})
    assert list(read_items([encode(Tick(said)), encode(loss), encode(batch, 1), encode(command)])) == [
        Tick(said),
        loss,
        batch,
        command,
    ]


READ = '"reader": "a", "antenna": 1, "epc": "AA", "rssi": -60.5'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "not JSON"),
        ('{"t": 1.0, "tic', "the recording may have been cut off"),
        ("[1, 2]", "not a JSON object"),
        ("{}", "none of the keys epc, tick, command"),
        ('{"t": 1.0, "movement": {}}', "none of the keys epc, tick, command"),
        ('{"tick": true}', '"t" is missing: it must be a time in seconds'),
        ('{"t": "noon", "tick": true}', "\"t\" is 'noon'"),
        ('{"t": true, "tick": true}', '"t" is True'),
        ('{"t": NaN, "tick": true}', "not JSON"),
        ('{"t": 1e300, "tick": true}', '"t" is 1e+300'),
        ('{"t": 1e12, "tick": true}', "it must be a time in seconds, before 9999-12-30"),
        ('{"t": -1e11, "reader": "a", "status": "down"}', "it must be a time in seconds, before 9999-12-30"),
        (f'{{"t": 1.0, {READ}, "at": 3e11}}', "it must be a time in seconds, before 9999-12-30"),
        ('{"t": 1.0, "lateness": 3e13}', "it must be a time in seconds, before 9999-12-30"),
        ('{"t": 1.0, "tick": 1}', '"tick" is always true'),
        (f'{{"t": 1.0, {READ.replace("AA", "XY")}}}', "\"epc\" is 'XY': it must be up to 62 bytes"),
        (f'{{"t": 1.0, {READ.replace("AA", "AAA")}}}', "string of hex digits"),
        (f'{{"t": 1.0, {READ.replace(chr(34) + "AA" + chr(34), "123456")}}}', '"epc" is 123456'),
        (f'{{"t": 1.0, {READ.replace("AA", "AA" * 63)}}}', "up to 62 bytes"),
        (f'{{"t": 1.0, {READ.replace("1,", "-1,")}}}', '"antenna" is -1: it must be a whole number from 0 to 65535'),
        (f'{{"t": 1.0, {READ.replace("1,", "1.5,")}}}', '"antenna" is 1.5'),
        (f'{{"t": 1.0, {READ.replace("-60.5", "-6050")}}}', "such as -61.5"),
        (f'{{"t": 1.0, {READ.replace("-60.5", "null")}}}', '"rssi" is None'),
        (f'{{"t": 1.0, {READ}, "count": 0}}', '"count" is 0'),
        (f'{{"t": 1.0, {READ}, "phase": 1e300}}', '"phase" is 1e+300: it must be a number'),
        (f'{{"t": 1.0, {READ}, "n": "1"}}', "\"n\" is '1'"),
        ('{"t": 1.0, "epc": "AA", "antenna": 1, "rssi": -60.5}', '"reader" is missing'),
        ('{"t": 1.0, "reader": "a", "gpi": 1, "state": "on"}', "must be true or false"),
        ('{"t": 1.0, "reader": "a", "status": "asleep"}', "must be one of up, down, alive"),
        ('{"t": 1.0, "reader": "a", "antenna": 1, "status": "alive"}', "must be one of up, down"),
        ('{"t": 1.0, "reader": "a", "clock": "synced"}', "\"clock\" is 'synced': it must be an object"),
        ('{"t": 1.0, "reader": "a", "clock": {"quality": "good", "offset": 0}}', "must be one of synced, corrected"),
        ('{"t": 1.0, "command": {"zone": "vault"}}', '"name" is missing'),
        ('{"t": 1.0, "dropped": {"first": 9, "last": 3, "start": 1, "end": 2}}', "whole number from 9"),
        ('{"t": 1.0, "reader": "' + "a" * 500 + '", "status": 5}', "must be one of"),
        ('{"t": 1.0, "reader": ["' + "a" * 500 + '"], "status": "up"}', "…: it must be a string"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(line: str, message: str) -> None:
    items = read_items(['{"t": 1.0, "tick": true}', "", line])
    assert next(items) == Tick(1_000_000)
    with pytest.raises(RecordError) as caught:
        next(items)
    assert str(caught.value).startswith("line 3: ")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["reads.jsonl", "reads.jsonl.gz"])
def test_plain_and_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "wb") as file:
        file.writelines(encode(Tick(T + step)) for step in range(3))
    with open_reads(path) as lines:
        assert list(read_items(lines)) == [Tick(T), Tick(T + 1), Tick(T + 2)]


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = open_reads(tmp_path / "none.jsonl")
    with pytest.raises(RecordError, match=r"none\.jsonl: cannot be read: No such file"), missing:
        pass
    short = tmp_path / "short.jsonl.gz"
    short.write_bytes(gzip.compress(encode(Tick(T)) * 1000)[:-20])
    with pytest.raises(RecordError, match="cannot be read further"), open_reads(short) as lines:
        list(lines)
    monkeypatch.setattr("gateway.recording.read._MAX_LINE", 1 << 20)
    endless = tmp_path / "endless.jsonl"
    endless.write_bytes(b"[" * ((1 << 20) + 1))
    with pytest.raises(RecordError, match="a line is longer than 1 MB"), open_reads(endless) as lines:
        list(lines)


def test_errors_of_the_caller_are_not_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "reads.jsonl"
    path.write_bytes(encode(Tick(T)))
    with pytest.raises(BrokenPipeError), open_reads(path):
        raise BrokenPipeError


def test_a_wild_time_of_a_read_is_no_time_at_which_it_came() -> None:
    lines = [f'{{"t": 3e13, {READ}, "n": 1, "at": 5.0}}', f'{{"t": 3e13, {READ}}}']
    first, second = read_items(lines)
    assert isinstance(first, Batch)
    assert (first.rows[0][4], first.arrival) == (3 * 10**19, 5_000_000)
    assert isinstance(second, Batch)
    assert second.arrival == LATEST
