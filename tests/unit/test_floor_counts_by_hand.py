"""Counting by hand: sessions of a person, filled by fixed antennas and by handhelds."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Refused
from gateway.events.envelope import (
    COUNT,
    COUNT_SESSION,
    EXPECTED,
    GENESIS,
    HANDHELD,
    MOVEMENT,
    Fact,
    seal,
)
from gateway.floor import Floor
from gateway.floor.counts import handhelds, sessions
from gateway.inputs import Command, Input, Tick
from tests.support.floor_scene import alive, at, config, epc, of_type, run, standing, ticked, up, when

SHELF = [{"id": "vault"}, {"id": "dock", "departs_after": 20.0}, {"id": "shelf"}]


def uid(tag: int) -> str:
    return epc(tag).hex().upper()


def tell(seconds: float, name: str, **args: Any) -> Command:
    return Command(at(seconds), name, args)


def opened(seconds: float, *zones: str, **more: Any) -> Command:
    return tell(seconds, "count.open", zones=list(zones), by="Dana", **more)


def swept(seconds: float, *tags: int, **more: Any) -> Command:
    return tell(seconds, "reads", **{"reader": "sled-1", "uids": [uid(tag) for tag in tags]} | more)


def closed(seconds: float, zone: str, **more: Any) -> Command:
    return tell(seconds, "count.close", zone=zone, by="Dana", **more)


def expected(zone: str, *tags: int) -> Command:
    return tell(1, "expected", zone=zone, uids=[uid(tag) for tag in tags], by="Kim", source="erp")


def scene() -> list[Input]:
    """1 and 2 stand in the vault, 4 on the dock."""
    return [
        *up(),
        *alive(0, 100, "r1"),
        *alive(0, 100, "r2"),
        *standing(1, 90, "r1", 1, 1),
        *standing(1, 90, "r1", 2, 2),
        *standing(1, 90, "r2", 1, 4),
    ]


def told(items: list[Input], until: float = 80, floor: Floor | None = None) -> list[Fact]:
    return run(ticked(items, until), floor or Floor(config(zones=SHELF)))


def counted(items: list[Input], until: float = 80) -> dict[str, Any]:
    (fact,) = of_type(told(items, until), COUNT)
    return dict(fact.data)


def test_antennas_and_a_sled_fill_one_count():
    data = counted([
        *scene(), expected("vault", 1, 2, 3, 6), expected("dock", 4),
        opened(20, "vault", request="r-1"), swept(30, 3, 3, 9), swept(31, 1, 4),
        closed(50, "vault", note="top shelf wet"),
    ])  # fmt: skip
    assert (data["trigger"], data["rounds"]["ended_by"], data["request"], data["by"]) == (
        "session", "closed", "r-1", "Dana",
    )  # fmt: skip
    found = data["expected"]
    assert found["found"] == 3
    assert [tag["uid"] for tag in found["missing"]["tags"]] == [uid(6)]
    assert found["extra"]["tags"] == [uid(9)]
    assert found["elsewhere"]["tags"] == []  # 4 was read through the wall, and stands where it belongs
    session = data["session"]
    assert (session["by"], session["closed_by"], session["note"]) == ("Dana", "Dana", "top shelf wet")
    assert session["duration_s"] == pytest.approx(30)
    assert session["devices"] == [{"reader": "sled-1", "reads": 5, "tags": 4}]
    assert (session["through"], session["confirmed_by_barcode"]) == (1, 0)
    assert [(read["uid"], read["reads"]) for read in session["hand"]] == [(uid(1), 1), (uid(3), 2), (uid(9), 1)]
    assert data["uids"] == [uid(1), uid(2), uid(3), uid(9)]
    assert (data["population"], data["seen"]) == (4, 4)


def test_a_shelf_without_antennas_is_counted_by_hand_alone_and_the_calendar_knows():
    plan = {"plan": [{"zone": "shelf", "every": "1d", "at": "22:13", "first": "2023-11-14"}]}  # as the scene begins
    floor = Floor(config(zones=SHELF, counts=plan))
    items: list[Input] = [*scene(), expected("shelf", 7, 8)]
    told([*items, opened(42, "shelf"), swept(45, 7), swept(47, 7), swept(50, 7), closed(55, "shelf")], 60, floor)
    outline = floor.zone_state("shelf")
    assert (outline["last_count"]["found"], outline["last_count"]["missing"]) == (1, 1)
    assert outline["last_count"]["confidence"] > 0
    assert not outline["count_plan"]["overdue"]


def test_what_a_handheld_reads_moves_nothing_and_is_an_event():
    facts = told([*scene(), swept(30, 3, 9), swept(30.5, 3), swept(33, 3), swept(70, 3)])
    assert {fact.data["uid"] for fact in of_type(facts, MOVEMENT)} == {uid(1), uid(2), uid(4)}
    reads = [[tag["uid"] for tag in fact.data["tags"]] for fact in of_type(facts, HANDHELD)]
    assert reads == [[uid(3), uid(9)], [uid(3)]]  # again after a pause only
    assert {fact.data["session"] for fact in of_type(facts, HANDHELD)} == {None}


def test_a_barcode_confirms_a_missing_line_by_a_name():
    data = counted([
        *scene(), expected("vault", 1, 2, 3), opened(20, "vault"), swept(29, 3),
        swept(30, 3, reader="wedge", how="barcode", by="Kim", zone="vault"), closed(40, "vault"),
    ])  # fmt: skip
    assert data["expected"]["missing"]["number"] == 0
    assert data["session"]["confirmed_by_barcode"] == 1
    assert [read["how"] for read in data["session"]["hand"]] == ["barcode"]


def test_reads_belong_to_the_zone_that_expects_them():
    facts = told([
        *scene(), expected("vault", 1, 2), expected("shelf", 7), opened(20, "shelf", "vault"), swept(30, 7, 1, 12),
        closed(40, "vault"),
    ])  # fmt: skip
    by_zone = {fact.place: fact.data for fact in of_type(facts, COUNT)}
    assert by_zone["shelf"]["uids"] == [uid(7), uid(12)]  # 12 is expected nowhere: in the first zone of the count
    assert by_zone["vault"]["uids"] == [uid(1), uid(2)]
    assert [fact.data["state"] for fact in of_type(facts, COUNT_SESSION)] == ["opened", "closed"]


def test_a_sled_that_is_named_is_for_its_own_count():
    facts = told([
        *scene(), opened(20, "shelf", devices=["sled-1"]), opened(21, "vault"), swept(30, 7),
        swept(31, 8, reader="sled-2"), closed(40, "vault"), closed(41, "shelf"),
    ])  # fmt: skip
    by_zone = {fact.place: fact.data["uids"] for fact in of_type(facts, COUNT)}
    assert by_zone == {"vault": [uid(1), uid(2), uid(8)], "shelf": [uid(7)]}


def test_what_follows_an_accepted_command_is_in_force_at_once():
    floor = Floor(config(zones=SHELF))
    run(ticked(scene(), 10), floor)
    floor.feed(first := opened(10.05, "shelf"))
    floor.admit(swept(10.06, 7, zone="shelf"))
    floor.admit(closed(10.07, "shelf"))
    with pytest.raises(Refused, match="being counted"):
        floor.admit(opened(10.08, "shelf"))
    floor.feed(closed(10.09, "shelf"))
    floor.admit(opened(10.1, "shelf"))
    assert first.name == "count.open"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (opened(5, "volt"), "no zone 'volt'"),
        (tell(5, "count.open", zones=["vault"]), "by"),
        (tell(5, "count.open", zones=[], by="Dana"), "zones"),
        (tell(5, "count.open", zones=["vault", "vault"], by="Dana"), "twice"),
        (closed(5, "vault"), "nobody is counting vault"),
        (closed(5, "vault", note="<script>"), "markup"),
        (swept(5, 1, zone="vault"), "nobody is counting vault"),
        (swept(5, 1, zone="volt"), "no zone"),
        (swept(5, 1, reader="r1"), "a reader of the gateway"),
        (swept(5, 1, time="2030-01-01T00:00:00Z"), "in the future"),
        (tell(5, "reads", reader="sled-1", uids=["xyz"]), "uids"),
        (tell(5, "reads", reader="sled/1", uids=[uid(1)]), "reader"),
        (tell(5, "count", zone="vault", by="\x1b[2J"), "by is not a name"),
    ],
)
def test_what_is_wrong_is_refused(command: Command, why: str):
    with pytest.raises(Refused, match=why):
        Floor(config(zones=SHELF)).admit(command)


def test_a_count_on_command_and_a_changed_set_say_who_asked():
    facts = told(
        [*scene(), expected("vault", 1, 5), tell(20, "count", zone="vault", duration=5, by="Kim", request="q")]
    )
    (count,) = of_type(facts, COUNT)
    assert (count.data["by"], count.data["request"], count.data["session"]) == ("Kim", "q", None)
    (changed,) = of_type(facts, EXPECTED)
    assert (changed.data["by"], changed.data["number"], changed.data["added"]) == ("Kim", 2, [uid(1), uid(5)])


def test_a_session_goes_on_over_a_restart_and_over_a_power_cut():
    items = ticked(
        [*scene(), expected("vault", 1, 2, 3), opened(20, "vault"), swept(30, 3), swept(45, 8), closed(60, "vault")], 70
    )
    whole = Floor(config(zones=SHELF))
    facts = [fact for item in items for fact in whole.feed(item)]
    first, second = Floor(config(zones=SHELF)), Floor(config(zones=SHELF))
    cut = next(n for n, item in enumerate(items) if getattr(item, "t", 0) >= at(40))
    before = [fact for item in items[:cut] for fact in first.feed(item)]
    second.restore(first.checkpoint())
    assert before + [fact for item in items[cut:] for fact in second.feed(item)] == facts

    lost = Floor(config(zones=SHELF))
    events = [seal(fact, "/rfid/s/g", "e", n, GENESIS).payload for n, fact in enumerate(before, 1)]
    lost.apply(events)
    session = lost.counts.live("vault")
    assert session is not None
    assert [read["uid"] for read in session["data"]["session"]["hand"]] == [uid(3)]
    lost.apply([seal(fact, "/rfid/s/g", "e", n, GENESIS).payload for n, fact in enumerate(facts, 1)])
    assert lost.counts.live("vault") is None


def payloads(facts: list[Fact]) -> list[bytes]:
    return [seal(fact, "/rfid/s/g", "e", n, GENESIS).payload for n, fact in enumerate(facts, 1)]


def test_what_was_read_before_the_checkpoint_and_said_after_it_is_read_once():
    items = ticked([*scene(), opened(20, "vault"), swept(30, 3, 3), swept(30.5, 5), closed(60, "vault")], 70)
    floor, lost = Floor(config(zones=SHELF)), Floor(config(zones=SHELF))
    before = [item for item in items if when(item) <= at(31.8)]
    run(before, floor)
    lost.restore(floor.checkpoint())
    after = run([item for item in items if at(31.8) < when(item) <= at(40)], floor)
    assert [fact.type for fact in after] == [HANDHELD]
    lost.apply(payloads(after))
    facts = run([item for item in items if when(item) > at(40)], lost)
    (count,) = of_type(facts, COUNT)
    assert {read["uid"]: read["reads"] for read in count.data["session"]["hand"]} == {uid(3): 2, uid(5): 1}
    assert of_type(facts, HANDHELD) == []


def test_a_count_that_was_closed_is_stated_although_the_power_was_cut_just_then():
    items = ticked([*scene(), opened(20, "vault"), swept(30, 3), closed(60, "vault", note="all of it")], 70)
    floor, lost = Floor(config(zones=SHELF)), Floor(config(zones=SHELF))
    facts = run(items, floor)
    lost.apply(payloads([fact for fact in facts if fact.type != COUNT]))
    (count,) = of_type(run([Tick(at(61)), Tick(at(70))], lost), COUNT)
    assert [read["uid"] for read in count.data["session"]["hand"]] == [uid(3)]
    assert (count.data["rounds"]["ended_by"], count.data["session"]["note"]) == ("closed", "all of it")


def test_what_was_read_for_a_zone_that_is_configured_no_more_is_said_of_that_and_counted_to_no_other():
    items = ticked([*scene(), opened(20, "shelf", "vault"), swept(30, 7), swept(45, 8), closed(60, "vault")], 80)
    floor = Floor(config(zones=SHELF))
    run([item for item in items if when(item) <= at(40)], floor)
    facts = run([item for item in items if when(item) > at(40)], floor.successor(config(zones=SHELF[:2])))
    by_zone = [(fact.data["zone"], fact.data["session"]["hand"]) for fact in of_type(facts, COUNT)]
    assert [(zone, [read["uid"] for read in hand]) for zone, hand in by_zone] == [
        ("shelf", [uid(7)]),
        ("vault", [uid(8)]),
    ]


def test_foreign_tags_are_said_once_however_many_events_the_others_fill():
    floor = Floor(config(zones=SHELF, tags={"include": ["1A4060"]}))
    reads = Command(at(5), "reads", {"reader": "sled", "uids": [*map(uid, range(1_500)), "30" + "0" * 22]})
    facts = of_type(run(ticked([reads], 10), floor), HANDHELD)
    assert [fact.data["foreign"] for fact in facts] == [1, 0]


def test_a_session_that_nobody_closes_is_closed_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sessions, "LONGEST", at(30) - at(0))
    monkeypatch.setattr("gateway.floor.counts.by_hand.LONGEST", at(30) - at(0))
    data = counted([*scene(), opened(20, "vault")])
    assert (data["session"]["closed_by"], data["rounds"]["ended_by"]) == ("gateway", "time limit")


def test_an_event_says_how_often_each_tag_was_read():
    facts = run(ticked([swept(10, 1, 1, 1, 2), swept(11, 1)], 60))
    (said,) = [fact.data for fact in facts if fact.type == HANDHELD]
    assert {tag["uid"]: tag["reads"] for tag in said["tags"]} == {uid(1): 4, uid(2): 1}


def test_handhelds_and_tags_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handhelds, "MAX_HANDHELDS", 2)
    monkeypatch.setattr(sessions, "MAX_READ", 3)
    reads = [swept(30 + n / 10, n + 10, reader=f"sled-{n}") for n in range(5)]
    facts = told([*scene(), opened(20, "vault"), *reads, closed(40, "vault")])
    assert sorted(tag["uid"] for fact in of_type(facts, HANDHELD) for tag in fact.data["tags"]) == [
        uid(n + 10) for n in range(5)
    ]
    (count,) = of_type(facts, COUNT)
    assert len(count.data["session"]["hand"]) == 3
    assert count.data["session"]["beyond"] == 2, "what had no room may be among what is missing, and is said"


def test_the_count_as_it_stands_is_what_its_event_will_say():
    floor = Floor(config(zones=SHELF))
    told([*scene(), expected("vault", 1, 2, 3), opened(20, "vault"), swept(30, 9)], 40, floor)
    live = floor.counts.live("vault")
    assert live is not None
    assert live["data"]["expected"]["missing"]["number"] == 1
    assert live["data"]["expected"]["extra"]["tags"] == [uid(9)]
    assert floor.counts.live("dock") is None
