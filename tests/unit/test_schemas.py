"""Files under config/ say what the code says: schemas, contract, example, alerts and dashboard."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import orjson
import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from drivers.api import AntennaStatus, Batch, ClockQuality, ReaderAlive, ReaderClock, ReaderDown, ReaderUp
from gateway import schemas
from gateway.clock import SECOND
from gateway.config import Config
from gateway.config.base import Section
from gateway.config.drivers import built_in
from gateway.config.file import load
from gateway.config.messages import models_in
from gateway.config.yaml import Mapping, Sequence, parse, plain
from gateway.events.envelope import COUNT, GENESIS, MOVEMENT, Fact, seal, source_of
from gateway.events.payloads import MODELS, Part
from gateway.events.states import DockState, ReaderState, ZoneState
from gateway.events.types import ALARM, CLOCK_STEP, COUNT_SESSION, EVENTS, EXPECTED, HANDHELD, LOSS
from gateway.floor import COMMANDS as FLOOR_COMMANDS
from gateway.floor import Floor
from gateway.history.asking import QUESTIONS
from gateway.inputs import ClockStep, Command, Dropped, Tick
from gateway.mqtt.parts import split
from gateway.ops.metrics import FAMILIES
from gateway.service.state_topics import topics
from tests.support import debian
from tests.support.gate_scene import at, command
from tests.support.web_scene import HOLD, FakeGateway
from tests.support.web_scene import load as load_of

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"


def test_generated_files_are_up_to_date():
    generated = schemas.generate()
    stale = [name for name, content in generated.items() if (CONFIG / name).read_text() != content]
    assert not stale, f"{stale} are not what the code says: run `python -m gateway.schemas` and commit them"
    events = {f"events/{path.name}" for path in (CONFIG / "events").iterdir()}
    assert events == {name for name in generated if name.startswith("events/")}


def test_the_example_is_good_and_complete():
    load(CONFIG / "example.yaml")
    root, _ = parse((CONFIG / "example.yaml").read_text())
    example = plain(root)

    def missing(model, found, path=""):
        for name, field in model.model_fields.items():
            if name not in found:
                yield f"{path}{name}"
                continue
            for inner in models_in(field.annotation):
                value = found[name]
                if isinstance(value, dict) and value:
                    yield from missing(inner, value, f"{path}{name}.")
                elif isinstance(value, list) and value:
                    together: dict = {}
                    for key, item in (pair for entry in value for pair in entry.items()):
                        together[key] = together.get(key, []) + item if isinstance(item, list) else item
                    yield from missing(inner, together, f"{path}{name}[].")

    assert list(missing(Config, example)) == []


def test_what_the_example_calls_a_default_is_one():
    """Lines marked "default" alone show the value that is used when they are left out; "default VALUE" names it."""
    lines = (CONFIG / "example.yaml").read_text().splitlines()
    root, _ = parse("\n".join(lines))
    wrong, looked_at = [], 0

    def look(node, models):
        nonlocal looked_at
        for key, value in node.values.items() if isinstance(node, Mapping) else ():
            fields = [model.model_fields[key] for model in models if key in model.model_fields]
            if fields and re.search(r"# default(?:;|$)", lines[node.key_lines[key] - 1]):
                looked_at += 1
                used = [json.loads(json.dumps(f.get_default(call_default_factory=True), default=str)) for f in fields]
                if plain(value) not in used and plain(value) != "all":  # the word for every rule there is
                    wrong.append(f"line {node.key_lines[key]}: {key}: {plain(value)} is not {used}")
            line = lines[node.key_lines[key] - 1].lstrip(" -")
            said = re.search(r"# default:? (?:is )?([\w.:\"-]+)(?:[;,:]|$)", line)
            if fields and said is not None and line.startswith(f"{key}:"):  # another value is shown than is used
                looked_at += 1
                used = [field.get_default(call_default_factory=True) for field in fields]
                empty = any(not (dict(it) if isinstance(it, Section) else it) or it == type(it)() for it in used)
                if said[1].strip('"') not in map(str, used) and not (said[1] in ("none", "empty", "never") and empty):
                    wrong.append(f"line {node.key_lines[key]}: {key}: {said[1]} is not {used}")
            inner = [model for field in fields for model in models_in(field.annotation)]
            for item in value.items if isinstance(value, Sequence) else [value]:
                look(item, inner)

    look(root, [Config])
    assert wrong == []
    assert looked_at > 130


def test_the_page_about_mqtt_names_every_topic_and_every_command():
    page = (ROOT / "docs" / "mqtt.md").read_text()
    told = {re.sub(r"\{\w+\}", "{}", name) for name in re.findall(r"`([a-z/.{}-]+)`", page)}
    contract = YAML(typ="safe").load((CONFIG / "asyncapi.yaml").read_text())
    below = {
        channel["address"].removeprefix("{root}/v1/{site}/{gateway}/") for channel in contract["channels"].values()
    }
    assert {re.sub(r"\{\w+\}", "{}", topic) for topic in below} - told == set()
    rows = re.findall(r"^\| `(events/[^`]+)` \| out \| 1, no \| (?:\w+.*) \|$", page, re.MULTILINE)
    assert sorted(rows) == sorted(event.address(f"{{{event.place}}}") for event in EVENTS.values())
    for kind, event in EVENTS.items():
        name = event.topic.removeprefix("events/")
        assert kind == f"rfid.{name}.v1", "the page says which type comes on which topic"
        assert (CONFIG / "events" / f"{name}.v1.schema.json").is_file()
    commands = {*FLOOR_COMMANDS, *QUESTIONS, "output", "status", "resend", "quarantine.list", "quarantine.release"}
    assert commands - {"manifest.refused", "output.switched", "alarm.over"} - told == set()
    config = load(CONFIG / "example.yaml")
    for topic in (*topics(config), "state/gateway", "state/ledger", "state/alarms"):
        assert any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", address), topic) for address in below), topic


def test_readers_in_the_schema_follow_their_driver():
    reader = schemas.configuration()["$defs"]["ReaderConfig"]
    by_driver = {case["if"]["properties"]["driver"]["const"]: case["then"] for case in reader["allOf"]}
    assert set(by_driver) == set(built_in())
    for then in by_driver.values():
        assert {"id", "driver", "antennas"} <= set(then["properties"])
        assert then["additionalProperties"] is False
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schemas.configuration())))
    assert references <= set(schemas.configuration()["$defs"])


def test_the_contract_names_every_topic_of_the_code():
    contract = YAML(typ="safe").load((CONFIG / "asyncapi.yaml").read_text())
    below = {
        channel["address"].removeprefix("{root}/v1/{site}/{gateway}/") for channel in contract["channels"].values()
    }
    for kind in MODELS:
        topic = Fact(kind, "PLACE", 0, {}).topic()
        assert any(re.fullmatch(re.sub(r"\{\w+\}", "PLACE", address), topic) for address in below), topic
    for operation in contract["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in contract["channels"]
    for channel in contract["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel["parameters"])
        for message in channel["messages"].values():
            if "payload" in message:
                assert (CONFIG / message["payload"]["$ref"]).is_file()


def test_a_sealed_fact_fits_its_envelope():
    data = {
        "uid": "1A4060300048D3D006913126",
        "epc": "1A4060300048D3D006913126",
        "movement": "arrived",
        "from": None,
        "to": "vault",
        "since": None,
        "confidence": 0.9,
        "evidence": {
            "reads": 4,
            "antennas": ["dock-a/1"],
            "strongest_rssi": -61.5,
            "rssi_unit": "dBm",
            "first": "2026-02-14T09:00:00.000250Z",
            "last": "2026-02-14T09:00:00.500250Z",
            "late_reads": 0,
            "clock": {"quality": "synced", "offset_us": 0},
            "config": "0123456789abcdef",
            "algorithm": "presence/2",
        },
    }
    event = seal(Fact(MOVEMENT, "vault", 1_700_000_000_000_000, data), "/rfid/denver/gw", "e1", 1, GENESIS)
    model = MODELS[MOVEMENT]
    assert model.model_validate_json(event.payload).sequence == 1
    with pytest.raises(ValueError, match="movement"):
        model.model_validate_json(event.payload.replace(b'"arrived"', b'"appeared"'))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = debian.find("usr/bin/promtool", "prometheus")
    command = [str(program.path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=program.environment())


def test_alert_rules_are_well_formed():
    done = promtool("check", "rules", str(CONFIG / "alerts.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_rise_when_they_should():
    done = promtool("test", "rules", str(Path(__file__).with_name("alerts.test.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr


def alerts() -> list[str]:
    groups = YAML(typ="safe").load((CONFIG / "alerts.yaml").read_text())["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def test_the_handbook_has_a_section_for_each_alert():
    handbook = (ROOT / "docs" / "operations.md").read_text()
    assert re.findall(r"^### (Rfid\w+)$", handbook, re.MULTILINE) == alerts()


def test_each_alert_is_tested():
    tested = Path(__file__).with_name("alerts.test.yaml").read_text()
    assert [name for name in alerts() if f'"{name}"' not in tested] == []


@pytest.mark.parametrize("file", ["alerts.yaml", "dashboard.json"])
def test_only_metrics_that_exist_are_used(file):
    used = set(re.findall(r"rfid_gateway_\w+", (CONFIG / file).read_text()))
    assert used <= {family.full_name for family in FAMILIES} | {"rfid_gateway_info"}
    if file.endswith(".json"):
        json.loads((CONFIG / file).read_text())


def test_the_parts_of_a_large_event_fit_their_schema():
    fact = Fact(COUNT, "vault", 1_700_000_000_000_000, {"text": "ö" * 3_000})
    event = seal(fact, "/rfid/site/gateway", "epoch", 7, GENESIS)
    parts = split(event, 1_000)
    assert parts is not None
    read = [Part.model_validate_json(part) for part in parts]
    assert "".join(part.data.text for part in read).encode() == event.payload
    assert {part.data.parts for part in read} == {len(parts)}


def test_what_a_dock_shows_fits_its_schema():
    """From the manifest to the verdict, with a package that must not leave and one that nobody has a line for."""
    gateway, shown = FakeGateway(), []

    def look() -> None:
        state = orjson.dumps(gateway.gate.state("dock-1", at(gateway.now)))
        shown.append(TypeAdapter(DockState).validate_json(state))

    look()
    gateway.manifest(load_of(4, p3=HOLD), name="0003456789", delivery="1204477")
    look()
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1", manifest="0003456789", by="ana"))
    gateway.pass_out(1, 2, 3, 900)
    look()
    gateway.feed(command(gateway.step(), "gate.close", dock="dock-1", by="ana"))
    gateway.wait(5)
    look()
    idle, waiting, loading, over = shown
    assert idle["pending"] == []
    assert waiting["pending"][0]["lines"] == 4
    assert loading["session"] is not None
    assert loading["session"]["counts"]["extra"] == 1
    assert over["last_verdict"] is not None
    assert over["last_verdict"]["outcome"] == "mismatch"


def test_every_topic_and_the_parts_of_events_have_a_schema():
    contract = YAML(typ="safe").load((CONFIG / "asyncapi.yaml").read_text())
    messages = {name: channel["messages"][name] for name, channel in contract["channels"].items()}
    assert {name for name, message in messages.items() if "payload" not in message} == {"command", "result", "ack"}
    parts = {name for name, channel in contract["channels"].items() if "part" in channel["messages"]}
    assert parts == {kind.split(".")[1] for kind in EVENTS}
    for message in [*messages.values(), contract["components"]["messages"]["part"]]:
        if "payload" in message:
            json.loads((CONFIG / message["payload"]["$ref"]).read_text())


def test_what_the_floor_says_fits_the_schemas():
    """A scene with every kind of event: a tag comes, moves, is missed and departs, with counts, alarms and losses."""
    config = Config.model_validate(
        {
            "site": "denver",
            "gateway": "gw",
            "presence": {"dwell": 1.0, "shortest": 2.0, "longest": 30.0},
            "zones": [{"id": "vault", "count_every": 20}, {"id": "dock", "departs_after": 10}],
            "counts": {"plan": [{"zone": "vault"}]},
            "readers": [
                {
                    "id": "r",
                    "driver": "llrp",
                    "antennas": [{"port": 1, "zone": "vault"}, {"port": 2, "zone": "dock"}],
                }
            ],
        }
    )
    floor = Floor(config)
    facts: list[Fact] = []
    states = set[str]()
    zones: list[ZoneState] = []
    start = 1_700_000_000 * SECOND
    epc = bytes.fromhex("1A4060300048D3D006913126")
    facts += floor.feed(ReaderUp("r", start, model="R700"))
    facts += floor.feed(ReaderClock("r", start, ClockQuality.CORRECTED, 5))
    for step in range(3000):  # 300 s in tenths
        t = start + step * SECOND // 10
        antenna = 1 if step < 300 else 2
        if step < 600 or 1500 < step < 1700:
            facts += floor.feed(Batch("r", t, [(epc, antenna, -60, 0, t, 1)]))
        if step % 10 == 0:
            facts += floor.feed(ReaderAlive("r", t))
        match step:
            case 100:
                facts += floor.feed(Command(t, "count", {"zone": "vault", "duration": 5, "request": "a"}))
            case 150:
                facts += floor.feed(Command(t, "expected", {"zone": "vault", "uids": []}))
                facts += floor.feed(Command(t, "count.open", {"zones": ["vault"], "by": "Dana"}))
            case 160:
                facts += floor.feed(Command(t, "reads", {"reader": "sled", "uids": [epc.hex().upper()]}))
            case 200:
                facts += floor.feed(AntennaStatus("r", t, 1, up=False, reason="no antenna"))
            case 220:
                facts += floor.feed(AntennaStatus("r", t, 1, up=True))
            case 2000:
                facts += floor.feed(ReaderDown("r", t, "no route to host"))
            case 2900:
                facts += floor.feed(ReaderUp("r", t))
            case 2950:
                facts += floor.feed(Dropped(t, 3, 7, start, t))
            case 2960:
                facts += floor.feed(ClockStep(t, -5, 0, "set"))
        facts += floor.feed(Tick(t))
        if step % 50 == 0:
            state = orjson.dumps(floor.reader_state("r") | {"error": ""})
            states.add(TypeAdapter(ReaderState).validate_json(state)["status"])
            both = [orjson.dumps(floor.zone_state(zone)) for zone in ("vault", "dock")]
            zones += [TypeAdapter(ZoneState).validate_json(state) for state in both]

    assert states == {"up", "down"}
    assert {"last_count", "count_plan", "expected"} <= {key for zone in zones for key, value in zone.items() if value}
    source = source_of(config.site, config.gateway)
    for sequence, fact in enumerate(facts, 1):
        MODELS[fact.type].model_validate_json(seal(fact, source, "epoch", sequence, GENESIS).payload)
    spoken = {MOVEMENT, COUNT, COUNT_SESSION, HANDHELD, EXPECTED, ALARM, LOSS, CLOCK_STEP}
    assert {fact.type for fact in facts} >= spoken  # other tests hold what they have the floor say against its type
    movements = {fact.data["movement"] for fact in facts if fact.type == MOVEMENT}
    assert movements >= {"arrived", "moved", "not_seen", "departed"}
