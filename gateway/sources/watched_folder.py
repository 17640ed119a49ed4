"""A folder that is watched: each file that is put down there becomes commands, or a refusal that says why.

A file is taken once its size and time have not changed for a while, and read whole, off the event loop. One that was
taken moves to ``done/``; one that is refused stays where it is with ``NAME.refused.txt`` beside it, which says why,
and is tried again when it has changed. Only plain files count: nothing is followed out of the folder, and nothing is
written through a link.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

from drivers.api import Log
from gateway.clock import LATEST
from gateway.errors import Refused
from gateway.inputs import Submit
from gateway.text import printable

MAX_FILES = 1_000
"""Files looked at in one round; a folder with more has been filled by mistake, and its turn comes as it empties."""

_DONE = "done"
_REPORT = ".refused.txt"
_DRAFTS = (_REPORT, ".tmp", ".part", "~")
_HIDDEN = (".", "~")
_STEM_BYTES = 150
"""Of a name in ``done/``: leaves room for the time and the ending in the 255 bytes that file systems allow."""

Command: TypeAlias = tuple[str, dict[str, Any]]
"""Name and arguments."""


class WatchedFile(NamedTuple):
    """A file as it was seen; one that differs in anything is another file. `changed` is nanoseconds UTC."""

    name: str
    inode: int
    size: int
    changed: int

    @property
    def shown(self) -> str:
        """The name, fit for logs and events."""
        return printable(self.name, 100)

    @property
    def by(self) -> str:
        """Who says what the file says, for events."""
        return f"file {self.shown}"[:64]

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return Path(self.name).stem

    @property
    def ending(self) -> str:
        """In lower case, with its dot."""
        return _ending(self.name)

    @property
    def modified(self) -> int:
        """Microseconds UTC."""
        return self.changed // 1_000


@dataclass(slots=True, frozen=True)
class Contents:
    """What is in a file: the commands that it becomes, in order, and what the log says once they are accepted."""

    commands: list[Command]
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Purpose:
    """What a folder is for. Its name for one file's contents and for all of them, and its section of the
    configuration, appear in messages.

    `read` makes out the bytes of a file, in a thread, and raises Refused. Files with other `endings` are left alone,
    or refused with the reason `foreign`. `keep` is how many files stay in ``done/``; the oldest go,
    what they said is in the events. `refusal` makes the command that
    reports a refusal, from the file and the reason.
    """

    one: str
    many: str
    section: str
    endings: tuple[str, ...]
    read: Callable[[WatchedFile, bytes], Contents]
    keep: int = 200
    foreign: str | None = None
    refusal: Callable[[WatchedFile, str], Command] | None = None


class FolderSettings(Protocol):
    """The part of a section of the configuration that is about the folder. Seconds, and bytes of one file."""

    @property
    def directory(self) -> Path:
        """The folder."""
        ...

    @property
    def settle(self) -> float:
        """Seconds for which a file must not have changed."""
        ...

    @property
    def poll(self) -> float:
        """Seconds between two looks."""
        ...

    @property
    def max_bytes(self) -> int:
        """Bytes of a file at most."""
        ...


@dataclass(slots=True)
class _Seen:
    since: float
    settled: bool = False  # it was dealt with, and is not again until it changes
    trouble: str = ""


class WatchedFolder:
    """Watches one folder. `now` is a monotonic clock in seconds."""

    def __init__(
        self, settings: FolderSettings, purpose: Purpose, submit: Submit, log: Log, now: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._directory = settings.directory
        self._purpose = purpose
        self._submit = submit
        self._log = log
        self._now = now
        self._seen: dict[WatchedFile, _Seen] = {}
        self._trouble = ""
        self.troubled: Callable[[str], None] = _nobody
        """Is told at each look what is wrong with the folder, or nothing."""

    async def run(self) -> NoReturn:
        """Looks into the folder for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._settings.poll)

    async def look(self) -> None:
        """One round: takes every file that has settled."""
        try:
            found = await asyncio.to_thread(self._scan)
        except OSError as error:
            self._trouble = self._complain(
                f"the folder of {self._purpose.many} cannot be read: {error}: create it, or correct "
                f"{self._purpose.section}",
                self._trouble,
            )
            self.troubled(self._trouble)
            return
        self._trouble = ""
        self.troubled("")
        self._seen = {file: self._seen.get(file) or _Seen(self._now()) for file in found}
        for file, seen in self._seen.items():
            if not seen.settled and self._now() - seen.since >= self._settings.settle:
                await self._take(file, seen)

    def _complain(self, trouble: str, before: str) -> str:
        """Logs what is wrong, unless it was said before; returns it."""
        if trouble != before:
            self._log.error(trouble, directory=str(self._directory))
        return trouble

    def _scan(self) -> list[WatchedFile]:
        """The candidates, without following links, in the order in which they were written: of two files about one
        thing the newer one holds."""
        found: list[WatchedFile] = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if not self._is_candidate(entry.name) or entry.is_dir(follow_symlinks=False):
                    continue
                if len(found) >= MAX_FILES:
                    break
                with contextlib.suppress(FileNotFoundError):  # taken away meanwhile
                    found.append(_watched(entry.name, entry.stat(follow_symlinks=False)))
        return sorted(found, key=lambda file: (file.changed, file.name))

    def _is_candidate(self, name: str) -> bool:
        if name == _DONE or name.startswith(_HIDDEN) or name.endswith(_DRAFTS):
            return False
        return self._purpose.foreign is not None or _ending(name) in self._purpose.endings

    async def _take(self, file: WatchedFile, seen: _Seen) -> None:
        try:
            contents = await self._load(file, seen)
            if contents is None:
                return
            answers = [await self._submit(name, args) for name, args in contents.commands]
        except Refused as refusal:
            seen.settled = True
            await self._refuse(file, str(refusal))
            return
        except Exception as error:  # whatever is in a file, readers are worth more
            seen.settled = True
            self._log.error(
                "a file could not be taken; this is a fault in the gateway", file=file.shown, exc_info=error
            )
            await self._refuse(file, f"a fault in the gateway ({type(error).__name__}): keep its log, and this file")
            return
        if any(isinstance(answer, dict) and answer.get("saved") is False for answer in answers):
            self._log.warning("the disk has not taken a file yet: it stays in its folder", file=file.shown)
            return
        seen.settled = True
        self._log.info(f"a file with {self._purpose.one} was taken", file=file.shown, **contents.fields)
        try:
            await asyncio.to_thread(self._put_away, file)
        except OSError as error:
            self._log.error(
                f"a file with {self._purpose.one} was taken and cannot be moved to done/: move it yourself",
                file=file.shown,
                reason=str(error),
            )

    async def _load(self, file: WatchedFile, seen: _Seen) -> Contents | None:
        """What is in a file; None where there is nothing to be taken from it now. Raises Refused."""
        try:
            if await asyncio.to_thread(self._is_refused_already, file):
                seen.settled = True
                return None
            return await asyncio.to_thread(self._read, file)
        except OSError as error:
            seen.trouble = self._complain(
                f"{file.shown} in the folder of {self._purpose.many} cannot be read: {error}: it is tried again",
                seen.trouble,
            )
            return None

    def _is_refused_already(self, file: WatchedFile) -> bool:
        """Whether the report beside a file is about this very file."""
        try:
            handle = os.open(self._report_of(file), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return False
        with os.fdopen(handle, "rb") as report:
            return report.read(200).split(b"\n", 1)[0] == _mark(file).encode()

    def _read(self, file: WatchedFile) -> Contents | None:
        """What is in a file; None where the file is not what it was. Raises Refused."""
        if self._purpose.foreign is not None and file.ending not in self._purpose.endings:
            raise Refused(self._purpose.foreign)
        if not 0 <= file.modified <= LATEST:
            raise Refused("was last changed before 1970 or after 9999-12-30: set the clock there, and save it again")
        content = self._content(file)
        return None if content is None else self._purpose.read(file, content)

    def _content(self, file: WatchedFile) -> bytes | None:
        """The bytes of the file that was seen, and of no other that took its place."""
        limit = self._settings.max_bytes
        try:
            handle = os.open(self._directory / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"cannot be read ({error.strerror}): put a plain file here, links are not followed") from None
        with os.fdopen(handle, "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("not a plain file: put one here that holds what is to be read")
            if _watched(file.name, status) != file:
                return None
            if file.size > limit:
                raise Refused(
                    f"{file.size} bytes are more than {self._purpose.section}.max_bytes, {limit}: split the file"
                )
            content = opened.read(limit + 1)
        return content if len(content) == file.size else None

    def _put_away(self, file: WatchedFile) -> None:
        path, done = self._directory / file.name, self._directory / _DONE
        try:
            if _watched(file.name, path.lstat()) != file:
                return  # written again since it was read: that is a file of its own
        except FileNotFoundError:
            return
        done.mkdir(exist_ok=True)
        if done.is_symlink():
            raise OSError("done is a link: make it a directory")
        stem = os.fsencode(file.stem)[:_STEM_BYTES].decode(errors="ignore")
        os.replace(path, done / f"{stem}.{file.changed}{file.ending}")
        self._report_of(file).unlink(missing_ok=True)
        kept = sorted((path.lstat().st_mtime_ns, path.name, path) for path in done.iterdir() if not _is_folder(path))
        for _, _, path in kept[: -self._purpose.keep]:
            path.unlink()

    async def _refuse(self, file: WatchedFile, reason: str) -> None:
        self._log.warning(f"a file with {self._purpose.one} is refused", file=file.shown, reason=printable(reason, 500))
        try:
            await asyncio.to_thread(self._report, file, reason)
        except OSError as error:
            self._log.error("the refusal cannot be written beside the file", file=file.shown, reason=str(error))
        if self._purpose.refusal is not None:
            with contextlib.suppress(Refused):
                await self._submit(*self._purpose.refusal(file, reason))

    def _report(self, file: WatchedFile, reason: str) -> None:
        """Written under another name and moved into place, so that nothing is written through a link."""
        draft = self._directory / f".refused-{os.getpid()}.tmp"
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as report:
            report.write(f"{_mark(file)}\n{reason}\nCorrect the file; it is tried again when it has changed.\n")
        os.replace(draft, self._report_of(file))

    def _report_of(self, file: WatchedFile) -> Path:
        return self._directory / f"{file.name}{_REPORT}"


def _nobody(trouble: str) -> None:
    """Hears of troubles where nobody else does."""


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _ending(name: str) -> str:
    return Path(name).suffix.lower()


def _watched(name: str, status: os.stat_result) -> WatchedFile:
    return WatchedFile(name, status.st_ino, status.st_size, status.st_mtime_ns)


def _mark(file: WatchedFile) -> str:
    return f"refused: file {file.inode}, {file.size} bytes, changed {file.changed}"
