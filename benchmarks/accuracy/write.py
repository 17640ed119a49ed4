"""Trials as files, to look into or to replay: configuration, reads and, beside them, the truth."""

from __future__ import annotations

import json
from heapq import merge
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.accuracy.judge import time_of
from benchmarks.accuracy.trial import Scene
from benchmarks.radio import Truth, run
from benchmarks.radio.world import EPOCH
from gateway.clock import SECOND
from gateway.recording.read import encode


def write_trial(scene: Scene, number: int, seed: str, directory: Path) -> Path:
    """Writes ``config.yaml``, ``reads.jsonl`` and ``truth.json`` into a directory of its own, and returns that.

    Times in the truth are UTC in seconds, as in the reads.
    """
    name = f"{seed}/{scene.name}/{number}"
    trial = scene.build(Random(name))
    played = run(trial.world, name)
    words = "".join(letter if letter.isalnum() else "-" for letter in scene.name)
    place = directory / f"{words}-{seed}-{number}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.yaml").write_text(json.dumps(trial.config, indent=1) + "\n")  # JSON is YAML 1.2
    with (place / "reads.jsonl").open("wb") as file:
        for item in merge(played.items, trial.commands, key=time_of):
            file.write(encode(item))
    (place / "truth.json").write_text(json.dumps(_plain(played.truth), indent=1) + "\n")
    return place


def _plain(truth: Truth) -> dict[str, Any]:
    return {
        "passes": [
            {
                "uid": transit.uid,
                "portal": transit.doorway,
                "direction": transit.direction,
                "start": _utc(transit.start),
                "end": _utc(transit.end),
                "crossings": [[_utc(t), "in" if sign > 0 else "out"] for t, sign in transit.crossings],
            }
            for transit in truth.transits
        ],
        "zones": {uid: [[_utc(t), zone] for t, zone in stays] for uid, stays in truth.stays.items()},
        "start": _utc(truth.start),
        "end": _utc(truth.end),
    }


def _utc(t: float) -> float:
    return EPOCH / SECOND + round(t, 6)
