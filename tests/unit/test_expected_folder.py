"""The folder of expected sets: a CSV file that is put down there becomes `expected` of the zones that it is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.floor import Floor
from gateway.inputs import Command
from gateway.sources.expected_folder import expected_folder, zone_names
from gateway.sources.identifiers import IdentifierMap
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
        self.config = with_folder(directory, **more)
        assert self.config.expected is not None
        self.folder = expected_folder(
            self.config.expected,
            zone_names(self.config),
            self.submit,
            IdentifierMap(),
            self.log,
            lambda: self.now,
        )

    async def submit(self, name: str, args: dict[str, Any]) -> None:
        Floor(self.config).admit(Command(T0, name, args))
        self.commands.append((name, args))

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
    origin = {"source": "file vault.csv", "by": "file vault.csv"}
    args = {"zone": "vault", "uids": [A, B], "as_of": "2023-11-14T22:13:20.000000Z"} | origin
    assert bench.commands == [("expected", args)]
    assert [path.name for path in bench.directory.iterdir()] == ["done"]
    assert [path.name for path in (bench.directory / "done").iterdir()] == [f"vault.{AT}000000000.csv"]
    fields = {"file": "vault.csv", "zones": {"vault": 2}, "remark": ""}
    assert bench.log.lines == [("info", "a file with expected sets was taken", fields)]


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


async def test_what_is_no_set_is_refused_and_says_why_beside_the_file(bench):
    bench.put("vault.csv", "uid\nnonsense\n")
    bench.put("dock.txt", b"x" * ((16 << 20) + 1))
    bench.put("notes.doc", "uid\n")
    await bench.looks(4)
    assert bench.commands == []
    assert "line 2: 'nonsense' is no EPC" in bench.report("vault.csv")
    assert "more than expected.max_bytes, 16777216" in bench.report("dock.txt")
    assert not (bench.directory / "notes.doc.refused.txt").exists()
    assert [line[:2] for line in bench.log.lines] == [("warning", "a file with expected sets is refused")] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": {"plan": [{"zone": "vault", "every": "0d"}]}}, "every"),
        ({"counts": {"plan": [{"zone": "vault", "every": "5h"}]}}, "every"),
        ({"counts": {"plan": [{"zone": "vault", "at": "24:00"}]}}, "at"),
        ({"counts": {"plan": [{"zone": "vault", "first": "2026-02-30"}]}}, "2026-02-30 is not a day"),
        ({"counts": {"time_zone": "Mars/Olympus"}}, "there is no time zone `Mars/Olympus`"),
        ({"counts": {"plan": [{"zone": "vault"}, {"zone": "vault"}]}}, "the zone vault is planned twice"),
        ({"expected": {"directory": "/x", "columns": {"uid": ""}}}, "uid"),
    ],
)
def test_configurations_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)
