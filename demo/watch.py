"""A subscriber like an inventory backend's: gets events from the broker, shows them, and notes what it got."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiomqtt
import orjson


class Watcher:
    """Everything below ``events/`` of one gateway."""

    def __init__(self, port: int, base: str) -> None:
        self._port = port
        self._base = base
        self.subscribed = asyncio.Event()
        self._more = asyncio.Event()
        self.sequences: list[int] = []
        self.seen: Counter[str] = Counter()

    async def has(self, sequence: int) -> None:
        """Returns when everything up to `sequence` has come."""
        while len(set(self.sequences)) < sequence:
            self._more.clear()
            await self._more.wait()

    async def run(self) -> None:
        """Until cancelled."""
        async with aiomqtt.Client(
            "127.0.0.1", self._port, protocol=aiomqtt.ProtocolVersion.V311, identifier="demo-backend"
        ) as client:
            await client.subscribe(self._base + "events/#", qos=1)
            self.subscribed.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                self._take(orjson.loads(message.payload))

    def _take(self, event: dict[str, Any]) -> None:
        self.sequences.append(event["sequence"])
        kind, text = describe(event)
        self.seen[kind] += 1
        self._more.set()
        print(f"{event['time'][11:23]}  {kind:<10}  {text}", flush=True)


def describe(event: dict[str, Any]) -> tuple[str, str]:
    """The kind of an event, and what it says in one line."""
    data = event["data"]
    match event["type"]:
        case "rfid.movement.v1" if data["movement"] == "passed":
            return (
                "passed",
                f"{data['uid']}  {data['portal']} {data['direction']:<8}  confidence {data['confidence']:.2f}",
            )
        case "rfid.movement.v1" if data["movement"] == "group_passed":
            return "group", f"{len(data['members'])} packages together, {data['portal']} {data['direction']}"
        case "rfid.movement.v1":
            places = " -> ".join(place for place in (data["from"], data["to"]) if place)
            reads = data["evidence"]["reads"]
            text = f"{data['uid']}  {places:<18}  confidence {data['confidence']:.2f}, {reads} reads"
            return data["movement"], text
        case "rfid.count.v1":
            return "count", f"{event['subject']}: {data['population']} packages, confidence {data['confidence']:.2f}"
        case "rfid.gate.v1":
            return "gate", f"{event['subject']}: {_gate(data)}"
        case "rfid.alarm.v1":
            return "alarm", f"{event['subject']}: {data['alarm']} {data['state']}, {data['reason']}"
        case "rfid.loss.v1":
            return "loss", f"{event['subject']}: {data['cause']}"
        case kind:
            return kind.split(".")[1], event["subject"]


def _gate(data: dict[str, Any]) -> str:
    match data["gate"]:
        case "item":
            return f"{data['uid']} is {data['item']['verdict']}"
        case "verdict":
            sets = ("matched", "missing", "extra", "blocked", "undetermined")
            return f"verdict {data['outcome']}: " + ", ".join(f"{len(data[name])} {name}" for name in sets)
        case "precheck":
            return f"{data['lines']} lines before loading: {data['blocked']} blocked, {data['unknown']} not known"
        case kind:
            return str(kind).replace("-", " ")
