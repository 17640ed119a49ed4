"""A gateway for the dock page that is not there: a real gate, fed by the test, behind the page's port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import structlog

from gateway.clock import rfc3339
from gateway.config.web import WebConfig
from gateway.errors import Refused
from gateway.floor.gate import Gate
from gateway.history.asking import read
from gateway.history.questions import Questions
from gateway.inputs import Command
from gateway.ops.logs import Logger
from gateway.web.server import WebServer
from tests.support.gate_scene import DOCKS, at, config, elapse, manifest, run, transit, uid

PRODUCTS = [
    ("THC Seltzer 12oz Grapefruit 10mg 4pk", "SLT-2602-07", 48, "Each"),
    ("Live Resin 1g Garlic Cookies", "LR-2601-44", 120, "Each"),
    ("Pre-roll 5pk Blue Dream 3.5g", "PR-2602-11", 60, "Each"),
    ("Gummies Sour Watermelon 100mg", "GM-2601-90", 96, "Each"),
    ("Flower 3.5g Wedding Cake", "FL-2601-31", 64, "Each"),
    ("Vape Cartridge 0.5g Pineapple Express", "VC-2601-12", 200, "Each"),
    ("Tincture 30ml Peppermint 1:1", "TN-2512-03", 24, "Each"),
    ("Shake, bulk", "SH-2602-01", 2.5, "Pounds"),
]
HOLD = {"record": {"hold": ["IsOnHold"]}}


def product(number: int, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Changes that make the line of a package a product that is sold."""
    name, batch, quantity, unit = PRODUCTS[number % len(PRODUCTS)]
    return {"product": name, "batch": batch, "quantity": float(quantity), "unit": unit, **(changes or {})}


def load(packages: int, **changes: Mapping[str, Any]) -> dict[Any, Any]:
    """Lines 1 to `packages`; ``p3=HOLD`` puts number 3 on hold."""
    return {str(n): product(n, changes.get(f"p{n}")) for n in range(1, packages + 1)}


class FakeGateway:
    """The page's port. `feed` is what happens at the docks; `asked` is what the page asked for."""

    def __init__(self) -> None:
        docks = [dock | {"name": f"Dock {n}"} for n, dock in enumerate(DOCKS, 1)]
        self.dark: dict[str, int] = {}
        self.gate = Gate(config(docks=docks), lambda portal, t: dict(self.dark))
        self.now = 0.0
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.override: dict[str, Any] = {}
        self.open_alarms: list[dict[str, Any]] = []
        self.problem = ""
        self.counts: dict[str, dict[str, Any]] = {}
        self.book_state: dict[str, Any] = {"books": [], "figure": {}, "differences": []}
        self.known: dict[str, tuple[str | None, str | None]] = {}
        self.broken: list[str] = []
        self.history: Questions | None = None
        self.reader_changes: dict[str, dict[str, Any]] = {}
        self._subscribers: list[asyncio.Event] = []

    def feed(self, *items: Any) -> None:
        run(self.gate, items)
        self.changed()

    def manifest(self, lines: Mapping[Any, Any], **changes: Any) -> None:
        self.feed(manifest(self.step(), lines, **changes))

    def pass_out(self, *packages: int, direction: str = "out") -> None:
        for package in packages:
            self.feed(transit(self.step(), package, direction))

    def step(self, seconds: float = 1.0) -> float:
        self.now += seconds
        return self.now

    def wait(self, seconds: float) -> None:
        elapse(self.gate, at(self.step(seconds)))
        self.changed()

    def changed(self) -> None:
        for subscriber in self._subscribers:
            subscriber.set()

    # ---- the port

    def alarms(self) -> tuple[int, list[dict[str, Any]], str]:
        return len(self.open_alarms), self.open_alarms, self.problem

    async def ask(self, question: str, args: Mapping[str, Any]) -> dict[str, Any]:
        if self.history is None:
            raise Refused("the history cannot be asked now")
        return read(question, args).answer(self.history, at(self.now)).model_dump(mode="json")

    def docks(self) -> list[str]:
        return self.gate.docks()

    def dock_state(self, dock: str) -> dict[str, Any]:
        return {**self.gate.state(dock, at(self.now)), "lines": self.gate.lines(dock), **self.override}

    def zones(self) -> list[dict[str, Any]]:
        count = {"ended": rfc3339(at(0)), "population": 214, "confidence": 0.97}
        return [
            zone("vault", "Vault A", 212, 3, {"r1/1": "watching"}, count),
            zone("cage", "Quarantine cage", 9, 0, {"r1/2": "antenna down"}, None),
            zone("dock", "", 0, 0, {"r2/1": "watching", "r2/2": "watching"}, None),
        ]

    def manifests(self) -> list[dict[str, Any]]:
        return self.gate.manifests()

    def delivery(self, manifest: str, delivery: str) -> dict[str, Any] | None:
        return self.gate.manifest(manifest, delivery, at(self.now))

    def plan(self) -> list[dict[str, Any]]:
        return [
            entry | {"uids": [uid(place * 1000 + n) for n in range(entry["population"])], "watch_listed": [uid(2)]}
            for place, entry in enumerate(self.zones())
        ]

    def counting(self, zone: str) -> dict[str, Any] | None:
        return self.counts.get(zone)

    def books(self) -> dict[str, Any]:
        return self.book_state

    def items(self, uids: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
        return {uid: self.known[uid] for uid in uids if uid in self.known}

    def troubles(self) -> list[str]:
        return self.broken

    def set_apart(self) -> int:
        return 0

    def readers(self) -> list[dict[str, Any]]:
        return [
            reader("r1", docks=["dock-1"], reads=1_204_331) | self.reader_changes.get("r1", {}),
            reader("r2", docks=["dock-2"], reads=88_120) | self.reader_changes.get("r2", {}),
        ]

    async def accept(self, name: str, args: Mapping[str, Any], who: str) -> dict[str, Any]:
        """For tests of a page that asks for what is not the gate's, in place of `command`: noted, and nothing else."""
        self.asked.append((name, dict(args), who))
        return {"accepted": "now"}

    async def command(self, name: str, args: Mapping[str, Any], who: str) -> dict[str, Any]:
        self.asked.append((name, dict(args), who))
        command = Command(at(self.step()), name, {**args, "by": who})
        self.gate.admit(command)
        self.feed(command)
        return {"accepted": rfc3339(command.t)}

    async def subscribe(self) -> AsyncIterator[object]:
        changed = asyncio.Event()
        self._subscribers.append(changed)
        try:
            while True:
                await changed.wait()
                changed.clear()
                yield None
        finally:
            self._subscribers.remove(changed)


def zone(
    name: str, title: str, population: int, not_seen: int, antennas: dict[str, str], count: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "zone": name,
        "name": title,
        "population": population,
        "not_seen": not_seen,
        "watched": "watching" in antennas.values(),
        "antennas": antennas,
        "last_count": count,
    }


def reader(name: str, docks: list[str], reads: int) -> dict[str, Any]:
    return {
        "reader": name,
        "status": "up",
        "since": rfc3339(at(0)),
        "reason": "",
        "model": "FX9600",
        "firmware": "3.10",
        "antennas_down": {},
        "antennas_silent": {},
        "conditions": {},
        "clock": {"quality": "ntp", "offset_us": 1200},
        "reads": reads,
        "late_reads": 12,
        "error": "",
        "docks": docks,
    }


def quiet() -> Logger:
    """A log that nobody reads."""
    logger: Logger = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_drop])
    return logger


def _drop(*_: Any) -> Any:
    raise structlog.DropEvent


@contextlib.asynccontextmanager
async def served(gateway: FakeGateway, log: Logger | None = None, **settings: Any) -> AsyncIterator[WebServer]:
    """The page with these settings on this machine, on a free port unless one is given, until the end of the block."""
    server = WebServer(gateway, WebConfig.model_validate({"port": 0} | settings), log or quiet())
    running = asyncio.create_task(server.run())
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED, timeout=60)
    ready.cancel()
    assert server.ready.is_set(), "the page did not come up"
    try:
        yield server
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
