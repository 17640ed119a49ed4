"""What outlives the process: checkpoints, changed configurations, and events when there is nothing else."""

from __future__ import annotations

import json

import pytest

from drivers.api import ReaderDown, ReaderUp
from gateway.clock import SECOND, rfc3339
from gateway.config import Config
from gateway.errors import LedgerError
from gateway.events.envelope import GENESIS, LOSS, MOVEMENT, Fact, seal
from gateway.floor import Floor, migrations
from gateway.floor.migrations import STEPS
from gateway.floor.presence.table import CHUNK
from gateway.floor.snapshot import Newer, Unreadable, seal_json, unseal
from gateway.inputs import ClockStep, Command, Restart, Tick
from tests.support.floor_scene import (
    alive,
    at,
    config,
    epc,
    moved,
    of_type,
    read,
    run,
    standing,
    story,
    ticked,
    up,
    when,
)


def lived(until: float = 30) -> Floor:
    """A floor with tags in both zones, one of them out of sight."""
    floor = Floor(config(presence={"shortest": 1.0}))
    items = [
        *up(),
        *alive(0, until, "r1"),
        *standing(1, until, "r1", 1, 1),
        *standing(1, 8, "r1", 2, 2),
        *standing(1, until, "r2", 1, 3),
    ]
    run(ticked(items, until), floor)
    return floor


def test_only_what_changed_is_written_again():
    floor = Floor(config())
    rows = [read(1, "r1", 1, number) for number in range(3 * CHUNK)]
    run(ticked([*up(), *rows], 5), floor)
    first = floor.checkpoint()
    assert [name for name in first if name.startswith("tags/")] == ["tags/000000", "tags/000001", "tags/000002"]
    run(ticked([read(6, "r1", 1, 2 * CHUNK + 5)], 8)[60:], floor)
    assert [name for name in floor.checkpoint() if name.startswith("tags/")] == ["tags/000002"]


@pytest.mark.parametrize("name", ["floor", "waiting", "tags/000000"])
@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "version"])
def test_a_damaged_part_is_found_before_it_is_believed(name, damage):
    parts = lived().checkpoint()
    part = bytearray(parts[name])
    if damage == "missing":
        del parts[name]
    else:
        if damage == "flip":
            part[len(part) // 2] ^= 4
        elif damage == "cut":
            part = part[: len(part) // 2]
        else:
            part[2] += 1
        parts[name] = bytes(part)
    with pytest.raises(LedgerError, match=name if damage != "version" else "install that release again"):
        Floor(config()).restore(parts)


def test_a_part_of_an_older_kind_cannot_be_read_and_says_so():
    part = bytearray(lived().checkpoint()["floor"])
    part[2] -= 1
    with pytest.raises(Unreadable, match="has version 1, this gateway reads 2"):
        Floor(config()).restore({"floor": bytes(part)})


@pytest.mark.parametrize("what", ["part", "section"])
def test_a_downgrade_says_what_to_do(what):
    parts = lived().checkpoint()
    if what == "part":
        parts["floor"] = parts["floor"][:2] + b"\x03" + parts["floor"][3:]
    else:
        content = json.loads(unseal("floor", parts["floor"]))
        content["versions"]["presence"] += 1
        parts["floor"] = seal_json(content | {"release": "9.8"})
    with pytest.raises(Newer, match="install that release again; to go on with this one, move the ledger aside"):
        Floor(config()).restore(parts)


@pytest.mark.parametrize("section", STEPS)
def test_a_section_of_an_older_version_goes_through_its_steps_in_order(section, monkeypatch):
    """Two formats on: the parts of today take the place of those of an old release."""
    parts, seen = lived().checkpoint(), []

    def step(number):
        return lambda content: seen.append(number) or content

    monkeypatch.setitem(migrations.STEPS, section, (*STEPS[section], step(1), step(2)))
    floor = Floor(config())
    floor.restore(parts)
    assert seen == [1, 2]
    saved = floor.checkpoint()
    assert json.loads(unseal("floor", saved["floor"]))["versions"][section] == migrations.version(section)
    Floor(config()).restore(saved)
    assert seen == [1, 2]


@pytest.mark.parametrize("section", STEPS)
def test_a_section_that_cannot_be_migrated_is_named_and_can_be_left_out(section, monkeypatch):
    parts = lived().checkpoint()
    monkeypatch.setitem(migrations.STEPS, section, (*STEPS[section], migrations.rebuild))
    with pytest.raises(Unreadable) as caught:
        Floor(config()).restore(parts)
    assert caught.value.section == section
    floor = Floor(config())
    floor.restore(parts, without=STEPS if section == "time" else [section])
    assert floor.zone_state("vault")["population"] == (0 if section in ("time", "presence") else 1)


@pytest.mark.parametrize("part", [b"", b"FL", b"{}" * 50])
def test_parts_that_are_not_parts(part):
    with pytest.raises(LedgerError):
        Floor(config()).restore({"floor": part})


def test_a_zone_that_is_gone_from_the_configuration_keeps_its_tags_until_they_are_seen_elsewhere():
    changed = config(
        zones=[{"id": "vault"}, {"id": "cage"}],
        readers=[
            {"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}, {"port": 2, "zone": "vault"}]},
            {"id": "r2", "driver": "llrp", "antennas": [{"port": 2, "zone": "cage"}]},
        ],
    )
    floor = Floor(changed)
    floor.restore(lived().checkpoint())
    later = run(
        ticked([ReaderUp("r2", at(31)), *standing(32, 60, "r1", 1, 1), *alive(31, 600, "r1")], 200)[302:], floor
    )
    assert ("not_seen", "dock") not in [entry[:2] for entry in story(later)]
    assert not [entry for entry in story(later) if entry[1] == "dock"]
    moved = run([*standing(201, 230, "r1", 1, 3), *(Tick(at(t)) for t in range(201, 240))], floor)
    assert [(fact.data["from"], fact.data["to"]) for fact in moved if fact.data["movement"] == "moved"] == [
        ("dock", "vault")
    ]


def test_an_antenna_that_looks_at_another_zone_takes_its_tags_along():
    changed = config(
        readers=[
            {"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}, {"port": 2, "zone": "vault"}]},
            {"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}]},
        ]
    )
    floor = Floor(changed)
    floor.restore(lived().checkpoint())
    assert floor.zone_state("vault")["population"] == 0
    assert floor.zone_state("vault")["not_seen"] == 1
    assert floor.zone_state("dock")["population"] == 2


@pytest.mark.parametrize("window", [0.1, 1.0])
def test_another_window_width_loses_no_open_window(window):
    floor = lived()
    floor.feed(read(30.2, "r1", 1, 77))
    successor = Floor(config(floor={"window": window}))
    successor.restore(floor.checkpoint())
    facts = run([*(Tick(at(30 + t / 10)) for t in range(1, 80))], successor)
    assert [(entry[0], entry[2]) for entry in story(facts)] == [("arrived", 30.2)]


def test_events_newer_than_the_checkpoint_say_where_the_tags_are():
    floor = lived(6)
    parts = floor.checkpoint()
    items = [
        *standing(7, 60, "r2", 1, 1, -40),  # moves to the dock
        *standing(7, 60, "r1", 1, 4),  # arrives
        *alive(7, 60, "r1"),
        *alive(7, 60, "r2"),
    ]  # and tags 2 and 3 are not seen any more, 3 departs
    facts = run(ticked(items, 60)[70:], floor)
    payloads, prevhash = [], GENESIS
    for sequence, fact in enumerate(facts, 1):
        event = seal(fact, "/rfid/site/gw", "epoch", sequence, prevhash)
        payloads.append(event.payload)
        prevhash = event.hash()
    restored = Floor(config())
    restored.restore(parts)
    restored.apply(payloads)
    for zone in ("vault", "dock"):
        want, got = floor.zone_state(zone), restored.zone_state(zone)
        assert (got["population"], got["not_seen"]) == (want["population"], want["not_seen"])
    later = [Restart(at(99.95), at(6), False, True), *up(101), *standing(102, 130, "r1", 1, 4)]
    later += [*standing(102, 130, "r2", 1, 1), *standing(102, 130, "r2", 1, 3)]
    ticks = [item for item in ticked(later, 130) if when(item) > at(99.9)]
    assert [entry[:2] for entry in story(run(ticks, restored))] == [("arrived", "dock")]  # only what had departed


@pytest.mark.parametrize("jump", [0, 3_600 * SECOND, 50 * 365 * 86_400 * SECOND])
def test_tags_that_stand_do_not_move_by_a_power_cut_long_after_the_last_checkpoint(jump):
    """Reads came for three minutes behind the checkpoint on disk, of which one event tells, and a clock that was set:
    nobody was silent meanwhile. One that is not there any more afterwards is missed as ever."""
    floor = Floor(config())
    tags = [("r1", 1, 1), ("r2", 1, 2)]
    before = [*up(), *alive(0, 10, "r1"), *alive(0, 10, "r2")]
    before += [read for tag in tags for read in standing(0, 10, *tag)]
    run(ticked(before, 10), floor)
    parts = floor.checkpoint()
    later = [*alive(10, 200, "r1"), *alive(10, 200, "r2"), *standing(150, 200, "r1", 2, 3)]
    later += [read for tag in tags for read in standing(10, 200, *tag)]
    said = floor.feed(ClockStep(at(10) + jump, jump, jump, "set")) if jump else []
    said += run([moved(item, jump) for item in ticked(later, 200)[101:]], floor)

    restored = Floor(config())
    restored.restore(parts)
    by = restored.apply([seal(fact, "/rfid/site/gw", "epoch", 1, GENESIS).payload for fact in said])
    assert by == jump
    since = max(fact.time for fact in said)
    after = [*up(206), *alive(207, 290, "r1"), *alive(207, 290, "r2")]
    after += [read for tag in tags for read in standing(207, 290, *tag)]
    items = [Restart(at(205), since - jump, False, True, kept=at(10)), *ticked(after, 290)[2_051:]]
    facts = run([moved(item, jump) for item in items], restored)
    assert [(fact.data["movement"], fact.data["epc"]) for fact in of_type(facts, MOVEMENT)] == [
        ("not_seen", epc(3).hex().upper())
    ]
    (lost,) = [fact.data for fact in of_type(facts, LOSS) if fact.data["cause"] == "journal-lost"]
    assert lost["start"] == rfc3339(at(10) + jump)


def test_a_payload_that_is_no_event_is_an_error():
    for payload in (b"nonsense", b"{}", b'{"type": "rfid.movement.v1", "data": {"epc": "XY"}}'):
        with pytest.raises(LedgerError, match="cannot be understood"):
            Floor(config()).apply([payload])


def test_facts_can_be_sealed_and_have_the_same_id_on_every_run():
    items = ticked([*up(), *standing(1, 10, "r1", 1, 1)], 10)
    first, second = run(items), run(items)
    assert isinstance(first[0], Fact)
    assert [fact.id("/rfid/site/gw") for fact in first] == [fact.id("/rfid/site/gw") for fact in second]
    assert first[0].topic() == "events/movement/vault"
    assert first[0].data["evidence"]["last"] <= rfc3339(at(3.5))
    assert first[0].data["epc"] == epc(1).hex().upper()


def sealed(facts: list[Fact]) -> list[bytes]:
    return [seal(fact, "/rfid/site/gw", "epoch", n, GENESIS).payload for n, fact in enumerate(facts, 1)]


@pytest.mark.parametrize(
    ("command", "waits"),
    [
        (("count", {"zone": "vault", "duration": 10.0}), False),
        (("count", {"zone": "dock", "duration": 100.0}), True),  # of it no event tells
        (("count.open", {"zones": ["vault"], "by": "Kim"}), False),
        (("expected", {"zone": "vault", "uids": []}), True),  # no event holds the set
    ],
)
def test_a_command_of_which_all_is_in_events_is_not_carried_out_again(command, waits):
    """A command has the checkpoint go to disk, where it still waits for event time; then the power is cut."""
    name, args = command
    items = [*up(), *alive(0, 60, "r1"), *standing(1, 60, "r1", 1, 1), *standing(40, 50, "r2", 1, 2)]
    items = ticked([*items, Command(at(30), name, args)], 60)
    floor, again = Floor(config()), Floor(config())
    run([item for item in items if when(item) <= at(30)], floor)
    again.restore(floor.checkpoint())
    after = run([item for item in items if when(item) > at(30)], floor)
    again.apply(sealed(after))
    assert [item.name for item in again._pending.commands()] == ([name] if waits else [])


def test_what_events_say_has_departed_takes_no_room():
    visits = [read for tag in range(50) for read in standing(1 + tag, 3 + tag, "r2", 1, tag)]
    facts = run(ticked([*up(), *alive(0, 140, "r2"), *visits], 140))
    floor = Floor(config())
    floor.restore(floor.checkpoint())
    floor.apply(sealed(facts))
    run(ticked([], 300)[2_900:], floor)
    tags = floor._presence.tags
    assert (len(tags), len(tags.free)) == (0, len(tags.epcs))


def test_tags_in_a_zone_that_is_configured_no_more_are_built_again_from_events():
    """The checkpoint knows the zone; its presence could not be read."""
    floor = Floor(config())
    facts = run(ticked([*up(), *standing(1, 5, "r2", 1, 1), *standing(1, 5, "r1", 1, 2)], 8), floor)
    without_dock = [{"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}]}]
    again = Floor(config(zones=[{"id": "vault"}], readers=without_dock))
    again.restore(floor.checkpoint(), without=["presence"])
    again.rebuild(sealed(facts), ["presence"])
    assert again.inside(["vault", "dock"]) == {epc(1).hex().upper(): "dock", epc(2).hex().upper(): "vault"}


def test_an_antenna_that_looks_at_a_zone_which_only_a_portal_led_to_goes_on_watching():
    door = {"id": "door", "inside": "shelf", "outside": "vault"}
    sides = [{"port": 1, "portal": "door", "side": "inside"}, {"port": 2, "portal": "door", "side": "outside"}]
    zones = [{"id": "vault"}, {"id": "shelf"}]

    def site(zone: str) -> Config:
        r1 = {"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": zone}]}
        return config(zones=zones, portals=[door], readers=[r1, {"id": "r2", "driver": "llrp", "antennas": sides}])

    floor = Floor(site("vault"))
    run(ticked([*up(), *alive(0, 8, "r1")], 8), floor)
    again = floor.successor(site("shelf"))
    assert again.zone_state("shelf")["antennas"] == {"r1/1": "watching"}


def test_an_antenna_that_is_removed_and_added_again_watches_again():
    without = [{"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}]}]
    floor = Floor(config())
    run([*up(), *ticked(standing(0, 10, "r1", 2, 1), 10)], floor)
    retired = floor.successor(config(readers=without, zones=[{"id": "vault"}]))
    again = retired.successor(config())
    back = [ReaderDown("r1", at(11), "stopped"), ReaderUp("r1", at(12))]
    facts = run([*back, *ticked([*standing(12, 30, "r1", 2, 1), *alive(12, 400, "r1")], 400)], again)
    assert [fact.data["movement"] for fact in of_type(facts, MOVEMENT)] == ["not_seen"], "its silence counts"
