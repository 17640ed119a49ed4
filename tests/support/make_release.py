"""Makes the fixture of a release: ``python -m tests.support.make_release tests/fixtures/releases/NAME``, once.

Plays the scene of `release_scene` into this version's storage and copies its files, as a kill would leave them: the
ledger with its write-ahead log and a checkpoint on disk, the journal with a newer checkpoint beside it, the history.
Then it starts on the copies and keeps what it goes on to say.
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import sys
import tempfile
from pathlib import Path

import structlog

from drivers.api import Batch
from gateway.config.file import load
from gateway.inputs import Input
from gateway.recording.write import encode
from gateway.service.event_clock import EventClock
from gateway.service.storage import Storage
from tests.support.release_files import kept
from tests.support.release_scene import BACK, CHECKPOINT, ON_DISK, at, inputs
from tests.unit.test_releases import Release, moved_to

CONFIG = Path(__file__).with_name("release.yaml")


def when(item: Input) -> int:
    """When it came."""
    return item.arrival if isinstance(item, Batch) else item.t


async def leave(directory: Path, items: list[Input]) -> None:
    """A storage in `directory` that was given `items`; its files are copied to `directory`/left while it runs."""
    now = at(0)
    clock = EventClock(lambda: now, lambda: now, lambda: now)
    storage = Storage(
        moved_to(directory, load(CONFIG)), lambda sequence: None, lambda why: None, clock, structlog.get_logger()
    )
    pipeline = await storage.open()
    history = asyncio.create_task(storage.history.run())
    due = {at(ON_DISK): True, at(CHECKPOINT): False}
    for item in items:
        now = when(item)
        pipeline.take(item)
        if now in due:
            position = pipeline.checkpoint(on_disk=due.pop(now))
            await storage.ledger.flush()
            pipeline.release(position)
    await storage.ledger.flush()
    storage.history.wake()
    await storage.history.until(storage.ledger.stats().sequence)
    await asyncio.to_thread(shutil.copytree, directory, directory / "left", ignore=shutil.ignore_patterns("left"))
    history.cancel()
    await asyncio.wait([history])
    await storage.close()


def main(release: Path) -> None:
    """Makes the fixture in `release`, which must not be there yet."""
    items = sorted(inputs(), key=when)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(leave(Path(folder), [item for item in items if when(item) < at(BACK)]))
        left = Path(folder) / "left"
        release.mkdir()
        shutil.copy(CONFIG, release / "config.yaml")
        kept(left, release)
    after = b"".join(encode(item) for item in items if when(item) >= at(BACK))
    (release / "after.jsonl.gz").write_bytes(gzip.compress(after, mtime=0))
    with tempfile.TemporaryDirectory() as folder:
        run = asyncio.run(Release(release, Path(folder)).goes_on())
    (release / "events.jsonl").write_bytes(b"".join(payload + b"\n" for payload in run.payloads[run.before :]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
