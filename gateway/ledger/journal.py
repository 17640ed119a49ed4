"""The journal: what the floor is about to be given, kept until the ledger holds what came of it.

A ring of segment files in memory-backed storage (tmpfs) that outlives the process: an append is one `write` into
memory, wears no SD card, and survives SIGKILL at any moment. It does not survive a reboot: then the last checkpoint
and the events themselves are what is left, and the loss is stated.

The space of the ring is taken when it is opened, so that whoever fills the file system takes nothing of it. Where an
input cannot be written all the same, it is passed over and `problem` says why: readers are to be held back until there
was a checkpoint, and a crash before that finds a journal with a gap, which counts as lost.

Positions count inputs without a gap. They go on over restarts, and after a lost journal behind the last checkpoint.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.config import JournalConfig
from gateway.errors import LedgerError
from gateway.inputs import Input
from gateway.ledger import lock
from gateway.ledger.segment import (
    HEADER_BYTES,
    PRESENT,
    Damaged,
    Header,
    Segment,
    encode_header,
    encode_record,
)
from gateway.ledger.spare import Spares

_SUFFIX = ".journal"

# Only whole segments are deleted. With sixteen, at most a sixteenth of the ring is held by what is no longer needed.
_SEGMENTS = 16

# Readers are paused at `max_bytes`, but what they, the kernel and the drivers have taken by then still comes, and so do
# ticks and commands. Twice is far beyond what those hold; whoever comes that far has not had a checkpoint for long.
_HARD = 2


@dataclass(slots=True, frozen=True)
class JournalState:
    """What was found. Records `first` to `last` can be read (`last` is `first` - 1 where there are none).

    `torn`: bytes of an input that the killed process had begun to write and not yet processed. `lost`: why an older
    journal could not be used, or an empty string; it is then gone and `id` is new.
    """

    id: str
    first: int
    last: int
    torn: int = 0
    lost: str = ""


class Journal:
    """Everything is synchronous: memory is not worth a thread. One process at a time."""

    def __init__(self, settings: JournalConfig) -> None:
        self._directory = settings.directory
        self._max_bytes = settings.max_bytes
        self._limit = settings.max_bytes
        self._segment_bytes = settings.max_bytes // _SEGMENTS
        self._segments: list[tuple[int, Path, int]] = []  # full ones: position of the first record, file, bytes
        self._id = b""
        self._first = 1  # of the segment that is written
        self._next = 1
        self._path = Path()
        self._file = -1
        self._size = 0  # of the segment that is written
        self._used = 0
        self._lock = -1
        self._spares = Spares(self._directory, self._segment_bytes)
        self.problem = ""
        """Why the last input could not be written, and what to do; empty when all is well."""

    @property
    def id(self) -> str:
        """Changes whenever numbering begins anew, so that two journals are not taken for one."""
        return self._id.hex()

    @property
    def position(self) -> int:
        """The position of the last input appended, or where numbering began."""
        return self._next - 1

    @property
    def pressure(self) -> float:
        """Bytes in use as a share of the bound; from 1.0 readers must be held back until there was a checkpoint."""
        return self._used / self._limit

    def open(self) -> JournalState:
        """Finds what the last process left. Raises `LedgerError` where the directory cannot be used."""
        self._lock = lock.lock(self._directory / "lock", f"the journal in {self._directory}")
        try:
            self._spares.open()
            state = self._find()
            self._spares.fill(self._wanted())
            return state
        except OSError as error:
            raise self._unusable(error) from error

    def begin(self, position: int) -> None:
        """Forgets everything and numbers on behind `position`, under a new id."""
        try:
            self._discard(position)
        except OSError as error:
            raise self._unusable(error) from error

    def renewed(self) -> bool:
        """Looks after the files: where somebody has deleted any, begins anew behind the newest input, under the same
        id, and returns True. What was in them is safe with the next checkpoint on disk only. Where it cannot, `problem`
        says so."""
        paths = [self._path, *(path for _, path, _ in self._segments)]
        if all(path.exists() for path in paths):
            return False
        try:
            if self._lock >= 0:
                os.close(self._lock)
            self._lock = -1
            self._lock = lock.lock(self._directory / "lock", f"the journal in {self._directory}")
            self._spares = Spares(self._directory, self._segment_bytes)
            self._spares.open()
            self._discard(self.position, self._id)
            self._spares.fill(self._wanted())
        except OSError as error:
            self.problem = str(self._unusable(error))
            return False
        except LedgerError as error:
            self.problem = str(error)
            return False
        self.problem = ""
        return True

    def append(self, item: Input) -> int:
        """Writes one input, or passes it over, and returns its position."""
        record = encode_record(self._next, item)
        try:
            if self._used + len(record) > self._limit * _HARD:
                raise OSError(
                    errno.ENOSPC, f"it holds {self._used} bytes, twice its bound: the ledger takes no checkpoint"
                )
            if self._next > self._first and (self.problem or self._size + len(record) > self._segment_bytes):
                self._roll()
            self._write(record)
            self.problem = ""
        except OSError as error:
            self.problem = str(self._unusable(error))
        position = self._next
        self._next += 1
        return position

    def _wanted(self) -> int:
        """Spare segments that belong to the ring as it is now."""
        return max(0, self._limit // self._segment_bytes - len(self._segments))

    def read(self, after: int) -> Iterator[tuple[int, Input]]:
        """Every input behind `after` that is there now, in order."""
        last = self.position
        for index, (_, path, _) in enumerate([*self._segments, (self._first, self._path, self._size)]):
            following = self._segments[index + 1][0] if index + 1 < len(self._segments) else self._first
            if index < len(self._segments) and following <= after + 1:
                continue
            for position, item in Segment(path).items():
                if position > last:
                    return
                if position > after:
                    yield position, item

    def release(self, upto: int) -> None:
        """The ledger and the recording hold everything up to `upto`: deletes the segments that hold nothing newer."""
        if upto >= self.position and self._size > self._segment_bytes // 2:
            self._roll()
        while self._segments:
            following = self._segments[1][0] if len(self._segments) > 1 else self._first
            if following > upto + 1:
                return
            _, path, size = self._segments.pop(0)
            path.unlink(missing_ok=True)
            self._used -= size
            self._spares.fill(self._wanted())

    def close(self) -> None:
        """Gives the directory back. The files stay."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _files(self) -> list[Path]:
        """The segments that are there, in order. What is called otherwise is none of ours."""
        return sorted(path for path in self._directory.glob(f"*{_SUFFIX}") if path.stem.isdecimal())

    def _find(self) -> JournalState:
        paths = self._files()
        torn = self._drop_unfinished(paths)
        if not paths:
            self._discard(0)
            return JournalState(self.id, 1, 0, torn)
        try:
            torn += self._read_segments(paths)
        except Damaged as damage:
            self._segments.clear()
            self._discard(0)
            return JournalState(self.id, 1, 0, torn, str(damage))
        first = self._segments[0][0] if self._segments else self._first
        return JournalState(self.id, first, self.position, torn)

    def _drop_unfinished(self, paths: list[Path]) -> int:
        """A process may be killed before the header of a new segment is whole: then nothing is in it."""
        if not paths or paths[-1].stat().st_size >= HEADER_BYTES:
            return 0
        path = paths.pop()
        size = path.stat().st_size
        path.unlink()
        return size

    def _read_segments(self, paths: list[Path]) -> int:
        """Takes over the segments at `paths`; returns how many torn bytes it cut off behind the last record."""
        expected: tuple[bytes, int] | None = None
        for path in paths:
            try:
                segment = Segment(path)
                header = segment.header
                if expected not in (None, (header.journal, header.first)):
                    raise Damaged("it does not follow the one before")
                records = sum(1 for _ in segment.bodies())
                if segment.torn and path is not paths[-1]:
                    raise Damaged("its end is missing")
            except Damaged as damage:
                raise Damaged(f"{path}: {damage}") from damage
            expected = (header.journal, header.first + records)
            self._segments.append((header.first, path, segment.end))
        assert expected is not None
        self._id, self._next = expected
        self._used = sum(size for _, _, size in self._segments)
        self._first, self._path, self._size = self._segments.pop()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if segment.torn:
            os.ftruncate(self._file, self._size)
        self._set_limit()
        if header.layout != PRESENT or header.foreign:
            self._begin_anew()
        return segment.torn

    def _begin_anew(self) -> None:
        """The last segment is of an older release or another Python: what is written from here on is not."""
        if self._next > self._first:
            self._roll()
        else:
            os.close(self._file)
            self._used -= self._size
            self._new_segment()

    def _discard(self, position: int, identity: bytes = b"") -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        for path in self._files():
            path.unlink()
        self._segments.clear()
        self._used = 0
        self._id = identity or secrets.token_bytes(16)
        self._next = position + 1
        self._new_segment()

    def _roll(self) -> None:
        """Begins the next segment; the one before is kept unchanged if that fails."""
        full = (self._first, self._path, self._size)
        previous = self._file
        self._new_segment()
        os.close(previous)
        self._segments.append(full)

    def _new_segment(self) -> None:
        path = self._directory / f"{self._next:020d}{_SUFFIX}"
        self._spares.use(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        header = encode_header(Header(self._id, self._next))
        try:
            if os.write(descriptor, header) != len(header):
                raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        self._first, self._path, self._file, self._size = self._next, path, descriptor, len(header)
        self._used += len(header)
        self._set_limit()

    def _set_limit(self) -> None:
        """The bound, or less where the file system (a small tmpfs) could not take twice of it."""
        room = os.statvfs(self._directory)
        space = self._used + self._spares.bytes + room.f_bavail * room.f_frsize
        self._limit = max(self._segment_bytes, min(self._max_bytes, space // _HARD))

    def _write(self, record: bytes) -> None:
        """One call, so that a kill leaves a whole record or its beginning. A short write is taken back."""
        written = os.write(self._file, record)
        if written != len(record):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, "No space left on device")
        self._size += written
        self._used += written

    def _unusable(self, error: OSError) -> LedgerError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return LedgerError(
                f"the journal in {self._directory} is full ({error.strerror}): free space there; it needs twice "
                f"journal.max_bytes ({self._max_bytes}), and reading goes on after the next checkpoint"
            )
        return LedgerError(
            f"the journal in {self._directory} cannot be written ({error.strerror}): give the gateway's user write "
            f"access, and at least twice journal.max_bytes ({self._max_bytes}) of space"
        )
