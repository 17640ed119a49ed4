"""The sections about the dock gate: docks, rules and watch lists. Times are seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_validator

from gateway.config.base import Identifier, Name, Seconds, Section
from gateway.config.hours import HoursConfig

RuleName = Literal[
    "manifest",
    "delivery",
    "lab_state",
    "coa",
    "hold",
    "recall",
    "investigation",
    "quarantine",
    "finished",
    "destroyed",
    "expired",
    "not_first_to_expire",
    "shipped_once",
    "watch",
]
"""The rules of the gate; `gateway.floor.gate.rules` says what each of them asks."""

ReaderPort = Annotated[int, Field(ge=1, le=255)]


class DoorConfig(Section):
    """The contact of a dock door on a reader's input. `open` is the state of the input while the door is open."""

    reader: Identifier
    port: ReaderPort
    open: bool = True
    opens: bool = True
    closes: bool = True


class OutputConfig(Section):
    """A general purpose output of a reader. `on` is the level that switches on what hangs on it."""

    reader: Identifier
    port: ReaderPort
    on: bool = True


class LightsConfig(Section):
    """A stack light and its buzzer, which sounds for `buzz` seconds."""

    red: OutputConfig | None = None
    amber: OutputConfig | None = None
    green: OutputConfig | None = None
    buzzer: OutputConfig | None = None
    buzz: Annotated[float, Field(gt=0, le=60)] = 1.0


class DockConfig(Section):
    """A loading dock: its portal, and what hangs on it.

    A session in which an antenna of the portal was not watching for more than `unwatched` is complete only once
    somebody has confirmed that nothing passed meanwhile.
    A session closes `settle` after it was told to (what passed last is decided a moment later), and by itself after
    `idle` without a pass. `interlock` is released only on a complete verdict, which is shown for `verdict_shown`.
    """

    id: Identifier
    portal: Identifier
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    door: DoorConfig | None = None
    lights: LightsConfig = LightsConfig()
    interlock: OutputConfig | None = None
    open_on_pass: bool = True
    settle: Annotated[float, Field(ge=0, le=60)] = 3.0
    idle: Seconds = 14_400.0
    unwatched: Annotated[float, Field(ge=0, le=3600)] = 1.0
    verdict_shown: Seconds = 300.0


def _distinct_docks(docks: list[DockConfig]) -> list[DockConfig]:
    for what, names in (("id", [dock.id for dock in docks]), ("portal", [dock.portal for dock in docks])):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"two docks have the {what} {twice[0]}: rename one")
    outputs = Counter(place for dock in docks for place in _outputs(dock))
    shared = [place for place, count in outputs.items() if count > 1]
    if shared:
        raise ValueError(f"output {shared[0][1]} of reader {shared[0][0]} is used twice: give each lamp its own")
    return docks


def _outputs(dock: DockConfig) -> Iterable[tuple[str, int]]:
    lights = dock.lights
    for output in (lights.red, lights.amber, lights.green, lights.buzzer, dock.interlock):
        if output is not None:
            yield output.reader, output.port


Docks = Annotated[list[DockConfig], AfterValidator(_distinct_docks)]

_ALL: list[RuleName] = list(get_args(RuleName))
_INBOUND: list[RuleName] = ["manifest", "delivery", "lab_state", "watch"]

RuleNames = Annotated[
    list[RuleName],
    BeforeValidator(
        lambda rules: _ALL if rules == "all" else rules, json_schema_input_type=Literal["all"] | list[RuleName]
    ),
]
"""Rules by name, or ``all`` that there are: those of later releases too."""


class GateConfig(Section):
    """The rules of this site, by name or ``all``, for outbound and for inbound deliveries.

    Facts older than `facts_max_age` are as good as none. A package is in quarantine where the name of its location
    contains one of `quarantine_locations`. `coa_batches` says which tests make up a required batch, by the beginnings
    of their names, where the names alone do not show it. `staging`: the zones where loads are made ready.
    With `hours` it is an alarm when something moves while the site is closed.
    """

    rules: RuleNames = _ALL
    inbound_rules: RuleNames = _INBOUND
    lab_states: list[Name] = ["TestPassed", "RetestPassed"]
    facts_max_age: Seconds = 14_400.0
    quarantine_locations: list[Name] = ["quarantine"]
    quarantine_lab_states: list[Name] = []
    coa_batches: dict[str, list[Name]] = {}
    staging: Annotated[list[Identifier], Field(max_length=100)] = []
    hours: HoursConfig | None = None
    shipped_for: Seconds = 30 * 86_400.0
    alarm_every: Seconds = 60.0

    @field_validator("rules", "inbound_rules")
    @classmethod
    def _never_without(cls, rules: list[RuleName]) -> list[RuleName]:
        for needed in ("manifest", "delivery"):
            if needed not in rules:
                raise ValueError(f"the rule `{needed}` is what a gate is for: add it")
        if len(set(rules)) < len(rules):
            raise ValueError("a rule is named twice: remove one")
        return rules


class WatchConfig(Section):
    """A watch list. Its tags may be seen in the zones `allowed`, or everywhere but in the zones `forbidden`, or, with
    neither, nowhere; a tag that went out through a portal is at that portal. An alarm is repeated for the same place at
    most every `repeat` seconds, and cleared once the tag has been where it may be for `clear_after`."""

    name: Identifier
    allowed: Annotated[list[Identifier], Field(max_length=1000)] = []
    forbidden: Annotated[list[Identifier], Field(max_length=1000)] = []
    repeat: Seconds = 300.0
    clear_after: Annotated[float, Field(ge=0, le=3600)] = 30.0

    @model_validator(mode="after")
    def _one_of_them(self) -> WatchConfig:
        if self.allowed and self.forbidden:
            raise ValueError("allowed and forbidden exclude each other: write one of them")
        return self


def _distinct_lists(watch: list[WatchConfig]) -> list[WatchConfig]:
    twice = [name for name, count in Counter(entry.name for entry in watch).items() if count > 1]
    if twice:
        raise ValueError(f"the watch list {twice[0]} is there twice: merge the two")
    return watch


WatchLists = Annotated[list[WatchConfig], AfterValidator(_distinct_lists)]
