"""Segments that wait to be written, with their space in memory already taken: others may fill the rest.

Only on a tmpfs, where the journal belongs: on a disk it would cost wear and time at every start.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_KEEP_SIZE = 1
"""FALLOC_FL_KEEP_SIZE of fallocate(2): takes the space and leaves the file as long as it is."""

_SUFFIX = ".spare"


class Spares:
    """Empty files in `directory`, each with room for `size` bytes."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._size = size
        self._in_memory = False
        self._made = 0
        self._paths: list[Path] = []

    @property
    def bytes(self) -> int:
        """The space that is taken and not in use."""
        return len(self._paths) * self._size

    def open(self) -> None:
        """Takes over what the last process left, and one at least."""
        self._in_memory = _is_tmpfs(self._directory)
        ours = [path for path in sorted(self._directory.glob(f"*{_SUFFIX}")) if path.stem.isdecimal()]
        self._paths = [path for path in ours if not path.stat().st_size]
        self._made = max((int(path.stem) for path in self._paths), default=0)
        self.fill(1)

    def fill(self, wanted: int) -> None:
        """Takes space for `wanted` files, or for as many as there is."""
        while self._in_memory and len(self._paths) < wanted:
            self._made += 1
            path = self._directory / f"{self._made:06d}{_SUFFIX}"
            try:
                self._take(path)
            except OSError:
                path.unlink(missing_ok=True)
                return
            self._paths.append(path)

    def use(self, path: Path) -> None:
        """Puts one at `path`, to be written; where there is none, nothing is there."""
        if self._paths:
            self._paths.pop().rename(path)
        else:
            path.unlink(missing_ok=True)

    def _take(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            if _FALLOCATE is not None and _FALLOCATE(descriptor, _KEEP_SIZE, 0, self._size) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(path))
        finally:
            os.close(descriptor)


def _is_tmpfs(directory: Path) -> bool:
    """Whether the kernel's table of mounts (proc(5), mountinfo) says that the directory is in memory."""
    device = directory.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return False
    return any(fields[2] == wanted and "tmpfs" in fields for fields in map(str.split, mounts))


def _fallocate() -> ctypes._NamedFuncPointer | None:
    """The C library's, None where it has none. `os.posix_fallocate` would make the file longer, and zeros a record."""
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return function


_FALLOCATE = _fallocate()
