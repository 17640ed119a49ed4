"""Whole manifests in Metrc's shapes through the gate: every package is loaded and gets the verdict in the file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from gateway.clock import SECOND
from gateway.floor.gate import Gate
from gateway.floor.passes import Direction, Pass
from gateway.inputs import Command
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.manifest_json import read_json
from tests.support.gate_scene import config, elapse, verdicts
from tests.support.history_events import pass_evidence

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "tests" / "vectors" / "metrc" / "manifest.json"
SHARED = Path(os.environ.get("RFID_SHARED", ROOT.parent / "shared")) / "manifest-example.json"
FETCHED = 1_772_440_000 * SECOND


def load_everything(path: Path, delivery: str):
    """Each package of the file passes dock 1; returns UID to the set it is in and the entry there."""
    args = read_json(path.read_bytes(), modified=FETCHED, zone="America/Denver", identifiers=IdentifierMap())
    args = json.loads(json.dumps(args))
    gate, t = Gate(config()), FETCHED + SECOND
    gate.command(Command(t, "manifest", args))
    gate.command(Command(t, "gate.open", {"dock": "dock-1", "manifest": args["manifest"], "delivery": delivery}))
    for line in (line for stop in args["deliveries"] for line in stop["lines"]):
        t += SECOND
        gate.passed(Pass(line["uid"], "portal-1", Direction.OUT, t - SECOND, t, 0.97, None, pass_evidence(t)))
    facts = gate.command(Command(t + SECOND, "gate.close", {"dock": "dock-1"})) + elapse(gate, t + 10 * SECOND)
    (verdict,) = verdicts(facts)
    sets = {item["uid"]: (name, item) for name in ("matched", "missing", "extra", "blocked") for item in verdict[name]}
    return verdict, sets


def test_own_example():
    verdict, sets = load_everything(OWN, "810001")
    wanted = json.loads(OWN.read_text())["_expectedGateVerdicts"]
    assert {uid: item["verdict"] for uid, (_, item) in sets.items()} == wanted
    assert verdict["outcome"] == "mismatch"
    assert verdict["evidence"]["facts_as_of"]["records"] is not None


# The rule of ours behind each word that the example uses.
RULES = {"hold": "hold", "coa": "coa", "recall": "recall", "lab state": "lab_state", "quarantine": "quarantine"}


def in_our_words(text: str):
    """``blocked: hold (IsOnHold) and coa (no document id)`` as set and rules, each with the detail that it names."""
    if text == "matched":
        return "matched", {}
    rules = {}
    for part in re.split(r",? and |, ", text.removeprefix("blocked: ")):
        name = next(name for name in RULES if part.startswith(name))
        rules[RULES[name]] = part.removeprefix(name).strip(" ()")
    return "blocked", rules


def test_shared_example_gets_exactly_the_verdicts_written_in_it():
    if not SHARED.exists():
        pytest.skip(f"the example manifest is not at {SHARED}: set RFID_SHARED")
    _, sets = load_everything(SHARED, "1204477")
    wanted = json.loads(SHARED.read_text())["_expectedGateVerdicts"]
    assert sets.keys() == wanted.keys()
    for uid, text in wanted.items():
        status, item = sets[uid]
        wanted_status, wanted_rules = in_our_words(text)
        assert status == wanted_status
        reasons = {rule["rule"]: rule["reason"] for rule in item["rules"]}
        assert reasons.keys() == wanted_rules.keys(), item
        for rule, detail in wanted_rules.items():
            assert detail in reasons[rule], f"{uid}: {rule}: {reasons[rule]!r} does not say {detail!r}"
