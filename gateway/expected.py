"""The folder of expected sets: whatever CSV is put down there becomes the command `expected`, once for each zone.

A file is taken once its size and time have not changed for a while, and read whole, off the event loop. One that was
taken moves to ``done/``; one that is refused stays where it is with ``NAME.refused.txt`` beside it, which says why,
and is tried again when it has changed. Only plain files count: nothing is followed out of the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from drivers.api import Log
from gateway.clock import rfc3339
from gateway.config import Config
from gateway.count_config import ExpectedConfig
from gateway.errors import Refused
from gateway.expected_csv import Found, read_csv
from gateway.manifests.identifiers import IdentifierMap
from gateway.text import printable

MAX_FILES = 1_000
"""Files looked at in one round; a folder with more has been filled by mistake, and its turn comes as it empties."""

MAX_DONE = 200
"""Files kept in ``done/``; the oldest go. What they said is in the events."""

_DONE = "done"
_REPORT = ".refused.txt"
_KINDS = (".csv", ".tsv", ".txt")

Submit: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Takes a command (name, arguments) to where all commands go. Raises `Refused` where it is not accepted."""

Identity: TypeAlias = tuple[int, int, int]
"""Inode, size and time of change in nanoseconds: a file that has another is another file."""


@dataclass(slots=True)
class _Seen:
    identity: Identity
    since: float
    settled: bool = False  # it was looked into, and is not again until it changes


class ExpectedFolder:
    """Watches one folder. `now` is a monotonic clock in seconds; the floor's own zones come from `config`."""

    def __init__(
        self,
        config: ExpectedConfig,
        zones: dict[str, str],
        submit: Submit,
        identifiers: IdentifierMap,
        log: Log,
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._zones = zones
        self._submit = submit
        self._identifiers = identifiers
        self._log = log
        self._now = now
        self._seen: dict[str, _Seen] = {}
        self._trouble = ""

    async def run(self) -> NoReturn:
        """Looks into the folder for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._config.poll)

    async def look(self) -> None:
        """One round: takes every file that has settled."""
        try:
            found = await asyncio.to_thread(self._scan)
        except OSError as error:
            self._complain(f"the folder of expected sets cannot be read: {error}: create it, or correct expected")
            return
        self._trouble = ""
        self._seen = {name: seen for name, seen in self._seen.items() if name in found}
        for name, identity in found.items():
            if self._is_due(name, identity):
                await self._take(name, identity)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._log.error(trouble, directory=str(self._config.directory))

    def _scan(self) -> dict[str, Identity]:
        """Names of candidates and what they are now, without following links."""
        found: dict[str, Identity] = {}
        with os.scandir(self._config.directory) as entries:
            for entry in entries:
                name = entry.name
                ignored = name.startswith((".", "~")) or name.endswith(_REPORT) or not name.lower().endswith(_KINDS)
                if ignored or entry.is_dir(follow_symlinks=False):
                    continue
                if len(found) >= MAX_FILES:
                    break
                with contextlib.suppress(FileNotFoundError):  # taken away meanwhile
                    found[name] = _identity(entry.stat(follow_symlinks=False))
        # In the order in which they were written: of two files about one zone the newer one holds.
        return dict(sorted(found.items(), key=lambda item: (item[1][2], item[0])))

    def _is_due(self, name: str, identity: Identity) -> bool:
        seen = self._seen.get(name)
        if seen is None or seen.identity != identity:
            self._seen[name] = _Seen(identity, self._now())
            return False
        return not seen.settled and self._now() - seen.since >= self._config.settle

    async def _take(self, name: str, identity: Identity) -> None:
        shown = printable(name, 100)
        try:
            found = await asyncio.to_thread(self._read, name, identity)
            if found is None:
                return
            for zone, uids in found.sets.items():
                await self._submit("expected", self._command(zone, uids, shown, identity))
        except Refused as refusal:
            self._seen[name].settled = True
            await self._refuse(name, identity, str(refusal))
            return
        except OSError as error:
            self._complain(f"a file in the folder of expected sets cannot be read: {error}: it is tried again")
            return
        self._seen[name].settled = True
        sizes = {zone: len(uids) for zone, uids in found.sets.items()}
        self._log.info("expected sets were taken from the folder", file=shown, zones=sizes, remark=found.remark())
        try:
            await asyncio.to_thread(self._put_away, name, identity)
        except OSError as error:
            self._log.error("a file that was taken cannot be moved to done/", file=shown, reason=str(error))

    @staticmethod
    def _command(zone: str, uids: list[str], shown: str, identity: Identity) -> dict[str, Any]:
        return {"zone": zone, "uids": uids, "as_of": rfc3339(identity[2] // 1_000), "source": f"file {shown}"}

    def _read(self, name: str, identity: Identity) -> Found | None:
        """The sets in a file; None where the file is not what it was, or is refused already. Raises Refused."""
        if _already_refused(self._config.directory / f"{name}{_REPORT}", identity):
            self._seen[name].settled = True
            return None
        content = self._content(name, identity)
        if content is None:
            return None
        return read_csv(
            content,
            stem=name.rpartition(".")[0],
            columns=self._config.columns,
            zones=self._zones,
            identifiers=self._identifiers,
        )

    def _content(self, name: str, identity: Identity) -> bytes | None:
        """The bytes of the file that was seen, and of no other that took its place."""
        try:
            handle = os.open(self._config.directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"cannot be read ({error.strerror}): put a plain file here, links are not followed") from None
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("not a plain file: put a CSV file here")
            if _identity(status) != identity:
                return None
            if status.st_size > self._config.max_bytes:
                raise Refused(
                    f"{status.st_size} bytes are more than expected.max_bytes, {self._config.max_bytes}: split the file"
                )
            content = file.read(self._config.max_bytes + 1)
        return content if len(content) == status.st_size else None

    def _put_away(self, name: str, identity: Identity) -> None:
        done = self._config.directory / _DONE
        done.mkdir(exist_ok=True)
        if done.is_symlink():
            raise OSError("done is a link: make it a directory")
        stem, _, kind = name.rpartition(".")
        os.replace(self._config.directory / name, done / f"{stem[:150]}.{identity[2]}.{kind}")
        (self._config.directory / f"{name}{_REPORT}").unlink(missing_ok=True)
        kept = sorted(done.iterdir(), key=lambda path: (path.lstat().st_mtime_ns, path.name))
        for path in kept[:-MAX_DONE]:
            path.unlink()

    async def _refuse(self, name: str, identity: Identity, reason: str) -> None:
        shown = printable(name, 100)
        self._log.warning("a file with expected sets is refused", file=shown, reason=printable(reason, 500))
        try:
            await asyncio.to_thread(self._report, name, identity, reason)
        except OSError as error:
            self._log.error("the refusal cannot be written beside the file", file=shown, reason=str(error))

    def _report(self, name: str, identity: Identity, reason: str) -> None:
        """Written under another name and moved into place, so that nothing is written through a link."""
        draft = self._config.directory / f".refused-{os.getpid()}.tmp"
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{_mark(identity)}\n{reason}\nCorrect the file; it is tried again when it has changed.\n")
        os.replace(draft, self._config.directory / f"{name}{_REPORT}")


def zone_names(config: Config) -> dict[str, str]:
    """What a zone may be called in a file, in lower case, and which zone that is: its id, its name, and what
    `expected.zones` says, which goes before the others."""
    names = {zone.name.lower(): zone.id for zone in config.zones if zone.name}
    names |= {zone.id.lower(): zone.id for zone in config.zones}
    if config.expected is not None:
        names |= {place.lower(): zone for place, zone in config.expected.zones.items()}
    return names


def _identity(status: os.stat_result) -> Identity:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _mark(identity: Identity) -> str:
    return f"refused: file {identity[0]}, {identity[1]} bytes, changed {identity[2]}"


def _already_refused(report: Path, identity: Identity) -> bool:
    """Whether the report beside a file is about this very file."""
    try:
        handle = os.open(report, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(handle, "rb") as file:
        return file.read(200).split(b"\n", 1)[0] == _mark(identity).encode()
