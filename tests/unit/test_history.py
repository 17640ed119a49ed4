"""The history: what it answers, that portions and crashes make no difference, and what it does with what is odd."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import HistoryError, Refused
from gateway.history import schema
from gateway.history.answers import Stay, Unwatched
from gateway.history.asking import moment, read
from gateway.history.history import set_aside
from gateway.history.identify import retail_id
from gateway.history.questions import MAX_TAGS
from gateway.history.store import Store
from gateway.history.text import lines
from tests.support import history_events as make
from tests.support.history_events import EPOCH, START, History, copy, rows, sealed, uid

SECOND = 1_000_000

LIFE = [
    make.movement("arrived", 1, 0, target="vault"),
    make.movement("arrived", 2, 1, target="vault"),
    make.movement("moved", 1, 100, source="vault", target="dock"),
    make.movement("not_seen", 2, 400, source="vault"),
    make.gate_item(1, 450),
    make.passage(1, 460),
    make.movement("departed", 1, 460, source="dock"),
    make.movement("seen_again", 2, 9_000, target="vault"),
    make.count("vault", 9_100, [2, 3], [1], [3]),
    make.alarm("watch-list", "raised", 9_200, list="quarantine", uid=uid(2), zone="vault"),
    make.alarm("reader-down", "raised", 50, reader="r"),
    make.alarm("reader-down", "cleared", 70, reader="r"),
    make.loss("r", 500, 510),
]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.db")
    yield history
    history.close()


# ---- what it answers


def test_where_a_package_is_and_up_to_which_event_that_holds(history: History) -> None:
    history.take(*LIFE)
    found = history.ask().where(uid(1))
    assert (found.by, found.holds.epoch, found.holds.sequence) == ("uid", EPOCH, len(LIFE))
    [package] = found.packages
    assert package.here is not None
    assert (package.here.state, package.here.zone, package.here.before) == ("away", None, "dock")
    assert package.last_pass is not None
    assert package.last_pass.direction == "out"
    assert package.last_decision is not None
    assert package.last_decision.reasons == "hold: since this morning"
    assert package.item is not None
    assert (package.item.product, package.item.batch, package.item.source) == (
        "Blue Dream 3.5 g", "BD-0117", "manifest M-1",
    )  # fmt: skip


def test_a_package_that_fell_silent_is_unseen_in_its_zone_and_not_gone(history: History) -> None:
    history.take(*LIFE[:4])
    [package] = history.ask().where(uid(2)).packages
    assert package.here is not None
    assert (package.here.state, package.here.zone) == ("unseen", "vault")


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        (uid(1), "uid"),
        (uid(1).lower(), "uid"),
        (f"  {uid(1)[:4]} {uid(1)[4:]}\r\n", "uid"),
        (uid(1)[-6:], "last digits"),
        ("BD-0117", "batch"),
        ("bd-0117", "batch"),
        ("blue dream", "product"),
        (f"https://app.1a4.com/landingpage/{uid(1).lower()}/7", "retail id"),
    ],
)
def test_a_package_is_found_by_whatever_names_it(history: History, asked: str, by: str) -> None:
    history.take(*LIFE)
    found = history.ask().where(asked)
    assert (found.by, [package.uid for package in found.packages]) == (by, [uid(1)])


@pytest.mark.parametrize(
    "asked",
    ["no such thing", "ffff", "%", "'; DROP TABLE stay; --", "\x00", "é" * 5_000, "https://[::1", "HTTPS://1A4.COM/-1",
     "A" * 30, "https://1a4.com/" + "A" * 300, "\ud800"],
)  # fmt: skip
def test_what_names_nothing_finds_nothing(history: History, asked: str) -> None:
    history.take(*LIFE)
    if asked.isascii():
        found = history.ask().where(asked)
        assert (found.by, found.packages) == ("nothing", [])
        assert history.ask().trail(asked).uid is None


def test_an_empty_question_is_refused(history: History) -> None:
    with pytest.raises(Refused, match="give a UID"):
        history.ask().where("  ")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("HTTPS://1A4.COM/5LN8CBN1UB33DON9CHKX", ("1A4060300020081000006609", 1)),
        ("HTTPS://D.1A4.COM/10NOIEYKAJDG6CF0EXGJL", ("ABCDEF012345670000027190", 1)),
        ("https://d.1a4.com/q83vASNFZwAAAnGQ5QM", ("ABCDEF012345670000027190", 485)),
        ("https://1a4.com.evil.example/q83vASNFZwAAAnGQ5QM", None),
        ("HTTPS://1A4.COM/5LN8", None),
        ("https://1a4.com/", None),
    ],
)
def test_a_retail_id_names_its_package(code: str, expected: tuple[str, int] | None) -> None:
    """The first three are the examples of the SDK that Metrc publishes for the codes."""
    assert retail_id(code) == expected


def test_a_trail_is_everything_about_a_tag_in_order_with_its_gaps(history: History) -> None:
    history.take(*LIFE)
    trail = history.ask().trail(uid(1))
    kinds = [
        (entry.entry, entry.movement if isinstance(entry, Stay) else entry.what if isinstance(entry, Unwatched) else "")
        for entry in trail.entries
    ]
    assert kinds == [
        ("stay", "arrived"), ("unwatched", "reader-down r"), ("stay", "moved"), ("gate", ""), ("pass", ""),
        ("stay", "departed"), ("unwatched", "reads of r lost"), ("count", ""),
    ]  # fmt: skip
    first = trail.entries[0]
    assert isinstance(first, Stay)
    assert (first.since, first.until) == (START, START + 100 * SECOND)
    assert (first.evidence.antennas, first.evidence.reads, first.event.sequence) == (["r/1"], 12, 1)


def test_what_is_overtaken_stands_before_what_overtook_it(history: History) -> None:
    """Not seen on its shelf at 410, when the portal's word of a pass at 400 was still to come."""
    history.take(
        make.movement("arrived", 1, 0, target="vault"),
        make.movement("not_seen", 1, 410, source="vault"),
        make.movement("departed", 1, 400, source="vault"),
    )
    stays = [entry for entry in history.ask().trail(uid(1)).entries if isinstance(entry, Stay)]
    assert [(stay.movement, stay.overtaken) for stay in stays] == [
        ("arrived", False), ("not_seen", True), ("departed", False),
    ]  # fmt: skip
    assert history.ask().zone("vault", START + 411 * SECOND).tags == []


def test_a_long_trail_is_given_from_its_end_and_goes_on(history: History) -> None:
    history.take(
        *(
            make.movement("moved", 1, second, source="dock", target="vault" if second % 2 else "dock")
            for second in range(1_200)
        )
    )
    seen: list[int] = []
    before = None
    while True:
        trail = history.ask().trail(uid(1), before)
        seen = [entry.event.sequence for entry in trail.entries if isinstance(entry, Stay)] + seen
        if not trail.more:
            break
        assert isinstance(trail.entries[0], Stay)
        before = trail.entries[0].since
    assert seen == list(range(1, 1_201))


def test_who_was_in_a_zone_at_a_time(history: History) -> None:
    history.take(*LIFE)
    then = history.ask().zone("vault", START + 60 * SECOND)
    assert ([tag.uid for tag in then.tags], then.present, then.unseen) == ([uid(1), uid(2)], 2, 0)
    assert [gap.what for gap in then.unwatched] == ["reader-down r"]
    later = history.ask().zone("vault", START + 500 * SECOND)
    assert ([tag.uid for tag in later.tags], later.present, later.unseen) == ([uid(2)], 0, 1)
    assert history.ask().zone("vault", START - SECOND).tags == []


def test_a_zone_was_not_watched_though_nobody_was_ever_seen_in_it(history: History) -> None:
    history.take(
        make.alarm("reader-down", "raised", 50, reader="far", places=["cage", "cage-door"]),
        make.alarm("reader-down", "cleared", 70, reader="far", places=["cage", "cage-door"]),
    )
    asked = history.ask()
    assert [gap.what for gap in asked.zone("cage", START + 60 * SECOND).unwatched] == ["reader-down far"]
    assert asked.zone("vault", START + 60 * SECOND).unwatched == []


def test_a_full_zone_is_given_in_parts(history: History) -> None:
    number = MAX_TAGS + 3
    history.take(*(make.movement("arrived", tag, 0, target="vault") for tag in range(number)))
    first = history.ask().zone("vault", START + SECOND)
    assert (len(first.tags), first.present, first.more) == (MAX_TAGS, number, True)
    rest = history.ask().zone("vault", START + SECOND, after=first.tags[-1].uid)
    assert (len(rest.tags), rest.more) == (3, False)


def test_a_batch_for_a_recall(history: History) -> None:
    history.take(*LIFE, make.gate_item(7, 9_300))
    batch = history.ask().batch("bd-0117")
    assert batch.zones == {"away": 1, "never seen": 1}
    assert [package.uid for package in batch.packages] == [uid(1), uid(7)]


def test_the_life_of_an_alarm(history: History) -> None:
    name: dict[str, Any] = {"list": "quarantine", "uid": uid(5), "zone": "dock"}
    history.take(
        make.alarm("watch-list", "raised", 1, **name),
        make.alarm("watch-list", "raised", 60, **name),
        make.alarm("watch-list", "acknowledged", 90, **name, by="Dana"),
    )
    answer = history.ask().alarms()
    [alarm] = answer.alarms
    assert (answer.open, alarm.state, alarm.repeats, alarm.acknowledged_by) == (1, "acknowledged", 1, "Dana")
    history.take(make.alarm("watch-list", "cleared", 120, **name), make.alarm("watch-list", "raised", 500, **name))
    assert [alarm.state for alarm in history.ask().alarms(open_only=False).alarms] == ["raised", "cleared"]
    assert history.ask().alarms().open == 1


def test_what_a_count_said_of_each_tag(history: History) -> None:
    history.take(*LIFE)
    counts = history.ask().counts("vault")
    [counted] = counts.counts
    assert (counted.request, counted.found, counted.missing, counted.extra) == ("shelf-3", 1, 1, 1)
    assert [(line.said, line.uid, line.product) for line in counts.lines] == [
        ("extra", uid(3), None), ("missing", uid(1), "Blue Dream 3.5 g"), ("present", uid(2), None),
        ("present", uid(3), None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-14T09:00:00", "9" * 60, "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-14:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not a time"):
        moment(text)


@pytest.mark.parametrize("at", [-1, True, 10**30, 1 << 62, 1.5])
def test_a_number_that_is_no_time_is_refused(at: object) -> None:
    with pytest.raises(Refused, match="is not a time"):
        read("zone", {"zone": "vault", "at": at})


# ---- equal events, equal rows

_ZONES = ("vault", "dock", "cage")


@st.composite
def _lives(draw: st.DrawFn) -> list[Any]:
    """Movements of a few tags, with times that now and then go back."""
    facts = []
    second = 0.0
    for _ in range(draw(st.integers(1, 40))):
        second += draw(st.sampled_from((0.0, 1.0, 59.0, 600.0, 90_000.0, 3_000_000.0, -5.0)))
        kind = draw(st.sampled_from(("arrived", "moved", "not_seen", "departed", "seen_again")))
        zone = draw(st.sampled_from(_ZONES))
        leaving = kind in ("not_seen", "departed")
        facts.append(
            make.movement(
                kind, draw(st.integers(1, 3)), second, source=zone if leaving else None,
                target=None if leaving else zone,
            )
        )  # fmt: skip
    return facts


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=_lives(), portion=st.integers(1, 7), at=st.integers(0, 40), data=st.data())
@pytest.mark.slow
def test_portions_make_no_difference_and_zones_are_those_of_a_plain_look(
    tmp_path_factory: pytest.TempPathFactory, facts: list[Any], portion: int, at: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("history")
    whole, parts = History(folder / "whole.db"), History(folder / "parts.db")
    whole.take(*facts)
    parts.take(*facts, portion=portion)
    assert rows(whole.path) == rows(parts.path)

    t = facts[at % len(facts)].time + data.draw(st.sampled_from((-1, 0, 1, 60 * SECOND)))
    for zone in _ZONES:
        seen = {tag.uid for tag in whole.ask().zone(zone, t).tags}
        assert seen == _plainly(facts, zone, t)
    whole.close()
    parts.close()


def _plainly(facts: list[Any], zone: str, t: int) -> set[str]:
    """Who is in `zone` at `t`: every statement about a tag holds from its time to that of the next one."""
    found = set()
    for tag in {fact.data["uid"] for fact in facts}:
        own = [fact for fact in facts if fact.data["uid"] == tag]
        ends = [fact.time for fact in own[1:]] + [1 << 62]
        for fact, end in zip(own, ends, strict=True):
            place = fact.data["from"] if fact.data["movement"] == "not_seen" else fact.data["to"]
            if place == zone and fact.time <= t < end:
                found.add(tag)
    return found


def test_a_killed_history_goes_on_to_be_the_same(tmp_path: Path) -> None:
    """At every moment the file is copied as a kill would leave it, opened, and given the rest."""
    events = sealed(LIFE)
    whole = History(tmp_path / "whole.db")
    whole.take_raw(events)
    going = Store(tmp_path / "going.db")
    for cut in range(len(events)):
        going.take(EPOCH, events[cut : cut + 1])
        left = tmp_path / f"left-{cut}.db"
        copy(tmp_path / "going.db", left)
        again = Store(left)
        assert again.sequence(EPOCH) == cut + 1
        again.take(EPOCH, events[cut + 1 :])
        again.close()
        assert rows(left) == rows(whole.path)
    going.close()
    whole.close()


def test_only_what_is_said_of_alarms_and_losses_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path / "history.db")
    facts = [
        make.movement("arrived", 1, 0, target="vault"),
        make.alarm("reader-down", "raised", 10, reader="r1"),
        make.movement("moved", 1, 20, source="vault", target="dock"),
        make.loss("r1", 10, 30),
    ]
    noticed = []
    for event in sealed(facts):
        store.take(EPOCH, [event])
        noticed.append(store.noticed)
    store.close()
    assert noticed == [0, 2, 2, 4]


def test_a_new_epoch_is_numbered_behind_the_old(history: History) -> None:
    history.take(make.movement("arrived", 1, 0, target="vault"))
    history.take_raw(sealed([make.movement("moved", 1, 50, source="vault", target="dock")], 1, "second"), "second")
    answer = history.ask().where(uid(1))
    assert (answer.holds.epoch, answer.holds.sequence) == ("second", 1)
    trail = history.ask().trail(uid(1))
    assert [entry.event.epoch for entry in trail.entries if isinstance(entry, Stay)] == [EPOCH, "second"]


@pytest.mark.parametrize("portion", [1, 3, 1_000])
def test_what_a_new_epoch_repeats_is_there_once(tmp_path: Path, portion: int) -> None:
    """A ledger that was put back goes on with what it had not delivered: the history knew it, by the old numbers."""
    new = [make.movement("moved", 2, 9_500, source="vault", target="dock"), make.loss("r", 9_500, 9_600)]
    once, twice = tmp_path / "once.db", tmp_path / "twice.db"
    store = Store(once)
    store.take(EPOCH, sealed(LIFE))
    store.take("second", sealed(new, len(LIFE) - 3, "second"))
    store.close()
    store = Store(twice)
    store.take(EPOCH, sealed(LIFE))
    again = sealed([*LIFE[4:], *new], 1, "second")
    for start in range(0, len(again), portion):
        store.take("second", again[start : start + portion])
        store.close()
        store = Store(twice)
    store.close()
    found, wanted = rows(twice), rows(once)
    assert found["gap"] == []
    for it in (found, wanted):
        del it["gap"]
        it["item"] = [row[:-1] for row in it["item"]]
    numbers = {row[1]: row[0] for row in wanted["epoch"]}
    assert set(numbers) == {EPOCH, "second"}
    assert {table: len(them) for table, them in found.items()} == {table: len(them) for table, them in wanted.items()}
    assert _without_numbers(found) == _without_numbers(wanted)


def _without_numbers(found: dict[str, list[Any]]) -> list[str]:
    """The rows of all tables, without the numbers that events of the second epoch have."""
    second = range(2 * schema.EPOCH_SPAN, 3 * schema.EPOCH_SPAN)
    return [
        repr([0 if isinstance(value, int) and value in second else value for value in row])
        for them in found.values()
        for row in them
    ]


# ---- what is odd


def test_events_that_it_was_never_given_are_a_gap(history: History) -> None:
    events = sealed([make.movement("arrived", tag, tag, target="vault") for tag in range(1, 11)])
    history.take_raw([*events[2:4], *events[6:]])
    gaps = history.ask().where(uid(5)).holds.gaps
    assert [(gap.first, gap.last) for gap in gaps] == [(5, 6), (1, 2)]


def test_an_event_that_cannot_be_understood_holds_up_no_other(history: History) -> None:
    good = sealed([make.movement("arrived", tag, tag, target="vault") for tag in range(1, 8)])
    odd = orjson.loads(good[0][1])
    bad: list[Any] = [
        b"not JSON",
        orjson.dumps(odd | {"data": None}),
        orjson.dumps(odd | {"data": odd["data"] | {"confidence": "high"}}),  # what the table does not take
        orjson.dumps(odd | {"data": odd["data"] | {"evidence": {}}}),
        orjson.dumps(odd | {"time": "yesterday"}),
        orjson.dumps([1, 2, 3]),
    ]
    events = [good[0], *((number, payload) for number, payload in enumerate(bad, start=2)), (8, good[6][1])]
    history.take_raw(events)
    answer = history.ask().where(uid(7))
    assert (answer.holds.sequence, answer.holds.unread, len(answer.packages)) == (8, len(bad), 1)
    assert answer.holds.gaps == []


def test_what_ended_long_ago_goes_and_where_a_tag_is_stays(history: History) -> None:
    history.take(*LIFE, make.movement("arrived", 9, 20_000, target="vault"), make.passage(8, 30))
    before = START + 9_050 * SECOND
    after: str | None = ""
    while after is not None:
        after = history.trim(before, after)
    asked = history.ask()
    assert [entry.entry for entry in asked.trail(uid(1)).entries] == ["stay", "count"], "its newest stay, and the count"
    assert [stay.movement for stay in asked.trail(uid(2)).entries if isinstance(stay, Stay)] == ["seen_again"]
    assert asked.where(uid(8)).by == "nothing"
    assert len(asked.where(uid(9)).packages) == 1
    assert asked.alarms().open == 1, "an open alarm is not over"


def test_a_clock_that_is_decades_ahead_costs_little_of_the_history(tmp_path: Path) -> None:
    """What is deleted cannot be made again from a ledger that has let it go, and the clock is put right some day."""
    day, year = 86_400 * SECOND, 365 * 86_400 * SECOND
    path = tmp_path / "history.db"
    store = Store(path)
    assert store.horizon(START + 56 * year, 7 * year, day) is None
    said = [make.loss("r", n * 86_400, n * 86_400 + 10) for n in range(100)]
    store.take(EPOCH, sealed([*said, *(make.passage(n, n * 86_400 + 60) for n in range(100))]))
    for now, left in ((START + 56 * year, 95), (START + 100 * day, 95), (START + 7 * year + 97 * day, 90)):
        before = store.horizon(now, 7 * year, day)
        assert before is not None
        after: str | None = ""
        while after is not None:
            after = store.trim(before, after)
        assert {table: len(rows(path)[table]) for table in ("loss", "pass")} == {"loss": left, "pass": left}
    store.close()


def test_events_of_an_unknown_type_say_nothing(history: History) -> None:
    event = orjson.loads(sealed(LIFE[:1])[0][1]) | {"type": "rfid.weather.v1"}
    history.take_raw([(1, orjson.dumps(event))])
    assert history.ask().where(uid(1)).holds.unread == 0


def test_a_file_that_is_no_history_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "h.db").write_bytes(b"SQLite format 3\x00" + random.Random(1).randbytes(4_000))
    with pytest.raises(sqlite3.DatabaseError):
        schema.open_writer(tmp_path / "h.db")
    aside = set_aside(tmp_path / "h.db")
    Store(tmp_path / "h.db").close()
    assert aside.read_bytes().startswith(b"SQLite format 3")


def test_nothing_to_ask_is_said(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="start the gateway"):
        schema.open_reader(tmp_path / "none.db")


def test_of_a_zone_that_is_not_and_never_was_nothing_is_said(history: History) -> None:
    history.take(*LIFE)
    questions = history.ask({"shelf": True, "yard": False})
    assert questions.zone("shelf", START).present == 0  # of the configuration, and empty
    assert "\n".join(lines(questions.zone("yard", START))).count("No antenna watches yard") == 1
    assert questions.zone("vault", START + SECOND).present == 2  # of an earlier one
    assert len(questions.counts("vault").counts) == 1
    with pytest.raises(Refused, match="there is no zone `shelve`: did you mean `shelf`"):
        questions.zone("shelve", START)
    with pytest.raises(Refused, match="there is no zone `shelve`"):
        questions.counts("shelve")


# ---- parts that follow each other


def all_parts(history: History, question: str, args: dict[str, Any], listed: str, time: str) -> list[Any]:
    """Everything that a question lists, asked for as its answers say: on from the time of the last part's end."""
    found: list[Any] = []
    for _ in range(100):
        answer = read(question, args).answer(history.ask(), START)
        part = [entry.model_dump(mode="json") for entry in getattr(answer, listed)]
        found += part
        if not answer.more:  # type: ignore[attr-defined]
            return found
        assert part, "there is more, and nothing came"
        args = args | {"before": min(next(entry[name] for name in time.split() if name in entry) for entry in part)}
    raise AssertionError("it does not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_what_is_of_one_moment_is_not_cut_in_two(history: History, limit: int) -> None:
    history.take(
        make.movement("arrived", 1, 0, target="vault"),
        *(make.gate_item(1, 100) for _ in range(3)),
        make.movement("moved", 1, 100, source="vault", target="dock"),
        make.passage(1, 100),
        *(make.count(zone, 200, [1], [], []) for zone in ("vault", "dock", "cage")),
        make.movement("departed", 1, 300, source="dock"),
        *(make.count(zone, 400, [1], [], []) for zone in ("vault", "dock")),
    )
    trail = all_parts(history, "trail", {"what": uid(1), "limit": limit}, "entries", "since first time")
    whole = history.ask().trail(uid(1))
    assert sorted(entry["event"]["sequence"] for entry in trail) == sorted(
        entry.event.sequence for entry in whole.entries
    )
    counts = all_parts(history, "counts", {"limit": limit}, "counts", "ended")
    assert sorted(entry["event"]["sequence"] for entry in counts) == [7, 8, 9, 11, 12]


def test_open_alarms_are_listed_in_the_order_in_which_they_are_asked_for(history: History) -> None:
    """What is said at once may come before what is said when event time has come to it."""
    seconds = [100, 90, 95, 99, 80]
    history.take(*(make.alarm("reader-down", "raised", second, reader=f"r{second}") for second in seconds))
    found = [alarm.subject for alarm in history.ask().alarms(limit=200).alarms]
    assert found == ["r100", "r99", "r95", "r90", "r80"]
    assert [entry["subject"] for entry in all_parts(history, "alarms", {"limit": 2}, "alarms", "raised")] == found


def test_what_was_overtaken_is_in_one_part_or_the_other(history: History) -> None:
    history.take(
        make.movement("arrived", 1, 0, target="vault"),
        make.movement("not_seen", 1, 410, source="vault"),
        make.movement("departed", 1, 400, source="vault"),
        make.movement("arrived", 1, 405, target="vault"),
    )
    parts = all_parts(history, "trail", {"what": uid(1), "limit": 1}, "entries", "since")
    assert sorted(entry["event"]["sequence"] for entry in parts) == [1, 2, 3, 4]
