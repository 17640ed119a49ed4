"""What other programs need to know of us, generated from the code: ``python -m gateway.schemas [DIRECTORY]``.

``gateway.schema.json`` for editors of the configuration, a JSON Schema for each type of event and for each retained
state, ``asyncapi.yaml`` for whoever talks to the gateway over MQTT, and ``openapi.json`` for whoever asks its history
over HTTP. A test compares the files under config/ with what this module makes.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from gateway import __version__
from gateway.config import Config
from gateway.config import drivers as driver_registry
from gateway.events.payloads import MODELS, Part
from gateway.events.states import DockState, GatewayState, LedgerState, ReaderState, ZoneState
from gateway.events.types import EVENTS
from gateway.history.answers import OpenAlarms
from gateway.mqtt.parts import PART
from gateway.web.openapi import describe

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generate() -> dict[str, str]:
    """File name to content."""
    files = {"gateway.schema.json": _json(configuration()), "asyncapi.yaml": _yaml(asyncapi())}
    files["openapi.json"] = _json(describe())
    for kind in MODELS:
        files[schema_file(kind)] = _json(event(kind))
    for name in _STATES:
        files[_state_file(name)] = _json(state(name))
    files[schema_file(PART)] = _json({"$schema": _DIALECT} | Part.model_json_schema() | {"title": PART})
    return files


def schema_file(kind: str) -> str:
    """``rfid.movement.v1`` as ``events/movement.v1.schema.json``."""
    return f"events/{kind.removeprefix('rfid.')}.schema.json"


def _state_file(name: str) -> str:
    """``reader-state`` as ``states/reader.schema.json``."""
    return f"states/{name.removesuffix('-state')}.schema.json"


def configuration() -> dict[str, Any]:
    """The schema of the configuration; a reader's keys follow its driver."""
    schema = Config.model_json_schema()
    definitions = schema["$defs"]
    cases = []
    for name in driver_registry.built_in():
        driver = driver_registry.factory(name).settings.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        definitions |= {f"{name}.{key}": value for key, value in driver.pop("$defs", {}).items()}
        own = definitions["ReaderConfig"]["properties"]
        # Only the keys of the reader and of its driver, and not the driver's description in place of the reader's.
        then = {
            "properties": driver["properties"] | dict.fromkeys(own, True),
            "required": driver.get("required", []),
            "additionalProperties": False,
        }
        cases.append({"if": {"properties": {"driver": {"const": name}}}, "then": then})
    definitions["ReaderConfig"]["allOf"] = cases
    return {"$schema": _DIALECT, "title": "Configuration of rfid-gateway"} | schema


def event(kind: str) -> dict[str, Any]:
    """The schema of one type of event, envelope included."""
    schema = MODELS[kind].model_json_schema(by_alias=True)
    schema["properties"]["type"] = {"const": kind}
    return {"$schema": _DIALECT} | schema | {"title": kind}


def state(name: str) -> dict[str, Any]:
    """The schema of a retained state, by the name of its channel."""
    schema = TypeAdapter(_STATES[name]).json_schema(mode="serialization")
    if name == "alarms-state":  # which kind of entry of a trail they are goes without saying
        del schema["$defs"]["Alarm"]["properties"]["entry"]
    return {"$schema": _DIALECT} | schema | {"title": name}


def asyncapi() -> dict[str, Any]:
    """The topics of design and code as AsyncAPI 3.0, seen from the gateway: `send` is what it publishes."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    kinds = {kind.split(".")[1]: kind for kind in EVENTS}
    published: dict[str, tuple[str, str, str, bool | None]] = {
        name: ("send", EVENTS[kind].address(f"{{{EVENTS[kind].place}}}"), EVENTS[kind].title, False)
        for name, kind in kinds.items()
    }
    for name, (action, topic, title, retained) in (published | _TOPICS).items():
        parameters = [part[1:-1] for part in topic.split("/") if part.startswith("{")]
        message: dict[str, Any] = {"name": name, "title": title, "contentType": "application/json"}
        messages = {name: message}
        if name in kinds:
            message["contentType"] = "application/cloudevents+json"
            message["payload"] = {"$ref": f"./{schema_file(kinds[name])}"}
            messages["part"] = {"$ref": "#/components/messages/part"}
        elif name in _STATES:
            message["payload"] = {"$ref": f"./{_state_file(name)}"}
        channels[name] = {
            "address": f"{{root}}/v1/{{site}}/{{gateway}}/{topic}",
            "title": title,
            "parameters": {key: {"description": _PARAMETERS[key]} for key in ("root", "site", "gateway", *parameters)},
            "messages": messages,
        }
        operations[f"{action}-{name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "bindings": {"mqtt": {"qos": 1} | ({} if retained is None else {"retain": retained})},
        }
    operations["receive-command"]["reply"] = {
        "address": {
            "location": "$message.header#/responseTopic",
            "description": "MQTT 5: the response topic of the command, with its correlation data. 3.1.1: res/{name}.",
        },
        "channel": {"$ref": "#/channels/result"},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "rfid-gateway",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                "part": {
                    "name": "part",
                    "title": "A part of an event that is too large for the broker",
                    "contentType": "application/cloudevents+json",
                    "payload": {"$ref": f"./{schema_file(PART)}"},
                }
            }
        },
    }


_DESCRIPTION = (
    "Events are CloudEvents 1.0 in structured mode, published in the order of their sequence with QoS 1, not retained "
    "and without expiry. The same event has the same id however often it is sent: deduplicate by id. A gap in the "
    "sequence of an epoch is an error; what had to be given up is named by a loss event."
)

_PARAMETERS = {
    "root": "mqtt.root of the configuration, rfid by default.",
    "site": "site of the configuration.",
    "gateway": "gateway of the configuration.",
    "place": "The zone, portal or reader that the event is about.",
    "zone": "The zone.",
    "portal": "The portal of the dock; `manifests` for what is about no dock.",
    "dock": "The dock.",
    "book": "The book, as the configuration names it.",
    "door": "The door, as the access-control system names it.",
    "reader": "The reader.",
    "name": "The name of the command.",
}

_STATES: dict[str, Any] = {
    "gateway-state": GatewayState,
    "ledger-state": LedgerState,
    "alarms-state": OpenAlarms,
    "reader-state": ReaderState,
    "dock-state": DockState,
    "zone-state": ZoneState,
}
"""The types of the retained states, by the names of their channels."""

_TOPICS: dict[str, tuple[str, str, str, bool | None]] = {
    "gateway-state": ("send", "state/gateway", "Birth and last will of the gateway", True),
    "ledger-state": ("send", "state/ledger", "Epoch and newest sequence number of the ledger", True),
    "alarms-state": ("send", "state/alarms", "The open alarms: how many, and the newest 50", True),
    "reader-state": ("send", "state/reader/{reader}", "How a reader is", True),
    "dock-state": ("send", "state/dock/{dock}", "What a dock shows and whom it loads", True),
    "zone-state": ("send", "state/zone/{zone}", "How many tags are in a zone", True),
    "command": ("receive", "cmd/{name}", "A command: a JSON object; `request` names it for repetition", False),
    "result": ("send", "res/{name}", "The answer to a command: status ok, refused or error", False),
    "ack": ("receive", "ack", "The backend has every event of `epoch` up to `sequence`", None),
}
"""Channels beside those of events: what the gateway does there, the topic below its own, a title, whether retained
(None: as the sender likes)."""


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _yaml(document: dict[str, Any]) -> str:
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096
    out = io.StringIO("# Generated by `python -m gateway.schemas`.\n")
    out.seek(0, io.SEEK_END)
    yaml.dump(document, out)
    return out.getvalue()


def main(directory: Path) -> None:
    """Writes every schema into a directory."""
    for name, content in generate().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("config"))
