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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.daemon.readers import Load
from benchmarks.daemon.trial import free_ports
from tests.e2e.site import BASE
from tests.e2e.test_service import get
from tests.support.control_group import control_group
from tests.support.daemon import Daemon
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber
from tests.torture.conftest import LENGTH

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "rfid-gateway.service"
SMALL = {"floor": {"max_windows": 20_000}, "journal": {"max_bytes": 8 << 20}}
"""Bounds for the short form, where the limit is small so that little is large."""
UNIT_LIMIT = int(re.findall(r"^MemoryMax=(\d+)G", UNIT.read_text(), re.MULTILINE)[0]) << 30


@dataclass(slots=True, frozen=True)
class Length:
    """Runs of `seconds`, each ended by a kill, with so many tags a second and reader in each, in `limit` bytes of
    memory."""

    limit: int
    rates: list[int]
    seconds: float
    bounds: dict[str, Any]


LENGTHS = {
    "short": Length(240 << 20, [4_000] * 2, 3.0, SMALL),
    "long": Length(UNIT_LIMIT, [15_000] * 3, 30.0, {}),
    "hour": Length(UNIT_LIMIT, [700, 250, 250, 250, 250], 720.0, {}),  # what a third of a processor publishes
}


class Flood:
    """The readers' process, begun anew for each run of the daemon and going on with the numbers of its tags."""

    def __init__(self, port: int) -> None:
        self.load = Load(port, readers=2, joined=True, fresh=0, flood=1)
        self.sent = 0

    @contextlib.contextmanager
    def runs(self, rate: int) -> Iterator[None]:
        self.load.rate, self.load.per_message = rate, rate // 10
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


@dataclass(slots=True)
class Seen:
    """The most of each that was seen: tags, bytes, seconds of a start, seconds that event time was behind; how often
    the daemon answered that it does well, and that it does not."""

    tags: float = 0.0
    untracked: float = 0.0
    peak: int = 0
    start: float = 0.0
    behind: float = 0.0
    answered: int = 0
    failing: int = 0


async def test_the_largest_state_is_flooded_killed_and_started_in_the_units_memory(
    make_daemon, make_broker, tmp_path, say
):
    broker = make_broker("allow_anonymous true", "max_inflight_messages 1000")
    length = LENGTHS[LENGTH]
    flood, most = Flood(free_ports(2)), Seen()
    with (
        control_group(length.limit) as group,
        journal_directory() as journal,
        Subscriber(broker.port, BASE + "events/loss") as subscriber,
    ):
        daemon = make_daemon(tmp_path / "gateway", settings(broker.port, flood.load, journal, length.bounds))
        if group is not None:
            daemon.program = group.program()
        for rate in length.rates:
            with flood.runs(rate):
                await started(daemon, most)
                await watched(daemon, length.seconds, most)
                await daemon.kill()
        await started(daemon, most)
        assert await daemon.stop() == 0, daemon.log[-4000:]
        assert most.peak < length.limit
        assert group is None or group.killed() == 0
        losses = [orjson.loads(message.payload)["data"] for message in subscriber.messages]
    assert flood.sent > most.tags > 1_000
    kills = len(length.rates)
    say(
        "the largest state runs under a flood, is killed and starts again in the unit's own memory",
        f"{flood.sent:,} reads of as many tags in {kills * length.seconds:,.0f} s, {kills} kills; "
        f"{'the kernel holds it to the limit' if group is not None else 'its memory is looked at'}",
        f"{most.tags:,.0f} tags at most, peak {most.peak >> 20} MB of {length.limit >> 20}; "
        f"slowest start {most.start:.0f} s; {sum(data.get('tags', 0) for data in losses):,} given up as strays, "
        f"{most.untracked:,.0f} untracked; healthy {most.answered - most.failing} times of {most.answered}, "
        f"judged {most.behind:.0f} s late at most",
    )


async def started(daemon: Daemon, most: Seen) -> None:
    began = time.monotonic()
    await daemon.start()
    most.start = max(most.start, time.monotonic() - began)
    most.peak = max(most.peak, resident(daemon.pid))


async def watched(daemon: Daemon, seconds: float, most: Seen) -> None:
    """Looks at a daemon under the flood now and then, for so long."""
    port, until, untracked = daemon_port(daemon), time.monotonic() + seconds, 0.0
    while time.monotonic() < until:
        await asyncio.sleep(min(5.0, until - time.monotonic()))
        (status, _), figures = await asked(port, "/healthz"), await metrics(port)
        assert daemon.ended is None, daemon.log[-4000:]
        most.answered, most.failing = most.answered + 1, most.failing + (status != 200)
        most.tags = max(most.tags, figures["rfid_gateway_tags"])
        most.behind = max(most.behind, time.time() - figures["rfid_gateway_event_time_timestamp_seconds"])
        untracked = figures["rfid_gateway_sightings_untracked_total"]
        most.peak = max(most.peak, resident(daemon.pid))
    most.untracked += untracked


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
    """Figures without labels."""
    _, body = await asked(port, "/metrics")
    lines = [line.split(" ") for line in body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines if "{" not in name}


async def asked(port: int, path: str) -> tuple[int, bytes]:
    """Status and body. A gateway under a flood answers late."""
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(OSError):
                return await get(port, path)


def resident(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+)", status, re.MULTILINE)[0]) << 10
