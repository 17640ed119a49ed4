"""Reads a configuration file and says everything that is wrong with it, with file and line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from drivers.plain_files import no_plain_file
from gateway.config.checks import Checker
from gateway.config.former import in_todays_words
from gateway.config.messages import line_of, problems_of
from gateway.config.model import Config
from gateway.config.yaml import MAX_BYTES, MAX_PROBLEMS, Mapping, Problem, Where, YamlError, parse, path_text, plain
from gateway.errors import ConfigError
from gateway.text import printable

_LONGEST = 800
"""Characters of one problem. The longest sentence of ours, with every key of the largest section, is under 500."""


@dataclass(slots=True, frozen=True)
class _Found:
    """What a look at a configuration has found: what is wrong, which files cannot be used now, what an earlier release
    took, what is good to know; and the configuration, as far as there is one, with its tree."""

    problems: list[Problem]
    files: list[Problem] = field(default_factory=list)
    doubtful: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    config: Config | None = None
    root: Mapping = field(default_factory=lambda: Mapping(1))

    def problem(self, path: Where, text: str) -> Problem:
        """A problem with the setting at `path`, or with the nearest above it that is in the file."""
        return Problem(line_of(self.root, path), path_text(path), text)


def load(path: Path, *, starting: bool = False) -> Config:
    """The configuration in `path`, with everything checked that can be checked without touching a reader or a broker.

    Raises `ConfigError` with one ``file:line: path: what is wrong and what to write instead`` for each problem, in
    the order of the lines; what is doubtful (a secret that everybody may read, `doubts`) is said on stderr, since a
    gateway that ran must start again. So are files that are named and cannot be used, where a gateway is `starting`:
    whatever needs one says so and tries again, and what is read meanwhile is kept. Reads this file and opens those that
    it names: not for the event loop.
    """
    found = _check(path)
    problems, doubtful = found.problems, found.doubtful
    if starting:
        doubtful = found.files + doubtful
    else:
        problems = problems + found.files
    for problem in () if problems else doubtful:
        print(_format(path, problem), file=sys.stderr)
    return _good(path, found.config, problems)


def _good(path: Path, config: Config | None, problems: list[Problem]) -> Config:
    if problems or config is None:
        ordered = sorted(set(problems), key=lambda problem: (problem.line, problem.path, problem.text))
        lines = [_format(path, problem) for problem in ordered[:MAX_PROBLEMS]]
        if len(ordered) > MAX_PROBLEMS:
            lines.append(f"{path}:{ordered[MAX_PROBLEMS].line}: and more: check again once these are mended")
        raise ConfigError(lines)
    return config


def check_command(path: Path, contents: Callable[[Config], list[tuple[Where, str]]] = lambda config: []) -> int:
    """``rfid-gateway check FILE``: the problems on stderr and 2, or one line on stdout and 0, with a line for each
    thing that is good to know. `contents` says what is wrong inside the files that the configuration names, with the
    path of the setting, or with none where the words say in which file and line it is."""
    found = _check(path)
    try:
        config = _good(path, found.config, found.problems + found.files + found.doubtful)
        if wrong := contents(config):
            raise ConfigError([_format(path, found.problem(*it)) if it[0] else it[1] for it in wrong])
    except ConfigError as error:
        print(error, file=sys.stderr)
        count = len(error.problems)
        print(f"{path}: {count} {'problem' if count == 1 else 'problems'}", file=sys.stderr)
        return 2
    antennas = sum(1 for _ in config.antennas())
    print(
        f"{path}: good: site {config.site}, gateway {config.gateway}, {_count(len(config.readers), 'reader')}, "
        f"{_count(antennas, 'antenna')}, {_count(len(config.zones), 'zone')}, config hash {config.digest()}"
    )
    for note in found.notes:
        print(_format(path, note))
    return 0


def _check(path: Path) -> _Found:
    text, problem = read(path)
    if problem is not None:
        return _Found([problem])
    try:
        root, problems = parse(text)
    except YamlError as error:
        return _Found([*error.earlier, error.problem])
    if not isinstance(root, Mapping):
        return _Found([Problem(root.line, "", "must be a group of keys: start from config/example.yaml")])
    problems += in_todays_words(root)
    checker = Checker(root)
    checker.structure()
    config: Config | None = None
    try:
        config = Config.model_validate_json(json.dumps(plain(root)))
    except ValidationError as error:
        problems += problems_of(error, root, Config)
    else:
        checker.values(config)
    return _Found(problems + checker.problems, checker.files, checker.doubtful, checker.notes, config, root)


def read(path: Path) -> tuple[str, Problem | None]:
    """The text of the file, or why there is none. Line 1 stands for the file as a whole."""
    try:
        if what := no_plain_file(path):
            return "", Problem(1, "", what)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return "", Problem(1, "", f"cannot be read ({error.strerror}): correct the path or its permissions")
    if len(content) > MAX_BYTES:
        return "", Problem(1, "", f"longer than {MAX_BYTES} bytes: is this the right file?")
    try:
        return content.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return "", Problem(line, "", f"byte 0x{content[error.start]:02X} is not UTF-8: save the file as UTF-8")


def _format(path: Path, problem: Problem) -> str:
    what = f"{problem.path}: {problem.text}" if problem.path else problem.text
    return f"{path}:{problem.line}: {printable(what, _LONGEST)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
