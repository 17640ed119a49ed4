"""A pass drawn as SVG: what each side heard, what was thought of it meanwhile, and what was said when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.recordings.passes import Answer, Recording
from benchmarks.recordings.weighed import Weighed
from gateway.clock import SECOND

WIDTH, HEIGHT, LEFT, GAP = 900, 180, 60, 30
SIDES = {"outside": "#4477aa", "inside": "#ee6677"}
STORIES = {"inward": "#ee6677", "outward": "#4477aa", "turned_back": "#228833", "standing": "#ccbb44"}
LOWEST, HIGHEST = -80.0, -30.0
"""Levels at the lower and the upper edge, in dBm."""


def picture(recording: Recording, answer: Answer, looks: Sequence[Weighed]) -> str:
    """Above each read as a dot, by side; below the likelihood of each story as the reads came; lines where something
    was said."""
    reads = [r for r in recording.reads if r["epc"] == recording.uid and r["antenna"] in recording.sides]
    start = min(read["t"] for read in reads) - 0.5
    said = [last + delay for last, delay in zip(answer.lasts, answer.delays, strict=True)]
    end = max([read["t"] for read in reads] + [look.t / SECOND for look in looks] + said) + 0.5

    def x(t: float) -> float:
        return float(LEFT + WIDTH * (t - start) / (end - start))

    def level(dbm: float) -> float:
        share = (min(max(dbm, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
        return float(20 + HEIGHT * (1 - share))

    low = 20 + 2 * HEIGHT + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{low + 50}"'
        ' font-family="sans-serif" font-size="12">',
        f'<text x="{LEFT}" y="14">{escape(recording.name)}: {escape(recording.truth)}</text>',
    ]
    parts += [f'<text x="5" y="{level(dbm) + 4:.0f}">{dbm:.0f} dBm</text>' for dbm in (-40.0, -60.0, -80.0)]
    for read in reads:
        colour = SIDES[recording.sides[read["antenna"]]]
        parts.append(f'<circle cx="{x(read["t"]):.1f}" cy="{level(read["rssi"]):.1f}" r="2" fill="{colour}"/>')
    for story, colour in STORIES.items():
        points = " ".join(f"{x(one.t / SECOND):.1f},{low - HEIGHT * getattr(one.story, story):.1f}" for one in looks)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for t, direction, confidence in zip(said, answer.directions, answer.confidences, strict=True):
        parts.append(f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="20" y2="{low}" stroke="black"/>')
        words = escape(f"{direction} {confidence:.3f}")
        parts.append(f'<text x="{x(t) - 4:.1f}" y="{20 + HEIGHT + 18}" text-anchor="end">{words}</text>')
    names = [*((f"{side}, reads", colour) for side, colour in SIDES.items()), *STORIES.items()]
    for number, (name, colour) in enumerate(names):
        at = LEFT + number * 140
        parts.append(f'<rect x="{at}" y="{low + 14}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{at + 17}" y="{low + 25}">{name.replace("_", " ")}</text>')
    parts.append(f'<text x="{LEFT + WIDTH - 40}" y="{low + 40}">{math.ceil(end - start)} s</text></svg>')
    return "\n".join(parts) + "\n"
