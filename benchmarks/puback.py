"""Events a second from the ledger to the broker's PUBACK: real SQLite on disk, real mosquitto, QoS 1."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from gateway import clock
from gateway.config import Config, LedgerConfig
from gateway.events.envelope import MOVEMENT, Fact, source_of
from gateway.ledger.ledger import Ledger
from gateway.mqtt.service import MqttService
from tests.support.mosquitto import Broker, find

EVENTS = 20_000
BATCH = 100
ROUNDS = 3

CASES = (
    ("MQTT 5, window 100", {"version": "5", "window": 100}, "max_inflight_messages 0"),
    ("MQTT 5, window 20 (mosquitto as installed)", {"version": "5", "window": 100}, "max_inflight_messages 20"),
    ("MQTT 3.1.1, window 100", {"version": "3.1.1", "window": 100}, "max_inflight_messages 0"),
)


def measure() -> Iterator[str]:
    """One line for each way of measuring: the best of three rounds, and the worst."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (title, mqtt, setting) in enumerate(CASES):
            broker = Broker(find(), folder / f"broker-{number}", ("allow_anonymous true", setting))
            broker.start()
            try:
                rounds = [
                    asyncio.run(_round(folder / f"{number}-{attempt}", broker.port, mqtt)) for attempt in range(ROUNDS)
                ]
            finally:
                broker.kill()
            for what, rates in zip(("ledger to PUBACK", "commit to PUBACK"), zip(*rounds, strict=True), strict=True):
                yield f"{what}, {title}: {max(rates):,.0f} events/s (worst round {min(rates):,.0f})"


async def _round(folder: Path, port: int, mqtt: dict[str, Any]) -> tuple[float, float]:
    """Events a second: from a ledger that holds them all already, and while they are being committed."""
    folder.mkdir()  # noqa: ASYNC240 - before anything is measured
    config = _config(port, mqtt)
    published: list[MqttService] = []

    def wake(sequence: int) -> None:
        for service in published:
            service.wake()

    ledger = Ledger(
        LedgerConfig(file=folder / "ledger.db"),
        source_of(config.site, config.gateway),
        on_commit=wake,
        on_dropped=lambda *_: False,
        on_error=print,
        now=clock.wall,
    )
    ledger.start()
    ledger.recognised()
    for first in range(0, EVENTS, BATCH):
        ledger.append(_facts(first), first)
    await ledger.flush()
    service = MqttService(config, ledger, _no_commands, lambda *_: None, clock.wall, structlog.get_logger())
    published.append(service)
    running = asyncio.create_task(service.run())
    while not service.connected:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.001)
    held = await _timed(service, ledger)
    started = time.perf_counter()
    for first in range(EVENTS, 2 * EVENTS, BATCH):
        ledger.append(_facts(first), first)
        await asyncio.sleep(0)
    await ledger.flush()
    assert await service.drain(60)
    flowing = EVENTS / (time.perf_counter() - started)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await ledger.close()
    return held, flowing


async def _timed(service: MqttService, ledger: Ledger) -> float:
    before = ledger.stats().pending
    started = time.perf_counter()
    assert await service.drain(60)
    return before / (time.perf_counter() - started)


def _facts(first: int) -> list[Fact]:
    return [_fact(number) for number in range(first, first + BATCH)]


def _fact(number: int) -> Fact:
    """About as large as a real arrival: some 700 bytes in its envelope."""
    evidence = {"reads": 17, "antennas": [1, 2], "rssi": -58.5, "first": "2026-02-14T09:00:00.000250Z"}
    evidence |= {"last": "2026-02-14T09:00:04.250000Z", "clock": "synced", "config": "0123456789abcdef", "version": 1}
    data = {"uid": f"1A406030004{number:013X}", "kind": "arrived", "zone": "vault", "confidence": 0.98}
    return Fact(MOVEMENT, "vault", 1_700_000_000_000_000 + number, data | {"evidence": evidence})


def _config(port: int, mqtt: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "site": "bench",
            "gateway": "bench",
            "zones": [{"id": "vault"}],
            "readers": [{"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}]}],
            "mqtt": {"host": "127.0.0.1", "port": port, **mqtt},
        }
    )


async def _no_commands(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError("a benchmark gets no commands")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    for line in measure():
        print(line, flush=True)
