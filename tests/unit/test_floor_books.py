"""Books held against what is seen: what counts as a difference, when, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.events.envelope import BOOK, DIFFERENCE, GENESIS, RECONCILIATION, Fact, seal
from gateway.floor import Floor
from gateway.floor.books import differences as differences_module
from gateway.floor.books.compare import IN_TRANSIT, NOWHERE, Entry, Seen, differ
from gateway.inputs import Command, Input, Tick
from tests.support.floor_scene import alive, at, config, epc, of_type, run, standing, ticked, up

SOURCES = [
    {"name": "metrc", "kind": "mqtt", "zones": {"Vault A/Shelf 1": "vault", "Dock": "dock"}},
    {"name": "erp", "kind": "mqtt"},
]
ZONES = [{"id": "vault", "name": "The Vault"}, {"id": "dock", "departs_after": 20.0}, {"id": "shelf"}]


def site(**more: Any) -> Floor:
    books = {"sources": SOURCES, "lag": 20.0, "every": 5.0, "at": "22:15"} | more
    return Floor(config(zones=ZONES, books=books))


def uid(tag: int) -> str:
    return epc(tag).hex().upper()


def package(tag: int, place: str = "vault", **more: Any) -> dict[str, Any]:
    return {
        "uid": uid(tag),
        "location": place,
        "quantity": 48.0,
        "unit": "Each",
        "product": f"P{tag}",
        "batch": "B",
    } | more


def said(seconds: float, name: str, *packages: dict[str, Any], **more: Any) -> Command:
    args = {"book": name, "as_of": rfc3339(at(seconds)), "packages": list(packages)} | more
    return Command(at(seconds), "book", args)


def deal(seconds: float, tag: int, **more: Any) -> Command:
    return Command(at(seconds), "difference", {"uid": uid(tag), "by": "Kim"} | more)


def scene() -> list[Input]:
    """1 and 2 stand in the vault, 4 on the dock."""
    return [
        *up(),
        *alive(0, 200, "r1"),
        *alive(0, 200, "r2"),
        *standing(1, 190, "r1", 1, 1),
        *standing(1, 190, "r1", 2, 2),
        *standing(1, 190, "r2", 1, 4),
    ]


def told(items: list[Input], until: float = 100, floor: Floor | None = None) -> list[Fact]:
    return run(ticked([*scene(), *items], until), floor or site())


def differences(facts: list[Fact]) -> list[tuple[str, str, list[str], str]]:
    return [
        (fact.data["uid"], fact.data["state"], fact.data["what"], fact.data["by"])
        for fact in of_type(facts, DIFFERENCE)
    ]


def test_a_difference_counts_when_it_has_outlived_the_lag():
    facts = told([said(10, "metrc", package(1), package(2, "Dock"), package(4, "dock"), package(7))])
    found = differences(facts)
    assert found == [(uid(2), "open", ["seen elsewhere"], "gateway"), (uid(7), "open", ["not seen"], "gateway")]
    first = of_type(facts, DIFFERENCE)[0]
    assert at(30) <= first.time <= at(37)
    assert first.data["since"] == rfc3339(at(10))
    assert first.data["books"]["metrc"]["zone"] == "dock"
    assert first.data["seen"]["zone"] == "vault"


def test_a_book_that_is_full_can_be_changed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.floor.books.books.MAX_PACKAGES", 2)
    floor = site()
    run([said(1, "metrc", package(1), package(2)), Tick(at(5))], floor)
    floor.admit(said(2, "metrc", package(2, "Dock"), mode="change"))
    floor.admit(said(2, "metrc", package(3), removed=[uid(1)], mode="change"))
    with pytest.raises(Refused, match="more than 2"):
        floor.admit(said(2, "metrc", package(3), mode="change"))


def test_what_agrees_within_the_lag_is_never_said():
    facts = told([said(10, "metrc", package(1, "Dock"), package(2), package(4, "dock")),
                  said(20, "metrc", package(1, "Vault A", sublocation="Shelf 1"), mode="change")])  # fmt: skip
    assert differences(facts) == []


def test_two_books_side_by_side_and_quantities_are_theirs():
    facts = told([
        said(10, "metrc", package(1), package(2), package(4, "dock")),
        said(11, "erp", package(1, quantity=47.0), package(2, "The Vault"), package(4, "shelf")),
    ])  # fmt: skip
    assert differences(facts) == [
        (uid(1), "open", ["quantity"], "gateway"),
        (uid(4), "open", ["place"], "gateway"),
    ]
    data = of_type(facts, DIFFERENCE)[0].data
    assert [data["books"][name]["quantity"] for name in ("metrc", "erp")] == [48.0, 47.0]


def test_a_difference_is_owned_explained_and_closes_when_it_agrees():
    facts = told([
        said(10, "metrc", package(1), package(2, "Dock"), package(4, "dock")),
        deal(50, 2, owner="Dana"), deal(51, 2, state="explained", note="moved for the audit"),
        said(60, "metrc", package(2), mode="change"),
    ])  # fmt: skip
    assert [(state, by) for _, state, _, by in differences(facts)] == [
        ("open", "gateway"), ("open", "Kim"), ("explained", "Kim"), ("closed", "gateway"),
    ]  # fmt: skip
    last = of_type(facts, DIFFERENCE)[-1].data
    assert (last["owner"], last["note"]) == ("Dana", "moved for the audit")


def test_what_was_explained_is_open_again_when_it_is_another_matter():
    facts = told([
        said(10, "metrc", package(1), package(2, "Dock"), package(4, "dock")),
        deal(51, 2, state="closed", note="known"),
        said(60, "metrc", package(2, status=IN_TRANSIT), mode="change"),
    ])  # fmt: skip
    assert [(state, what) for _, state, what, _ in differences(facts)] == [
        ("open", ["seen elsewhere"]), ("closed", ["seen elsewhere"]), ("open", ["in transit"]),
    ]  # fmt: skip


def test_a_book_event_has_what_changed_and_a_book_that_says_the_same_says_nothing():
    whole = [package(1), package(2), package(4, "dock")]
    facts = told([
        said(10, "metrc", *whole), said(20, "metrc", *whole),
        said(30, "metrc", package(2, quantity=1.0), mode="change"), said(40, "metrc", *whole[:2]),
    ])  # fmt: skip
    assert [
        (fact.data["number"], [one["uid"] for one in fact.data["packages"]], fact.data["removed"])
        for fact in of_type(facts, BOOK)
    ] == [
        (3, [uid(1), uid(2), uid(4)], []),
        (3, [uid(2)], []),
        (2, [uid(2)], [uid(4)]),
    ]


def test_the_figure_of_the_day():
    facts = told([said(10, "metrc", package(1), package(2, "Dock"), package(4, "dock"), package(7))], 120)
    (figure,) = of_type(facts, RECONCILIATION)
    assert figure.data == {
        "packages": 4, "agree": 2, "waiting": 0, "open": 2, "explained": 0, "closed": 0,
        "kinds": {"not seen": 1, "seen elsewhere": 1}, "books": {"metrc": 4},
    }  # fmt: skip


def test_differences_for_which_there_is_no_room_are_in_the_figure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(differences_module, "MAX_DIFFERENCES", 1)
    facts = told([said(10, "metrc", package(1), package(2, "Dock"), package(4, "dock"), package(7))], 120)
    (figure,) = of_type(facts, RECONCILIATION)
    assert {key: figure.data[key] for key in ("packages", "agree", "open", "beyond")} == {
        "packages": 4, "agree": 2, "open": 1, "beyond": 1,
    }  # fmt: skip


def entry(zone: str | None, status: str = "active", quantity: float | None = None, unit: str | None = "Each") -> Entry:
    return Entry(status, "", zone, quantity, unit, None, None, None)


HERE = Seen("present", "vault", 1, 9)


@pytest.mark.parametrize(
    ("seen", "views", "what"),
    [
        (HERE, {"a": entry("vault")}, []),
        (HERE, {"a": entry(None)}, []),
        (HERE, {"a": None}, ["in no book"]),
        (HERE, {}, []),
        (NOWHERE, {"a": None}, []),
        (NOWHERE, {"a": entry("vault")}, ["not seen"]),
        (NOWHERE, {"a": entry(None)}, ["not seen"]),
        (NOWHERE, {"a": entry("shelf")}, []),  # no antenna looks at it
        (Seen("not seen", "vault", 1, 9), {"a": entry("vault")}, []),  # it probably is still there
        (Seen("not seen", "dock", 1, 9), {"a": entry("vault")}, ["seen elsewhere"]),
        (HERE, {"a": entry("dock")}, ["seen elsewhere"]),
        (HERE, {"a": entry("vault", IN_TRANSIT)}, ["in transit"]),
        (NOWHERE, {"a": entry("vault", IN_TRANSIT)}, []),
        (HERE, {"a": entry("vault"), "b": None}, ["not in every book"]),
        (HERE, {"a": entry("vault"), "b": entry("dock")}, ["place"]),
        (HERE, {"a": entry("vault"), "b": entry("vault", IN_TRANSIT)}, ["place"]),
        (HERE, {"a": entry("vault", quantity=1.0), "b": entry("vault", quantity=2.0)}, ["quantity"]),
        (HERE, {"a": entry("vault", quantity=1.0), "b": entry("vault")}, []),
        (HERE, {"a": entry("vault", quantity=1.0), "b": entry("vault", quantity=1.0, unit=None)}, []),
        (HERE, {"a": entry("vault", quantity=1.0), "b": entry("vault", quantity=1.0, unit=" each ")}, []),
        (HERE, {"a": entry("vault", quantity=1.0), "b": entry("vault", quantity=1.0, unit="Grams")}, ["quantity"]),
        (HERE, {"a": entry("vault", quantity=1.0), "b": entry("vault", quantity=2.0, unit="")}, ["quantity"]),
    ],
)
def test_how_they_do_not_agree(seen: Seen, views: Any, what: list[str]):
    assert differ(seen, views, frozenset({"shelf"})) == what


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (said(5, "xls", package(1)), "no book 'xls'"),
        (said(5, "metrc", package(1), mode="change"), "never read as a whole"),
        (said(5, "metrc", package(1), package(1)), "twice"),
        (said(5, "metrc", package(1), zone="x"), "zone"),
        (said(5, "metrc", package(1, zone="volt")), "no zone 'volt'"),
        (said(5, "metrc", package(1), removed=[uid(2)]), "removes nothing"),
        (said(5, "metrc", package(1, quantity=float("nan"))), "quantity"),
        (said(5, "metrc", {"location": "x"}), "uid"),
        (said(5, "metrc", {"uid": "PAG1"}), "uid"),
        (Command(at(5), "book", {"book": "metrc", "packages": []}), "as_of"),
        (deal(5, 1), "has no difference"),
        (Command(at(5), "difference", {"uid": uid(1)}), "by"),
    ],
)
def test_what_is_wrong_is_refused(command: Command, why: str):
    with pytest.raises(Refused, match=why):
        site().admit(command)


def test_an_older_book_and_an_explanation_without_words_are_refused():
    floor = site()
    told([said(10, "metrc", package(1), package(2, "Dock"))], 50, floor)
    with pytest.raises(Refused, match="older than the one held"):
        floor.admit(said(9, "metrc", package(1)))
    with pytest.raises(Refused, match="explained by what"):
        floor.admit(deal(50, 2, state="explained"))


def test_a_book_of_the_future_is_refused_so_that_none_is_held_for_ever():
    floor = site()
    told([said(10, "metrc", package(1))], 20, floor)
    with pytest.raises(Refused, match="in the future: set the clock there"):
        floor.admit(said(21, "metrc", package(1), as_of=rfc3339(at(400))))
    ahead = said(22, "metrc", package(1), as_of=rfc3339(at(300)))
    assert of_type(told([ahead, said(310, "metrc", package(2))], 320, floor), BOOK)[-1].data["removed"] == [uid(1)]
    floor.books._as_of["metrc"] = at(1e8)  # as an earlier state of the gateway took it
    floor.admit(said(330, "metrc", package(1)))


def test_it_goes_on_over_a_restart_and_over_a_power_cut():
    items = ticked([
        *scene(), said(10, "metrc", package(1), package(2, "Dock"), package(4, "dock"), package(7)),
        deal(60, 7, state="explained", note="sold"),
    ], 90)  # fmt: skip
    whole, first, second = site(), site(), site()
    facts = [fact for item in items for fact in whole.feed(item)]
    cut = next(n for n, item in enumerate(items) if getattr(item, "t", 0) >= at(40))
    before = [fact for item in items[:cut] for fact in first.feed(item)]
    second.restore(first.checkpoint())
    assert before + [fact for item in items[cut:] for fact in second.feed(item)] == facts
    assert second.books.state() == whole.books.state()

    lost = site()
    lost.restore(first.checkpoint() | first._state().snapshot())
    lost.apply([seal(fact, "/rfid/s/g", "e", n, GENESIS).payload for n, fact in enumerate(facts[len(before) :], 1)])
    assert [(one["uid"], one["state"], one["note"]) for one in lost.books.state()["differences"]] == [
        (uid(2), "open", ""), (uid(7), "explained", "sold"),
    ]  # fmt: skip


def test_a_site_without_books_says_nothing_and_keeps_the_digest_that_it_had():
    assert "books" not in config().floor_json()
    floor = Floor(config())
    assert not [fact for fact in told([], 30, floor) if fact.type in (BOOK, DIFFERENCE, RECONCILIATION)]
    assert floor.books.state()["differences"] == []
