"""YAML 1.2 text as a tree that knows the line of every key and value.

The parser's events are turned into nodes here, and plain scalars are resolved by the core schema of YAML 1.2.2
(section 10.3.2): `012` is the number 12 and `22:22` is text. What makes a configuration mean something else than it
says is refused: duplicate keys, anchors and aliases (also the way to make a small file huge), tags, several documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

MAX_BYTES = 256 << 10
"""200 readers with eight antennas each, written generously, are 160 kB, and more than one gateway is for. What fits is
read within a few seconds on a small computer."""

MAX_PROBLEMS = 100
"""Problems that are looked for. Nobody mends more at a time, and suggestions for each cost time."""

MAX_DEPTH = 16
"""The deepest key of the model is six levels down; a driver's own settings may add a few."""

MAX_DIGITS = 4000
"""Python refuses to convert longer integers (4,300 digits); such a scalar stays text and is refused by its field."""

_INT = re.compile(r"[-+]?[0-9]+")
_PREFIXED_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NO_SPACE = re.compile(r"(- )?[A-Za-z_]{1,40}:[^\s:]\S{0,80}")
_LONG_ESCAPE = re.compile(r"\\U([0-9a-fA-F]{8})")
_LAST_CHARACTER = 0x10FFFF
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


Where: TypeAlias = tuple[str | int, ...]
"""The way to a value in the configuration: keys and indices, outermost first."""


@dataclass(slots=True, frozen=True)
class Problem:
    """One thing that is wrong: the line (from 1), the path such as ``readers[0].driver`` (or empty) and a sentence."""

    line: int
    path: str
    text: str


@dataclass(slots=True)
class Scalar:
    """A value. `text` is how it was written, without the quotes."""

    line: int
    value: str | int | float | bool | None
    text: str


@dataclass(slots=True)
class Mapping:
    """Keys to values, with the line of each key. Keys are text, however they were written."""

    line: int
    values: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Sequence:
    """A list, with the line on which it begins."""

    line: int
    items: list[Node] = field(default_factory=list)


Node: TypeAlias = Scalar | Mapping | Sequence


class YamlError(Exception):
    """The text cannot be read as YAML any further; `earlier` holds the problems before that."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem
        self.earlier: list[Problem] = []


def parse(text: str) -> tuple[Node, list[Problem]]:
    """The tree of a document, and the problems that do not keep the rest from being read (duplicate keys).

    Raises `YamlError` at the first thing that does.
    """
    reader = _Reader(YAML(typ="safe", pure=True).parse(text))
    try:
        return reader.document(), reader.problems
    except YamlError as error:
        error.earlier = reader.problems
        raise
    except YAMLError as error:
        raise YamlError(_syntax_problem(error, text)) from None
    except Exception as error:  # of the parser, which does not know all that it may be given
        raise YamlError(_unforeseen(error, text)) from None


def plain(node: Node) -> Any:
    """The tree as Python dictionaries, lists and scalars."""
    match node:
        case Scalar():
            return node.value
        case Mapping():
            return {key: plain(value) for key, value in node.values.items()}
        case Sequence():
            return [plain(item) for item in node.items]


def path_text(path: Where) -> str:
    """``("readers", 0, "driver")`` as ``readers[0].driver``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


class _Reader:
    """Builds the tree by recursive descent over the parser's events; the depth is bounded by `MAX_DEPTH`."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self.problems: list[Problem] = []

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise YamlError(Problem(_line(event), "", "a second document begins here: remove this `---`"))
                if event.version not in (None, (1, 2)):
                    raise YamlError(Problem(1, "", "this file is read as YAML 1.2: remove the %YAML line"))
                root = self._node(next(self._events), (), 0)
            elif isinstance(event, DocumentEndEvent):
                continue
        if root is None:
            raise YamlError(Problem(1, "", "the file is empty: start from config/example.yaml"))
        return root

    def _node(self, event: Event, path: Where, depth: int) -> Node:
        line = _line(event)
        where = path_text(path)
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise YamlError(
                Problem(
                    line, where, "anchors and aliases (& and *) are not used here: write the value out in each place"
                )
            )
        if (tag := getattr(event, "tag", None)) is not None:
            raise YamlError(Problem(line, where, f"the tag {tag} is not used here: remove it"))
        if depth > MAX_DEPTH:
            raise YamlError(Problem(line, where, f"nested more than {MAX_DEPTH} deep: look for a stray [ or {{"))
        match event:
            case ScalarEvent():
                return self._scalar(event, line, where)
            case SequenceStartEvent():
                return self._sequence(line, path, depth)
            case MappingStartEvent():
                return self._mapping(line, path, depth)
        raise YamlError(Problem(line, where, "cannot be read as YAML"))

    def _scalar(self, event: ScalarEvent, line: int, where: str) -> Scalar:
        text = event.value
        if not event.implicit[0]:  # quoted or a block scalar: text, whatever it looks like
            return Scalar(line, text, text)
        if _NOT_FINITE.fullmatch(text):
            raise YamlError(Problem(line, where, f"`{text}` is not a number that can be used here: write a finite one"))
        return Scalar(line, _resolve(text), text)

    def _sequence(self, line: int, path: Where, depth: int) -> Sequence:
        node = Sequence(line)
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            node.items.append(self._node(event, (*path, len(node.items)), depth + 1))
        return node

    def _mapping(self, line: int, path: Where, depth: int) -> Mapping:
        node = Mapping(line)
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._node(event, path, depth + 1)
            if not isinstance(key, Scalar):
                raise YamlError(Problem(key.line, path_text(path), "a key must be a word: quote a value with { or ["))
            name = key.text
            value = self._node(next(self._events), (*path, name), depth + 1)
            if name in node.values:
                if len(self.problems) >= MAX_PROBLEMS:
                    raise YamlError(Problem(key.line, path_text(path), "too many keys are written twice: start again"))
                text = f"written twice, first in line {node.key_lines[name]}: remove one of them"
                self.problems.append(Problem(key.line, path_text((*path, name)), text))
                continue
            node.values[name] = value
            node.key_lines[name] = key.line
        return node


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _resolve(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _PREFIXED_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text


def _syntax_problem(error: YAMLError, text: str) -> Problem:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem(line, "", f"the character U+{int(error.character):04X} is not allowed: remove it")
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        for number, written in enumerate(text.splitlines()[:line], 1):
            if "\u00a0" in written[: len(written) - len(written.lstrip())]:
                return Problem(number, "", "a no-break space cannot be used here: indent with plain spaces")
            if written.partition(" #")[0].count('"') % 2 and not written.lstrip().startswith("#"):
                return Problem(number, "", "a quote is opened here and not closed in this line: close it")
        if "mapping values are not allowed" in str(error.problem):
            before = text.splitlines()[line - 2].strip() if line > 1 else ""
            if _NO_SPACE.fullmatch(before):
                return Problem(line - 1, "", f"no space after the colon: write `{before.replace(':', ': ', 1)}`")
        return Problem(line, "", _syntax(error))
    return Problem(1, "", f"cannot be read as YAML: {error}")


def _unforeseen(error: Exception, text: str) -> Problem:
    """What the parser fails at: an escape that is no character, as far as is known."""
    for number, written in enumerate(text.splitlines(), 1):
        if any(int(code, 16) > _LAST_CHARACTER for code in _LONG_ESCAPE.findall(written)):
            return Problem(number, "", "an escape beyond \\U0010FFFF is no character: write the character itself")
    return Problem(1, "", f"cannot be read as YAML ({type(error).__name__}): look for escapes in double quotes")


def _syntax(error: MarkedYAMLError) -> str:
    """The parser's words for a syntax error, with what usually helps."""
    problem = str(error.problem or error.context or "cannot be read as YAML")
    if "\\t" in problem or "'\t'" in problem:
        return "a tab cannot be used here: indent with spaces"
    if "mapping values are not allowed" in problem:
        return "a second `: ` in one line: put the value in quotes, or check the indentation"
    if "expected <block end>" in problem:
        return "the indentation does not fit the lines above: keys of one group begin in the same column"
    if "could not find expected ':'" in problem:
        return "a key without its `:`: write `key: value`"
    return f"cannot be read as YAML ({problem}): check quotes, brackets and indentation"
