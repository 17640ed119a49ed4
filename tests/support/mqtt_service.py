"""The gateway's MQTT side on its own, with a ledger in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import structlog

from gateway import clock
from gateway.config import Config
from gateway.mqtt.intake import AckTaker, Handler
from gateway.mqtt.interface import Outbox
from gateway.mqtt.service import MqttService
from tests.support.memory_ledger import MemoryLedger

BASE = "rfid/v1/leafworks/dock/"


def config(port: int, **mqtt: Any) -> Config:
    return Config.model_validate(
        {
            "site": "leafworks",
            "gateway": "dock",
            "zones": [{"id": "vault"}],
            "readers": [{"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}]}],
            "mqtt": {"host": "127.0.0.1", "port": port, **mqtt},
        }
    )


async def no_commands(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError(f"nobody sent {name} {arguments}")


@contextlib.asynccontextmanager
async def service(
    port: int,
    ledger: Outbox | None = None,
    handler: Handler = no_commands,
    on_ack: AckTaker = lambda epoch, sequence: None,
    commands: Sequence[str] = (),
    away: float | None = None,
    acknowledged: Callable[[], int] | None = None,
    **mqtt: Any,
) -> AsyncIterator[MqttService]:
    """A running service, stopped in order at the end. `mqtt` are keys of that section of the configuration."""
    it = MqttService(
        config(port, **mqtt),
        ledger or MemoryLedger(),
        handler,
        on_ack,
        clock.wall,
        structlog.get_logger(),
        commands=commands,
        away=away,
        acknowledged=acknowledged,
    )
    task = asyncio.create_task(it.run())
    try:
        yield it
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
