"""What a wrong configuration still says: where to tell people that it is wrong.

Each section is read by itself, so that a mistake in one hides none of the others, not even one of syntax.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.file import read
from gateway.config.model import Config, HttpConfig, LogConfig, MqttConfig
from gateway.config.yaml import Mapping, YamlError, parse, plain

_SECTION = re.compile(r"^(?=[A-Za-z_]+:)", re.MULTILINE)
"""Where a section begins: a key at the beginning of a line."""

_WANTED = ("site", "gateway", "mqtt", "http", "web", "log")


def remains(path: Path) -> Config:
    """`site`, `gateway`, `mqtt`, `http`, `web` and `log` of the file, as far as they are right; without readers and
    zones. Where `mqtt` or one of the names is wrong, `site` is empty: no broker can be told. Never raises."""
    text, _ = read(path)
    sections = _sections(text)
    known: dict[str, Any] = {}
    for name in _WANTED:
        with suppress(ValidationError):
            if name in sections:
                field = TypeAdapter(Config.model_fields[name].rebuild_annotation())
                known[name] = field.validate_json(json.dumps(sections[name]))
    if not {"site", "gateway"} <= known.keys() or ("mqtt" in sections and "mqtt" not in known):
        known |= {"site": "", "gateway": ""}
    defaults = {"mqtt": MqttConfig(), "http": HttpConfig(), "web": None, "log": LogConfig()}
    return Config.model_construct(**(defaults | known), zones=[], readers=[])


def _sections(text: str) -> dict[str, Any]:
    """What can be read of the file, by the keys of its sections."""
    with suppress(YamlError):
        root, _ = parse(text)
        return plain(root) if isinstance(root, Mapping) else {}
    found: dict[str, Any] = {}
    for piece in _SECTION.split(text):
        with suppress(YamlError):
            if piece.partition(":")[0] in _WANTED:
                root, _ = parse(piece)
                found |= plain(root)
    return found
