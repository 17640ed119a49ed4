"""A trial drawn as SVG: where the tag was, what the floor said and what a rule said, one band each over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from benchmarks.recordings.files import Trial
from benchmarks.recordings.floor import Said
from gateway.clock import SECOND

WIDTH, BAND, LEFT = 1000, 34, 90
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")


def timeline(trial: Trial, floor: Sequence[Said], rule: Sequence[Said]) -> str:
    """Bands of the truth, the floor and the 6 dB rule. What is not known, or not said yet, is blank."""
    names = sorted({zone for _, zone in trial.stays if zone})
    colours = dict(zip(names, COLOURS, strict=False))
    bands = [("was in", trial.stays), ("floor", _places(floor)), ("6 dB rule", _places(rule))]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 10}" height="{(len(bands) + 1) * BAND + 20}"'
        ' font-family="sans-serif" font-size="13">'
    ]
    for row, (name, places) in enumerate(bands):
        y = row * BAND + 5
        parts.append(f'<text x="5" y="{y + 18}">{escape(name)}</text>')
        for begin, end, zone in _pieces(places, trial.start, trial.end):
            if zone in colours:
                x, width = _x(trial, begin), _x(trial, end) - _x(trial, begin)
                parts.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAND - 8}" fill="{colours[zone]}"/>'
                )
    y = len(bands) * BAND + 20
    for number, zone in enumerate(names):
        x = LEFT + number * 110
        parts.append(f'<rect x="{x}" y="{y - 11}" width="12" height="12" fill="{colours[zone]}"/>')
        parts.append(f'<text x="{x + 17}" y="{y}">{escape(zone)}</text>')
    parts.append(f'<text x="{LEFT + WIDTH - 60}" y="{y}">{(trial.end - trial.start) // SECOND} s</text></svg>')
    return "\n".join(parts) + "\n"


def _places(said: Iterable[Said]) -> list[tuple[int, str | None]]:
    return [(one.at, one.target) for one in said]


def _pieces(places: Sequence[tuple[int, str | None]], start: int, end: int) -> list[tuple[int, int, str | None]]:
    if not places:
        return []
    ends = [*(t for t, _ in places[1:]), end]
    return [
        (max(t, start), min(until, end), zone) for (t, zone), until in zip(places, ends, strict=True) if until > start
    ]


def _x(trial: Trial, t: int) -> float:
    return LEFT + WIDTH * (t - trial.start) / (trial.end - trial.start)
