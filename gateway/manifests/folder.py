"""The watched folder: whatever is put down there becomes a manifest, or a refusal that says why.

A file is taken once its size and time have not changed for a while, read whole, and handed on as the command
`manifest`. Accepted files move to ``done/``; a refused one stays where it is with ``NAME.refused.txt`` beside it, and
is tried again when it is changed. Only plain files count: nothing is followed out of the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from drivers.api import Log
from gateway.errors import Refused
from gateway.gate_config import FolderConfig
from gateway.manifests import Submit
from gateway.manifests.csv_file import read_csv
from gateway.manifests.identifiers import IdentifierMap
from gateway.manifests.json_file import read_json
from gateway.text import printable

MAX_FILES = 1_000
"""Files looked at in one round; a folder with more has been filled by mistake, and its turn comes as it empties."""

MAX_DONE = 1_000
"""Files kept in ``done/``; the oldest go. What they said is in the events."""

_DONE = "done"
_REPORT = ".refused.txt"
_IGNORED = (_REPORT, ".tmp", ".part", "~")

Identity: TypeAlias = tuple[int, int, int]
"""Inode, size and time of change: a file that has another is another file."""


@dataclass(slots=True)
class _Seen:
    identity: Identity
    since: float
    refused: bool = False


class Folder:
    """Watches one folder. `now` is a monotonic clock in seconds."""

    def __init__(
        self, config: FolderConfig, submit: Submit, identifiers: IdentifierMap, log: Log, now: Callable[[], float]
    ) -> None:
        self._config = config
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
            self._complain(f"the folder of manifests cannot be read: {error}: create it, or correct manifests.folder")
            return
        self._trouble = ""
        self._seen = {name: seen for name, seen in self._seen.items() if name in found}
        for name, identity in found.items():
            if self._settled(name, identity):
                await self._take(name)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._log.error(trouble, directory=str(self._config.directory))

    def _scan(self) -> dict[str, Identity]:
        """Names of candidates and what they are now, without following links. A refusal that is still true counts."""
        found: dict[str, Identity] = {}
        with os.scandir(self._config.directory) as entries:
            for entry in entries:
                ignored = entry.name == _DONE or entry.name.startswith(".") or entry.name.endswith(_IGNORED)
                if ignored or entry.is_dir(follow_symlinks=False):
                    continue
                if len(found) >= MAX_FILES:
                    break
                with contextlib.suppress(FileNotFoundError):  # taken away meanwhile
                    found[entry.name] = _identity(entry.stat(follow_symlinks=False))
        return dict(sorted(found.items()))

    def _settled(self, name: str, identity: Identity) -> bool:
        seen = self._seen.get(name)
        if seen is None or seen.identity != identity:
            self._seen[name] = _Seen(identity, self._now())
            return False
        return not seen.refused and self._now() - seen.since >= self._config.settle

    async def _take(self, name: str) -> None:
        seen = self._seen[name]
        try:
            args = await asyncio.to_thread(self._read, name, seen.identity)
            if args is None:
                return
            await self._submit("manifest", args)
        except Refused as refusal:
            seen.refused = True
            await self._refuse(name, seen.identity, str(refusal))
            return
        self._log.info("a manifest was taken from the folder", file=printable(name, 100), manifest=args["manifest"])
        try:
            await asyncio.to_thread(self._put_away, name, seen.identity)
        except OSError as error:
            seen.refused = True  # it was taken: looking at it again would only repeat it
            self._log.error("a manifest that was taken cannot be moved to done/", file=name, reason=str(error))

    def _read(self, name: str, identity: Identity) -> dict[str, Any] | None:
        """The manifest in a file; None where the file is not what it was. Raises Refused."""
        if _already_refused(self._config.directory / f"{name}{_REPORT}", identity):
            self._seen[name].refused = True
            return None
        kind = name.rpartition(".")[2].lower()
        if kind not in ("json", "csv"):
            raise Refused("neither .json nor .csv: name the file after what it holds")
        content = self._content(name, identity)
        if content is None:
            return None
        modified = identity[2] // 1_000
        zone = self._config.time_zone
        if kind == "json":
            return read_json(content, modified=modified, zone=zone, identifiers=self._identifiers)
        columns = {str(ours): theirs for ours, theirs in self._config.columns.items()}
        return read_csv(content, modified=modified, zone=zone, columns=columns, identifiers=self._identifiers)

    def _content(self, name: str, identity: Identity) -> bytes | None:
        """The bytes of the file that was seen, and of no other that took its place."""
        try:
            handle = os.open(self._config.directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"cannot be read ({error.strerror}): links are not followed") from None
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("not a plain file")
            if _identity(status) != identity:
                return None
            if status.st_size > self._config.max_bytes:
                raise Refused(f"{status.st_size} bytes are more than {self._config.max_bytes}: split the manifest")
            content = file.read(self._config.max_bytes + 1)
        return content if len(content) == status.st_size else None

    def _put_away(self, name: str, identity: Identity) -> None:
        done = self._config.directory / _DONE
        done.mkdir(exist_ok=True)
        if done.is_symlink():
            raise OSError("done is a link: make it a directory")
        stem, _, kind = name.rpartition(".")
        os.replace(self._config.directory / name, done / f"{stem[:150]}.{identity[2]}.{kind}")
        kept = sorted(done.iterdir(), key=lambda path: path.lstat().st_mtime_ns)
        for path in kept[:-MAX_DONE]:
            path.unlink()

    async def _refuse(self, name: str, identity: Identity, reason: str) -> None:
        shown = printable(name, 100)
        self._log.warning("a file with a manifest is refused", file=shown, reason=printable(reason, 500))
        try:
            await asyncio.to_thread(self._report, name, identity, reason)
        except OSError as error:
            self._log.error("the refusal cannot be written beside the file", file=shown, reason=str(error))
        with contextlib.suppress(Refused):
            await self._submit(
                "manifest.refused", {"source": "folder", "name": shown, "reason": printable(reason, 2000)}
            )

    def _report(self, name: str, identity: Identity, reason: str) -> None:
        """Written under another name and moved into place, so that nothing is written through a link."""
        target = self._config.directory / f"{name}{_REPORT}"
        draft = self._config.directory / f".refused-{os.getpid()}.tmp"
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{_mark(identity)}\n{reason}\nCorrect the file; it is tried again when it has changed.\n")
        os.replace(draft, target)


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
