"""Text that came from outside, made fit to be shown, and what is wrong with arguments, in words for who sent them."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.errors import Refused

_TOLD = 3
"""Problems that are told; more only hide the first."""

_SUBJECT = re.compile(r"^(?:Input|String|List|Value|Dictionary) should ")

_Model = TypeVar("_Model", bound=BaseModel)


def printable(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, with an ellipsis where it was cut; what could move a terminal's cursor,
    end a line or hide is written as an escape such as ``\\x1b``."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def first_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def two_digits(value: float) -> str:
    """A confidence with two digits, rounded down: 1.00 is only what is certain."""
    return f"{math.floor(value * 100 + 1e-9) / 100:.2f}"


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of `known` that was probably meant: what has the same letters, in another order or case, before what has
    most of them (`cutoff` as in difflib). None where nothing is close."""
    folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    letters = sorted(word.casefold())
    if swapped := [name for name in folded if sorted(name) == letters]:
        return folded[swapped[-1]]
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean `x`?`` or, where nothing is close, what there is."""
    known = sorted(known)
    close = closest(word, known, cutoff=0.5)
    return f"did you mean `{close}`?" if close else f"write one of {', '.join(known)}"


def validated(model: type[_Model], args: Any, what: str) -> _Model:
    """`args` as `model`. Raises `Refused`, which begins with `what`: the command, or the message."""
    try:
        return model.model_validate(args)
    except ValidationError as error:
        raise Refused(f"{what}: {problems(error, model)}") from None


def problems(error: ValidationError, model: type[BaseModel]) -> str:
    """The first few problems of arguments that are no `model`, each with its place, short enough for a message."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    details = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [_problem(tuple(detail["loc"]), detail["type"], detail["msg"], known) for detail in details[:_TOLD]]
    more = len(details) - _TOLD
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _problem(where: tuple[int | str, ...], kind: str, message: str, known: list[str]) -> str:
    place = printable(".".join(str(step) for step in where), 80) or "arguments"
    if kind == "missing":
        return f"{place} is missing"
    if kind == "extra_forbidden":
        remedy = did_you_mean(str(where[0]), known) if len(where) == 1 and known else "leave it out"
        return f"{place} is unknown: {remedy}"
    return f"{place}: {_SUBJECT.sub('must ', message.removeprefix('Value error, '))}"
