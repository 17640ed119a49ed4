"""Holds verdicts against true transits.

What overlaps in time is weighed together, so that a verdict that takes two attempts for one, or an attempt that got
two verdicts, is neither an error nor a pass for that alone: what counts is whether the ways that were published add
up to the ways that were taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.accuracy.judge import Verdict
from benchmarks.radio import Transit

_Span = tuple[float, float, Transit | Verdict]

_SIGN = {"in": 1, "out": -1}

MARGIN = 1.0
"""Seconds by which a verdict may lie beside a transit: the radio sees further than the doorway reaches."""


@dataclass(slots=True, frozen=True)
class Weighed:
    """One attempt, or several that were judged together. `result`: right, wrong, abstained (undetermined) or silent
    (nothing was published). `passage`: a true passage was there. `false_passage`: in or out was published beyond it;
    `taken_back`: and what was not so was revised."""

    transits: tuple[Transit, ...]
    verdicts: tuple[Verdict, ...]
    result: str
    passage: bool
    false_passage: bool
    taken_back: bool


def weigh(transits: Sequence[Transit], verdicts: Sequence[Verdict]) -> list[Weighed]:
    """The transits and verdicts of one tag at one door."""
    spans: list[_Span] = [(transit.start - MARGIN, transit.end + MARGIN, transit) for transit in transits]
    spans += [(verdict.first, verdict.last, verdict) for verdict in verdicts]
    spans.sort(key=lambda span: span[:2])
    found: list[Weighed] = []
    together: list[Transit | Verdict] = []
    reach = float("-inf")
    for low, high, what in _only_across(spans):
        if together and low > reach:
            found.append(_weigh(together))
            together = []
            reach = float("-inf")
        together.append(what)
        reach = max(reach, high)
    if together:
        found.append(_weigh(together))
    return found


def _only_across(spans: list[_Span]) -> list[_Span]:
    """Transits that follow each other closely are not joined by their margins alone: the later one is cut short."""
    last_end: dict[type, float] = {}
    cut = []
    for low, high, what in spans:
        low = max(low, min(last_end.get(type(what), low) + 1e-6, high))
        last_end[type(what)] = high
        cut.append((low, high, what))
    return sorted(cut, key=lambda span: span[:2])


def _weigh(together: Sequence[Transit | Verdict]) -> Weighed:
    transits = tuple(what for what in together if isinstance(what, Transit))
    verdicts = tuple(what for what in together if isinstance(what, Verdict))
    crossings = [sign for transit in transits for _, sign in transit.crossings]
    claims = _signs(verdicts)
    passage = sum(crossings) != 0
    if not verdicts:
        result = "silent"
    elif adds_up(claims, crossings):
        unsure = all(verdict.direction == "undetermined" for verdict in verdicts)
        result = "abstained" if unsure else "right"
    elif any(verdict.direction == "undetermined" for verdict in verdicts) and among(claims, crossings):
        result = "abstained"
    else:
        result = "wrong"
    beyond = bool(claims) and not passage and result == "wrong"
    left = _signs(verdict for verdict in verdicts if not verdict.taken_back)
    return Weighed(transits, verdicts, result, passage, beyond, beyond and adds_up(left, crossings))


def _signs(verdicts: Iterable[Verdict]) -> list[int]:
    """The ways that were published, without what was left open."""
    return [_SIGN[verdict.direction] for verdict in verdicts if verdict.direction in _SIGN]


def adds_up(claims: Sequence[int], crossings: Sequence[int]) -> bool:
    """Whether the published ways are the true crossings, less pairs of going and coming back at once.

    Crossings of a door alternate, so taking out neighbouring pairs leaves an alternating row with the same sum.
    """
    if sum(claims) != sum(crossings) or len(claims) > len(crossings):
        return False
    if any(a == b for a, b in pairwise(claims)):
        return False
    return not claims or len(claims) % 2 == 1 or claims[0] == crossings[0]


def among(claims: Sequence[int], crossings: Sequence[int]) -> bool:
    """Whether the published ways are true crossings in their order, some of which were left undetermined."""
    rest = iter(crossings)
    return all(claim in rest for claim in claims)
