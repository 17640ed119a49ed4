"""What pydantic says about a configuration, in plain words and with the line of the YAML that it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from gateway.config.base import FORMS, HEX_PATTERN, IDENTIFIER_PATTERN
from gateway.config.yaml import MAX_PROBLEMS, Mapping, Node, Problem, Scalar, Sequence, Where, path_text
from gateway.text import closest, printable

_WITH_COMMA = re.compile(r"([-+]?\d+),(\d+)")
_WITH_UNIT = re.compile(r"([-+]?\d+(?:\.\d+)?) ?[A-Za-z]{1,7}")

_SHOWN = 60
"""Characters of a wrong value that a message repeats: enough to find it by, too few to hide the message."""


def problems_of(
    error: ValidationError, root: Node, model: type[BaseModel], prefix: Where = (), also: Iterable[str] = ()
) -> list[Problem]:
    """One problem for each thing that `error` holds against the YAML below `prefix`.

    `model` is what was validated; `also` names keys that are allowed beside its own, for suggestions.
    """
    problems = []
    meant: set[Where] = set()
    details = error.errors(include_url=False)[: MAX_PROBLEMS + 1]
    for detail in details:
        if detail["type"] == "extra_forbidden":
            path = prefix + detail["loc"]
            known = [*_keys_at(model, detail["loc"][:-1]), *(also if len(detail["loc"]) == 1 else ())]
            text, suggestion = unknown_key(str(path[-1]), known)
            if section := _empty_before(root, path, model, detail["loc"]):
                text = f"unknown key: it belongs to `{section}`, which is empty: indent it below that"
            elif number := _cut_by_comma(root, path):
                text = f"a comma ends a value here: write {number}"
            problems.append(Problem(line_of(root, path), path_text(path), text))
            if suggestion is not None:
                meant.add((*path[:-1], suggestion))
    for detail in details:
        path = prefix + detail["loc"]
        if detail["type"] == "extra_forbidden" or path in meant:
            continue
        node, path = _reach(root, path, keep_last=detail["type"] == "missing")
        problems.append(Problem(line_of(root, path), path_text(path), _say(dict(detail), node)))
    return problems


def unknown_key(key: str, known: Iterable[str]) -> tuple[str, str | None]:
    """What to say of a key that does not exist, and the key that was probably meant."""
    known = sorted(known)
    if f"{key}_file" in known:
        return (
            f"a secret does not belong in this file: put it into a file that only the service can read, "
            f"and write `{key}_file: /path/to/it`",
            None,
        )
    if close := closest(key, known):
        return f"unknown key: did you mean `{close}`?", close
    return f"unknown key: remove it, or write one of {', '.join(known)}", None


def line_of(root: Node, path: Where) -> int:
    """The line of the key (or list item) at `path`, or of the nearest thing above it that is there."""
    node, line = root, root.line
    for step in path:
        match node, step:
            case Mapping(), str() if step in node.values:
                line = node.key_lines[step]
                node = node.values[step]
            case Sequence(), int() if step < len(node.items):
                node = node.items[step]
                line = node.line
            case _:
                return line
    return node.line if isinstance(node, Scalar) and node.text else line


def _reach(root: Node, path: Where, *, keep_last: bool) -> tuple[Node | None, Where]:
    """The node at `path`, and the path as far as the YAML has it: pydantic adds steps of its own inside unions."""
    node: Node | None = root
    reached: list[str | int] = []
    for step in path:
        match node, step:
            case Mapping(), str() if step in node.values:
                node = node.values[step]
                reached.append(step)
            case Sequence(), int() if step < len(node.items):
                node = node.items[step]
                reached.append(step)
            case _ if keep_last and step == path[-1]:
                return None, (*reached, step)
            case _:
                continue
    return node, tuple(reached)


def _keys_at(model: type[BaseModel], path: Where) -> set[str]:
    """The keys that the model allows at `path`."""
    models = [model]
    for step in path:
        if isinstance(step, str):
            fields = [found.model_fields[step] for found in models if step in found.model_fields]
            models = [inner for found in fields for inner in models_in(found.annotation)]
    return {key for found in models for key in found.model_fields}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation mentions, at whatever depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


def _empty_before(root: Node, path: Where, model: type[BaseModel], loc: Where) -> str:
    """The empty section beside the key at `path` that knows such a key, or nothing: the key is not indented."""
    node, reached = _reach(root, path[:-1], keep_last=False)
    if not isinstance(node, Mapping) or reached != path[:-1]:
        return ""
    for name, value in node.values.items():
        if isinstance(value, Scalar) and value.value is None and str(path[-1]) in _keys_at(model, (*loc[:-1], name)):
            return name
    return ""


def _cut_by_comma(root: Node, path: Where) -> str:
    """The number of which a comma in braces has made the key at `path`, or nothing: ``{power: 24,5}``."""
    node, reached = _reach(root, path[:-1], keep_last=False)
    key = str(path[-1])
    if not isinstance(node, Mapping) or reached != path[:-1] or not key.isdecimal():
        return ""
    names = list(node.values)
    before = node.values[names[names.index(key) - 1]]
    return f"{before.text}.{key}" if isinstance(before, Scalar) and isinstance(before.value, int) else ""


def _say(detail: dict[str, Any], node: Node | None) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if isinstance(node, Scalar) and node.value is None and kind != "missing":
        return "is empty: write a value, or remove the key"
    for words, types in _WORDS:
        if kind in types:
            return words(context, node)
    message = str(detail["msg"])
    return message[:1].lower() + message[1:]


def _shown(node: Node | None) -> str:
    if isinstance(node, Mapping):
        return "a group of keys"
    if isinstance(node, Sequence):
        return "a list"
    return f"`{printable(node.text, _SHOWN)}`" if node is not None else "nothing"


def _text_wanted(_: dict[str, Any], node: Node | None) -> str:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return f'{_shown(node)} is read as true or false: put it in quotes, "{node.text[:_SHOWN]}"'
    if isinstance(node, Scalar) and not isinstance(node.value, str):
        return f'{_shown(node)} is read as a number: put it in quotes, "{node.text[:_SHOWN]}"'
    return f"must be text, not {_shown(node)}"


def _pattern(context: dict[str, Any], node: Node | None) -> str:
    pattern = str(context["pattern"])
    text = node.text if isinstance(node, Scalar) else ""
    if re.fullmatch(pattern, text.upper()):
        return f'{_shown(node)} has small letters: write hex in capitals, "{text.upper()}"'
    if pattern == HEX_PATTERN:
        return f"{_shown(node)} is not hex: write 1 to 124 of the digits 0-9 and A-F, without 0x or spaces"
    if pattern == IDENTIFIER_PATTERN:
        return (
            f"{_shown(node)} cannot be a name: write at most 64 of A-Z, a-z, 0-9, dot, underscore and hyphen, "
            "beginning with a letter or digit"
        )
    return f"{_shown(node)} has the wrong form: {FORMS.get(pattern) or f'write what fits {pattern}'}"


def _number_wanted(noun: str) -> Callable[[dict[str, Any], Node | None], str]:
    def words(_: dict[str, Any], node: Node | None) -> str:
        if isinstance(node, Scalar) and isinstance(node.value, str) and re.fullmatch(r"[-+]?[\d._]+", node.text):
            return f"{_shown(node)} is text: write {noun} without quotes or separators"
        if isinstance(node, Scalar) and (found := _WITH_COMMA.fullmatch(node.text)):
            return f"{_shown(node)} has a comma: write {found[1]}.{found[2]}"
        if isinstance(node, Scalar) and (found := _WITH_UNIT.fullmatch(node.text)):
            return f"{_shown(node)} has a unit: write {found[1]} alone; times are in seconds and powers in dBm"
        return f"must be {noun}, not {_shown(node)}"

    return words


def _choice(context: dict[str, Any], node: Node | None) -> str:
    expected = str(context["expected"])
    choices = re.findall(r"'([^']*)'", expected)
    if isinstance(node, Scalar) and not isinstance(node.value, str) and node.text in choices:
        return _text_wanted({}, node)
    if isinstance(node, Scalar) and (close := closest(node.text, choices)):
        return f"{_shown(node)} is not a choice: did you mean `{close}`?"
    return f"{_shown(node)} is not a choice: write {' or '.join(choices) or expected}"


def _kind(context: dict[str, Any], node: Node | None) -> str:
    key = str(context["discriminator"]).strip("'")
    kinds = re.findall(r"'([^']*)'", str(context.get("expected_tags", "")))
    if not kinds:
        return f"`{key}` is missing: add it"
    return f"there is no {key} `{printable(str(context['tag']), _SHOWN)}`: write {' or '.join(kinds)}"


def _limit(words: str, key: str) -> Callable[[dict[str, Any], Node | None], str]:
    return lambda context, node: f"{_shown(node)} is out of range: must be {words} {context[key]:g}"


def _fewest(context: dict[str, Any], _: Node | None) -> str:
    fewest = context["min_length"]
    return f"needs at least {fewest} {'entry' if fewest == 1 else 'entries'}"


_WORDS: list[tuple[Callable[[dict[str, Any], Node | None], str], tuple[str, ...]]] = [
    (lambda *_: "is missing: add it", ("missing",)),
    (_text_wanted, ("string_type",)),
    (_pattern, ("string_pattern_mismatch",)),
    (_number_wanted("a whole number"), ("int_type", "int_parsing", "int_from_float")),
    (_number_wanted("a number"), ("float_type", "float_parsing")),
    (lambda _, node: f"must be true or false, not {_shown(node)}", ("bool_type", "bool_parsing")),
    (_choice, ("literal_error", "enum")),
    (_kind, ("union_tag_invalid", "union_tag_not_found")),
    (_limit("at least", "ge"), ("greater_than_equal",)),
    (_limit("more than", "gt"), ("greater_than",)),
    (_limit("at most", "le"), ("less_than_equal",)),
    (_limit("less than", "lt"), ("less_than",)),
    (_fewest, ("too_short",)),
    (lambda _, node: f"{_shown(node)} is too large a number: write a smaller one", ("finite_number",)),
    (
        lambda _, node: f"must be a list, not {_shown(node)}: write each entry in a line that begins with `- `",
        ("list_type", "tuple_type", "set_type", "frozen_set_type"),
    ),
    (
        lambda _, node: f"must be a group of keys, not {_shown(node)}: write `key: value` lines, indented below",
        ("model_type", "model_attributes_type", "dict_type", "dataclass_type"),
    ),
    (lambda _, node: f"must be the path of a file, not {_shown(node)}", ("path_type", "is_instance_of")),
    (lambda context, _: str(context["error"]), ("value_error",)),
]
