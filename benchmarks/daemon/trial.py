"""One run of the daemon against a load: a real mosquitto, the readers' process, and what `/proc` says about it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.daemon.readers import FRESH, Load
from tests.support.mosquitto import Broker, find

SETTLE = 15.0
"""Seconds before measuring: the stock has arrived, a checkpoint is written, and it is known how late reads come."""

ANSWER_WITHIN = 300.0
"""Seconds for the figures. A gateway with more to do than its share of the processor takes half a minute for a turn of
its loop, and an answer takes several turns."""


@dataclass(slots=True)
class Setup:
    """What is run: the load, the checkout whose gateway runs, and what its configuration adds."""

    load: Load
    checkout: Path
    seconds: float = 8.0
    settle: float = SETTLE
    dwell: float = 0.0
    recording: bool = False
    report_every: int = 1
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Figures:
    """What was measured. `cpu` as a share of a core, latencies in seconds."""

    cpu: float
    reads: float  # a second, as the gateway counted them
    offered: float  # a second, as the readers sent them
    late: int  # reads, while it was measured
    p50: float
    p99: float
    arrivals: int
    memory: int  # peak resident bytes
    was_held_back: bool  # the gateway paused the readers, or refused what they sent
    recorded: float = 0.0  # bytes a read

    @property
    def cost(self) -> float:
        """Microseconds of processor time a read."""
        return self.cpu / self.reads * 1e6 if self.reads else 0.0


def run(setup: Setup) -> Figures:
    """Starts everything, lets it settle, measures, and takes it down."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_disk())))
        memory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        broker = Broker(find(), folder / "broker")
        (folder / "broker").mkdir()
        broker.start()
        stack.callback(broker.kill)
        setup.load.port = free_ports(setup.load.readers)
        readers = _process(stack, [sys.executable, "-m", "benchmarks.daemon.readers", json.dumps(asdict(setup.load))])
        assert readers.stdout is not None
        readers.stdout.readline()  # the ports are open
        watcher = stack.enter_context(_arrivals(broker.port))
        gateway, port = _gateway(stack, setup, folder, memory, broker.port)
        if readers.stdout.readline().strip() != b"ready":
            raise RuntimeError(f"the readers were not started:\n{(folder / 'log').read_text()[-4000:]}")
        time.sleep(setup.settle)
        watcher.clear()
        before = _look(gateway.pid, port)
        time.sleep(setup.seconds)
        after = _look(gateway.pid, port)
        seconds = after["at"] - before["at"]
        latencies = sorted(watcher)
        assert readers.stdin is not None
        readers.stdin.close()
        offered = int(readers.stdout.readline())
        recorded = sum(path.stat().st_size for path in (folder / "recording").glob("*"))
        all_reads = after["reads"] or 1
        if gateway.poll() is not None:
            raise RuntimeError(f"the gateway ended:\n{(folder / 'log').read_text()[-4000:]}")
        log = (folder / "log").read_text()
        if "Traceback" in log:
            raise RuntimeError(log[-4000:])
        return Figures(
            cpu=(after["cpu"] - before["cpu"]) / seconds,
            reads=(after["reads"] - before["reads"]) / seconds,
            offered=offered / (setup.settle + seconds),
            late=int(after["late"] - before["late"]),
            p50=statistics.median(latencies) if latencies else float("nan"),
            p99=latencies[int(len(latencies) * 0.99)] if latencies else float("nan"),
            arrivals=len(latencies),
            memory=int(after["memory"]),
            was_held_back="readers are held back" in log,
            recorded=recorded / all_reads,
        )


def _disk() -> str:
    """Where files are on a disk, not in memory: what is written to it is counted."""
    return os.environ.get("BENCH_DISK", "/var/tmp")


def _process(stack: contextlib.ExitStack, command: list[str], **more: Any) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more)

    def end() -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    stack.callback(end)
    return process


def _gateway(
    stack: contextlib.ExitStack, setup: Setup, folder: Path, memory: Path, mqtt: int
) -> tuple[subprocess.Popen[bytes], int]:
    port = free_ports(1)
    config = _config(setup, folder, memory, mqtt, port)
    (folder / "gateway.yaml").write_text(json.dumps(config))
    python = setup.checkout / ".venv" / "bin" / "python"
    command = [str(python if python.exists() else sys.executable), "-m", "gateway", "run"]
    log = stack.enter_context((folder / "log").open("wb"))
    process = subprocess.Popen(
        [*command, "--config", str(folder / "gateway.yaml")],
        cwd=setup.checkout,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**os.environ, "PYTHONPATH": str(setup.checkout)},
    )

    def end() -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    stack.callback(end)
    return process, port


def _config(setup: Setup, folder: Path, memory: Path, mqtt: int, port: int) -> dict[str, Any]:
    load = setup.load
    config: dict[str, Any] = {
        "site": "bench",
        "gateway": "bench",
        "mqtt": {"host": "127.0.0.1", "port": mqtt},
        "presence": {"dwell": setup.dwell},
        "zones": [{"id": f"zone-{number}"} for number in range(load.readers)],
        "readers": [
            {
                "id": f"reader-{number}",
                "driver": "llrp",
                "host": "127.0.0.1",
                "port": load.port + number,
                "report_every": setup.report_every,
                "antennas": [{"port": port, "zone": f"zone-{number}"} for port in (1, 2, 3, 4)],
            }
            for number in range(load.readers)
        ],
        "ledger": {"file": str(folder / "ledger.db")},
        "journal": {"directory": str(memory / "journal")},
        "http": {"port": port},
        "log": {"level": "warning"},
    }
    if setup.recording:
        config["recording"] = {"directory": str(folder / "recording")}
    for key, value in setup.extra.items():
        config[key] = config.get(key, {}) | value if isinstance(value, dict) else value
    return config


def _look(pid: int, port: int) -> dict[str, float]:
    """Processor seconds, peak memory, and what the gateway counts itself, as of one moment: an event loop that has
    more to do than there is time for may take its time to answer."""
    counted = _metrics(port)
    cpu = sum(int(Path(task, "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "at": time.monotonic(),
        "cpu": cpu / 1e9,
        "memory": int(status["VmHWM"].split()[0]) * 1024,
        "reads": counted.get("rfid_gateway_reads_total", 0.0),
        "late": counted.get("rfid_gateway_reads_late_total", 0.0),
    }


def _metrics(port: int) -> dict[str, float]:
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_WITHIN) as link:
        link.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b"".join(iter(lambda: link.recv(65536), b""))
    sums: dict[str, float] = {}
    for line in data.decode().splitlines():
        name, _, value = line.partition(" ") if "{" not in line else (line.split("{")[0], "", line.split("} ")[-1])
        if name.startswith("rfid_"):
            with contextlib.suppress(ValueError):
                sums[name] = sums.get(name, 0.0) + float(value)
    return sums


@contextlib.contextmanager
def _arrivals(port: int) -> Iterator[list[float]]:
    """Seconds from the read to the broker's subscriber, for each tag that nobody had seen before."""
    seen: list[float] = []
    prefix = FRESH.hex().upper()

    def take(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        now = time.time()
        event = json.loads(message.payload)
        data = event["data"]
        if data.get("movement") == "arrived" and str(data.get("epc", data.get("uid", ""))).startswith(prefix):
            seen.append(now - _seconds(event["time"]))

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_message = take
    client.connect("127.0.0.1", port)
    client.subscribe("rfid/v1/bench/bench/events/movement/#", 0)
    client.loop_start()
    try:
        yield seen
    finally:
        client.loop_stop()
        client.disconnect()


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody has now."""
    for start in range(20_000 + os.getpid() % 1000 * 10, 60_000, count + 1):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(start, start + count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return start
    raise RuntimeError("no free ports")
