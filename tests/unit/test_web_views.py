"""What the page says of a dock, from the state of a real gate, and that nothing in it can be more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from gateway.clock import SECOND
from gateway.web.alarm_views import alarms_parts, strip
from gateway.web.assets import Assets
from gateway.web.dock_view import dock_parts
from gateway.web.history_views import trail
from gateway.web.set_view import SHOWN_LINES
from gateway.web.shell import Shell
from gateway.web.site_views import docks_parts, readers_parts, zones_parts
from gateway.web.wording import quantity, reasons, shown
from tests.support.gate_scene import command
from tests.support.web_scene import HOLD, FakeGateway, load

TEMPLATES = Path(__file__).parents[2] / "gateway" / "web" / "templates"
HOSTILE = "<img src=x onerror=alert(1)>\"'&lt;</template><script>alert(2)</script>"


class Seen(HTMLParser):
    """Elements, attributes and text of markup."""

    def __init__(self, markup):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(str(markup))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def parts_of(gateway, all_lines=False):
    return dock_parts(gateway.dock_state("dock-1"), gateway.readers(), all_lines=all_lines)


def text_of(gateway, part):
    return " ".join(Seen(parts_of(gateway)[part]).text.split())


def opened(lines, **changes):
    gateway = FakeGateway()
    gateway.manifest(lines, **changes)
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1", by="ana"))
    return gateway


def closed(gateway):
    gateway.feed(command(gateway.step(), "gate.close", dock="dock-1", by="ana"))
    gateway.wait(5)
    return gateway


def look(gateway):
    now = shown(gateway.dock_state("dock-1"))
    return now.tone, now.word


def test_words_and_tones_follow_a_loading():
    gateway = FakeGateway()
    assert look(gateway) == ("idle", "No session")
    gateway.manifest(load(2))
    assert "1 delivery waiting" in shown(gateway.dock_state("dock-1")).sentence
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1"))
    assert look(gateway) == ("amber", "Loading")
    gateway.pass_out(1, 900)
    assert look(gateway) == ("red", "Stop")
    gateway.pass_out(900, direction="in")
    assert look(gateway) == ("amber", "Loading")
    gateway.pass_out(2)
    assert "Close the session for the verdict" in shown(gateway.dock_state("dock-1")).sentence
    gateway.feed(command(gateway.step(), "gate.close", dock="dock-1"))
    assert look(gateway) == ("amber", "Closing")
    gateway.wait(5)
    assert look(gateway) == ("green", "Complete")
    gateway.wait(400)
    assert look(gateway) == ("idle", "No session")


def test_a_short_load_is_not_complete():
    gateway = opened(load(3))
    gateway.pass_out(1)
    assert look(closed(gateway)) == ("red", "Not complete")
    assert "2 missing" in shown(gateway.dock_state("dock-1")).sentence
    assert "Manifest M1: incomplete" in text_of(gateway, "lists")


def test_receiving_has_its_own_words():
    gateway = opened(load(2), direction="in")
    assert look(gateway) == ("amber", "Receiving")
    assert "received" in text_of(gateway, "load")


def test_what_is_undetermined_is_never_called_loaded():
    gateway = opened(load(2))
    gateway.pass_out(1)
    gateway.pass_out(2, direction="undetermined")
    assert "scan by hand" in shown(gateway.dock_state("dock-1")).sentence
    assert "1 of 2 loaded" in text_of(gateway, "load")


def test_a_blocked_package_is_shown_with_everything_about_it():
    gateway = opened(load(3, p3=HOLD))
    gateway.pass_out(3)
    lists = text_of(gateway, "lists")
    for words in ("Blocked", "Gummies Sour Watermelon 100mg", "On hold", "96 Each", "GM-2601-90", "00003"):
        assert words in lists


def test_an_extra_says_that_it_is_on_no_manifest():
    gateway = opened(load(1))
    gateway.pass_out(900)
    assert "Extra 1 on no manifest" in text_of(gateway, "lists")
    assert "Not on any manifest" in text_of(gateway, "lists")


def test_unknown_facts_are_reasons_of_their_own():
    item = {"rules": [{"rule": "recall", "reason": ""}], "unknown": [{"rule": "coa", "missing": "lab results"}]}
    assert reasons(item, "blocked") == ["Recalled", "Unknown: lab results"]
    assert reasons(item, "matched") == []


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(48.0, "Each", "48 Each"), (2.5, "Pounds", "2.5 Pounds"), (12000.0, "", "12,000"), (None, "Each", "")],
)
def test_quantities(value, unit, words):
    assert quantity({"quantity": value, "unit": unit}) == words


def test_long_lists_are_cut_and_can_be_had_whole():
    gateway = opened(load(SHOWN_LINES["missing"] + 5))
    assert Seen(parts_of(gateway)["lists"]).tags.count("li") == SHOWN_LINES["missing"]
    assert "Show all 105" in text_of(gateway, "lists")
    assert Seen(parts_of(gateway, all_lines=True)["lists"]).tags.count("li") == 105


def test_a_dock_with_a_deaf_reader_says_so():
    gateway = FakeGateway()
    assert parts_of(gateway)["alerts"] == ""
    gateway.reader_changes["r2"] = {"status": "down"}  # the other dock's
    assert parts_of(gateway)["alerts"] == ""
    gateway.reader_changes["r1"] = {"status": "down"}
    assert "Reader r1 is down" in text_of(gateway, "alerts")
    gateway.reader_changes["r1"] = {"antennas_down": {"2": "no cable"}}
    assert "antenna 2 is down" in text_of(gateway, "alerts")


def test_a_portal_that_was_not_watched_keeps_it_from_being_complete():
    gateway = FakeGateway()
    gateway.dark["r1/1"] = 0
    gateway.manifest(load(1))
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1", by="ana"))
    assert parts_of(gateway)["alerts"] == ""
    gateway.dark["r1/1"] = 7 * SECOND
    gateway.pass_out(1)
    assert "Not watched: antenna r1/1 for 7 s." in text_of(gateway, "alerts")
    assert 'data-ask="confirm"' in parts_of(gateway)["alerts"]
    assert "Look, and confirm" in shown(gateway.dock_state("dock-1")).sentence
    assert "Not complete: not watched all the while" in parts_of(gateway)["controls"]
    assert look(closed(gateway)) == ("red", "Not complete")
    assert "Open the session again, look, and confirm" in shown(gateway.dock_state("dock-1")).sentence
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1", by="ana"))
    gateway.feed(command(gateway.step(), "gate.confirm", dock="dock-1", by="ana", reason="all there"))
    assert parts_of(gateway)["alerts"] == ""
    assert look(closed(gateway)) == ("green", "Complete")


def test_a_session_without_a_manifest_can_be_given_one():
    gateway = FakeGateway()
    gateway.pass_out(900)
    assert "No manifest chosen" in text_of(gateway, "load")
    gateway.manifest(load(2), dock=None)
    controls = parts_of(gateway)["controls"]
    assert 'data-ask="open"' in controls
    assert 'data-ask="close"' in controls


def test_zones_say_how_well_they_are_watched():
    text = Seen(zones_parts(FakeGateway().zones())["zones"]).text
    assert "1 antenna watching" in text
    assert "not watched: r1/2 antenna down" in text
    assert "214 packages" in text


def test_what_the_office_has_not_taken_stands_above_the_readers() -> None:
    readers = FakeGateway().readers()
    assert "3 messages not taken by the office system" in Seen(readers_parts(readers, 3)["readers"]).text
    assert "not taken" not in Seen(readers_parts(readers)["readers"]).text
    assert 'action="/readers/release"' in readers_parts(readers, 3)["readers"]
    assert "/readers/release" not in readers_parts(readers)["readers"]


def test_readers_say_what_is_wrong():
    gateway = FakeGateway()
    gateway.reader_changes["r1"] = {"status": "down", "error": "no route to host", "conditions": {"gpo": "refused"}}
    text = Seen(readers_parts(gateway.readers())["readers"]).text
    assert "no route to host" in text
    assert "gpo: refused" in text


def test_a_site_without_docks_says_so():
    assert "no docks" in docks_parts([])["docks"]


def busy():
    """The states of a dock with a package in each set, and of one that waits."""
    gateway = opened(load(3, p3=HOLD))
    gateway.manifest(load(0) | {"50": {}}, name="M2", dock=None)
    gateway.pass_out(1, 3, 900)
    gateway.pass_out(2, direction="undetermined")
    return gateway.dock_state("dock-1"), gateway.dock_state("dock-2"), gateway.readers(), gateway.zones()


BUSY, IDLE, READERS, ZONES = busy()


def test_an_alarm_names_its_zone_as_people_do():
    alarm = {"kind": "watch-list", "place": "cage", "subject": "q/1A40", "uid": "1A40", "state": "raised"}
    alarm |= {"reason": "on it", "since": "2026-02-14T09:00:00Z", "repeats": 0, "acknowledged_by": None}
    for part in (strip((1, [alarm], ""), lambda: ZONES), alarms_parts((1, [alarm], ""), lambda: ZONES)["alarms"]):
        assert "Quarantine cage" in part
    elsewhere = strip((1, [alarm | {"place": "dock-door"}], ""), lambda: ZONES)
    assert "dock-door" in elsewhere
    assert strip((0, [], ""), lambda: pytest.fail("nobody needs the names of zones")) == ""


def test_a_trail_names_the_dock_as_people_do():
    said = {"entry": "gate", "kind": "item", "dock": "dock-1", "status": "blocked", "reasons": "hold", "manifest": "M"}
    said |= {"time": "2026-02-14T09:00:00Z", "event": None}
    holds = {"epoch": "", "sequence": 0, "gaps": []}
    answer = {"uid": "1A40", "item": None, "entries": [said], "more": False, "holds": holds}
    assert "Gate at Dock 1: blocked" in trail(answer, {"here": None}, {}, {"dock-1": "Dock 1"})


def everything(text):
    """Every page of a gateway in which every text that came from outside is `text`."""
    state, idle = swapped(BUSY, text), swapped(IDLE, text)
    wrong = {"error": text, "reason": text, "model": text, "conditions": {text: text}, "antennas_down": {"1": text}}
    readers = [reader | wrong | {"status": "down"} for reader in READERS]
    zones = [zone | {"name": text, "antennas": {"r1/1": text}} for zone in ZONES]
    pages = [dock_parts(state, readers, all_lines=True), dock_parts(idle, readers, all_lines=False)]
    pages += [docks_parts([state, idle]), readers_parts(readers), zones_parts(zones)]
    alarm = {"kind": text, "place": text, "subject": text, "uid": text, "state": "acknowledged", "reason": text}
    alarm |= {"since": text, "repeats": 1, "acknowledged_by": text, "note": text, "acknowledged": text}
    alarms = 1, [alarm], ""
    pages += [
        alarms_parts(alarms, lambda: zones),
        {"strip": strip(alarms, lambda: zones)},
        {"message": Markup(Shell(Assets()).message(404, text, text))},
    ]
    return Markup().join(part for page in pages for part in page.values())


TEXTS = {"product", "batch", "unit", "identifier", "recipient", "reason", "missing", "manifest", "delivery", "name"}


def swapped(content, text):
    if isinstance(content, dict):
        return {
            key: text if key in TEXTS and isinstance(value, str | None) else swapped(value, text)
            for key, value in content.items()
        }
    return [swapped(value, text) for value in content] if isinstance(content, list) else content


HARMLESS = Seen(everything("plain text"))


def test_html_in_names_is_shown_as_text():
    seen = Seen(everything(HOSTILE))
    assert seen.tags == HARMLESS.tags
    assert HOSTILE in seen.text


@settings(max_examples=40)
@given(st.text(st.sampled_from("<>\"'&;/= abscriptonerror`\x00\n"), min_size=1, max_size=40))
def test_no_text_makes_an_element_or_an_attribute(text):
    seen = Seen(everything(text))
    assert seen.tags == HARMLESS.tags
    assert [name for name, _ in seen.attributes] == [name for name, _ in HARMLESS.attributes]


def test_no_template_goes_round_the_escaping():
    """What is put into a template is escaped by Jinja2 alone: nothing in them calls text safe."""
    for path in TEMPLATES.rglob("*.html"):
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", path.read_text()), path


def test_what_no_antenna_watches_and_what_reads_nothing_is_never_green():
    zone, reader = FakeGateway().zones()[0], FakeGateway().readers()[0]
    for antennas in ({}, {"r1/1": "reads nothing"}, {"r1/1": "antenna down"}):
        page = zones_parts([zone | {"antennas": antennas, "watched": False}])["zones"]
        assert "status good" not in page
        assert "status bad" in page
    silent = reader | {"antennas_silent": {"2": "2026-02-14T09:00:00.000000Z"}}
    text = Seen(readers_parts([silent])["readers"]).text
    assert "2: reads nothing since 09:00 UTC" in text
    assert "all good" not in text
