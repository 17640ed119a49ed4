"""The witness: up to which event this machine has committed, in memory beside the journal.

A ledger from a backup, or one whose write-ahead log was cut off, does not know that it is behind: it would give numbers
away again that a consumer has seen on other events. The witness does.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LENGTH = 96


class Witness:
    """The file at `path`, for one thread. Where it cannot be written or read there is none: nothing is raised."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def seen(self, epoch: str) -> int:
        """The newest sequence number of `epoch` that was committed, as far as is known; 0 for nothing known."""
        try:
            known, sequence = self._path.read_text().split()
            return int(sequence) if known == epoch else 0
        except (OSError, ValueError):
            return 0

    def note(self, epoch: str, sequence: int) -> None:
        """Events of `epoch` up to `sequence` are committed."""
        with contextlib.suppress(OSError):
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._file, f"{epoch} {sequence}".ljust(_LENGTH).encode(), 0)

    def close(self) -> None:
        """Gives the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
