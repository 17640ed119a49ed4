"""HTML that cannot be forgotten to be escaped: text becomes markup only here."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TypeAlias

from gateway.web.wording import clock

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """Markup: text that is escaped already."""

    __slots__ = ()

    def __html__(self) -> str:
        """What a template puts in its place: itself, not escaped again."""
        return str(self)


Child: TypeAlias = "Html | str | int | list[Html] | None"
Value: TypeAlias = "str | int | bool | None"


def text(content: object) -> Html:
    """`content` as text, whatever it holds. Markup stays what it is."""
    return content if isinstance(content, Html) else Html(html.escape(str(content), quote=True))


def el(name: str, /, *children: Child, **attributes: Value) -> Html:
    """An element. ``class_`` is `class` and ``aria_live`` is `aria-live`; None and False leave an attribute out, True
    writes its name alone."""
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after the other, escaped."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, list):
            parts.extend(text(item) for item in child)
        elif child is not None:
            parts.append(text(child))
    return Html("".join(parts))


def moment(time: str) -> Html:
    """An RFC 3339 time of ours in UTC; the script shows it in the time zone of whoever looks."""
    return el("time", clock(time), datetime=time)


def cells(columns: Sequence[str], *contents: Sequence[Child]) -> Html:
    """A row of a table: a heading and a cell for each further column. Each cell knows the name of its column, which a
    phone shows beside it."""
    first, *others = contents
    row = [el("th", *first, scope="row")]
    row += [el("td", *content, data_label=name) for name, content in zip(columns[1:], others, strict=True)]
    return el("tr", row)


def table(columns: Sequence[str], rows: list[Html]) -> Html:
    """Rows that `cells` has made, with their headings."""
    head = el("tr", [el("th", column, scope="col") for column in columns])
    inside = el("table", el("thead", head), el("tbody", rows))
    return el("div", inside, class_="table", tabindex=0, role="region", aria_label=", ".join(columns))


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value), quote=True)}"'
