"""The folder of expected sets: what is put down there is taken once, and what is refused says why beside it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from gateway import expected
from gateway.config import Config
from gateway.errors import Refused
from gateway.expected import ExpectedFolder, zone_names
from gateway.floor import Floor
from gateway.inputs import Command
from gateway.manifests.identifiers import IdentifierMap
from tests.support.floor_scene import T0, config

A, B = "1A4060300048D3D000000001", "1A4060300048D3D000000002"
AT = 1_700_000_000


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.lines.append((level, event, fields))


class Bench:
    """A folder with a clock of its own."""

    def __init__(self, directory: Path, **more: Any) -> None:
        self.directory = directory
        self.now = 0.0
        self.log = Log()
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.refusal = ""
        self.came = asyncio.Event()
        self.config = with_folder(directory, **more)
        self.start()

    def start(self) -> None:
        assert self.config.expected is not None
        self.folder = ExpectedFolder(
            self.config.expected,
            zone_names(self.config),
            self.submit,
            IdentifierMap(),
            self.log,
            lambda: self.now,
        )

    async def submit(self, name: str, args: dict[str, Any]) -> None:
        if self.refusal:
            raise Refused(self.refusal)
        Floor(self.config).admit(Command(T0, name, args))
        self.commands.append((name, args))
        self.came.set()

    def put(self, name: str, content: str | bytes, modified: float = AT) -> Path:
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (modified, modified))
        return path

    async def looks(self, number: int = 2) -> None:
        for _ in range(number):
            await self.folder.look()
            self.now += 2.5

    def report(self, name: str) -> str:
        return (self.directory / f"{name}.refused.txt").read_text()


def with_folder(directory: Path, **more: Any) -> Config:
    zones = [{"id": "vault", "name": "The Vault"}, {"id": "dock"}]
    return config(zones=zones, expected={"directory": str(directory)} | more)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


async def test_a_file_is_taken_and_put_away(bench):
    bench.put("vault.csv", f"uid\n{B}\n{A}\n")
    await bench.looks(3)
    args = {"zone": "vault", "uids": [A, B], "as_of": "2023-11-14T22:13:20.000000Z", "source": "file vault.csv"}
    assert bench.commands == [("expected", args)]
    assert [path.name for path in bench.directory.iterdir()] == ["done"]
    assert [path.name for path in (bench.directory / "done").iterdir()] == [f"vault.{AT}000000000.csv"]
    assert bench.log.lines[-1][0] == "info"


async def test_a_file_that_is_still_being_written_waits(bench):
    bench.put("vault.csv", "uid\n")
    await bench.folder.look()
    bench.now += 1.9
    bench.put("vault.csv", f"uid\n{A}\n", AT + 1)
    await bench.folder.look()
    bench.now += 1.9
    await bench.folder.look()
    assert bench.commands == []
    bench.now += 0.2
    await bench.folder.look()
    assert [args["uids"] for _, args in bench.commands] == [[A]]


async def test_zones_by_column_name_and_mapping(tmp_path):
    bench = Bench(tmp_path, columns={"uid": "Tag", "zone": "Place"}, zones={"Bay 1": "dock"})
    bench.put("stock.csv", f"Tag;Place\n{A};the vault\n{B};BAY 1\n{B};nowhere\n")
    await bench.looks()
    assert [(args["zone"], args["uids"]) for _, args in bench.commands] == [("dock", [B]), ("vault", [A])]
    assert bench.log.lines[-1][2]["remark"] == "1 lines left out, of places that are no zone: 'nowhere'"


async def test_the_newer_of_two_files_comes_last(bench):
    bench.put("VAULT.csv", f"uid\n{B}\n", AT + 50)
    bench.put("vault.csv", f"uid\n{A}\n", AT + 90)
    await bench.looks()
    assert [args["uids"] for _, args in bench.commands] == [[B], [A]]


async def test_a_refused_file_stays_and_is_tried_again_when_it_has_changed(bench):
    bench.put("vault.csv", "uid\nnonsense\n")
    await bench.looks(4)
    assert bench.commands == []
    assert "line 2: 'nonsense' is no EPC" in bench.report("vault.csv")
    assert sum(level == "warning" for level, _, _ in bench.log.lines) == 1
    bench.start()  # after a restart the report still speaks of this very file
    await bench.looks(3)
    assert sum(level == "warning" for level, _, _ in bench.log.lines) == 1
    bench.put("vault.csv", f"uid\n{A}\n", AT + 1)
    await bench.looks(3)
    assert [args["uids"] for _, args in bench.commands] == [[A]]
    assert [path.name for path in bench.directory.iterdir()] == ["done"]


async def test_what_the_floor_refuses_is_said_beside_the_file_too(bench):
    bench.refusal = "expected: the set is older than the one that vault has"
    bench.put("vault.csv", f"uid\n{A}\n")
    await bench.looks(3)
    assert bench.refusal in bench.report("vault.csv")
    assert (bench.directory / "vault.csv").exists()


async def test_hostile_entries_change_nothing(bench, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    secret.write_text(f"uid\n{A}\n")
    (bench.directory / "link.csv").symlink_to(secret)
    os.mkfifo(bench.directory / "pipe.csv")
    (bench.directory / "folder.csv").mkdir()
    bench.put("big.csv", b"x" * (17 << 20))
    bench.put("vault\x1b[2J.csv", f"uid\n{A}\n")
    bench.put("notes.doc", "uid\n")
    bench.put(".hidden.csv", f"uid\n{A}\n")
    async with asyncio.timeout(20):
        await bench.looks(3)
    assert bench.commands == []
    assert "links are not followed" in bench.report("link.csv")
    assert "not a plain file" in bench.report("pipe.csv")
    assert not (bench.directory / "folder.csv.refused.txt").exists()
    assert "more than expected.max_bytes, 16777216" in bench.report("big.csv")
    assert secret.exists()
    assert not (bench.directory / "notes.doc.refused.txt").exists()
    assert all("\x1b" not in str(line) for line in bench.log.lines)


async def test_a_report_is_not_written_through_a_link(bench, tmp_path_factory):
    victim = tmp_path_factory.mktemp("elsewhere") / "victim"
    victim.write_text("precious")
    (bench.directory / "vault.csv.refused.txt").symlink_to(victim)
    bench.put("vault.csv", "nonsense\n")
    await bench.looks(3)
    assert victim.read_text() == "precious"
    assert "no column 'uid'" in bench.report("vault.csv")


async def test_a_folder_that_is_not_there_is_one_line_in_the_log(bench):
    directory = bench.directory
    directory.rmdir()
    await bench.looks(3)
    assert [line[0] for line in bench.log.lines] == ["error"]
    assert "create it, or correct expected" in bench.log.lines[0][1]
    directory.mkdir()
    bench.put("vault.csv", f"uid\n{A}\n")
    await bench.looks()
    assert len(bench.commands) == 1


async def test_done_does_not_grow_without_end(bench, monkeypatch):
    monkeypatch.setattr(expected, "MAX_DONE", 2)
    for number in range(4):
        bench.put("vault.csv", f"uid\n{A}\n", AT + number)
        await bench.looks()
    kept = sorted(path.name for path in (bench.directory / "done").iterdir())
    assert kept == [f"vault.{AT + number}000000000.csv" for number in (2, 3)]


async def test_it_runs_until_it_is_stopped(tmp_path):
    bench = Bench(tmp_path, settle=0.05, poll=0.05)
    bench.folder = ExpectedFolder(
        bench.config.expected,
        zone_names(bench.config),
        bench.submit,
        IdentifierMap(),
        bench.log,
        asyncio.get_running_loop().time,
    )
    bench.put("vault.csv", f"uid\n{A}\n")
    task = asyncio.create_task(bench.folder.run())
    async with asyncio.timeout(10):
        await bench.came.wait()
    assert len(bench.commands) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": {"plan": [{"zone": "vault", "every": "0d"}]}}, "every"),
        ({"counts": {"plan": [{"zone": "vault", "every": "5h"}]}}, "every"),
        ({"counts": {"plan": [{"zone": "vault", "at": "24:00"}]}}, "at"),
        ({"counts": {"plan": [{"zone": "vault", "first": "2026-02-30"}]}}, "2026-02-30 is not a day"),
        ({"counts": {"time_zone": "Mars/Olympus"}}, "there is no time zone 'Mars/Olympus'"),
        ({"counts": {"plan": [{"zone": "vault"}, {"zone": "vault"}]}}, "the zone vault is planned twice"),
        ({"expected": {"directory": "/x", "columns": {"uid": ""}}}, "uid"),
    ],
)
def test_configurations_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)
