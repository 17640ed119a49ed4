"""Settings that older releases called otherwise: what is written in their words means the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.config.yaml import Mapping, Node, Problem, Sequence, path_text

_NAMES = {("portals", "*", "beams"): "photo_eyes"}
"""The path of a setting in former words (``*`` is each entry of a list) to its last word today."""


def in_todays_words(root: Mapping) -> list[Problem]:
    """Renames in the tree what is called otherwise today. Returns what is written in both words: nothing is taken
    for the other."""
    problems = []
    for (*above, former), name in _NAMES.items():
        for path, group in _groups(root, tuple(above)):
            if former not in group.values:
                continue
            if name in group.values:
                line = group.key_lines[former]
                text = f"is `{name}` today, which is there too: write `{name}` alone"
                problems.append(Problem(line, path_text((*path, former)), text))
            else:
                group.values = {name if key == former else key: value for key, value in group.values.items()}
                group.key_lines = {name if key == former else key: line for key, line in group.key_lines.items()}
    return problems


def saved_in_todays_words(content: Any) -> Any:
    """A configuration that the last run saved, as plain data, with former names replaced by today's."""
    for (*above, former), name in _NAMES.items():
        content = _renamed(content, tuple(above), former, name)
    return content


def _renamed(content: Any, above: tuple[str, ...], former: str, name: str) -> Any:
    match content:
        case dict() if not above:
            return {name if key == former else key: value for key, value in content.items()}
        case dict() if above[0] in content:
            return content | {above[0]: _renamed(content[above[0]], above[1:], former, name)}
        case list() if above and above[0] == "*":
            return [_renamed(entry, above[1:], former, name) for entry in content]
        case _:
            return content


def _groups(
    node: Node, above: tuple[str, ...], path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Mapping]]:
    """The groups of keys at a path, each with its own path."""
    match node:
        case Mapping() if not above:
            yield path, node
        case Mapping() if above[0] in node.values:
            yield from _groups(node.values[above[0]], above[1:], (*path, above[0]))
        case Sequence(items=items) if above and above[0] == "*":
            for number, item in enumerate(items):
                yield from _groups(item, above[1:], (*path, number))
