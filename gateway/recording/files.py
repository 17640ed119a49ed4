"""The files of a recording: named after when they begin, changed at their end only, the oldest deleted first.

A file has lines (read.py) or blocks (blocks.py). Each block, and the first line of a file, names the journal whose
positions follow, so that the end of a recording can be told from the end of another one, made before the journal was
lost. Where the format was changed, the recording goes on in a new file.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from gateway.clock import utc
from gateway.config import RecordingConfig
from gateway.recording.blocks import HEADER_BYTES, Broken, Header, decode_body, decode_header

_PREFIX = "reads-"
_SUFFIXES: Mapping[str, str] = {"raw": ".raw", "lines": ".jsonl"}
_NAME_TIME = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(_PREFIX + r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")

# Sixteen files, so that deleting the oldest gives up a sixteenth, each of a size that an editor still opens.
_FILES = 16
_SMALLEST, _LARGEST = 64 << 10, 64 << 20

_LOOK_BACK = 64 << 10


@dataclass(slots=True, frozen=True)
class End:
    """The end of a recording: the journal it follows, and the last position. Empty and 0 for none. Where it is not
    `whole`, the input at that position may be there in part: it has several lines."""

    journal: str = ""
    position: int = 0
    whole: bool = False


class Recording:
    """The directory. Everything is synchronous and raises `OSError`; a failed write leaves the files as they were."""

    def __init__(self, settings: RecordingConfig, now: Callable[[], int]) -> None:
        self._directory = settings.directory
        self._suffix = _SUFFIXES[settings.format]
        self._max_bytes = settings.max_bytes
        self._file_bytes = min(max(settings.max_bytes // _FILES, _SMALLEST), _LARGEST)
        self._now = now
        self._older: list[tuple[Path, int]] = []  # oldest first, with their sizes
        self._path: Path | None = None  # the file that grows
        self._file = -1
        self._size = 0

    def open(self) -> End:
        """Finds the end of the recording, and cuts off what a killed process left of a line or block behind it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        paths = recordings(self._directory)
        self._older = [(path, path.stat().st_size) for path in paths]
        while self._older:
            path, size = self._older[-1]
            raw = path.suffix == _SUFFIXES["raw"]
            whole, last = _last_block(path) if raw else (_end_of_last_line(path, size), None)
            if whole:
                os.truncate(path, whole)
                self._older[-1] = (path, whole)
                return End(last.journal, last.last, whole=True) if last else _end(path, whole)
            path.unlink()
            self._older.pop()
        return End()

    def cut(self, position: int) -> None:
        """Takes the lines of `position` off the end of the last file."""
        path, size = self._older.pop()
        start = _start_of(path, size, position)
        if start:
            os.truncate(path, start)
            self._older.append((path, start))
        else:
            path.unlink()

    def continue_last(self) -> None:
        """Goes on in the last file, if there is one of the same format; otherwise a new one begins with the next
        write."""
        if self._older and self._older[-1][0].suffix == self._suffix:
            self._path, self._size = self._older.pop()
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def write(self, content: bytes, journal: str) -> None:
        """Appends a block, or whole lines of one or more positions. They are never parted between files."""
        if self._path is not None and self._size >= self._file_bytes:
            self._finish()
        if self._path is None:
            self._begin()
            if self._suffix == _SUFFIXES["lines"]:
                end = content.index(b"\n")
                content = content[: end - 1] + b',"journal":"%s"' % journal.encode() + content[end - 1 :]
        while not self._append(content):
            if not self._delete_oldest():
                raise OSError(errno.ENOSPC, "No space left on device", str(self._directory))
        while self._size + sum(size for _, size in self._older) > self._max_bytes and self._delete_oldest():
            pass

    def close(self) -> None:
        """Closes the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._path = -1, None

    def _append(self, content: bytes) -> bool:
        """Writes all of `content` or nothing; False where the disk is full."""
        try:
            written = os.write(self._file, content)
            while written < len(content):
                written += os.write(self._file, memoryview(content)[written:])
        except OSError as error:
            os.ftruncate(self._file, self._size)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return False
        self._size += len(content)
        return True

    def _begin(self) -> None:
        path = self._directory / f"{_PREFIX}{self._name_time()}{self._suffix}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._path, self._size = path, 0

    def _name_time(self) -> str:
        """Now, or just behind the newest file where the clock was set back: names sort in the order of writing."""
        moment = utc(self._now())
        name = moment.strftime(_NAME_TIME)
        if self._older:
            newest = self._older[-1][0].stem.removeprefix(_PREFIX)
            if newest >= name:
                after = datetime.strptime(newest, _NAME_TIME) + timedelta(microseconds=1)
                name = after.strftime(_NAME_TIME)
        return name

    def _finish(self) -> None:
        assert self._path is not None
        self._older.append((self._path, self._size))
        self.close()

    def _delete_oldest(self) -> bool:
        if not self._older:
            return False
        path, _ = self._older.pop(0)
        path.unlink(missing_ok=True)
        return True


def recordings(directory: Path) -> list[Path]:
    """The files of a recording, oldest first. What is called otherwise is somebody's own, such as a copy."""
    found = [path for suffix in _SUFFIXES.values() for path in directory.glob(f"{_PREFIX}*{suffix}")]
    return sorted((path for path in found if _NAME.fullmatch(path.stem)), key=lambda path: path.stem)


def _last_block(path: Path) -> tuple[int, Header | None]:
    """Where the last whole block ends, and its header; 0 and None where there is none. Behind a block that is not what
    was written (a power cut left zeros) there is none."""
    last: tuple[int, Header | None] = (0, None)
    before = last
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
        while head:
            at = file.tell() - HEADER_BYTES
            try:
                header = decode_header(head)
            except Broken:
                break
            end = at + HEADER_BYTES + header.packed
            file.seek(end - 1)
            if not file.read(1):
                break
            before, last = last, (end, header)
            head = file.read(HEADER_BYTES)
        if last[1] is not None:
            file.seek(last[0] - last[1].packed - HEADER_BYTES)
            head, packed = file.read(HEADER_BYTES), file.read(last[1].packed)
            try:
                for _ in decode_body(head, packed):
                    pass
            except Broken:
                return before
    return last


def _end_of_last_line(path: Path, size: int) -> int:
    """Where the last whole line ends: the place behind the last newline, 0 without one."""
    with path.open("rb") as file:
        at = size
        while at > 0:
            start = max(0, at - _LOOK_BACK)
            file.seek(start)
            newline = file.read(at - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
    return 0


def _end(path: Path, size: int) -> End:
    """What the first and the last line say; nothing where they are no lines of ours (a power cut left zeros)."""
    with path.open("rb") as file:
        first = _fields(file.readline())
        file.seek(_end_of_last_line(path, size - 1))
        last = _fields(file.read())
    journal, position = first.get("journal"), last.get("n")
    if type(journal) is str and type(position) is int:
        return End(journal, position)
    return End()


def _start_of(path: Path, size: int, position: int) -> int:
    """Where the first of the lines of `position` begins that are at the end of the file."""
    at = size
    while at > 0:
        start = _end_of_last_line(path, at - 1)
        with path.open("rb") as file:
            file.seek(start)
            if _fields(file.read(at - start)).get("n") != position:
                return at
        at = start
    return 0


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return fields if type(fields) is dict else {}
