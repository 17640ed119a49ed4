"""What a trial in rooms says about presence, and what fixed timeouts and the 6 dB rule say on the same reads."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from benchmarks.accuracy.judge import Movement, Said
from benchmarks.accuracy.trial import Trial
from benchmarks.radio import Run, Truth
from drivers.emulators.scene import SECOND

TIMEOUTS = (10.0, 30.0, 60.0)

_ABOUT = 20.0
"""Seconds by which a published change may follow, or precede, the true one and still be it, as to where the tag is."""

_EARLY = 10.0
"""Seconds by which a leaving may be dated too early and still be that leaving."""


@dataclass(slots=True)
class Presence:
    """One way of judging, over one trial or many.

    `false_*`: published and not so. `leavings`: true ones, of tags that had been read there; `noticed` with `delays`
    in seconds (said to be elsewhere, departed, or not seen any more); `departed` with `departed_delays` counts those
    that were said to have left, not merely to be out of sight.
    """

    tag_hours: float = 0.0
    false_departed: int = 0
    false_not_seen: int = 0
    false_moved: int = 0
    leavings: int = 0
    noticed: int = 0
    departed: int = 0
    delays: list[float] = field(default_factory=list)
    departed_delays: list[float] = field(default_factory=list)

    def add(self, other: Presence) -> None:
        """Adds the figures of another trial."""
        for name in ("tag_hours", "false_departed", "false_not_seen", "false_moved", "leavings", "noticed", "departed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.delays += other.delays
        self.departed_delays += other.departed_delays


Reads = Mapping[str, list[tuple[float, str, int, str]]]
"""For each tag: time, zone, RSSI in 1/100 dBm, antenna; in order of time."""


def score_presence(trial: Trial, run: Run, said: Said) -> dict[str, Presence]:
    """By judge: ``floor`` and each simple rule."""
    reads = _reads(trial, run)
    found = {"floor": _score(run.truth, reads, said.movements)} if said.judged else {}
    for timeout in TIMEOUTS:
        found[f"timeout {timeout:.0f} s"] = _score(run.truth, reads, list(_timeout(reads, timeout, run.truth.end)))
    found["6 dB location"] = _score(run.truth, reads, list(_six_db(reads)))
    return found


def _reads(trial: Trial, run: Run) -> Reads:
    zones = {
        (reader["id"], antenna["port"]): antenna["zone"]
        for reader in trial.config["readers"]
        for antenna in reader["antennas"]
        if "zone" in antenna
    }
    reads: dict[str, list[tuple[float, str, int, str]]] = {}
    for reader, found in run.reads.items():
        for read in found:
            zone = zones.get((reader, read.antenna))
            if zone is not None:
                row = (read.time / SECOND, zone, read.rssi, f"{reader}/{read.antenna}")
                reads.setdefault(read.epc.hex().upper(), []).append(row)
    for rows in reads.values():
        rows.sort()
    return reads


def _score(truth: Truth, reads: Reads, movements: list[Movement]) -> Presence:
    presence = Presence(tag_hours=len(reads) * (truth.end - truth.start) / 3600)
    by_tag: dict[str, list[Movement]] = {}
    for movement in movements:
        by_tag.setdefault(movement.uid, []).append(movement)
    for uid, said in by_tag.items():
        for movement in said:
            _false(presence, truth, uid, movement)
    for uid, zone, when in truth.leavings():
        if any(row[1] == zone and row[0] < when for row in reads.get(uid, ())):
            _leaving(presence, truth, by_tag.get(uid, []), zone, when)
    return presence


def _false(presence: Presence, truth: Truth, uid: str, movement: Movement) -> None:
    """Counts a movement that is not so. Where a tag is said to be is compared with where it was about that time."""
    about = truth.zones_between(uid, movement.t - _ABOUT, movement.t + _ABOUT)
    if movement.movement == "moved":
        presence.false_moved += movement.target not in about
    elif movement.movement in ("not_seen", "departed"):
        still = all(truth.zone_at(uid, t) == movement.source for t in (movement.t, movement.t + _EARLY))
        if movement.movement == "departed":
            presence.false_departed += still
        else:
            presence.false_not_seen += still


def _leaving(presence: Presence, truth: Truth, said: list[Movement], zone: str, when: float) -> None:
    """Whether, and when, a true leaving was noticed, before the tag came back or the scene ended."""
    back = next((t for t, z in truth.stays[said[0].uid] if t > when and z == zone), truth.end) if said else truth.end
    signs = [m for m in said if m.source == zone and m.movement != "seen_again" and m.t <= back]
    # A tag that was not seen before it left, and is not seen after, has been noticed by the time that it leaves.
    state = [m for m in said if m.t < when - _EARLY]
    missing = bool(state) and state[-1].movement in ("not_seen", "departed")
    after = [m for m in signs if m.t >= when - _EARLY]
    presence.leavings += 1
    if after or missing:
        presence.noticed += 1
        presence.delays.append(0.0 if missing else after[0].said - when)
    gone = [m for m in after if m.movement in ("departed", "moved")]
    if gone:
        presence.departed += 1
        presence.departed_delays.append(gone[0].said - when)


def _timeout(reads: Reads, timeout: float, end: float) -> Iterator[Movement]:
    """Departed after so long without a read, arrived with the next one."""
    for uid, rows in reads.items():
        for (t, zone, *_), following in zip_longest(rows, rows[1:]):
            until = end if following is None else following[0]
            if until - t > timeout:
                yield Movement(uid, "departed", zone, None, 1.0, t + timeout, t + timeout)
                if following is not None:
                    yield Movement(uid, "arrived", None, following[1], 1.0, until, until)


def _six_db(reads: Reads) -> Iterator[Movement]:
    """At the antenna with the best mean of its last 20 reads, none older than half a minute, and at another one only
    for 6 dB more."""
    for uid, rows in reads.items():
        windows: dict[str, deque[tuple[float, int]]] = {}
        place = zone = ""
        for t, where, rssi, antenna in rows:
            windows.setdefault(antenna, deque(maxlen=20)).append((t, rssi))
            if not place:
                place, zone = antenna, where
            elif antenna != place and _mean(windows[antenna], t) > _mean(windows[place], t) + 600:
                if where != zone:
                    yield Movement(uid, "moved", zone, where, 1.0, t, t)
                place, zone = antenna, where


def _mean(window: deque[tuple[float, int]], t: float) -> float:
    while window and window[0][0] < t - 30.0:
        window.popleft()
    return sum(rssi for _, rssi in window) / len(window) if window else -math.inf
