"""A watched folder: what is put down there is taken once, and what is refused says why beside it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog import get_logger
from structlog.testing import capture_logs

from gateway.errors import Refused
from gateway.sources import watched_folder
from gateway.sources.watched_folder import Contents, Purpose, WatchedFile, WatchedFolder
from tests.support.claims import some

AT = 1_700_000_000


@dataclass
class Settings:
    directory: Path
    settle: float = 2.0
    poll: float = 0.05
    max_bytes: int = 2_000


def read(file: WatchedFile, content: bytes) -> Contents:
    """The commands are the lines of the file."""
    lines = content.decode("ascii", errors="surrogateescape").split()
    if "fault" in lines:
        lines.append(str(1 / 0))
    if not lines or "bad" in lines:
        raise Refused(f"{file.stem}: bad {lines}")
    return Contents([("note", {"text": line, "modified": file.modified}) for line in lines], {"lines": len(lines)})


NOTES = Purpose(one="notes", many="notes", section="notes.folder", endings=(".csv", ".txt"), keep=3, read=read)
STRICT = replace(
    NOTES,
    foreign="neither .csv nor .txt",
    refusal=lambda file, reason: ("refused", {"name": file.shown, "reason": reason}),
)


class Site:
    """A folder, what was submitted from it, and a clock of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 0.0
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.refuse = ""
        self.on_submit = lambda: None
        self.came = asyncio.Event()
        self.start()

    def start(self, purpose: Purpose = NOTES) -> None:
        self.folder = WatchedFolder(Settings(self.directory), purpose, self.submit, get_logger(), lambda: self.now)

    async def submit(self, name: str, args: dict[str, Any]) -> None:
        self.on_submit()
        if self.refuse:
            raise Refused(self.refuse)
        self.commands.append((name, args))
        self.came.set()

    def put(self, name: str, content: str | bytes, modified: float = AT) -> Path:
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (modified, modified))
        return path

    async def looks(self, rounds: int = 2) -> None:
        """Rounds of which each finds settled what the one before it saw first."""
        for _ in range(rounds):
            await self.folder.look()
            self.now += 2.5

    def texts(self) -> list[str]:
        return [args["text"] for name, args in self.commands if name == "note"]

    def files(self, below: str = ".") -> list[str]:
        return sorted(path.name for path in (self.directory / below).iterdir())

    def report(self, name: str) -> str:
        return (self.directory / f"{name}.refused.txt").read_text()


@pytest.fixture
def logs():
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def site(tmp_path, logs):
    return Site(tmp_path)


def events(logs: list[Any], level: str) -> list[str]:
    return [line["event"] for line in logs if line["log_level"] == level]


# ---- what is taken


async def test_a_file_is_taken_once_and_put_away(site, logs):
    site.put("a.csv", "one two")
    await site.looks(4)
    assert site.commands == [("note", {"text": text, "modified": AT * 1_000_000}) for text in ("one", "two")]
    assert site.files() == ["done"]
    assert site.files("done") == [f"a.{AT}000000000.csv"]
    assert logs == [{"event": "a file with notes was taken", "log_level": "info", "file": "a.csv", "lines": 2}]


async def test_a_file_that_is_still_being_written_waits(site):
    site.put("a.csv", "on")
    await site.folder.look()
    site.now += 1.9
    site.put("a.csv", "one", AT + 1)
    await site.folder.look()
    site.now += 1.9
    await site.folder.look()
    assert site.commands == []
    site.now += 0.2
    await site.folder.look()
    assert site.texts() == ["one"]


async def test_files_are_taken_in_the_order_in_which_they_were_written(site):
    site.put("a.csv", "newer", AT + 90)
    site.put("b.csv", "older", AT + 50)
    await site.looks()
    assert site.texts() == ["older", "newer"]


async def test_a_file_replaced_before_it_is_read_waits_for_its_own_turn(site, monkeypatch):
    site.put("a.csv", "one")
    await site.folder.look()
    site.now = 5.0
    scan = site.folder._scan

    def scan_then_replace():
        found = scan()
        site.put("a.csv", "two", AT + 1)
        return found

    monkeypatch.setattr(site.folder, "_scan", scan_then_replace)
    await site.folder.look()
    assert site.commands == []
    monkeypatch.undo()
    await site.looks()
    assert site.texts() == ["two"]


async def test_a_file_that_grows_while_it_is_read_waits_for_its_own_turn(site, monkeypatch):
    path = site.put("a.csv", "one")
    await site.folder.look()
    site.now = 5.0
    fstat = os.fstat

    def fstat_then_grow(number):
        status = fstat(number)
        path.write_text("one two")
        return status

    monkeypatch.setattr(os, "fstat", fstat_then_grow)
    await site.folder.look()
    assert site.commands == []
    monkeypatch.undo()
    await site.looks()
    assert site.texts() == ["one", "two"]


async def test_a_file_replaced_while_it_is_submitted_is_not_put_away_unread(site):
    site.put("a.csv", "one")
    await site.folder.look()
    site.now = 5.0
    site.on_submit = lambda: site.put("a.csv", "three", AT + 1)
    await site.folder.look()
    assert site.files() == ["a.csv"]
    site.on_submit = lambda: None
    await site.looks()
    assert site.texts() == ["one", "three"]
    assert site.files() == ["done"]


async def test_a_file_that_is_gone_before_it_is_put_away_is_no_error(site, logs):
    site.put("a.csv", "one").rename(site.directory / "b.csv")
    await site.folder.look()
    site.now = 5.0
    site.on_submit = (site.directory / "b.csv").unlink
    await site.folder.look()
    assert site.texts() == ["one"]
    assert events(logs, "error") == []


async def test_hidden_files_drafts_and_folders_are_left_alone(site, logs):
    site.start(STRICT)
    for name in (".a.csv", "~$a.csv", "a.csv.tmp", "a.csv.part", "a.csv~", "x.refused.txt"):
        site.put(name, "one")
    (site.directory / "folder.csv").mkdir()
    before = site.files()
    await site.looks(3)
    assert (site.commands, site.files(), logs) == ([], before, [])


@pytest.mark.parametrize(("purpose", "reports"), [(NOTES, []), (STRICT, ["a.doc.refused.txt", "csv.refused.txt"])])
async def test_other_kinds_of_files_are_left_alone_or_refused(site, purpose, reports):
    site.start(purpose)
    site.put("a.doc", "x" * 9_000)
    site.put("csv", "one")
    site.put("B.CSV", "two")
    await site.looks(3)
    assert site.texts() == ["two"]
    assert [name for name in site.files() if name.endswith(".refused.txt")] == reports
    assert all("neither .csv nor .txt" in (site.directory / name).read_text() for name in reports)


async def test_no_more_files_than_a_round_can_take_are_looked_at(site, monkeypatch):
    monkeypatch.setattr(watched_folder, "MAX_FILES", 2)
    for number in range(3):
        site.put(f"{number}.csv", str(number))
    await site.looks()
    assert len(site.texts()) == 2
    await site.looks()
    assert sorted(site.texts()) == ["0", "1", "2"]


# ---- what is refused


async def test_whatever_a_file_does_to_us_the_next_one_is_taken(site, logs):
    site.put("a.csv", "fault")
    site.put("b.csv", "one")
    await site.looks()
    assert site.texts() == ["one"]
    assert "a fault in the gateway (ZeroDivisionError)" in site.report("a.csv")
    assert "a file could not be taken; this is a fault in the gateway" in events(logs, "error")


@pytest.mark.parametrize("modified", [-1.0, 3e11])
async def test_a_file_of_a_time_that_is_none_is_refused(site, modified):
    path = site.put("a.csv", "one", modified)
    if path.stat().st_mtime != modified:
        pytest.skip("this file system has no such time")
    await site.looks()
    assert site.texts() == []
    assert "set the clock there" in site.report("a.csv")


async def test_a_refused_file_stays_and_is_tried_again_when_it_has_changed(site, logs):
    site.put("a.csv", "bad")
    await site.looks(4)
    assert site.commands == []
    assert site.report("a.csv").splitlines()[1:] == [
        "a: bad ['bad']",
        "Correct the file; it is tried again when it has changed.",
    ]
    site.start()  # after a restart the report still speaks of this very file
    await site.looks(3)
    assert events(logs, "warning") == ["a file with notes is refused"]
    site.put("a.csv", "one", AT + 1)
    await site.looks(3)
    assert site.texts() == ["one"]
    assert site.files() == ["done"]


async def test_what_is_not_accepted_is_said_beside_the_file_too(site):
    site.refuse = "older than the one before"
    site.put("a.csv", "one")
    await site.looks(3)
    assert site.refuse in site.report("a.csv")
    assert (site.directory / "a.csv").exists()


async def test_a_refusal_is_submitted_where_that_is_wanted(site):
    site.start(STRICT)
    site.put("a.csv", "bad")
    await site.looks(4)
    assert site.commands == [("refused", {"name": "a.csv", "reason": "a: bad ['bad']"})]


async def test_links_pipes_and_big_files_are_refused(site, logs, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    secret.write_text("one")
    (site.directory / "link.csv").symlink_to(secret)
    os.mkfifo(site.directory / "pipe.csv")
    site.put("big.csv", b"x" * 2_001)
    site.put("bad\x1b[2J.csv", "bad")
    async with asyncio.timeout(20):
        await site.looks(3)
    assert site.commands == []
    assert "links are not followed" in site.report("link.csv")
    assert "not a plain file" in site.report("pipe.csv")
    assert "2001 bytes are more than notes.folder.max_bytes, 2000" in site.report("big.csv")
    assert secret.read_text() == "one"
    assert len(events(logs, "warning")) == 4
    assert all("\x1b" not in str(line.values()) for line in some(logs))


async def test_a_report_is_not_written_through_a_link(site, tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere")
    victim = outside / "victim"
    victim.write_text("precious")
    (site.directory / "a.csv.refused.txt").symlink_to(victim)
    (site.directory / "b.csv.refused.txt").symlink_to(outside / "written")
    site.put("a.csv", "bad")
    site.put("b.csv", "bad")
    await site.looks(3)
    assert victim.read_text() == "precious"
    assert not (outside / "written").exists()
    assert "bad" in site.report("a.csv")


async def test_a_reason_that_is_no_text_is_written_all_the_same(site):
    site.put("a.csv", b"bad \xff")
    site.start(replace(NOTES, read=lambda file, content: reject(content.decode("ascii", "surrogateescape"))))
    await site.looks(3)
    assert "bad \\udcff" in site.report("a.csv")


def reject(reason: str) -> Contents:
    raise Refused(reason)


# ---- what goes wrong


async def test_a_folder_that_is_not_there_is_one_line_in_the_log(site, logs):
    site.directory.rmdir()
    await site.looks(3)
    (line,) = events(logs, "error")
    assert line.startswith("the folder of notes cannot be read: ")
    assert line.endswith(": create it, or correct notes.folder")
    site.directory.mkdir()
    site.put("a.csv", "one")
    await site.looks()
    assert site.texts() == ["one"]


async def test_a_file_that_cannot_be_read_for_now_is_one_line_in_the_log_and_tried_again(site, logs, monkeypatch):
    def broken(file):
        raise OSError(5, "Input/output error")

    site.put("a.csv", "one")
    monkeypatch.setattr(site.folder, "_content", broken)
    await site.looks(4)
    (line,) = events(logs, "error")
    assert line == "a.csv in the folder of notes cannot be read: [Errno 5] Input/output error: it is tried again"
    monkeypatch.undo()
    await site.looks(1)
    assert site.texts() == ["one"]


async def test_done_may_not_lead_out_of_the_folder(site, logs, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (site.directory / "done").symlink_to(outside, target_is_directory=True)
    site.put("a.csv", "one")
    await site.looks(4)
    assert site.texts() == ["one"], "taken once"
    assert list(outside.iterdir()) == []
    assert events(logs, "error") == ["a file with notes was taken and cannot be moved to done/: move it yourself"]


async def test_done_does_not_grow_without_end(site):
    for number in range(5):
        site.put("a.csv", "one", AT + number)
        await site.looks()
    assert site.files("done") == [f"a.{AT + number}000000000.csv" for number in (2, 3, 4)]


async def test_folders_in_done_keep_no_file_from_being_put_away(site, logs):
    (site.directory / "done").mkdir()
    for year in range(3):
        folder = site.directory / "done" / f"{year}"
        folder.mkdir()
        os.utime(folder, (year, year))
    for number in range(5):
        site.put("a.csv", "one", AT + number)
        await site.looks()
    assert len(site.files("done")) == 6
    assert events(logs, "error") == []


@pytest.mark.parametrize("letter", ["a", "é", "仓", "📦"])
async def test_the_longest_name_fits_into_done(site, letter):
    size = 250 // len(letter.encode())
    site.put(letter * size + ".csv", "one")
    await site.looks(3)
    assert site.files() == ["done"]
    (name,) = site.files("done")
    assert name.startswith(letter * 30)


async def test_it_runs_until_it_is_stopped(site):
    site.folder = WatchedFolder(
        Settings(site.directory, settle=0.05), NOTES, site.submit, get_logger(), asyncio.get_running_loop().time
    )
    site.put("a.csv", "one")
    task = asyncio.create_task(site.folder.run())
    async with asyncio.timeout(10):
        await site.came.wait()
    assert site.texts() == ["one"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
