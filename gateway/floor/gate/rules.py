"""The rules of the gate: each a small function from a case to an outcome.

A rule passes only on a fact that it has seen and that is fresh. It blocks where the fact says so, however old the
fact is: what was on hold yesterday is not loaded because nobody asked today. Everything else is unknown, and an
unknown rule keeps a package from passing just as a blocking one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from gateway.clock import CLOCK_AHEAD, NEVER, micros, rfc3339
from gateway.config.gate import GateConfig
from gateway.errors import ConfigError
from gateway.floor.gate.manifest import DeliveryKey, Flag, Line, Result
from gateway.floor.gate.newest import newest


@dataclass(slots=True, frozen=True)
class Passed:
    """The rule holds."""


@dataclass(slots=True, frozen=True)
class Blocked:
    """The rule is broken. `reason` is a few words, empty where the rule's name says it all."""

    reason: str = ""


@dataclass(slots=True, frozen=True)
class Unknown:
    """The rule cannot be decided. `missing` says what would decide it."""

    missing: str


@dataclass(slots=True, frozen=True)
class Warned:
    """The rule holds, and somebody should know of something all the same."""

    reason: str


Outcome: TypeAlias = Passed | Blocked | Unknown | Warned

HOLDS = Passed()


@dataclass(slots=True, frozen=True)
class Case:
    """A package at a dock. `line` is what names it, of the delivery `owner`; `here` is the delivery being loaded.

    `as_of` is when the manifest was true, `watched` the watch lists that the UID is on, `shipped` how it has left
    already, in words; `earlier` which package of the same product on this site expires before it, in words.
    """

    line: Line | None
    owner: DeliveryKey | None
    here: DeliveryKey | None
    as_of: int
    now: int
    owner_dock: str = ""
    watched: frozenset[str] = frozenset()
    shipped: str = ""
    earlier: str = ""


Rule: TypeAlias = Callable[[Case, GateConfig], Outcome]


def on_manifest(case: Case, config: GateConfig) -> Outcome:
    """Some delivery that is known has a line for it."""
    return Blocked("on no manifest") if case.line is None else HOLDS


def this_delivery(case: Case, config: GateConfig) -> Outcome:
    """The delivery that names the package is the one being loaded here, not the one at the next dock."""
    if case.owner is None or case.owner == case.here:
        return HOLDS
    manifest, delivery = case.owner
    where = f", loaded at {case.owner_dock}" if case.owner_dock else ""
    return Blocked(f"belongs to delivery {delivery} of manifest {manifest}{where}")


def lab_state(case: Case, config: GateConfig) -> Outcome:
    """Every lab state that is known is one of those that the site allows, and one of them is fresh."""
    line = case.line
    if line is None:
        return HOLDS
    said = [(line.lab_state, case.as_of)]
    if line.record is not None:
        said.append((line.record.lab_state, line.record.as_of))
    wrong = [state for state, _ in said if state is not None and state not in config.lab_states]
    if wrong:
        return Blocked(wrong[-1])
    known = [_freshness("lab state", as_of, case, config) for state, as_of in said if state is not None]
    if not known:
        return Unknown("lab state")
    return HOLDS if "" in known else Unknown(known[0])


def coa(case: Case, config: GateConfig) -> Outcome:
    """The certificate of analysis is complete: results for every required batch, each passed, released, documented,
    neither revoked nor expired."""
    line = case.line
    if line is None:
        return HOLDS
    if line.record is not None and (line.record.lab_expires or NEVER) <= case.now:
        return Blocked("lab results expired")
    if line.lab is None:
        return Unknown("lab results")
    counting = newest(line.lab.results)
    outcomes = [_result(result, case) for result in counting]
    blocked = next((outcome for outcome in outcomes if isinstance(outcome, Blocked)), None)
    if blocked is not None:
        return blocked
    if stale := _freshness("lab results", line.lab.as_of, case, config):
        return Unknown(stale)
    if line.lab.required is None:
        return Unknown("required lab test batches")
    if not counting:
        return Unknown("lab results: there are none")
    for batch in line.lab.required:
        if not any(_covers(result.test, batch, config) for result in counting):
            return Unknown(f"result for required batch {batch}")
    return next((outcome for outcome in outcomes if isinstance(outcome, Unknown)), HOLDS)


def _result(result: Result, case: Case) -> Outcome:
    if result.revoked:
        return Blocked(f"revoked: {result.test}")
    if result.expires is not None and result.expires <= case.now:
        return Blocked(f"expired: {result.test}")
    if result.passed is False:
        return Blocked(f"not passed: {result.test}")
    if result.released is False:
        return Blocked(f"not released: {result.test}")
    if not (result.document or "").strip():
        return Blocked("no document id")
    if result.passed is None or result.released is None or result.revoked is None:
        return Unknown(f"whether {result.test} passed, was released and not revoked")
    return HOLDS


def _covers(test: str, batch: str, config: GateConfig) -> bool:
    """Whether a test is part of a required batch. Metrc names no relation between the two: where the names do not
    show it, the configuration has to."""
    listed = config.coa_batches.get(batch)
    if listed is not None:
        return any(test.casefold().startswith(name.casefold()) for name in listed)
    test, batch = _essence(test), _essence(batch)
    return bool(test) and bool(batch) and (batch in test or test in batch)


def _essence(name: str) -> str:
    return name.casefold().replace("(required)", "").strip()


def hold(case: Case, config: GateConfig) -> Outcome:
    """Not on hold."""
    return _flag(case, config, "hold")


def recall(case: Case, config: GateConfig) -> Outcome:
    """Not recalled."""
    return _flag(case, config, "recall")


def investigation(case: Case, config: GateConfig) -> Outcome:
    """Not under investigation."""
    return _flag(case, config, "investigation")


def finished(case: Case, config: GateConfig) -> Outcome:
    """Neither finished nor archived in the state system."""
    return _flag(case, config, "finished")


def destroyed(case: Case, config: GateConfig) -> Outcome:
    """Not set aside for destruction, nor destroyed."""
    return _flag(case, config, "destroyed")


def _flag(case: Case, config: GateConfig, name: str) -> Outcome:
    """A flag of the package record, which the watch list of the same name can only make worse."""
    if name in case.watched:
        return Blocked("on the watch list")
    if case.line is None:
        return HOLDS
    record = case.line.record
    value: Flag = None if record is None else getattr(record, name)
    if record is None or value is None:
        return Unknown(f"whether it is {_FLAG_WORDS[name]}")
    if value:
        return Blocked("" if value is True else ", ".join(value))
    stale = _freshness("package record", record.as_of, case, config)
    return Unknown(stale) if stale else HOLDS


_FLAG_WORDS = {
    "hold": "on hold",
    "recall": "recalled",
    "investigation": "under investigation",
    "finished": "finished",
    "destroyed": "destroyed",
}


def quarantine(case: Case, config: GateConfig) -> Outcome:
    """The package's location is not a place of quarantine, and no lab state that is known of it means quarantine."""
    if "quarantine" in case.watched:
        return Blocked("on the watch list")
    if case.line is None:
        return HOLDS
    record = case.line.record
    if record is None or not (record.location or "").strip():
        return Unknown("location")
    place = str(record.location).casefold()
    if any(word.casefold() in place for word in config.quarantine_locations):
        return Blocked(f"location {record.location}")
    for lab_state in (record.lab_state, case.line.lab_state):
        if lab_state in config.quarantine_lab_states:
            return Blocked(f"lab state {lab_state}")
    stale = _freshness("package record", record.as_of, case, config)
    return Unknown(stale) if stale else HOLDS


def shipped_once(case: Case, config: GateConfig) -> Outcome:
    """The package has not left already, under this manifest or another."""
    return Blocked(case.shipped) if case.shipped else HOLDS


def expired(case: Case, config: GateConfig) -> Outcome:
    """No date has come after which it must not be sold or used. A package without such a date has no limit."""
    if case.line is None:
        return HOLDS
    record = case.line.record
    if record is None or record.expires == "unknown":
        return Unknown("expiration date")
    if record.expires is not None and record.expires <= case.now:
        return Blocked(f"since {rfc3339(record.expires)[:10]}")
    stale = _freshness("package record", record.as_of, case, config)
    return Unknown(stale) if stale else HOLDS


def not_first_to_expire(case: Case, config: GateConfig) -> Outcome:
    """First expired, first out: no package of the same product on this site expires before it. It only warns."""
    return Warned(case.earlier) if case.earlier else HOLDS


_OWN_RULE = frozenset(_FLAG_WORDS) | {"quarantine"}


def watch_list(case: Case, config: GateConfig) -> Outcome:
    """On none of the site's own watch lists; those named like a rule are that rule's."""
    lists = sorted(case.watched - _OWN_RULE)
    return Blocked(f"on the watch list {', '.join(lists)}") if lists else HOLDS


Rules: TypeAlias = tuple[tuple[str, Rule], ...]


class Named(NamedTuple):
    """A rule, and what a loader reads where it is broken."""

    rule: Rule
    broken: str


RULES: dict[str, Named] = {
    "manifest": Named(on_manifest, "Not on any manifest"),
    "delivery": Named(this_delivery, "Belongs to another delivery"),
    "lab_state": Named(lab_state, "Lab state not allowed"),
    "coa": Named(coa, "COA not complete"),
    "hold": Named(hold, "On hold"),
    "recall": Named(recall, "Recalled"),
    "investigation": Named(investigation, "Under investigation"),
    "quarantine": Named(quarantine, "In quarantine"),
    "finished": Named(finished, "Already finished"),
    "destroyed": Named(destroyed, "Destroyed"),
    "expired": Named(expired, "Expired"),
    "not_first_to_expire": Named(not_first_to_expire, "Not the first to expire"),
    "shipped_once": Named(shipped_once, "Has left already"),
    "watch": Named(watch_list, "On a watch list"),
}
"""The rules by the names that the configuration knows them by, in the order in which they are reported."""


@dataclass(slots=True, frozen=True)
class Judgement:
    """What the rules say of one package. It holds until `fresh_until`, when its facts are too old."""

    blocked: tuple[tuple[str, str], ...]  # rule and reason
    unknown: tuple[tuple[str, str], ...]  # rule and what is missing
    fresh_until: int
    warned: tuple[tuple[str, str], ...] = ()  # rule and what somebody should know

    @property
    def passed(self) -> bool:
        """Whether every rule was asked and passed."""
        return not self.blocked and not self.unknown

    def words(self) -> str:
        """For people: ``matched``, ``blocked: hold (IsOnHold), coa (no document id)`` or ``blocked: unknown (…)``."""
        if self.blocked:
            return "blocked: " + ", ".join(f"{rule} ({reason})" if reason else rule for rule, reason in self.blocked)
        if self.unknown:
            by_missing: dict[str, list[str]] = {}
            for rule, missing in self.unknown:
                by_missing.setdefault(missing, []).append(rule)
            parts = [f"{', '.join(rules)}: {missing}" for missing, rules in by_missing.items()]
            return f"blocked: unknown ({'; '.join(parts)})"
        return "matched"


def named(names: Iterable[str]) -> Rules:
    """The rules of these names, in the order of RULES. Raises ConfigError where one is not implemented."""
    wanted = set(names)
    if missing := sorted(wanted - RULES.keys()):
        raise ConfigError(
            [f"gate: this gateway has no rule {missing[0]!r}: remove it, or install the release that has it"]
        )
    return tuple((name, entry.rule) for name, entry in RULES.items() if name in wanted)


def judge(case: Case, config: GateConfig, rules: Rules) -> Judgement:
    """Asks the rules."""
    blocked: list[tuple[str, str]] = []
    unknown: list[tuple[str, str]] = []
    warned: list[tuple[str, str]] = []
    for name, rule in rules:
        outcome = rule(case, config)
        if isinstance(outcome, Blocked):
            blocked.append((name, outcome.reason))
        elif isinstance(outcome, Unknown):
            unknown.append((name, outcome.missing))
        elif isinstance(outcome, Warned):
            warned.append((name, outcome.reason))
    return Judgement(tuple(blocked), tuple(unknown), _fresh_until(case, config), tuple(warned))


def _fresh_until(case: Case, config: GateConfig) -> int:
    """When the next fact becomes too old, one that lies in the future does not any more, or a result expires."""
    line = case.line
    if line is None:
        return NEVER
    times = [case.as_of]
    ends: list[int] = []
    if line.record is not None:
        times.append(line.record.as_of)
        ends.append(line.record.lab_expires or NEVER)
        if isinstance(line.record.expires, int):
            ends.append(line.record.expires)
    if line.lab is not None:
        times.append(line.lab.as_of)
        ends += [result.expires or NEVER for result in line.lab.results]
    limit = micros(config.facts_max_age)
    ends += [end for as_of in times for end in (as_of - CLOCK_AHEAD, as_of + limit)]
    return min((end for end in ends if end > case.now), default=NEVER)


def _freshness(what: str, as_of: int, case: Case, config: GateConfig) -> str:
    """Nothing where a fact is fresh, else what is wrong with its time."""
    if as_of > case.now + CLOCK_AHEAD:
        return _wrong_time(what, as_of, "in the future")
    if case.now - as_of >= micros(config.facts_max_age):
        return _wrong_time(what, as_of, "too long ago")
    return ""


@lru_cache(1_000)
def _wrong_time(what: str, as_of: int, when: str) -> str:
    """What is wrong with a time, in words: the same for the many packages whose facts were gathered together."""
    return f"{what}: as of {rfc3339(as_of)}, which is {when}"
