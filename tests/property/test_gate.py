"""Whatever happens at the docks: verdicts add up, green is never shown without cause, restarts change nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.floor.gate import Gate
from gateway.floor.passes import Pass
from gateway.inputs import Command
from tests.support.gate_scene import at, config, elapse, manifest_args, state_of, transit, uid, verdicts

PACKAGES = range(1, 7)
FACTS: list[dict[str, Any]] = [
    {},
    {"record": {"hold": True}},
    {"record": {"hold": None}},
    {"record": None},
    {"lab": None},
    {"record": {"location": "Quarantine 2"}},
]

packages = st.sampled_from(PACKAGES)
directions = st.sampled_from(["out", "out", "out", "in", "turned_back", "standing", "undetermined"])
docks = st.sampled_from(["dock-1", "dock-2"])
lines = st.one_of(
    st.dictionaries(packages, st.just({}), max_size=4),
    st.dictionaries(packages, st.sampled_from([{}, {}, {}, *FACTS]), max_size=4),
)
steps = st.one_of(
    st.tuples(st.just("manifest"), st.sampled_from(["M1", "M2"]), lines, st.sampled_from(["dock-1", "dock-2", None])),
    st.tuples(st.just("pass"), packages, directions, docks),
    st.tuples(st.just("load"), st.sampled_from(["M1", "M2"]), docks),
    st.tuples(st.just("shipment"), st.sampled_from(["M1", "M2"]), lines, docks),
    st.tuples(st.just("shipment"), st.sampled_from(["M1", "M2"]), lines, docks),
    st.tuples(st.just("open"), docks),
    st.tuples(st.just("close"), docks),
    st.tuples(st.just("door"), st.sampled_from([1, 2]), st.booleans()),
    st.tuples(st.just("reads"), packages, docks, st.sampled_from(["loaded", "outside"])),
    st.tuples(st.just("watch"), packages, st.sampled_from(["add", "remove"])),
    st.tuples(st.just("withdraw"), st.sampled_from(["M1", "M2"])),
    st.tuples(st.just("wait"), st.sampled_from([1, 400, 15_000])),
)  # fmt: skip


def inputs(story: list[Any]) -> list[Any]:
    """Steps as inputs, some seconds apart. "load" is a pass of every line that a manifest has,
    "shipment" a manifest, its load and the end of the session."""
    t, items = 0.0, []
    loads: dict[str, list[int]] = {}
    for version, (kind, *what) in enumerate(story, start=1):
        t += what[0] if kind == "wait" else 1.5
        match kind:
            case "manifest":
                args = manifest_args(what[1], name=what[0], version=version, dock=what[2], as_of=t)
                items.append(Command(at(t), "manifest", args))
                loads[what[0]] = sorted(what[1])
            case "shipment":
                name, content, dock = what
                args = manifest_args(content, name=name, version=version, dock=dock, as_of=t)
                items.append(Command(at(t), "manifest", args))
                loads[name] = sorted(content)
                items += [transit(t + 1, package, "out", dock) for package in loads[name]]
                items.append(Command(at(t + 1), "gate.close", {"dock": dock}))
            case "load":
                items += [transit(t, package, "out", what[1]) for package in loads.get(what[0], [])]
            case "pass":
                items.append(transit(t, what[0], what[1], what[2]))
            case "open":
                items.append(Command(at(t), "gate.open", {"dock": what[0]}))
            case "close":
                items.append(Command(at(t), "gate.close", {"dock": what[0]}))
            case "door":
                items.append((what[0], what[1], at(t)))
            case "reads":
                args = {"reader": "hh", "dock": what[1], "uids": [uid(what[0])], "where": what[2]}
                items.append(Command(at(t), "reads", args))
            case "watch":
                items.append(Command(at(t), "watch", {"list": "customs", "mode": what[1], "uids": [uid(what[0])]}))
            case "withdraw":
                items.append(Command(at(t), "manifest.withdraw", {"manifest": what[0]}))
    return items


def time_of(item: Any) -> int:
    return item[2] if isinstance(item, tuple) else item.end if isinstance(item, Pass) else item.t


def feed(gate: Gate, item: Any) -> list[Any]:
    facts = elapse(gate, time_of(item))
    if isinstance(item, tuple):
        return facts + gate.input_changed("r1", *item)
    return facts + (gate.passed(item) if isinstance(item, Pass) else gate.command(item))


def restarted(gate: Gate) -> Gate:
    successor = Gate(config())
    successor.load(state_of(gate))
    return successor


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=25), st.data())
def test_restarts_at_any_step_change_nothing(story, data):
    plain, broken = Gate(config()), Gate(config())
    for item in inputs(story):
        if data.draw(st.booleans(), label="restart"):
            broken = restarted(broken)
        assert feed(plain, item) == feed(broken, item)
    end = at(10_000_000)
    assert elapse(plain, end) == elapse(broken, end)
    assert state_of(plain) == state_of(broken)


vans = st.tuples(st.sampled_from(["M1", "M2"]), docks)
voyages = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), vans),
        st.tuples(st.just("pass"), st.integers(1, 4), st.sampled_from(["out", "out", "in"]), docks),
        st.tuples(st.just("close"), docks),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(voyages)
def test_what_a_complete_verdict_counts_as_loaded_has_not_come_in_again(story):
    """Whichever dock it comes back through, and whatever is loaded or received there."""
    gate, away = Gate(config()), set()
    for name, lines in (("M1", [1, 2]), ("M2", [3])):
        gate.command(Command(at(0), "manifest", manifest_args(lines, name=name, dock=None)))
    gate.command(Command(at(0), "manifest", manifest_args([4], name="M3", dock=None, direction="in")))
    story = [*story, *(("close", dock) for dock in gate.docks())]
    for t, (kind, *what) in enumerate(story, start=1):
        item: Any = Command(at(10 * t), "gate.close", {"dock": what[0]})
        if kind == "begin":
            item = Command(at(10 * t), "gate.open", {"manifest": what[0][0], "dock": what[0][1]})
        elif kind == "pass":
            item = transit(10 * t, *what)
            (away.add if what[1] == "out" else away.discard)(item.uid)
        feed(gate, item)
        for verdict in verdicts(elapse(gate, at(10 * t + 5))):
            if verdict["complete"] and verdict["direction"] == "out":
                assert {package["uid"] for package in verdict["matched"]} <= away


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=30))
def test_verdicts_add_up_and_green_has_a_cause(story):
    gate, known, last = Gate(config()), {}, {}
    the_end = [Command(at(10_000_000), "gate.close", {"dock": dock}) for dock in gate.docks()]
    for item in [*inputs(story), *the_end]:
        for verdict in verdicts(elapse(gate, time_of(item))):
            last[verdict["dock"]] = verdict
            check(verdict, known)
        if isinstance(item, Command) and item.name == "manifest":
            known[item.args["manifest"]] = {line["uid"]: line for line in item.args["deliveries"][0]["lines"]}
        assert not verdicts(feed(gate, item)), "a session settles before its verdict"
        for dock in gate.docks():
            check_lamp(gate.state(dock), last.get(dock))


def check(verdict: dict[str, Any], known: dict[str, Any]) -> None:
    names = ("matched", "missing", "extra", "blocked", "undetermined")
    sets = {name: {item["uid"] for item in verdict[name]} for name in names}
    for name in sets:
        for other in sets:
            assert name == other or not sets[name] & sets[other]
        assert len(sets[name]) == len(verdict[name]) == verdict["counts"][name]
    everything = set().union(*sets.values())
    loadable = known.get(verdict["manifest"], {})
    if verdict["counts"]["lines"]:  # a withdrawn manifest has none
        assert loadable.keys() <= everything
        assert len(loadable) == verdict["counts"]["lines"]
        assert not sets["extra"] & loadable.keys()
    for item in verdict["matched"]:
        line = loadable[item["uid"]]
        assert line["record"] is not None
        assert line["record"]["hold"] == []
        assert "Quarantine" not in line["record"]["location"]
        assert line["lab"] is not None
        assert item["proof"] is not None
        assert item["loads"] >= 1
    good = bool(loadable) and sets["matched"] == loadable.keys()
    stopped = sets["extra"] or sets["blocked"] or sets["undetermined"]
    assert verdict["complete"] == bool(good and not stopped and verdict["counts"]["lines"])
    assert all(item["rules"] or item["unknown"] for item in (*verdict["blocked"], *verdict["extra"]))


def check_lamp(state: dict[str, Any], last: dict[str, Any] | None) -> None:
    session = state["session"]
    if state["lamp"] == "green":
        assert session is None
        assert last is not None
        assert last["complete"]
    if session is not None:
        stopped = session["counts"]["extra"] or session["counts"]["blocked"]
        assert state["lamp"] == ("red" if stopped else "amber")
