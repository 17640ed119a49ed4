"""The pages about the whole site: all docks at a glance, zones with their counts, readers and their health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.web.dock_view import dock_name, progress_bar
from gateway.web.html import Html, el, join, moment, table
from gateway.web.icons import icon
from gateway.web.wording import counts_of, number, shown


def docks_parts(states: Iterable[Mapping[str, Any]]) -> dict[str, Html]:
    """Every dock as a card that leads to its page."""
    cards = [_dock_card(state) for state in states]
    return {"docks": el("ul", cards, class_="cards") if cards else _nothing("The configuration has no docks.")}


def _dock_card(state: Mapping[str, Any]) -> Html:
    now, counts = shown(state), counts_of(state)
    session = state["session"]
    detail = f"Manifest {session['manifest']}" if session and session["manifest"] else now.sentence
    body = [
        el("p", dock_name(state), class_="name"),
        el("p", icon(now.tone), el("span", now.word), class_=f"word tone-{now.tone}"),
        el("p", detail, class_="sentence"),
    ]
    if counts:
        body.append(progress_bar(counts))
        body.append(el("p", el("b", counts["matched"]), f" of {counts['lines']}", class_="figure"))
    card = el("a", body, href=f"/docks/{state['dock']}", class_="card", id=f"dock-{state['dock']}")
    return el("li", card)


def zones_parts(zones: Iterable[Mapping[str, Any]]) -> dict[str, Html]:
    """A row for each zone: how many are there, how well it is watched, and its last count."""
    rows = [_zone_row(zone) for zone in zones]
    columns = ("Zone", "Present", "Not seen", "Watched", "Last count")
    return {"zones": table(columns, rows) if rows else _nothing("The configuration has no zones.")}


def _zone_row(zone: Mapping[str, Any]) -> Html:
    antennas = zone["antennas"]
    deaf = {name: words for name, words in antennas.items() if words != "watching"}
    if not antennas:
        watched = _status("bad", "warning", "no antenna watches it: what is here is what portals say")
    elif not deaf:
        watched = _status("good", "matched", f"{number(len(antennas), 'antenna')} watching")
    else:
        words = ", ".join(f"{name} {word}" for name, word in deaf.items())
        watched = _status("bad", "warning", words if zone["watched"] else f"not watched: {words}")
    return el(
        "tr",
        el("th", el("a", zone["name"] or zone["zone"], href=f"/zones/{zone['zone']}"), scope="row"),
        el("td", zone["population"], class_="big", data_label="Present"),
        el("td", zone["not_seen"], class_="big" if zone["not_seen"] else "big none", data_label="Not seen"),
        el("td", watched, data_label="Watched"),
        el("td", _count_words(zone["last_count"]), data_label="Last count"),
    )


def _count_words(count: Mapping[str, Any] | None) -> Html:
    if count is None:
        return el("span", "none yet", class_="muted")
    population = count["population"]
    figure = "cannot be told" if population is None else number(population, "package")
    sure = f"confidence {count['confidence']:.2f} · " if count.get("confidence") is not None else ""
    return join(el("b", figure), el("small", sure, moment(count["ended"])))


def readers_parts(
    readers: Iterable[Mapping[str, Any]], set_apart: int = 0, troubles: Iterable[str] = ()
) -> dict[str, Html]:
    """A row for each reader: up or not, what is wrong with it, its clock and its reads; and a line where the office has
    not taken `set_apart` events, and one for each of `troubles`."""
    rows = [_reader_row(reader) for reader in readers]
    columns = ("Reader", "State", "Antennas", "Clock", "Reads")
    shown_rows = table(columns, rows) if rows else _nothing("The configuration has no readers.")
    lines = [_set_apart_line(set_apart)] if set_apart else []
    lines += [el("p", _status("bad", "warning", f"{words[:1].upper()}{words[1:]}")) for words in troubles]
    return {"readers": join([*lines, shown_rows]) if lines else shown_rows}


def _set_apart_line(count: int) -> Html:
    words = f"{number(count, 'message')} not taken by the office system. Nothing is lost: they are kept here. Tell IT."
    return el("p", _status("bad", "warning", words))


def _reader_row(reader: Mapping[str, Any]) -> Html:
    up = reader["status"] == "up"
    why = "" if up else reader["error"] or reader["reason"]
    since = el("small", "since ", moment(reader["since"])) if reader["since"] else None
    silent = {port: join("reads nothing since ", moment(since)) for port, since in reader["antennas_silent"].items()}
    deaf = silent | {port: why or "down" for port, why in reader["antennas_down"].items()}
    antennas = (
        join(*(_status("bad", "warning", join(port, ": ", why)) for port, why in deaf.items()))
        if deaf
        else _status("good", "matched", "all good")
        if up
        else el("span", "not known", class_="muted")
    )
    late = reader["late_reads"]
    return el(
        "tr",
        el("th", reader["reader"], el("small", reader["model"] or ""), scope="row"),
        el(
            "td",
            _status("good" if up else "bad", "matched" if up else "warning", reader["status"]),
            since,
            el("small", why, class_="why") if why else None,
            join([el("small", f"{name}: {words}") for name, words in reader["conditions"].items()]),
            data_label="State",
        ),
        el("td", antennas, data_label="Antennas"),
        el("td", str(reader["clock"]["quality"] or "not known"), data_label="Clock"),
        el("td", el("b", f"{reader['reads']:,}"), el("small", f"{late:,} late") if late else None, data_label="Reads"),
    )


def _status(kind: str, symbol: str, words: str) -> Html:
    return el("span", icon(symbol), words, class_=f"status {kind}")


def _nothing(words: str) -> Html:
    return el("p", words, class_="nothing")
