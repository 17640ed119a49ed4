"""The files of a release in tests/fixtures/releases, laid out as a gateway finds them."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

PACKED = {
    "ledger.db": "ledger.db.gz",
    "ledger.db-wal": "ledger.db-wal.gz",
    "ledger-history.db": "ledger-history.db.gz",
    "ledger-history.db-wal": "ledger-history.db-wal.gz",
    "journal/standby.db": "standby.db.gz",
    "journal/standby.db-wal": "standby.db-wal.gz",
}
"""What a release may have left, and as what it is kept."""


def laid_out(release: Path, directory: Path) -> None:
    """Puts what `release` left into `directory`."""
    shutil.copytree(release / "journal", directory / "journal")
    for name, packed in PACKED.items():
        if (release / packed).exists():
            (directory / name).write_bytes(gzip.decompress((release / packed).read_bytes()))


def kept(left: Path, release: Path) -> None:
    """The way back: keeps what was `left` in the folder of a release."""
    shutil.copytree(left / "journal", release / "journal", ignore=shutil.ignore_patterns("standby*", "lock"))
    for name, packed in PACKED.items():
        if (left / name).exists():
            (release / packed).write_bytes(gzip.compress((left / name).read_bytes(), mtime=0))
