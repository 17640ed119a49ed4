"""What memory the gateway may take, what its bounds add up to, and for how many tags there is room.

The bounds are those of docs/reliability.md. The limit is the control group's (``MemoryMax=`` of the unit), or where
there is none what the machine has. Where it is less than the bounds add up to, the tags are what gives way.
"""

from __future__ import annotations

from pathlib import Path

from gateway.config import Config
from gateway.floor.presence.strays import MAX_TAGS

TAG = 450 + 80
"""Bytes of a tag at the peak of a start with the largest state, and packed in the standby: see ``make torture``."""

WINDOW = 200
"""Bytes of an open cell of `floor.max_windows`."""

FIXED = (110 + 40 + 50 + 12 + 20) << 20
"""Bytes: programs and libraries; facts on their way to disk, lines to the recording, events to the broker, some more of
facts that are packed."""

FEWEST_TAGS = 20_000
"""Tags for which there is always room: a site without any cannot be watched."""

_UNLIMITED = 1 << 60


def needed(config: Config, tags: int = MAX_TAGS) -> int:
    """Bytes to which all bounds add up with so many tags. The journal's ring lies in memory and may double."""
    return FIXED + config.floor.max_windows * WINDOW + 2 * config.journal.max_bytes + tags * TAG


def room(config: Config, root: Path = Path("/")) -> int:
    """The number of tags for which there is memory: `MAX_TAGS`, or what the other bounds leave."""
    allowed = available(root)
    if allowed is None:
        return MAX_TAGS
    return max(FEWEST_TAGS, min(MAX_TAGS, (allowed - needed(config, tags=0)) // TAG))


def available(root: Path = Path("/")) -> int | None:
    """Bytes that this process may take: its control group's limit, or all that the machine has; None where neither is
    known."""
    found = [number for number in (limit(root), _physical(root)) if number is not None]
    return min(found, default=None)


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


def worry(config: Config, root: Path = Path("/")) -> str:
    """What is wrong with the limit, in words for the operator; empty where it suffices."""
    allowed = available(root)
    if allowed is None or allowed >= needed(config):
        return ""
    return (
        f"the {allowed >> 20} MB of memory are less than the gateway's bounds add up to ({needed(config) >> 20} MB): "
        f"there is room for {room(config, root):,} tags instead of {MAX_TAGS:,}; raise MemoryMax, or lower "
        f"floor.max_windows and journal.max_bytes"
    )


def _physical(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) << 10
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
