"""What the end-to-end tests share: a configuration for emulated readers, and what a run and its replay said."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson

from drivers.emulators.llrp.emulator import LlrpEmulator
from gateway.recording import files
from tests.support.subscriber import Subscriber

BASE = "rfid/v1/test/gw/"


def config(directory: Path, broker: int, readers: dict[str, LlrpEmulator], **more: Any) -> dict[str, Any]:
    """One zone for each antenna of each reader, named `<reader>-<antenna>`; impatient, and recording."""
    antennas = {name: sorted(reader.reader.scene.fields) for name, reader in readers.items()}
    return {
        "site": "test",
        "gateway": "gw",
        "mqtt": {"port": broker},
        "floor": {"lateness": 0.5},
        "zones": [{"id": f"{name}-{port}"} for name in readers for port in antennas[name]],
        "readers": [
            {
                "id": name,
                "driver": "llrp",
                "host": "127.0.0.1",
                "port": reader.port,
                "keepalive": 0.5,
                "report_every": 10,
                "antennas": [{"port": port, "zone": f"{name}-{port}"} for port in antennas[name]],
            }
            for name, reader in readers.items()
        ],
        "recording": {"directory": str(directory / "reads")},
        **more,
    }


def events_of(subscriber: Subscriber) -> list[dict[str, Any]]:
    """The events that arrived, each id once, in order of their sequence; the same id must be the same bytes."""
    payloads: dict[str, bytes] = {}
    for message in subscriber.messages:
        event = orjson.loads(message.payload)
        assert payloads.setdefault(event["id"], message.payload) == message.payload, "an event changed when sent again"
    return sorted((orjson.loads(payload) for payload in payloads.values()), key=lambda event: event["sequence"])


def clock_steps(subscriber: Subscriber) -> int:
    """How many clock steps were stated."""
    return sum(event["type"] == "rfid.clock-step.v1" for event in events_of(subscriber))


def recorded(recordings: Path) -> bytes:
    """All files of a recording, in order."""
    return b"".join(path.read_bytes() for path in files.recordings(recordings))


async def replayed(config_file: Path, reads: bytes) -> list[dict[str, Any]]:
    """What `rfid-gateway replay` says of the recording of a run."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "replay", "--config", str(config_file), "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(reads)
    assert process.returncode == 0
    return [orjson.loads(line) for line in output.splitlines()]


def told(events: list[dict[str, Any]]) -> list[tuple[int, str, Any]]:
    """What makes two runs the same: sequence, id and content (the hash chain begins with the epoch's own name)."""
    return [(event["sequence"], event["id"], event["data"]) for event in events]


def movements(events: list[dict[str, Any]], prefix: str = "") -> list[tuple[str, str]]:
    """``(movement, uid)`` of every movement of tags whose UID begins with `prefix`."""
    return [
        (event["data"]["movement"], event["data"]["uid"])
        for event in events
        if event["type"] == "rfid.movement.v1" and event["data"]["uid"].startswith(prefix)
    ]
