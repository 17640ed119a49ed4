"""What released versions left on disk is opened by this one, and goes on as it would have.

tests/fixtures/releases has, for each release, the files of a gateway that was killed at work (tests/support/
release_scene.py says at what, make_release.py makes it): the ledger with its checkpoint, the journal behind it, where
the release has them the newer checkpoint in memory and the history, and the configuration;
`after.jsonl.gz` is what comes then, and `events.jsonl` what that release itself went on to say.
"""

from __future__ import annotations

import gzip
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from drivers.api import Batch
from gateway.config import Config
from gateway.config.file import load
from gateway.errors import LedgerError
from gateway.events.envelope import source_of
from gateway.floor import migrations
from gateway.floor.presence.strays import MAX_TAGS
from gateway.history.store import Store
from gateway.ledger.journal import Journal
from gateway.ledger.ledger import Ledger
from gateway.recording.read import read_items
from gateway.service.event_clock import EventClock
from gateway.service.recovery import recover
from tests.support.history_events import rows
from tests.support.release_files import laid_out
from tests.support.release_scene import BACK, at

RELEASES = sorted(Path(__file__).parents[1].joinpath("fixtures", "releases").iterdir())
MOVED = {"arrived", "moved", "departed", "not_seen", "seen_again"}


@pytest.fixture(params=RELEASES, ids=lambda release: release.name)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Release:
    return Release(request.param, tmp_path)


def moved_to(directory: Path, config: Config) -> Config:
    """The configuration, with its ledger and its journal in `directory`."""
    ledger = config.ledger.model_copy(update={"file": directory / "ledger.db"})
    journal = config.journal.model_copy(update={"directory": directory / "journal", "max_bytes": 1 << 20})
    return config.model_copy(update={"ledger": ledger, "journal": journal})


@dataclass
class Release:
    """A copy of what a release left, in `directory`."""

    source: Path
    directory: Path

    def __post_init__(self) -> None:
        laid_out(self.source, self.directory)

    @property
    def config(self) -> Config:
        return moved_to(self.directory, load(self.source / "config.yaml"))

    async def goes_on(self) -> Run:
        """This version starts on the files, is given what came then, and stops."""
        now, log = at(BACK), structlog.testing.CapturingLogger()
        clock = EventClock(lambda: now, lambda: now, lambda: now)
        config = self.config
        ledger = Ledger(
            config.ledger,
            source_of(config.site, config.gateway),
            on_commit=lambda sequence: None,
            on_dropped=lambda *dropped: False,
            on_error=lambda error: None,
            now=lambda: now,
            standby=config.journal.directory / "standby.db",
        )
        journal = Journal(config.journal)
        found = ledger.start()
        try:
            pipeline = await recover(config, found, ledger, journal, None, clock, log, MAX_TAGS)
            with gzip.open(self.source / "after.jsonl.gz") as lines:
                for item in read_items(lines):
                    now = item.arrival if isinstance(item, Batch) else item.t
                    pipeline.take(item)
            pipeline.tick()
            pipeline.checkpoint()
            await ledger.flush()
            payloads = [event.payload for event in await ledger.read(0, 10_000, 1 << 30)]
        finally:
            await ledger.close()
            journal.close()
        return Run(found.sequence, payloads, [str(call) for call in log.calls])


@dataclass
class Run:
    """All events of the ledger, `before` of them the release's own, and what was logged."""

    before: int
    payloads: list[bytes]
    log: list[str]

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(payload) for payload in self.payloads]

    @property
    def after(self) -> list[dict[str, Any]]:
        return self.events[self.before :]


def said(events: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """What events say of the world, in short: how surely and from what evidence may differ between releases."""
    keys = ("movement", "gate", "alarm", "cause", "uid", "from", "to", "zone", "population", "trigger", "dock", "state")
    return Counter((event["type"], event["subject"], *(event["data"].get(key) for key in keys)) for event in events)


def without_standing(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the tag that stands by the door, and without silence: how often the one is said, and how long is waited
    for the other, may change from one release to the next."""
    return [
        event
        for event in events
        if not str(event["data"].get("uid", "")).endswith("1F") and "silence_s" not in event["data"].get("evidence", {})
    ]


def looked_at_again(event: dict[str, Any]) -> bool:
    """Whether it says of a delivery what the rules of another release say of it, once its van is loaded."""
    return (event["data"].get("gate"), event["data"].get("why")) == ("precheck", "configuration")


async def test_it_goes_on_as_the_release_would_have(release: Release) -> None:
    run = await release.goes_on()
    wanted = [orjson.loads(line) for line in (release.source / "events.jsonl").read_bytes().splitlines()]
    assert len(wanted) > 20
    after = [event for event in run.after if not looked_at_again(event)]
    assert said(without_standing(after)) == said(without_standing(wanted))
    assert [event["sequence"] for event in run.events] == list(range(1, len(run.events) + 1))
    (verdict,) = [event["data"] for event in run.after if event["data"].get("gate") == "verdict"]
    (theirs,) = [event["data"] for event in wanted if event["data"].get("gate") == "verdict"]
    for name in ("matched", "missing", "extra", "blocked"):
        assert [item["uid"] for item in verdict[name]] == [item["uid"] for item in theirs[name]], name
    assert not [line for line in run.log if "error" in line]


async def test_what_was_said_behind_the_checkpoint_is_not_said_again(release: Release) -> None:
    run = await release.goes_on()
    known = said(run.events[: run.before])
    arrivals = {what: number for what, number in said(run.after).items() if what[2] == "arrived"}
    assert arrivals
    assert not [what for what in arrivals if what in known]
    assert len({event["id"] for event in run.events}) == len(run.events)


async def test_its_history_goes_on_and_is_what_one_made_anew_would_be(release: Release) -> None:
    run = await release.goes_on()
    left, anew = release.directory / "ledger-history.db", release.directory / "anew.db"
    epoch = run.events[0]["epoch"]
    for path in (left, anew):
        with closing(Store(path)) as store:
            known = store.sequence(epoch)
            assert (known > 0) == (path == left and (release.source / "ledger-history.db.gz").exists())
            store.take(epoch, list(enumerate(run.payloads[known:], known + 1)))
    assert rows(left) == rows(anew)


async def test_without_its_journal_the_loss_is_stated(release: Release) -> None:
    shutil.rmtree(release.directory / "journal")
    run = await release.goes_on()
    assert "journal-lost" in [event["data"].get("cause") for event in run.after]
    assert "verdict" in [event["data"].get("gate") for event in run.after]


@pytest.mark.slow
@pytest.mark.parametrize("section", migrations.STEPS)
async def test_a_section_that_cannot_be_migrated_is_built_from_the_events(
    release: Release, section: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if this version could read nothing of it: the gateway runs, and says what it does not know any more."""
    monkeypatch.setitem(migrations.STEPS, section, (*migrations.STEPS[section], migrations.rebuild))
    run = await release.goes_on()
    (stated,) = [event["data"] for event in run.after if event["data"].get("cause") == "state-rebuilt"]
    assert stated["rebuilt"] == (list(migrations.STEPS) if section == "time" else [section])
    assert [line for line in run.log if "built again" in line]
    before = {event["data"]["uid"] for event in run.events[: run.before] if event["data"].get("movement") == "arrived"}
    again = {event["data"]["uid"] for event in run.after if event["data"].get("movement") == "arrived"}
    assert not before & again, "a tag that has arrived does not arrive again"
    assert "seen_again" in [event["data"].get("movement") for event in run.after]
    assert "verdict" in [event["data"].get("gate") for event in run.after]
    assert [event["data"]["population"] for event in run.after if event["type"] == "rfid.count.v1"][-1] == 9


async def test_a_downgrade_says_what_to_do(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setitem(migrations.STEPS, "portals", (*migrations.STEPS["portals"], lambda content: content))
        await release.goes_on()
    with pytest.raises(LedgerError, match=r"section 'portals' was written by release .* install that release again"):
        await release.goes_on()
