"""Replay: a recording of a live run is that run; a plain file of reads gets its ticks from event time."""

from __future__ import annotations

import gzip

import orjson
import pytest

from drivers.api import Batch
from gateway.events.envelope import GENESIS
from gateway.inputs import Command, Tick
from gateway.recording.read import encode, read_items
from gateway.replay import replay, replay_command, replay_facts
from tests.support.floor_scene import alive, at, config, read, run, standing, story, ticked, up

CONFIG = """
site: site
gateway: gw
zones: [{id: vault}, {id: dock, departs_after: 20}]
readers:
  - {id: r1, driver: llrp, host: 192.0.2.1, antennas: [{port: 1, zone: vault}, {port: 2, zone: vault}]}
  - {id: r2, driver: llrp, host: 192.0.2.2, antennas: [{port: 1, zone: dock}]}
"""


def lived():
    items = [
        *up(),
        *alive(0, 60, "r1"),
        *standing(1, 30, "r1", 1, 1, -61),
        *standing(30, 60, "r2", 1, 1, -48),
        Command(at(40), "count", {"zone": "dock", "duration": 3}),
    ]
    return ticked(items, 60)


@pytest.mark.parametrize("positions", [True, False])
def test_the_replay_of_a_recording_is_the_run(positions):
    items = lived()
    recording = b"".join(encode(item, number if positions else None) for number, item in enumerate(items, 1))
    live = run(items)
    assert live
    assert list(replay_facts(config(), read_items(recording.splitlines()))) == live


def test_nothing_is_added_to_a_file_with_ticks():
    items = [*ticked(up(), 3), read(3.1, "r1", 1, 1), read(3.2, "r1", 1, 1)]
    assert list(replay_facts(config(), items)) == []
    assert story(replay_facts(config(), [*items, Tick(at(9))])) == [("arrived", "vault", 3.15)]


def test_a_plain_file_ends_with_what_its_reads_decide_and_no_silence():
    reads = [*standing(1, 10, "r1", 1, 1), read(9.5, "r1", 1, 2)]
    assert story(replay_facts(config(), reads)) == [("arrived", "vault", 1.0), ("arrived", "vault", 9.5)]


def test_a_gap_in_a_plain_file_is_silence():
    reads = [*standing(1, 10, "r1", 1, 1), *standing(100, 101, "r1", 1, 2)]
    assert [entry[0] for entry in story(replay_facts(config(), reads))] == ["arrived", "not_seen", "arrived"]


def test_a_plain_file_may_run_backwards_within_the_lateness():
    reads = list(standing(1, 20, "r1", 1, 1, every=0.1))
    swapped = [batch for pair in zip(reads[1::2], reads[0::2], strict=True) for batch in pair]
    assert list(replay_facts(config(), swapped)) == list(replay_facts(config(), reads))


def test_a_crowd_in_a_plain_file_stays_within_bounds():
    small = config(floor={"max_windows": 1000})
    reads = [read(1 + number / 10_000, "r1", 1, number) for number in range(2500)]
    assert len(story(replay_facts(small, reads))) == 2500


def test_events_are_sealed_as_a_chain():
    events = list(replay(config(), lived()))
    envelopes = [orjson.loads(event.payload) for event in events]
    assert [envelope["sequence"] for envelope in envelopes] == list(range(1, len(events) + 1))
    assert [envelope["prevhash"] for envelope in envelopes] == [GENESIS, *(event.hash() for event in events[:-1])]
    assert {envelope["epoch"] for envelope in envelopes} == {"replay"}


@pytest.mark.parametrize("packed", [False, True])
def test_the_command_prints_one_event_a_line(tmp_path, capfdbinary, packed):
    (tmp_path / "gw.yaml").write_text(CONFIG)
    content = b"".join(encode(item) for item in standing(1, 10, "r1", 1, 1))
    path = tmp_path / ("reads.jsonl.gz" if packed else "reads.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert replay_command(tmp_path / "gw.yaml", str(path)) == 0
    (line,) = capfdbinary.readouterr().out.splitlines()
    assert orjson.loads(line)["data"]["movement"] == "arrived"


def test_a_wrong_line_is_named(tmp_path, capfdbinary):
    (tmp_path / "gw.yaml").write_text(CONFIG)
    (tmp_path / "reads.jsonl").write_bytes(encode(read(1, "r1", 1, 1)) + b"{nonsense\n")
    assert replay_command(tmp_path / "gw.yaml", str(tmp_path / "reads.jsonl")) == 2
    assert b"line 2" in capfdbinary.readouterr().err


def test_batches_of_one_position_are_read_back_whole():
    rows = [(bytes([1, number]), 1, -60, 0, at(1), 1) for number in range(3)]
    (batch,) = read_items(encode(Batch("r1", at(1.1), rows), 7).splitlines())
    assert isinstance(batch, Batch)
    assert (batch.arrival, len(batch.rows)) == (at(1.1), 3)
