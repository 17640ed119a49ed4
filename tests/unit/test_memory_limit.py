"""The memory limit as the kernel's control groups say it, and the unit's own against the sum of the bounds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.floor.presence.strays import MAX_TAGS
from gateway.service.memory import FEWEST_TAGS, available, limit, needed, room, worry
from tests.support.floor_scene import config

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "rfid-gateway.service"


def machine(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for name, content in {"proc/self/cgroup": cgroup, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


V2 = "0::/system.slice/rfid-gateway.service\n"


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        (V2, {"sys/fs/cgroup/system.slice/rfid-gateway.service/memory.max": "1000000\n"}, 1_000_000),
        (V2, {"sys/fs/cgroup/system.slice/rfid-gateway.service/memory.max": "max\n"}, None),
        (V2, {"sys/fs/cgroup/system.slice/memory.max": "5000\n"}, 5_000),
        ("4:memory,cpu:/a\n", {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "77\n"}, 77),
        ("4:memory:/a\n", {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("", {}, None),
    ],
)
def test_the_limit_is_read(tmp_path, cgroup, files, expected):
    assert limit(machine(tmp_path, cgroup, files)) == expected


def test_without_a_limit_it_is_what_the_machine_has(tmp_path):
    root = machine(tmp_path, V2, {"proc/meminfo": "MemTotal:  500000 kB\nMemFree: 1 kB\n"})
    assert available(root) == 500_000 << 10
    machine(root, V2, {"sys/fs/cgroup/system.slice/memory.max": str(100 << 20)})
    assert available(root) == 100 << 20


@pytest.mark.parametrize(("megabytes", "tags"), [(64, FEWEST_TAGS), (700, 484_000), (1024, MAX_TAGS)])
def test_there_is_room_for_what_the_other_bounds_leave(tmp_path, megabytes, tags):
    root = machine(tmp_path, V2, {"sys/fs/cgroup/system.slice/memory.max": str(megabytes << 20)})
    assert room(config(), root) == pytest.approx(tags, rel=0.05)
    if tags > FEWEST_TAGS:
        assert needed(config(), room(config(), root)) <= megabytes << 20
    assert bool(worry(config(), root)) == (tags < MAX_TAGS)


def test_less_than_the_bounds_add_up_to_is_said(tmp_path):
    root = machine(tmp_path, V2, {"sys/fs/cgroup/system.slice/memory.max": str(512 << 20)})
    assert "the 512 MB of memory are less" in worry(config(), root)
    assert not worry(config(), tmp_path / "nothing")


def test_the_unit_allows_what_the_bounds_add_up_to():
    allowed = dict(re.findall(r"^(Memory\w+)=(\d+)", UNIT.read_text(), re.MULTILINE))
    assert int(allowed["MemoryMax"]) << 30 > needed(config())
    assert int(allowed["MemoryHigh"]) << 20 > needed(config())
