"""A control group of its own for a daemon: the kernel holds it to a limit of memory, as systemd does with a unit."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENTER = "import runpy; open({!r}, 'w').write('0'); runpy.run_module('gateway', run_name='__main__', alter_sys=True)"


@dataclass(slots=True, frozen=True)
class ControlGroup:
    """A directory below the group of this process; `limit` in bytes."""

    directory: Path
    limit: int

    def program(self) -> list[str]:
        """What to run instead of the gateway, so that it is in the group from its first line on."""
        return ["-c", ENTER.format(str(self.directory / "cgroup.procs"))]

    def end(self) -> None:
        """Kills what still runs in it, and removes it."""
        for pid in _text(self.directory / "cgroup.procs").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        for _ in range(100):
            try:
                self.directory.rmdir()
                return
            except OSError:
                time.sleep(0.05)

    def killed(self) -> int:
        """How often the kernel has killed a process of the group for want of memory."""
        for name in ("memory.events", "memory.oom_control"):
            for line in _text(self.directory / name).splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0


@contextlib.contextmanager
def control_group(limit: int) -> Iterator[ControlGroup | None]:
    """One with this limit (swap included where that can be said); None where this machine does not let us."""
    group = _made(limit)
    try:
        yield group
    finally:
        if group is not None:
            group.end()


def _made(limit: int) -> ControlGroup | None:
    for parent, file, swap in _parents():
        directory = parent / f"rfid-gateway-test-{os.getpid()}"
        try:
            directory.mkdir()
            (directory / file).write_text(str(limit))
        except OSError:
            with contextlib.suppress(OSError):
                directory.rmdir()
            continue
        with contextlib.suppress(OSError):
            (directory / swap[0]).write_text(swap[1].format(limit))
        return ControlGroup(directory, limit)
    return None


def _parents() -> Iterator[tuple[Path, str, tuple[str, str]]]:
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, name = line.split(":", 2)
        if "memory" in controllers.split(","):
            swap = ("memory.memsw.limit_in_bytes", "{}")
            yield Path("/sys/fs/cgroup/memory") / name.lstrip("/"), "memory.limit_in_bytes", swap
        elif not controllers:
            yield Path("/sys/fs/cgroup") / name.lstrip("/"), "memory.max", ("memory.swap.max", "0")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
