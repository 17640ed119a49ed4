"""Pairs of a line that is missing and a package that is too many, which are probably one error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from gateway.events.gate_parts import LikelyError

MOST = 100
"""Packages of either side that are compared: with more, it is no slip of one digit any more."""

FEWEST_DIGITS = 2
"""Digits in which two UIDs may differ: one that was mistyped, or two that were swapped."""

_ONES = int("1" * 124, 16)
"""The lowest bit of every digit of the longest UID."""

Named: TypeAlias = tuple[str, str]
"""UID and product; the product empty where it is not known."""


def likely_errors(missing: Sequence[Named], extra: Sequence[Named]) -> list[LikelyError]:
    """Each package once: those whose UIDs differ in one or two digits first, then those of one product."""
    found: list[tuple[int, int, str, str]] = []
    others = [(other, int(other, 16), len(other), _folded(product)) for other, product in extra[:MOST]]
    for line, product in missing[:MOST]:
        number, length, folded = int(line, 16), len(line), _folded(product)
        for other, its_number, its_length, its_product in others:
            same = folded == its_product and bool(folded)
            digits = _differing(number ^ its_number) if length == its_length else FEWEST_DIGITS + 1
            if digits <= FEWEST_DIGITS or same:
                found.append((min(digits, FEWEST_DIGITS + 1), not same, line, other))
    pairs: list[LikelyError] = []
    used: set[str] = set()
    for digits, _, line, other in sorted(found):
        if used.isdisjoint((line, other)):
            used |= {line, other}
            close = digits <= FEWEST_DIGITS
            why = f"the UIDs differ in {'one digit' if digits == 1 else 'two digits'}" if close else "the same product"
            pairs.append({"missing": line, "extra": other, "why": why})
    return pairs


def _differing(bits: int) -> int:
    """In how many hexadecimal digits two UIDs differ, of which `bits` are the bits that do."""
    bits |= bits >> 1
    bits |= bits >> 2
    return (bits & _ONES).bit_count()


def _folded(product: str) -> str:
    return " ".join(product.casefold().split())
