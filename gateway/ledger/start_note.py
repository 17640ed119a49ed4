"""What earlier starts found out about the journal, in files beside it: so that each start comes further than the last.

`starts.json` says which inputs are left out and whether the state or the whole journal had to be given up, for one
journal and one checkpoint; and of which readers they were. `feeding` has the position of the input that is judged at
the moment: where a process is killed meanwhile, by its watchdog or for want of memory, the next start knows on which.
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import Any

import orjson

from gateway.clock import SECOND

KILLED = 5
"""Starts in a row that end while the very same input is judged, after which that is no chance."""

OFTEN, WITHIN = 2, 3600 * SECOND
"""A reader on whose reads so many starts within so many microseconds have failed is shut out for as long: the others
are worth more."""

_POSITION = struct.Struct("<Q")


class StartNote:
    """Beside the journal in `directory`. `open` it first."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "starts.json"
        self._feeding = directory / "feeding"
        self._file = -1
        self._journal, self._checkpoint = "", 0
        self._killed = [0, 0]  # position, and how many starts in a row ended there
        self.left_out: dict[int, str] = {}
        """Positions of inputs that are left out, and why."""
        self.blamed: dict[str, list[int]] = {}
        """Readers whose inputs are left out, and when starts found that out, microseconds of the wall clock."""
        self.rebuild = False
        """The state of the checkpoint cannot be gone on from: it is built again from the events."""
        self.given_up = ""
        """Why the whole journal is given up; empty where it is not."""

    def open(self, journal: str, checkpoint: int) -> None:
        """Reads what belongs to this journal and to a checkpoint at this position of it."""
        self._journal, self._checkpoint = journal, checkpoint
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            self._load(orjson.loads(self._path.read_bytes()))
        self._look_where_it_ended()

    def _load(self, content: Any) -> None:
        """Takes over what `save` wrote; of another checkpoint, only what is behind this one."""
        blamed = {str(reader): [int(t) for t in times] for reader, times in content["blamed"].items()}
        self.blamed = {reader: times[-OFTEN:] for reader, times in blamed.items()}
        if content["journal"] != self._journal:
            return
        known = {int(position): str(why) for position, why in content["left_out"].items()}
        self.left_out = {position: why for position, why in known.items() if position > self._checkpoint}
        if content["checkpoint"] == self._checkpoint:
            self.rebuild, self.given_up = bool(content["rebuild"]), str(content["given_up"])
            self._killed = [int(number) for number in content["killed"]]

    def _look_where_it_ended(self) -> None:
        """Counts where the start before was killed, and opens the file anew."""
        with contextlib.suppress(OSError):
            self._file = os.open(self._feeding, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            content = os.pread(self._file, _POSITION.size, 0)
            position = _POSITION.unpack(content)[0] if len(content) == _POSITION.size else 0
            self.feeds(0)
            if not position:
                return
            self._killed = [position, self._killed[1] + 1 if position == self._killed[0] else 1]
            if self._killed[1] >= KILLED:
                self.given_up = f"{self._killed[1]} starts were killed while the input at {position} was judged"
            self.save()

    def feeds(self, position: int) -> None:
        """The input at `position` is judged now; at 0, none is any more."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, _POSITION.pack(position), 0)

    def shut_out(self, now: int) -> frozenset[str]:
        """The readers that are not worth another failed start at the time `now` of the wall clock."""
        lately = {reader: [t for t in times if now - WITHIN <= t <= now] for reader, times in self.blamed.items()}
        return frozenset(reader for reader, times in lately.items() if len(times) >= OFTEN)

    def save(self) -> None:
        """Writes what is found out. Raises OSError."""
        content = {
            "journal": self._journal,
            "checkpoint": self._checkpoint,
            "left_out": {str(position): why for position, why in self.left_out.items()},
            "blamed": self.blamed,
            "rebuild": self.rebuild,
            "given_up": self.given_up,
            "killed": self._killed,
        }
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(content))
        os.replace(fresh, self._path)

    def close(self) -> None:
        """No input is judged any more, and the file is given back."""
        self.feeds(0)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
