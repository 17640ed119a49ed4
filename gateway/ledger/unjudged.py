"""Inputs that could not be judged, kept as files beside the ledger for whoever mends the gateway.

Of each the input itself, as a segment of the journal with one record, and in words where it stood and what failed.
Where not one of them but the whole journal had to be given up, its segments.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway import __version__
from gateway.inputs import Input
from gateway.ledger.segment import Header, encode_header, encode_record

MAX_KEPT = 64
"""Inputs that are kept: the first tell as much as all. Whoever has mended the fault moves them away."""


class Unjudged:
    """The folder that they are kept in. It is made when it is needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problem = ""
        """Why the last could not be kept; empty when all is well."""

    def keep(self, journal: str, position: int, item: Input, why: str) -> None:
        """Keeps the input at `position` of a journal, and `why` it could not be judged; unless it is there, or too
        many are."""
        path = self.directory / f"{journal}-{position:020d}.journal"
        header = encode_header(Header(bytes.fromhex(journal), position))
        try:
            self.directory.mkdir(mode=0o750, exist_ok=True)
            if path.exists() or self.number >= MAX_KEPT:
                return
            path.write_bytes(header + encode_record(position, item))
            words = f"release {__version__}, position {position} of journal {journal}: {type(item).__name__}\n\n{why}\n"
            path.with_suffix(".txt").write_text(words, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self.problem = f"an input that could not be judged cannot be kept in {self.directory}: {error}"

    def keep_journal(self, directory: Path, journal: str, why: str) -> None:
        """Keeps the segments of the journal in `directory`, and `why` it was given up, in place of an earlier one."""
        kept = self.directory / "journal"
        try:
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(mode=0o750, parents=True)
            for path in sorted(directory.glob("*.journal")):
                shutil.copyfile(path, kept / path.name)
            (kept / "why.txt").write_text(f"release {__version__}, journal {journal}\n\n{why}\n", encoding="utf-8")
        except OSError as error:
            self.problem = f"a journal that could not be judged cannot be kept in {self.directory}: {error}"

    @property
    def number(self) -> int:
        """How many inputs are kept, a journal that was given up as one."""
        try:
            names = [path.name for path in self.directory.iterdir()]
        except OSError:
            return 0
        return sum(name.endswith(".journal") or name == "journal" for name in names)

    def words(self) -> str:
        """What somebody should do about them; empty where there are none."""
        if not (number := self.number):
            return self.problem
        return (
            f"a fault in the gateway: {number} inputs could not be judged and are left out (see the losses): send "
            f"{self.directory} to whoever mends the gateway, then move it away"
        )
