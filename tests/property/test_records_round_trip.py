"""Any input that a driver or the gateway can make is the same after it was recorded, and after it was journalled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

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
    Row,
    RssiUnit,
)
from gateway.clock import EARLIEST, LATEST
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, Tick
from gateway.ledger.segment import Header, Segment, encode_header, encode_record
from gateway.recording.read import RecordError, encode, read_items

reader_times = st.integers(-(10**15), (1 << 63) - 1)
times = st.integers(EARLIEST, LATEST)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ports = st.integers(0, 65535)
flags = st.booleans()
json = st.recursive(
    st.none() | flags | st.integers(-(1 << 53), 1 << 53) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    unit, phase = draw(st.sampled_from(RssiUnit)), draw(flags)
    rssi = st.integers(-128, 127) if unit is RssiUnit.DBM else st.integers(-32768, 32767)
    columns = [st.binary(max_size=62), ports, rssi, ports, reader_times, st.integers(1, 65535)]
    if phase:
        columns += [st.integers(0, 65535), st.integers(-32768, 32767)]
    rows: list[Row] = draw(st.lists(st.tuples(*columns), min_size=1, max_size=5))
    tids = draw(st.dictionaries(st.sampled_from([row[0] for row in rows]), st.binary(max_size=62)))
    return Batch(draw(names), draw(times), rows, 0, unit, phase, tids)


def dropped(t: int, first: int, more: int, start: int, end: int) -> Dropped:
    return Dropped(t, first, first + more, start, end)


inputs: st.SearchStrategy[Input] = st.one_of(
    batches(),
    st.builds(ReaderUp, names, times, flags, names, names),
    st.builds(ReaderDown, names, times, names),
    st.builds(ReaderAlive, names, times),
    st.builds(ReaderClock, names, times, st.sampled_from(ClockQuality), times),
    st.builds(AntennaStatus, names, times, ports, flags, names),
    st.builds(InputChange, names, times, ports, flags),
    st.builds(ReaderCondition, names, times, names, flags, names),
    st.builds(ReaderLoss, names, times, times, times, names, flags),
    st.builds(Tick, times),
    st.builds(Command, times, names, st.dictionaries(names, json, max_size=4)),
    st.builds(Restart, times, times, flags, flags),
    st.builds(Lateness, times, st.integers(0, 1 << 40)),
    st.builds(ClockStep, times, times, st.integers(0, 1 << 50), st.sampled_from(["set", "suspended", "behind"])),
    st.builds(dropped, times, st.integers(1, 1 << 40), ports, times, times),
)


@given(st.lists(inputs, max_size=8))
def test_recorded_inputs_come_back(items: list[Input]) -> None:
    lines = b"".join(encode(item, position) for position, item in enumerate(items, start=1))
    assert list(read_items(lines.splitlines(keepends=True))) == items


@given(batches())
def test_reads_without_positions_keep_every_row(batch: Batch) -> None:
    found = list(read_items(encode(batch).splitlines()))
    rows = [row for item in found if isinstance(item, Batch) for row in item.rows]
    assert rows == batch.rows
    assert all(isinstance(item, Batch) and item.rssi_unit is batch.rssi_unit for item in found)


@given(st.lists(inputs, max_size=8), st.integers(1, 1 << 60))
def test_journalled_inputs_come_back(tmp_path_factory, items: list[Input], first: int) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.getbasetemp() / "segment"
    records = [encode_record(first + index, item) for index, item in enumerate(items)]
    path.write_bytes(encode_header(Header(bytes(16), first)) + b"".join(records))
    assert list(Segment(path).items()) == list(enumerate(items, start=first))


def refusal(text: str) -> str:
    try:
        list(read_items([text]))
    except RecordError as error:
        return str(error)
    return ""


@given(st.text() | json.map(str) | st.builds(lambda item: encode(item, 1).decode()[:-5], inputs))
def test_any_text_is_read_or_refused_by_line(text: str) -> None:
    found = refusal(text)
    assert found == "" or found.startswith("line 1: ")
