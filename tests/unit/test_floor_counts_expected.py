"""Expected sets: what ought to be in a zone, held against what a count saw there."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.clock import rfc3339
from gateway.errors import LedgerError, Refused
from gateway.events.count_models import CountData
from gateway.events.envelope import COUNT, GENESIS, Fact, seal
from gateway.floor import Floor
from gateway.floor.counts import expected as count_expected
from gateway.floor.counts import report as count_report
from gateway.inputs import Command, Input, Tick
from tests.support.floor_scene import T0, alive, at, config, epc, of_type, run, standing, ticked, up, when

UNKNOWN = 99


COUNT_DATA = TypeAdapter(CountData)


def uid(tag: int) -> str:
    return epc(tag).hex().upper()


def expect(seconds: float, zone: str, tags: list[int] | None, **more: Any) -> Command:
    return Command(at(seconds), "expected", {"zone": zone, "uids": tags and [uid(tag) for tag in tags]} | more)


def scene() -> list[Input]:
    """1 and 2 stand in the vault; 3 stood there and is not seen; 4 stands on the dock, from which 5 departs."""
    return [
        *up(),
        *alive(0, 200, "r1"),
        *alive(0, 200, "r2"),
        *standing(1, 190, "r1", 1, 1),
        *standing(1, 190, "r1", 2, 2, rssi=-70),
        *standing(1, 20, "r1", 2, 3, rssi=-66),
        *standing(1, 190, "r2", 1, 4, rssi=-50),
        *standing(1, 20, "r2", 1, 5, rssi=-55),
    ]


COUNT_IT = Command(at(150), "count", {"zone": "vault", "duration": 10})


def count(items: list[Input], floor: Floor | None = None) -> Fact:
    (fact,) = of_type(run(ticked(items, 165), floor or Floor(config())), COUNT)
    COUNT_DATA.validate_python(fact.data)
    return fact


def test_found_missing_extra_and_elsewhere():
    sets = [
        expect(5, "vault", [1, 3, 4, 5, UNKNOWN], as_of="2023-11-14T20:00:00Z", source="erp"),
        expect(5, "dock", [2]),
    ]
    expected = count([*scene(), *sets, COUNT_IT]).data["expected"]
    assert (expected["number"], expected["as_of"], expected["source"]) == (5, "2023-11-14T20:00:00.000000Z", "erp")
    assert expected["found"] == 1
    assert expected["missing"]["number"] == 4
    assert [(tag["uid"], tag["status"]) for tag in expected["missing"]["tags"]] == [
        (uid(3), "not seen"),
        (uid(4), "seen elsewhere"),
        (uid(5), "departed"),
        (uid(UNKNOWN), "never seen"),
    ]
    not_seen, elsewhere, departed, never = (tag["last"] for tag in expected["missing"]["tags"])
    assert not_seen == {"zone": "vault", "time": rfc3339(at(19.5)), "rssi": -66.0, "rssi_unit": "dBm"}
    assert (elsewhere["zone"], elsewhere["rssi"]) == ("dock", -50.0)
    assert departed == {"zone": "dock", "time": rfc3339(at(19.5)), "rssi": -55.0, "rssi_unit": "dBm"}
    assert never is None
    assert expected["extra"] == {"number": 0, "sha256": hashlib.sha256(b"").hexdigest(), "tags": [], "beyond": 0}
    assert expected["elsewhere"]["tags"] == [{"uid": uid(2), "expected_in": "dock"}]


@pytest.mark.parametrize("rssi", [-75, -45])
def test_nothing_that_a_count_has_read_is_missing(rssi):
    """A walk: 1 fell silent, 2 departed from the dock, and 3 was read in passing and stands in the vault."""
    items = [
        *up(),
        *alive(0, 200, "r1"),
        *alive(0, 200, "r2"),
        *standing(41, 42, "r2", 1, 1),
        *standing(41, 42, "r2", 1, 2),
        *standing(1, 190, "r1", 1, 3, rssi=-50),
        *standing(60, 61, "r2", 1, 3, rssi=rssi),
        *standing(41, 190, "r2", 1, 4),
        expect(5, "dock", [1, 2, 3, 4, UNKNOWN]),
        Command(at(40), "count", {"zone": "dock", "duration": 120}),
    ]
    zones = [{"id": "vault"}, {"id": "dock", "departs_after": 10.0}]
    data = count(items, Floor(config(zones=zones))).data
    assert [tag["uid"] for tag in data["expected"]["missing"]["tags"]] == [uid(UNKNOWN)]
    assert (data["expected"]["found"], data["expected"]["extra"]["number"]) == (4, 0)


def test_a_tag_that_fell_silent_during_a_count_is_of_the_population():
    items = [
        *up(),
        *alive(0, 200, "r1"),
        *standing(41, 43, "r1", 1, 1),
        *standing(1, 190, "r1", 1, 2),
        Command(at(40), "count", {"zone": "vault", "duration": 120}),
    ]
    data = count(items).data
    assert (data["population"], data["seen"], data["not_seen"]) == (2, 2, 0)
    assert data["uids"] == [uid(1), uid(2)]


def test_no_word_says_that_a_package_is_gone():
    fact = count([*scene(), expect(5, "vault", [1, 3, 4, 5, UNKNOWN]), COUNT_IT])
    assert "gone" not in str(fact.data)
    assert "lost" not in str(fact.data)


def test_a_set_that_comes_with_the_command_goes_before_that_of_the_zone():
    items = [*scene(), expect(5, "vault", [UNKNOWN])]
    args = COUNT_IT.args | {"expected": [uid(1).lower(), uid(1)]}
    expected = count([*items, Command(COUNT_IT.t, "count", args)]).data["expected"]
    assert (expected["number"], expected["found"], expected["source"]) == (1, 1, "command")
    assert expected["as_of"] == rfc3339(COUNT_IT.t)
    assert expected["extra"]["tags"] == [uid(2)]


def test_nothing_is_expected_there():
    """An empty set is not the same as none."""
    assert count([*scene(), COUNT_IT]).data["expected"] is None
    expected = count([*scene(), expect(5, "vault", []), COUNT_IT]).data["expected"]
    assert (expected["number"], expected["found"], expected["extra"]["tags"]) == (0, 0, [uid(1), uid(2)])


def test_a_tag_that_is_there_and_was_not_seen_in_this_count():
    """Its own window has not run out, so that it counts as present; this count has not seen it all the same."""
    items = [*up(), *alive(0, 200, "r1"), *standing(1, 190, "r1", 1, 1), *standing(1, 149, "r1", 1, 2, every=9.0)]
    data = count([*items, expect(5, "vault", [1, 2]), Command(at(150), "count", {"zone": "vault", "duration": 4})]).data
    assert (data["population"], data["seen"], data["unconfirmed"]) == (2, 1, 1)
    (missing,) = data["expected"]["missing"]["tags"]
    assert (missing["status"], missing["last"]["zone"]) == ("not seen in this count", "vault")


def test_the_newest_count_is_part_of_the_state_of_the_zone():
    floor = Floor(config())
    count([*scene(), expect(5, "vault", [1, 3]), COUNT_IT], floor)
    state = floor.zone_state("vault")
    outline = state["last_count"]
    assert [outline[key] for key in ("expected", "found", "missing", "extra", "elsewhere")] == [2, 1, 1, 1, 0]
    assert state["expected"] == {"number": 2, "as_of": rfc3339(at(5)), "source": ""}
    assert floor.zone_state("dock")["expected"] is None


@pytest.mark.parametrize(
    ("commands", "found"),
    [
        ([expect(5, "vault", [1]), expect(6, "vault", [2], mode="add")], [1, 2]),
        ([expect(5, "vault", [1, 2]), expect(6, "vault", [2], mode="remove")], [1]),
        ([expect(5, "vault", [1]), expect(6, "vault", [2])], [2]),
        ([expect(5, "vault", [1], mode="add")], [1]),
        ([expect(5, "vault", [1], mode="remove")], []),
        ([expect(5, "vault", [1]), expect(6, "vault", None)], None),
        # Both were admitted before either was carried out: the older one comes too late and changes nothing.
        (
            [
                expect(5, "vault", [1], as_of="2023-11-14T20:00:00Z"),
                expect(5.1, "vault", [2], as_of="2023-11-14T19:00:00Z"),
            ],
            [1],
        ),
    ],
)
def test_sets_are_replaced_or_changed(commands, found):
    floor = Floor(config())
    run(ticked(commands, 10), floor)
    state = floor.zone_state("vault")["expected"]
    assert (state and state["number"]) == (None if found is None else len(found))
    expected = count([*scene(), *commands, COUNT_IT]).data["expected"]
    assert (expected and expected["sha256"]) == (
        None if found is None else hashlib.sha256("\n".join(uid(tag) for tag in found).encode()).hexdigest()
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "no zone None: zones are dock, vault"),
        ({"zone": "attic", "uids": []}, "no zone 'attic'"),
        ({"zone": ["vault"], "uids": []}, r"no zone \['vault'\]"),
        ({"zone": "vault"}, "no uids: write a list, or null"),
        ({"zone": "vault", "uids": "1A40"}, "the UIDs are not a list"),
        ({"zone": "vault", "uids": ["x" * 100_000]}, "UID number 1, 'x{59}, is not an EPC in hex"),
        ({"zone": "vault", "uids": ["1A40", None]}, "UID number 2, None, is not"),
        ({"zone": "vault", "uids": ["1A40"], "mode": "replace"}, "mode 'replace': write one of set, add, remove"),
        ({"zone": "vault", "uids": None, "mode": "add"}, "mode add needs a list of uids"),
        ({"zone": "vault", "uids": [], "as_of": "yesterday"}, "as_of 'yesterday' is not a time"),
        ({"zone": "vault", "uids": [], "as_of": "2026-02-14T09:00:00"}, "as_of .* is not a time such as"),
        ({"zone": "vault", "uids": [], "as_of": "0001-01-01T00:00:00+00:00"}, "as_of .* is not a time such as"),
        ({"zone": "vault", "uids": [], "as_of": 5}, "as_of 5 is not a time"),
        ({"zone": "vault", "uids": [], "source": 5}, "source is not a text"),
        ({"zone": "vault", "uids": [], "by": 5}, "by is not a name"),
        ({"zone": "vault", "uids": [], "by": "x" * 10_000}, "by is not a name"),
        ({"zone": "vault", "uids": [], "request": "x" * 129}, "request is not a text"),
        ({"zone": "vault", "uids": [], "tags": []}, "unknown argument 'tags'"),
    ],
)
def test_commands_that_make_no_sense_are_refused_and_change_nothing(args, message):
    floor = Floor(config())
    before = floor.checkpoint()["floor"]
    with pytest.raises(Refused, match=f"expected: {message}"):
        floor.admit(Command(T0, "expected", args))
    floor.feed(Command(T0, "expected", args))
    assert floor.stats.ignored == 1
    assert floor.checkpoint()["floor"] == before


def test_names_that_would_move_a_cursor_or_hide_are_written_out():
    hostile = "a\x1b[31m\r\n\u202eb"
    facts = run(ticked([expect(1, "vault", [1], by=hostile, source=hostile)], 5))
    said = [fact.data for fact in facts if "sha256" in fact.data]
    assert [(data["by"], data["source"]) for data in said] == [("a\\x1b[31m\\r\\n\\u202eb",) * 2]


def test_an_older_set_is_refused():
    floor = Floor(config())
    run(ticked([expect(1, "vault", [1], as_of="2023-11-14T20:00:00Z", source="erp")], 5), floor)
    with pytest.raises(Refused, match=r"is older than the one that vault has, as of 2023-11-14T20:00:00.* from erp"):
        floor.admit(expect(6, "vault", [2], as_of="2023-11-14T19:59:59Z"))
    floor.admit(expect(6, "vault", [2], as_of="2023-11-14T20:00:00Z"))


def test_a_set_of_the_future_is_refused_so_that_none_is_held_for_ever():
    floor = Floor(config())
    with pytest.raises(Refused, match="in the future: set the clock there"):
        floor.admit(expect(1, "vault", [1], as_of=rfc3339(at(302))))
    run(ticked([expect(1, "vault", [1], as_of=rfc3339(at(300)))], 5), floor)
    held = floor.counts.expected.get("vault")
    assert held is not None
    held.as_of = at(1e8)  # as an earlier state of the gateway took it
    floor.admit(expect(6, "vault", [2], as_of=rfc3339(at(6))))


def test_all_zones_share_the_room(monkeypatch):
    monkeypatch.setattr(count_expected, "MAX_EXPECTED", 3)
    floor = Floor(config())
    run(ticked([expect(1, "vault", [1, 2])], 5), floor)
    with pytest.raises(Refused, match="all zones together would expect more than 3 tags"):
        floor.admit(expect(6, "dock", [1, 2]))
    floor.admit(expect(6, "vault", [3, 4, 5]))
    with pytest.raises(Refused, match="more than 3 tags"):
        floor.admit(expect(6, "vault", [3, 4], mode="add"))


def test_long_differences_are_cut_and_their_digest_is_not(monkeypatch):
    monkeypatch.setattr(count_report, "MAX_DETAILS", 2)
    expected = count([*scene(), expect(5, "vault", list(range(10, 15))), COUNT_IT]).data["expected"]
    missing = expected["missing"]
    assert (missing["number"], missing["beyond"]) == (5, 3)
    assert [tag["uid"] for tag in missing["tags"]] == [uid(10), uid(11)]
    assert missing["sha256"] == expected["sha256"]


@pytest.mark.slow
def test_a_hundred_thousand_uids_are_taken_and_kept():
    floor = Floor(config())
    command = Command(at(1), "expected", {"zone": "vault", "uids": [f"{n:024X}" for n in range(100_000)]})
    run(ticked([command], 4), floor)
    parts = floor.checkpoint()
    assert len(parts["expected"]) < 3_000_000
    again = Floor(config())
    again.restore(parts)
    assert again.zone_state("vault")["expected"]["number"] == 100_000
    again.checkpoint()
    again.feed(Command(at(5), "count", {"zone": "vault"}))
    assert "expected" not in again.checkpoint(), "it has not changed, and is not written again"


def test_a_checkpoint_without_its_sets_is_not_believed():
    floor = Floor(config())
    run(ticked([expect(1, "vault", [1])], 4), floor)
    parts = floor.checkpoint()
    del parts["expected"]
    with pytest.raises(LedgerError, match="expected"):
        Floor(config()).restore(parts)


def test_sets_of_zones_that_are_gone_are_forgotten():
    floor = Floor(config())
    run(ticked([expect(1, "vault", [1]), expect(1, "dock", [2])], 4), floor)
    content = config().model_dump(mode="json", include={"site", "gateway", "zones", "readers"})
    readers = [{"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}]}]
    again = Floor(config(zones=[zone for zone in content["zones"] if zone["id"] == "dock"], readers=readers))
    again.restore(floor.checkpoint())
    with pytest.raises(Refused, match="no zone 'vault'"):
        again.admit(expect(5, "vault", [1]))
    assert again.zone_state("dock")["expected"]["number"] == 1


def test_events_say_what_was_counted_where_the_journal_is_lost():
    plan = {"plan": [{"zone": "vault", "every": "1d", "at": "22:14"}]}
    floor = Floor(config(counts=plan))
    items = ticked([*scene(), expect(5, "vault", [1, 3])], 100)
    cut = at(42)
    run([item for item in items if when(item) < cut], floor)
    parts = floor.checkpoint()
    facts = run([item for item in items if when(item) >= cut], floor)
    assert [fact.data["trigger"] for fact in of_type(facts, COUNT)] == ["calendar"]
    payloads, prevhash = [], GENESIS
    for sequence, fact in enumerate(facts, 1):
        event = seal(fact, "/rfid/site/gw", "epoch", sequence, prevhash)
        payloads.append(event.payload)
        prevhash = event.hash()
    again = Floor(config(counts=plan))
    again.restore(parts)
    again.apply(payloads)
    assert again.zone_state("vault")["count_plan"] == floor.zone_state("vault")["count_plan"]
    assert again.zone_state("vault")["last_count"] == floor.zone_state("vault")["last_count"]


@pytest.mark.parametrize("seed", range(5))
def test_sets_that_come_in_parts_are_those_of_plain_arithmetic(seed: int):
    random, floor, wanted = Random(seed), Floor(config()), set[str]()
    for second in range(1, 12):
        mode = random.choice(["set", "add", "add", "remove"])
        tags = [random.randrange(60) for _ in range(random.randrange(30))]
        uids = {epc(tag).hex().upper() for tag in tags}
        before = set(wanted)
        wanted = {"set": uids, "add": wanted | uids, "remove": wanted - uids}[mode]
        command = Command(at(second), "expected", {"zone": "vault", "uids": sorted(uids), "mode": mode})
        facts = [fact for item in (command, Tick(at(second + 0.9))) for fact in floor.feed(item)]
        facts += floor.feed(Tick(at(second + 2)))
        held = floor.counts.expected.get("vault")
        assert held is not None
        assert held.uids == sorted(wanted)
        (said,) = [fact.data for fact in facts if "sha256" in fact.data]
        assert (said["added"], said["removed"]) == (sorted(wanted - before), sorted(before - wanted))
