"""What an LLRPStatus says, for people."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.llrp.element import Element
from drivers.llrp.tables import enum_name

_SUCCESS = 0
_LONGEST_TEXT = 300


@dataclass(slots=True, frozen=True)
class Refusal:
    """Why a reader did not do what it was asked."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def text(value: str) -> str:
    """A reader's own words on one line, cut to a length that a log line can take: they are not under our control."""
    return " ".join(value.split())[:_LONGEST_TEXT]


def refusal_of(answer: Element) -> Refusal | None:
    """None when the answer's LLRPStatus says success, or when it has none."""
    status = answer.find("LLRPStatus")
    if status is None or status["StatusCode"] == _SUCCESS:
        return None
    reason = enum_name("StatusCode", status["StatusCode"])
    description = text(status["ErrorDescription"])
    return Refusal(f"{reason}: {description}" if description else reason)
