"""A subscriber like an inventory backend's: gets events from the broker, shows them, and notes what it got."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import aiomqtt
import orjson

from gateway.clock import micros, parse_rfc3339, rfc3339, wall
from gateway.text import two_digits

HOLD = 6.0
"""Seconds that a line waits for those that happened before it and are decided later, such as passes."""

_COLOURS = {"alarm": 31, "gate": 33, "count": 35, "moved": 36, "passed": 36, "arrived": 32, "departed": 34, "loss": 31}
"""ANSI colours by the kind of a line; others have none."""


class Watcher:
    """Everything below ``events/`` of one gateway. With `coloured` lines have the colours of a terminal."""

    def __init__(self, port: int, base: str, coloured: bool = False) -> None:
        self._port = port
        self._base = base
        self._coloured = coloured
        self.subscribed = asyncio.Event()
        self._more = asyncio.Event()
        self.sequences: list[int] = []
        self.seen: Counter[str] = Counter()
        self._texts: dict[str, list[str]] = {}
        self._gate: dict[str, int] = {}
        self._lines: list[tuple[str, int, str]] = []  # heap: time, number, line
        self._newest = ""

    def of(self, kind: str) -> list[str]:
        """The lines of one kind that have come."""
        return self._texts.get(kind, [])

    def gate(self, kind: str) -> range:
        """As many as events of one kind have come from the gate."""
        return range(self._gate.get(kind, 0))

    async def until(self, condition: Callable[[], Any], within: float) -> bool:
        """Waits until the condition holds; whether it does after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            return False
        return True

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
        self._texts.setdefault(kind, []).append(text)
        if event["type"] == "rfid.gate.v1":
            self._gate[event["data"]["gate"]] = self._gate.get(event["data"]["gate"], 0) + 1
        self._more.set()
        self._line(event["time"], f"{event['time'][11:23]}  {kind:<10}  {text}", _COLOURS.get(kind, 0))

    def note(self, text: str) -> None:
        """What people do meanwhile, in line with the events."""
        now = rfc3339(wall())
        self._line(now, f"{now[11:23]}  --  {text}", 1)

    def _line(self, time: str, line: str, colour: int) -> None:
        heappush(self._lines, (time, len(self.sequences), f"\x1b[{colour}m{line}\x1b[0m" if self._coloured else line))
        self._newest = max(self._newest, time)
        due = rfc3339(parse_rfc3339(self._newest) - micros(HOLD))
        while self._lines and self._lines[0][0] <= due:
            print(heappop(self._lines)[2], flush=True)

    def show_rest(self) -> None:
        """The lines that still wait for earlier ones."""
        while self._lines:
            print(heappop(self._lines)[2], flush=True)


def describe(event: dict[str, Any]) -> tuple[str, str]:
    """The kind of an event, and what it says in one line."""
    data = event["data"]
    match event["type"]:
        case "rfid.movement.v1" if data["movement"] == "passed":
            return (
                "passed",
                f"{data['uid']}  {data['portal']} {data['direction']:<8}  confidence {two_digits(data['confidence'])}",
            )
        case "rfid.movement.v1" if data["movement"] == "group_passed":
            return "group", f"{len(data['members'])} packages together, {data['portal']} {data['direction']}"
        case "rfid.movement.v1":
            places = " -> ".join(place for place in (data["from"], data["to"]) if place)
            reads = data["evidence"]["reads"]
            text = f"{data['uid']}  {places:<18}  confidence {two_digits(data['confidence'])}, {reads} reads"
            return data["movement"], text
        case "rfid.count.v1":
            return (
                "count",
                f"{event['subject']}: {data['population']} packages, confidence {two_digits(data['confidence'])}",
            )
        case "rfid.gate.v1":
            return "gate", f"{event['subject']}: {_gate(data)}"
        case "rfid.alarm.v1":
            return "alarm", f"{event['subject']}: {data['alarm']} {data['state']}, {data['reason'] or data.get('by')}"
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
        case "overridden" | "watch-changed" | "destroyed":
            return f"{data['gate'].replace('-', ' ')} by {data['by']}"
        case "precheck":
            return f"{data['lines']} lines before loading: {data['blocked']} blocked, {data['unknown']} not known"
        case kind:
            return str(kind).replace("-", " ")
