"""The floor's saved state: in the ledger's file, and newer in a standby in memory where there is one.

A checkpoint goes to the standby, and to disk with all that changed since the last one there when that is asked for.
Parts are kept packed (Zstandard, RFC 8878). All of it belongs to the ledger's thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import zstandard

from gateway.ledger.marks import Marks
from gateway.ledger.standby import Base, Stand, Standby

_LEVEL = 1
"""Of compression: higher ones take three times as long for a tenth less."""

_FAILURES = (sqlite3.Error, OSError)


@dataclass(slots=True, frozen=True)
class Checkpoint:
    """The floor's state after the input at `position`; `parts` holds only those that changed, or all: `whole`.
    `on_disk`: it is not to rest in the standby alone."""

    parts: Mapping[str, bytes]
    position: int
    meta: Mapping[str, str]
    on_disk: bool = True
    whole: bool = False


@dataclass(slots=True, frozen=True)
class Saved:
    """The newest state that was saved: `sequence` is the newest event that it includes."""

    parts: dict[str, bytes]
    position: int
    sequence: int
    meta: dict[str, str]


class States:
    """Checkpoints of one ledger, whose open file `db` is. `refused` counts those that could not be taken because the
    standby had lost what came before them: the next must be whole. `problem` says why, until it is mended."""

    def __init__(self, db: sqlite3.Connection, standby: Standby | None, epoch: str) -> None:
        self._db = db
        self._standby = standby
        self._base = Base(epoch, 0, 0)
        self._stands = False  # the standby has a whole checkpoint
        self._waiting: list[tuple[Checkpoint, dict[str, bytes], int]] = []
        self._packer = zstandard.ZstdCompressor(_LEVEL)
        self.refused = self._refused = 0
        self.problem = ""

    def load(self, newest: int) -> Saved | None:
        """The newest state of a ledger whose newest event is `newest`; None where there never was a checkpoint."""
        sequence, position = self._db.execute("SELECT checkpoint_sequence, checkpoint_position FROM ledger").fetchone()
        if sequence is None:
            return None
        self._base = Base(self._base.epoch, sequence, position)
        if self._standby is not None:
            with contextlib.suppress(*_FAILURES, zstandard.ZstdError):
                stand = self._standby.find(self._base, newest)
                if stand is not None:
                    parts = {key: _unpack(value) for key, value in self._standby.parts()}
                    self._stands = True
                    return Saved(parts, stand.position, stand.sequence, dict(stand.meta))
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        return Saved(self.parts(), position, sequence, meta)

    def parts(self) -> dict[str, bytes]:
        """The state as of the newest checkpoint on disk. A part that cannot be unpacked is empty, which is no part of
        anything: it is built again from the events."""
        found: dict[str, bytes] = {}
        for key, value, packed in self._db.execute("SELECT key, value, packed FROM part"):
            try:
                found[key] = _unpack(value) if packed else value
            except zstandard.ZstdError:
                found[key] = b""
        return found

    # ---- in the transaction of a group of operations

    def begin(self) -> None:
        """Nothing of the group is saved yet."""
        self._waiting.clear()
        self._refused = self.refused

    def save(self, checkpoint: Checkpoint, marks: Marks) -> None:
        """Takes one in, and writes to disk what belongs there."""
        whole = checkpoint.whole or any(waiting.whole for waiting, _, _ in self._waiting)
        on_disk = checkpoint.on_disk or checkpoint.whole or self._standby is None
        changed = self._changed() if on_disk and not whole and self._standby is not None else []
        if self._standby is not None and not self._stands and not whole:
            self._refused += 1
            return
        packed = {key: self._packer.compress(part) for key, part in checkpoint.parts.items()}
        self._waiting.append((checkpoint, packed, marks.sequence))
        if on_disk:
            self._write(checkpoint, changed)
            marks.checkpoint = marks.sequence

    def _changed(self) -> list[tuple[str, bytes]]:
        """What the standby has and the disk has not; where it cannot be read, the standby is given up."""
        if self._standby is None or not self._stands:
            return []
        try:
            return list(self._standby.changed())
        except Exception as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        self._stands = False
        self.problem = f"checkpoints go to disk, for they cannot be kept in memory ({error})"
        if self._standby is not None:
            with contextlib.suppress(Exception):
                self._standby.forget()

    def _write(self, checkpoint: Checkpoint, changed: list[tuple[str, bytes]]) -> None:
        """What changed since the last checkpoint on disk: in the standby, then in those that wait to go there."""
        db = self._db
        self._put(changed)
        for _, packed, _ in self._waiting:
            self._put(packed.items())
        db.execute("DELETE FROM meta")
        db.executemany("INSERT INTO meta VALUES (?, ?)", checkpoint.meta.items())
        _, _, sequence = self._waiting[-1]
        db.execute(
            "UPDATE ledger SET checkpoint_sequence = ?, checkpoint_position = ?", (sequence, checkpoint.position)
        )

    def _put(self, parts: object) -> None:
        self._db.executemany("INSERT OR REPLACE INTO part VALUES (?, ?, 1)", parts)  # type: ignore[arg-type]

    # ---- behind it

    def committed(self) -> None:
        """The disk has the group: the standby follows."""
        self.refused = self._refused
        if not self._waiting:
            return
        for checkpoint, _, sequence in self._waiting:
            if checkpoint.on_disk or checkpoint.whole:
                self._base = Base(self._base.epoch, sequence, checkpoint.position)
        if self._standby is not None:
            self._follow(self._standby)
        self._waiting.clear()

    def _follow(self, standby: Standby) -> None:
        newest, _, sequence = self._waiting[-1]
        saves = [(packed, checkpoint.on_disk or checkpoint.whole) for checkpoint, packed, _ in self._waiting]
        try:
            if any(checkpoint.whole for checkpoint, _, _ in self._waiting):
                self._stands = False
                standby.begin()
            standby.write(saves, Stand(sequence, newest.position, newest.meta), self._base)
            self._stands, self.problem = True, ""
        except Exception as error:  # whatever it is, the disk has the group, and it must not be tried again
            self._give_up(error)
            self.refused += not saves[-1][1]

    def close(self) -> None:
        """Gives the standby back."""
        if self._standby is not None:
            with contextlib.suppress(*_FAILURES):
                self._standby.close()


def _unpack(value: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(value)
