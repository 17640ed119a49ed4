"""What memory the gateway may take, and what its bounds add up to."""

from __future__ import annotations

from pathlib import Path

NEEDED = 970 << 20
"""Bytes: the bounds added up, as in docs/reliability.md. With less a flood ends in the kernel's hands."""

_UNLIMITED = 1 << 60


def limit(root: Path = Path("/")) -> int | None:
    """The memory limit of this process's control group and of those above it, in bytes; None where there is none.

    Version 2 (``memory.max``) and version 1 (``memory.limit_in_bytes``), see cgroups(7).
    """
    found: list[int] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        if not controllers:
            mount, file = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            mount, file = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = mount / name.lstrip("/")
        for at in (group, *group.parents):
            if not at.is_relative_to(mount):
                break
            text = _text(at / file).strip()
            found += [int(text)] if text.isdigit() and int(text) < _UNLIMITED else []
    return min(found, default=None)


def worry(root: Path = Path("/")) -> str:
    """What is wrong with the limit, in words for the operator; empty where it suffices."""
    allowed = limit(root)
    if allowed is None or allowed >= NEEDED:
        return ""
    return (
        f"the memory limit of {allowed >> 20} MB is less than the gateway's bounds add up to ({NEEDED >> 20} MB): "
        f"raise MemoryMax, or a flood of tags may end in the kernel's out-of-memory killer"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
