"""Adds the outcomes of trials up by scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from benchmarks.accuracy import other_physics
from benchmarks.accuracy.judge import judge
from benchmarks.accuracy.score_counts import CountOutcome, score_counts
from benchmarks.accuracy.score_passes import GroupOutcome, PassOutcome, score_groups, score_passes
from benchmarks.accuracy.score_presence import Presence, score_presence
from benchmarks.accuracy.trial import Scene
from benchmarks.radio import run


@dataclass(slots=True)
class Outcome:
    """Everything that is weighed of one trial."""

    passes: list[PassOutcome] = field(default_factory=list)
    groups: list[GroupOutcome] = field(default_factory=list)
    presence: dict[str, Presence] = field(default_factory=dict)
    counts: list[CountOutcome] = field(default_factory=list)
    reads: int = 0
    alarms: int = 0


def play(scene: Scene, number: int, seed: str, *, elsewhere: bool = False) -> Outcome:
    """One trial: the world is made and played, `elsewhere` with other physics, and the floor and the simple rules judge
    it."""
    name = f"{seed}/{scene.name}/{number}"
    trial = scene.build(Random(name))
    if elsewhere:
        other_physics.move(trial, Random(f"{name}/elsewhere"))
    played = run(trial.world, name)
    said = judge(trial, played.items)
    outcome = Outcome(reads=sum(len(reads) for reads in played.reads.values()), alarms=len(said.alarms))
    if scene.family == "passes":
        outcome.passes = score_passes(trial, played, said)
        outcome.groups = score_groups(trial, played, said) if said.judged else []
    if scene.family == "presence" or trial.watched:
        outcome.presence = score_presence(trial, played, said)
    if scene.family == "counts":
        outcome.counts = list(score_counts(trial, played, said))
    return outcome


@dataclass(slots=True)
class Row:
    """Passes of one kind in one scene, weighed alike."""

    results: Counter[str] = field(default_factory=Counter)
    false_passages: int = 0
    taken_back: int = 0
    rules: dict[str, Counter[str]] = field(default_factory=dict)
    confidences: list[tuple[float, bool]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def add(self, outcome: PassOutcome) -> None:
        """Counts the outcome of one more pass."""
        self.results[outcome.result] += outcome.weight
        self.false_passages += outcome.false_passage
        self.taken_back += outcome.taken_back
        self.confidences += outcome.confidences
        if outcome.delay is not None:
            self.delays.append(outcome.delay)
        for rule, result in outcome.rules.items():
            self.rules.setdefault(rule, Counter())[result] += 1

    def join(self, other: Row) -> None:
        """Counts the passes of another row too, without what single decisions are weighed by."""
        self.results += other.results
        self.false_passages += other.false_passages
        self.taken_back += other.taken_back
        self.delays += other.delays

    @property
    def passes(self) -> int:
        """How many passes were read at all."""
        return sum(self.results.values()) - self.results["unread"]

    @property
    def decided(self) -> int:
        """How many passes were given a direction."""
        return self.results["right"] + self.results["wrong"]


@dataclass(slots=True)
class Tally:
    """One scene, all its trials."""

    scene: Scene
    trials: int = 0
    reads: int = 0
    rows: dict[str, Row] = field(default_factory=dict)
    groups: list[GroupOutcome] = field(default_factory=list)
    presence: dict[str, Presence] = field(default_factory=dict)
    counts: list[CountOutcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Counts the outcome of one more trial."""
        self.trials += 1
        self.reads += outcome.reads
        for one in outcome.passes:
            self.rows.setdefault(one.row, Row()).add(one)
        self.groups += outcome.groups
        for name, presence in outcome.presence.items():
            self.presence.setdefault(name, Presence()).add(presence)
        self.counts += outcome.counts
