"""One process at a time: an advisory lock that the kernel gives back however the holder ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from gateway.errors import InUse, LedgerError


def lock(path: Path, what: str) -> int:
    """Takes the lock file `path`, made where it is missing, and returns the descriptor that holds it.

    The lock is a file of its own beside `what` it guards: closing any descriptor of a SQLite database would give
    back the locks that SQLite itself holds on it. Raises `LedgerError` that names the holder.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if full else f"give the gateway's user write access to {path.parent}"
        raise LedgerError(f"{path}: cannot be opened ({error.strerror}): {remedy}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise InUse(
            f"{what} is in use by another process (pid {holder}): stop it, or give this gateway a path of its own"
        ) from error
    with contextlib.suppress(OSError):  # on a full disk nobody can read who holds it
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor
