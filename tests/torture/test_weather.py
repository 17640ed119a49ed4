"""Weather of disk and tmpfs: full, read-only, full at the start, damaged, deleted; nothing is lost, nothing looks well.

Small file systems are mounted for it, which only root may: elsewhere the trials are skipped, and the tests of ledger
and journal have the same with limits on file sizes.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from tests.e2e.site import BASE, config, events_of
from tests.e2e.test_service import get
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("only_long")


@pytest.fixture
def only_long(long: bool) -> None:
    if not long:
        pytest.skip("file systems are mounted for it: make torture")


@contextlib.contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own at `directory`, in memory."""
    directory.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "torture", str(directory)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems can only be mounted as root")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Takes all the space that is left."""
    file = disk / "ballast"
    with file.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass
    return file


async def status(port: int, wanted: int, within: float = 60.0) -> str:
    """Waits for this answer of ``/healthz``; gives its reasons."""
    async with asyncio.timeout(within):
        while True:
            with contextlib.suppress(OSError):
                code, body = await get(port, "/healthz")
                if code == wanted:
                    return "; ".join(orjson.loads(body)["reasons"])
            await asyncio.sleep(0.2)


def ledger_on(disk: Path, folder: Path, port: int, door: LlrpEmulator) -> dict[str, Any]:
    """A configuration with its ledger on a disk of its own, and health to be asked for."""
    settings = config(folder, port, {"door": door})
    del settings["recording"]
    return settings | {"ledger": {"file": str(disk / "ledger.db")}, "http": {"port": free_port()}}


def assert_whole(seen: Subscriber) -> int:
    numbers = [event["sequence"] for event in events_of(seen)]
    assert numbers == list(range(1, len(numbers) + 1))
    return len(numbers)


async def test_a_disk_that_is_full_for_a_while(make_daemon, broker, tmp_path, say):
    with small_disk(tmp_path / "disk", 24) as disk, Subscriber(broker.port, BASE + "events/#") as seen:
        async with LlrpEmulator(serials(rate=100), name="door", hold_buffer=100_000) as door:
            settings = ledger_on(disk, tmp_path / "gateway", broker.port, door)
            daemon = make_daemon(tmp_path / "gateway", settings)
            await daemon.start()
            await seen.until(lambda s: len(events_of(s)) >= 50, 60)
            ballast = await asyncio.to_thread(fill, disk)
            reasons = await status(settings["http"]["port"], 503, 90)
            assert daemon.ended is None
            ballast.unlink()
            await status(settings["http"]["port"], 200, 90)
            before = len(events_of(seen))
            await seen.until(lambda s: len(events_of(s)) >= before + 50, 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]
        number = assert_whole(seen)
    say("a disk that is full for a while loses nothing", "a small file system of its own, ledger on it",
        f"503, {reasons[:60]}…; then 200 by itself; {number} events without a gap")  # fmt: skip


@pytest.mark.parametrize("weather", ["full", "read-only", "damaged"])
async def test_a_start_that_the_disk_refuses_is_said_and_made_up_for(make_daemon, broker, tmp_path, say, weather):
    with small_disk(tmp_path / "disk", 24) as disk, Subscriber(broker.port, BASE + "events/#") as seen:
        async with LlrpEmulator(serials(rate=50), name="door", hold_buffer=100_000) as door:
            settings = ledger_on(disk, tmp_path / "gateway", broker.port, door)
            daemon = make_daemon(tmp_path / "gateway", settings)
            ledger, sound = disk / "ledger.db", tmp_path / "sound"
            if weather != "full":
                await daemon.start()
                await seen.until(lambda s: len(events_of(s)) >= 20, 60)
                assert await daemon.stop() == 0
                sound.write_bytes(ledger.read_bytes())
            ballast = await asyncio.to_thread(fill, disk) if weather == "full" else None
            if weather == "read-only":
                remount(disk, "ro")
            elif weather == "damaged":
                ledger.write_bytes(b"no database at all" * 1_000)
            await daemon.start()
            await status(settings["http"]["port"], 503)
            assert not door.connected, "a reader must hold its reads"
            assert daemon.ended is None
            if ballast is not None:
                ballast.unlink()
            elif weather == "read-only":
                remount(disk, "rw")
            else:
                ledger.write_bytes(sound.read_bytes())
            await status(settings["http"]["port"], 200, 120)
            before = len(events_of(seen))
            await seen.until(lambda s: len(events_of(s)) >= before + 20, 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]
        number = assert_whole(seen)
    promise = f"a start that a {weather} {'ledger' if weather == 'damaged' else 'disk'} refuses is said and made up for"
    say(promise, "the same, before the start",
        f"503 with the reason, no reader connected; then 200 by itself; {number} events without a gap")  # fmt: skip


async def test_a_tmpfs_that_others_fill_and_a_ledger_that_is_deleted(make_daemon, broker, tmp_path, say):
    with small_disk(tmp_path / "run", 24) as run, Subscriber(broker.port, BASE + "events/#") as seen:
        async with LlrpEmulator(serials(rate=100), name="door", hold_buffer=100_000) as door:
            settings = config(tmp_path / "gateway", broker.port, {"door": door})
            settings |= {"journal": {"directory": str(run / "journal"), "max_bytes": 4 << 20}}
            settings |= {"http": {"port": free_port()}}
            daemon = make_daemon(tmp_path / "gateway", settings)
            await daemon.start()
            await seen.until(lambda s: len(events_of(s)) >= 50, 60)
            ballast = await asyncio.to_thread(fill, run)
            before = len(events_of(seen))
            await seen.until(lambda s: len(events_of(s)) >= before + 500, 120)
            await daemon.kill()
            await daemon.start()
            before = len(events_of(seen))
            await seen.until(lambda s: len(events_of(s)) >= before + 100, 60)
            assert_whole(seen)
            ballast.unlink()
            shutil.rmtree(run / "journal")
            await until(lambda: "the journal was deleted while" in daemon.log, 60)
            before = len(events_of(seen))
            await seen.until(lambda s: len(events_of(s)) >= before + 300, 60)  # the checkpoint is on disk long before
            await daemon.kill()
            await daemon.start()
            before = len(events_of(seen))
            await seen.until(lambda s: len(events_of(s)) >= before + 100, 60)
            assert "journal-lost" not in [event["data"].get("cause") for event in events_of(seen)]
            assert_whole(seen)
            for file in daemon.directory.glob("ledger.db*"):
                file.unlink()
            await until(lambda: "deleted or replaced" in daemon.log, 90)
            reasons = await status(settings["http"]["port"], 503, 90)
            await daemon.kill()
            await daemon.start()
            await seen.until(lambda s: len({event["epoch"] for event in events_of(s)}) == 2, 60)
            losses = [event["data"]["cause"] for event in events_of(seen) if event["type"] == "rfid.loss.v1"]
            assert "journal-lost" in losses
            assert await daemon.stop() == 0, daemon.log[-4000:]
    say("a full tmpfs and a deleted journal stop nothing, and a deleted ledger is a stated loss", "somebody else fills "
        "the journal's file system; the journal, then the ledger is deleted while it runs; SIGKILL after each",
        f"events went on; 503, {reasons[:60]}…; a new epoch with a loss event")  # fmt: skip
