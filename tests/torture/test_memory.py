"""The largest state that the bounds allow: it is flooded, killed and started again in the memory that the unit allows.

Every read of the flood is of a tag that nobody has seen before. The kernel holds the daemon to the limit, by a control
group of its own; where the machine has none to give, its resident memory is looked at instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from benchmarks.daemon.readers import Load
from benchmarks.daemon.trial import free_ports
from tests.e2e.site import BASE
from tests.e2e.test_service import get
from tests.support.control_group import ControlGroup, control_group
from tests.support.daemon import Daemon
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "rfid-gateway.service"
SMALL = {"floor": {"max_windows": 20_000}, "journal": {"max_bytes": 8 << 20}}
"""Bounds for the short form, where the limit is small so that little is large."""


class Flood:
    """The readers' process, begun anew for each run of the daemon and going on with the numbers of its tags."""

    def __init__(self, port: int, rate: int) -> None:
        self.load = Load(port, readers=2, rate=rate, per_message=rate // 10, joined=True, fresh=0, flood=1)
        self.sent = 0

    @contextlib.contextmanager
    def runs(self) -> Iterator[None]:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.daemon.readers", json.dumps(asdict(self.load))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()  # the ports are open
            yield
            process.stdin.close()
            sent = int(process.stdout.read().split()[-1])
            self.sent += sent
            self.load.first += sent
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


async def test_the_largest_state_is_flooded_killed_and_started_in_the_units_memory(
    make_daemon, broker, tmp_path, say, long
):
    unit = int(re.findall(r"^MemoryMax=(\d+)G", UNIT.read_text(), re.MULTILINE)[0]) << 30
    limit, seconds, kills, rate = (unit, 40.0, 2, 15_000) if long else (240 << 20, 3.0, 1, 4_000)
    flood = Flood(free_ports(2), rate)
    with (
        control_group(limit) as group,
        journal_directory() as journal,
        Subscriber(broker.port, BASE + "events/loss") as subscriber,
    ):
        daemon = make_daemon(tmp_path / "gateway", settings(broker.port, flood.load, journal, {} if long else SMALL))
        port = daemon_port(daemon)
        if group is not None:
            daemon.program = group.program()
        peak = untracked = tags = slowest = 0.0
        for _ in range(kills + 1):
            with flood.runs():
                began = time.monotonic()
                await daemon.start()
                slowest = max(slowest, time.monotonic() - began)
                await asyncio.sleep(seconds)
                figures = await metrics(port)
                tags = max(tags, figures["rfid_gateway_tags"])
                untracked += figures["rfid_gateway_sightings_untracked_total"]
                peak = max(peak, resident(daemon.pid))
                await daemon.kill()
        await daemon.start()
        peak = max(peak, resident(daemon.pid))
        assert await daemon.stop() == 0, daemon.log[-4000:]
        assert_held(group, peak, limit)
        losses = [orjson.loads(message.payload)["data"] for message in subscriber.messages]
        given_up = sum(data.get("tags", 0) for data in losses)
    assert flood.sent > tags > 1_000
    say(
        "the largest state runs under a flood, is killed and starts again in the unit's own memory",
        f"{flood.sent:,} reads of as many tags in {(kills + 1) * seconds:.0f} s, {kills + 1} kills; "
        f"{'the kernel holds it to the limit' if group is not None else 'its memory is looked at'}",
        f"{tags:,.0f} tags at most, peak {peak / 2**20:.0f} MB of {limit >> 20}; slowest start {slowest:.0f} s; "
        f"{given_up:,} given up as strays, {untracked:,.0f} untracked",
    )


def assert_held(group: ControlGroup | None, peak: float, limit: int) -> None:
    assert peak < limit
    assert group is None or group.killed() == 0


def settings(broker: int, load: Load, journal: Path, bounds: dict[str, Any]) -> dict[str, Any]:
    antennas = [(reader, antenna) for reader in range(load.readers) for antenna in range(1, 5)]
    return {
        "site": "test",
        "gateway": "gw",
        "mqtt": {"port": broker},
        "http": {"port": free_port()},
        "zones": [{"id": f"zone-{reader}-{antenna}"} for reader, antenna in antennas],
        "readers": [
            {
                "id": f"r{reader}",
                "driver": "llrp",
                "host": "127.0.0.1",
                "port": load.port + reader,
                "antennas": [{"port": antenna, "zone": f"zone-{reader}-{antenna}"} for antenna in range(1, 5)],
            }
            for reader in range(load.readers)
        ],
        **bounds,
        "journal": {"directory": str(journal), **bounds.get("journal", {})},
    }


@contextlib.contextmanager
def journal_directory() -> Iterator[Path]:
    """In memory where there is such a place: what lies there counts against the limit, as in the unit."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as directory:
        yield Path(directory)


def daemon_port(daemon: Daemon) -> int:
    port: int = json.loads(daemon.config_file.read_text())["http"]["port"]
    return port


async def metrics(port: int) -> dict[str, float]:
    """Figures without labels. A gateway under a flood answers late."""
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(OSError):
                _, body = await get(port, "/metrics")
                break
    lines = [line.split(" ") for line in body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines if "{" not in name}


def resident(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+)", status, re.MULTILINE)[0]) << 10
