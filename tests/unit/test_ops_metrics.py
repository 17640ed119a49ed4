"""What a scrape shows, read back by Prometheus's own parser."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from drivers.api import ClockQuality
from gateway.floor.stats import FloorStats
from gateway.ledger.ledger import LedgerStats
from gateway.mqtt.stats import MqttStats
from gateway.ops.metrics import FAMILIES, PREFIX, Metrics, ReaderFigures, Snapshot
from tests.support.claims import some

ROOT = Path(__file__).resolve().parents[2]


def ledger(**values) -> LedgerStats:
    zeros = {field.name: "" if field.type == "str" else 0 for field in fields(LedgerStats)}
    return LedgerStats(**(zeros | values))


def scraped(snapshot: Snapshot) -> dict[tuple, float]:
    page = Metrics(lambda: snapshot).page().decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.fixture
def snapshot():
    return Snapshot(
        info={"site": "denver", "gateway": 'gw"1'},
        floor=FloorStats(reads=5, foreign={"sgtin": 2}, events={"rfid.loss.v1": 1}, tags=7),
        ledger=ledger(sequence=9, published=8, pending=1, quarantined=3),
        ledger_max_events=1000,
        mqtt=MqttStats(connected=True, commands_refused=4, last_published=1_500_000),
        readers=[
            ReaderFigures("dock-a", True, 2, {1: True, 2: False}, ClockQuality.CORRECTED, -2_500_000),
            ReaderFigures("dock-b", False),
        ],
        zones={"vault": 12},
        counts_overdue={"vault": 1},
        differences={"open": 2},
        journal_fill=0.25,
        held_back=True,
        clock_lead=1_000_000,
        log_lines_dropped=6,
    )


def test_a_scrape_shows_the_snapshot(snapshot):
    found = scraped(snapshot)
    expected = {
        ("info", ("site", "denver"), ("gateway", 'gw"1')): 1,
        ("reads_total",): 5,
        ("reads_foreign_total", ("kind", "sgtin")): 2,
        ("events_total", ("type", "rfid.loss.v1")): 1,
        ("tags",): 7,
        ("zone_tags", ("zone", "vault")): 12,
        ("count_overdue", ("zone", "vault")): 1,
        ("differences", ("state", "open")): 2,
        ("reader_up", ("reader", "dock-a")): 1,
        ("reader_up", ("reader", "dock-b")): 0,
        ("reader_attempts_total", ("reader", "dock-a")): 2,
        ("antenna_up", ("reader", "dock-a"), ("antenna", "1")): 1,
        ("antenna_up", ("reader", "dock-a"), ("antenna", "2")): 0,
        ("reader_clock_quality", ("reader", "dock-a"), ("quality", "corrected")): 1,
        ("reader_clock_quality", ("reader", "dock-a"), ("quality", "synced")): 0,
        ("reader_clock_offset_seconds", ("reader", "dock-a")): -2.5,
        ("readers_held_back",): 1,
        ("journal_fill_ratio",): 0.25,
        ("ledger_sequence",): 9,
        ("ledger_pending_events",): 1,
        ("ledger_quarantined_events",): 3,
        ("ledger_max_events",): 1000,
        ("mqtt_connected",): 1,
        ("mqtt_commands_total", ("result", "refused")): 4,
        ("mqtt_last_published_timestamp_seconds",): 1.5,
        ("clock_lead_seconds",): 1,
        ("log_lines_dropped_total",): 6,
    }
    assert {key: found.get((PREFIX + key[0], *sorted(key[1:]))) for key in expected} == expected
    assert not any("dock-b" in str(key) and "clock" in key[0] for key in some(found))
    assert found[("process_resident_memory_bytes",)] > 0


def test_every_counter_of_the_parts_is_shown(snapshot):
    """A counter that somebody adds and nobody can see is a mistake: raise each by one and look for the change."""
    before = scraped(snapshot)
    hidden = []
    for part in (snapshot.floor, snapshot.ledger, snapshot.mqtt):
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, str):
                continue
            object.__setattr__(part, field.name, {**value, "new": 1} if isinstance(value, dict) else value + 1)
            if {k: v for k, v in scraped(snapshot).items() if k[0].startswith(PREFIX)}.items() <= before.items():
                hidden.append(f"{type(part).__name__}.{field.name}")
            object.__setattr__(part, field.name, value)
    assert hidden == []


def test_names_are_what_prometheus_expects():
    names = [family.full_name for family in FAMILIES]
    assert len(set(names)) == len(names)
    for family in FAMILIES:
        assert re.fullmatch(r"rfid_gateway_[a-z_]+[a-z]", family.full_name)
        assert family.help.endswith(".")
        assert not family.name.endswith("_total")


def test_building_takes_no_snapshot():
    def not_yet() -> Snapshot:
        raise AssertionError("the parts are not there yet")

    Metrics(not_yet)


def test_every_metric_is_in_the_handbook_as_it_describes_itself():
    handbook = (ROOT / "docs" / "operations.md").read_text().split("## Metrics")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(rfid_gateway_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", handbook, re.MULTILINE)
    said = {name: (kind, labels.strip(), meaning) for name, kind, labels, meaning in rows}
    assert said.pop("rfid_gateway_info")
    assert said == {family.full_name: (family.kind, ", ".join(family.labels), family.help) for family in FAMILIES}
