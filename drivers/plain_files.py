"""Whether a path is a plain file: looked at before something opens it by itself, OpenSSL for one.

Opening a FIFO waits for whoever writes to it, and a device may never end.
"""

from __future__ import annotations

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO (a named pipe), of which nobody knows when it ends"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def no_plain_file(path: Path) -> str:
    """What `path` is instead of a plain file, or nothing. Raises OSError where there is no telling."""
    mode = path.stat().st_mode
    return next((f"is {kind}: write the path of a file" for of_kind, kind in _KINDS if of_kind(mode)), "")


def check_plain(*paths: Path | None) -> None:
    """Raises OSError where one of `paths` is no plain file: what opens it by itself would wait for ever."""
    for path in paths:
        if path is not None and (what := no_plain_file(path)):
            raise OSError(f"{path} {what}")
