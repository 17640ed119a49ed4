"""Sketches: single tags in passages, drawn read by read and at once, by the thousand.

The worlds play every slot of a reader and every body about; a sketch has only what decides a pass. What is not known of
a real site differs from one to the next, and more than it would anywhere (domain randomisation): how the antennas hang
(sites.py), how often a tag is read, from once in ten seconds to eighty times a second, how far it is heard, what stands
about it, how rough levels, phases and Doppler shifts are, and whether the reader tells those at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.learn.samples import SKETCHED, Sample, Story
from benchmarks.learn.sites import Site, make_site, one_of
from benchmarks.learn.ways import WAYS, Array, Random
from gateway.clock import MILLISECOND, SECOND
from gateway.floor.portals.features import features
from gateway.floor.portals.phases import Pairs, Phase, pairs_of
from gateway.floor.portals.track import Sighting
from gateway.floor.portals.walk_model import likelihood

WINDOW = 250 * MILLISECOND
"""Microseconds of the floor's usual window."""

WAVELENGTH, SPAN, CHANNELS, HOP = 0.3276, 0.026, 50, 0.2
"""Metres in the middle of the band, its width as a share, its channels, and seconds on each."""

RATES = (8.0, 80.0)
"""Reads a second of a tag that is alone and near, by all antennas together: real readers with Miller coding in a dense
room have fourteen, those in a hurry eighty."""

SILENCE, LEEWAY = 4.0, 1.5
"""Seconds without a read that part two stays, and in which the crossing may precede or follow the reads of its own."""

BACK_LOBE = 0.2
"""Amplitude of an antenna behind and beside its front."""


@dataclass(slots=True, frozen=True)
class Sketch:
    """What the floor would have seen of a tag at a portal, and what the tag did: `way` is 1 for in, -1 for out, 0 for
    neither; `moves` tells coming back from standing, `door` a door from a field."""

    looks: list[Sighting]
    pairs: list[Pairs]
    inside: frozenset[int]
    way: int
    moves: bool
    door: bool


# ---- what is read


def _visits(random: Random, antennas: int, length: float) -> tuple[Array, NDArray[np.int64]]:
    """When which antenna asks: in turn, each for a while, with as many reads as fit in."""
    dwell = random.uniform(0.02, 0.2)
    rate = math.exp(random.uniform(math.log(RATES[0]), math.log(RATES[1])))
    each = max(1, round(dwell * rate))
    dwell = max(dwell, 1 / rate)
    count = int(length / dwell) + 1
    turns = np.arange(count)
    times = (turns[:, None] + (np.arange(each) + random.uniform(0, 1, (count, each))) / each) * dwell
    return times.ravel(), np.repeat(turns % antennas, each)


def _levels(
    random: Random, site: Site, at: Array, heading: Array, ports: NDArray[np.int64], channels: Array
) -> tuple[Array, Array, Array]:
    """Decibels there and back, phase in turns, and speed of approach by metre, of every read."""
    place = site.places[ports]
    wave = 2 * math.pi / (WAVELENGTH * (1 + SPAN * (0.5 - channels)))
    to = at - place
    distance = np.linalg.norm(to, axis=1)
    along = to / distance[:, None]
    dipole = _dipole(random, heading)

    def lobe(direction: Array) -> Array:
        ahead = np.einsum("ij,ij->i", direction, site.fronts[ports])
        return np.asarray(np.where(ahead > 0.3, np.maximum(ahead, 0.3) ** site.lobes[ports], BACK_LOBE))

    def taken(direction: Array) -> Array:
        part = np.einsum("ij,ij->i", direction, dipole)
        return np.asarray(np.sqrt(np.maximum(1 - part**2, 0.03)))

    shade = 10 ** (-(_shade(random, along, heading) + _goods(random, along, heading)) / 20)
    total = shade * lobe(along) * taken(along) / distance * np.exp(-1j * wave * distance)
    mirrored = to * np.array([1.0, 1.0, 0.0]) + np.array([0.0, 0.0, 1.0]) * (-place[:, 2:] - at[:, 2:])
    long = np.linalg.norm(mirrored, axis=1)
    mirrored = mirrored / long[:, None]
    floor = random.uniform(0.1, 0.5)
    total -= floor * lobe(mirrored) * taken(mirrored) / long * np.exp(-1j * wave * long)
    for reflector, strength in zip(site.reflectors, site.strengths, strict=True):
        out, back = reflector - place, at - reflector
        before, after = np.linalg.norm(out, axis=1), np.linalg.norm(back, axis=1)
        d = before + after
        size = strength * lobe(out / before[:, None]) * taken(back / after[:, None]) / d
        total += size * np.exp(-1j * wave * d)
    level = 40 * np.log10(np.abs(total)) + site.gains[ports]
    level += 40 * (1 - site.falls) * np.log10(distance)
    return level, -2 * np.angle(total) / (2 * math.pi), along


def _dipole(random: Random, heading: Array) -> Array:
    """The direction of the tag's dipole by read: nearly upright or any; it turns with who carries it."""
    if random.random() < 0.7:
        ahead, left, up = random.normal(0, 0.3), random.normal(0, 0.3), 1.0
    else:
        ahead, left, up = random.normal(0, 1, 3)
    size = math.sqrt(ahead**2 + left**2 + up**2)
    c, s = heading[:, 0], heading[:, 1]
    return np.column_stack([ahead * c - left * s, ahead * s + left * c, np.full(len(c), up)]) / size


def _shade(random: Random, along: Array, heading: Array) -> Array:
    """Decibels that the body of the carrier takes one way: of what comes from where the body is."""
    most = one_of(random, 0.0, 0.5, 1.5, 3.0, 6.0, 10.0)
    where = random.choice([math.pi, math.pi, math.pi, 0.5 * math.pi, -0.5 * math.pi, 0.0])
    c, s = math.cos(where), math.sin(where)
    body = np.column_stack([c * heading[:, 0] - s * heading[:, 1], c * heading[:, 1] + s * heading[:, 0]])
    behind = -np.einsum("ij,ij->i", along[:, :2], body)
    return np.asarray(most * np.clip((behind - 0.5) / 0.4, 0, 1))


def _goods(random: Random, along: Array, heading: Array) -> Array:
    """Decibels that a load takes one way: a tag of it has a face from which it is seen, and goods all around else."""
    if random.random() < 0.7:
        return np.zeros(len(along))
    loss, where = random.uniform(3.0, 16.0), random.uniform(0, 2 * math.pi)
    c, s = math.cos(where), math.sin(where)
    face = np.column_stack([c * heading[:, 0] - s * heading[:, 1], c * heading[:, 1] + s * heading[:, 0]])
    hidden = (1 + np.einsum("ij,ij->i", along[:, :2], face)) / 2
    return np.asarray(loss * np.clip(hidden, 0, 1) * random.uniform(0.3, 1.0))


def _unrest(random: Random, times: Array, ports: NDArray[np.int64], antennas: int, spread: float) -> Array:
    """What people and doors about do to the levels: slow walks of their own, by antenna, in decibels."""
    if not spread:
        return np.zeros(len(times))
    grid = np.arange(0.0, times[-1] + 2.0, 0.5)
    tau = random.uniform(1.0, 10.0)
    keep = math.exp(-0.5 / tau)
    walk = random.normal(0, spread, antennas)[None, :].repeat(len(grid), 0)
    for number in range(1, len(grid)):
        walk[number] = keep * walk[number - 1] + random.normal(0, spread * math.sqrt(1 - keep**2), antennas)
    at = times / (grid[1] - grid[0])
    before = at.astype(int)
    share = at - before
    return np.asarray(walk[before, ports] * (1 - share) + walk[before + 1, ports] * share)


def sketch(random: Random, name: str) -> Sketch | None:
    """One tag that takes the way of that name; None where it is not read well enough to be anything."""
    _, _, in_field, at_door, crossings, moves = next(entry for entry in WAYS if entry[0] == name)
    site = make_site(random)
    times, points = (at_door if site.door else in_field)(random, site.half)
    way = int(random.choice([1, -1]))
    points = points * np.array([way, 1.0])
    count = len(site.places)
    asked, ports = _visits(random, count, times[-1])
    sway = 0.03 * np.sin(2 * math.pi * asked * random.uniform(0.8, 2.0) + random.uniform(0, 6))
    xs, ys = (np.interp(asked, times, points[:, axis]) for axis in (0, 1))
    ahead = np.column_stack([np.interp(asked + 0.2, times, points[:, k]) - v for k, v in ((0, xs), (1, ys))])
    speed = np.linalg.norm(ahead, axis=1)
    heading = _headings(ahead, speed, moves, random)
    at = np.column_stack([xs, ys + (sway if moves else 0.0), np.full(len(xs), random.uniform(0.7, 1.6))])
    hop = (asked / HOP).astype(int) % CHANNELS
    channels = random.permutation(CHANNELS)[hop]
    level, phase, along = _levels(random, site, at, heading, ports, channels / CHANNELS)
    spread = one_of(random, 0.0, 0.5, 1.0) if moves else one_of(random, 0.0, 1.0, 2.0, 3.5)
    level = (
        level + _unrest(random, asked, ports, count, spread) + random.normal(0, random.uniform(0.4, 1.8), len(level))
    )
    # Read is what is loud enough, in as many cases as the reader and the others about leave.
    best = np.quantile(level, 0.97 if site.door else 0.9)
    margin = level - best + (random.uniform(8.0, 45.0) if site.door else random.uniform(6.0, 30.0))
    often = 10 ** random.uniform((-1.5 if site.door else -0.8) if moves else -2.0, 0.0)
    read = random.random(len(level)) < often / (1 + np.exp(-margin / 1.5))
    read = _one_stay(random, asked, read)
    crossed = asked[np.argmax(way * xs > 0)] if crossings else 0.0
    if read.sum() < 2 or (crossings and not asked[read][0] - LEEWAY <= crossed <= asked[read][-1] + LEEWAY):
        return None
    step = one_of(random, 0.5, 1.0, 1.0)
    decibels = np.round((level - best - 55.0) / step) * step
    turns = (
        phase
        + random.random((count, CHANNELS))[ports, channels]
        + random.normal(0, one_of(random, 0.03, 0.1, 0.2), len(phase))
    )
    speeds = (
        np.column_stack([np.gradient(xs, asked, edge_order=1), np.gradient(ys, asked, edge_order=1)])
        if len(xs) > 2
        else ahead
    )
    shift = -2 / WAVELENGTH * np.einsum("ij,ij->i", along[:, :2], np.nan_to_num(speeds))
    good = random.choice([0.2, 0.4, 0.6, 1.0])
    shift = shift + np.where(
        random.random(len(shift)) < good, random.normal(0, 5, len(shift)), random.normal(0, 100, len(shift))
    )
    known, sign = random.random() < 0.85, random.choice([1.0, -1.0])
    doppler = known and random.random() < 0.75
    rows = [
        (
            round(t * SECOND),
            int(port),
            float(d),
            int(channel),
            round(sign * turn * 4096) % 4096,
            float(s) if doppler else 0.0,
        )
        for t, port, d, channel, turn, s in zip(
            asked[read], ports[read], decibels[read], channels[read], turns[read], shift[read], strict=True
        )
    ]
    looks, pairs = _windowed(rows, known, int(random.integers(WINDOW)))
    inside = frozenset(int(port) for port in np.flatnonzero(site.inside))
    return Sketch(looks, pairs, inside, way * crossings, moves, site.door)


def _one_stay(random: Random, asked: Array, read: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the reads that the floor would take for one stay: any one of those that silence parts."""
    found = np.flatnonzero(read)
    parts = np.split(found, np.flatnonzero(np.diff(asked[found]) > SILENCE) + 1)
    stay = parts[int(random.integers(len(parts)))]
    kept = np.zeros(len(read), dtype=bool)
    kept[stay] = True
    return kept


def drawn(seed: int, part: int, number: int) -> Iterator[Sample]:
    """So many samples, of one of the independent parts of a seed."""
    random = np.random.default_rng([seed, part])
    names, shares = [entry[0] for entry in WAYS], [entry[1] for entry in WAYS]
    while number:
        name = names[int(random.choice(len(names), p=shares))]
        found = sketch(random, name)
        if found is None:
            continue
        number -= 1
        story = {1: Story.IN, -1: Story.OUT, 0: Story.BACK if found.moves else Story.STILL}[found.way]
        walk = likelihood(found.looks, found.inside, WINDOW)
        shape = features(found.looks, found.pairs, found.inside, walk, gone=True)
        yield Sample(f"{SKETCHED}, {'door' if found.door else 'field'}, {name}", story, shape)


def _headings(ahead: Array, speed: Array, moves: bool, random: Random) -> Array:
    """Which way the carrier faces, by read: where it goes, or where it went last."""
    angle = random.uniform(0, 2 * math.pi)
    last = np.array([math.cos(angle), math.sin(angle)])
    if not moves:
        turns = angle + one_of(random, 0.0, 0.0, 0.4) * np.arange(len(speed)) * 0.05
        return np.column_stack([np.cos(turns), np.sin(turns)])
    going = speed > 0.01
    first = int(np.argmax(going)) if going.any() else 0
    if going.any():
        last = ahead[first] / speed[first]
    found = np.empty_like(ahead)
    for number, (step, size) in enumerate(zip(ahead, speed, strict=True)):
        if size > 0.01:
            last = step / size
        found[number] = last
    return found


def _windowed(
    rows: list[tuple[int, int, float, int, int, float]], known: bool, offset: int
) -> tuple[list[Sighting], list[Pairs]]:
    """The reads as the floor's windows give them."""
    begin = 1_700_000_000 * SECOND + offset
    cells: dict[tuple[int, int], list[int]] = {}
    phases: dict[tuple[int, int], list[Phase]] = {}
    for after, port, decibels, channel, turn, shift in rows:
        t = begin + after
        start = t // WINDOW * WINDOW
        power = max(round(10 ** (decibels / 10) * 1e12), 1)
        cell = cells.setdefault((start, port), [0, -10_000, 0, 0])
        cell[0] += 1
        cell[1] = max(cell[1], round(100 * decibels))
        cell[2] += power
        cell[3] += power * (t - start)
        phases.setdefault((start, port), []).append((t, channel, turn, round(16 * shift)))
    looks: list[Sighting] = [
        (start, port, reads, loudest, power, moment)
        for (start, port), (reads, loudest, power, moment) in sorted(cells.items())
    ]
    pairs: list[Pairs] = []
    if known:
        newest: dict[int, Phase] = {}
        for (start, port), reads in sorted(phases.items()):
            reads.sort()
            pairs.append((start, port, *pairs_of(reads, newest.get(port))))
            newest[port] = reads[-1]
    return looks, pairs
