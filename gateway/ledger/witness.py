"""The witness: up to which event this machine has committed, in memory beside the journal.

A ledger from a backup, or one whose write-ahead log was cut off, does not know that it is behind: it would give numbers
away again that a consumer has seen on other events. The witness does. Where it is gone, as after a reboot, the broker
may know: then that is claimed here, for the next start.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LENGTH = 96
_CLAIMED = "claimed"


class Witness:
    """The file at `path`, for one thread. Only `claim` raises where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._claimed = ""  # the epoch about which somebody else knows better

    def seen(self, epoch: str) -> tuple[int, bool]:
        """The newest sequence number of `epoch` that was committed, as far as is known, 0 for nothing known; and
        whether that was claimed: what came behind it since then does not make up for what was lost before it."""
        try:
            known, sequence, *claimed = self._path.read_text().split()
            return (int(sequence), claimed == [_CLAIMED]) if known == epoch else (0, False)
        except (OSError, ValueError):
            return 0, False

    def note(self, epoch: str, sequence: int) -> None:
        """Events of `epoch` up to `sequence` are committed."""
        if self._claimed != epoch:
            with contextlib.suppress(OSError):
                self._write(f"{epoch} {sequence}")

    def claim(self, epoch: str, sequence: int) -> None:
        """Somebody else has events of `epoch` up to `sequence` that this ledger never held. Raises `OSError`."""
        self._write(f"{epoch} {sequence} {_CLAIMED}")
        self._claimed = epoch

    def close(self) -> None:
        """Gives the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, words: str) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(self._file, words.ljust(_LENGTH).encode(), 0)
