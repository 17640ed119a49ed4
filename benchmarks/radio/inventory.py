"""A reader taking stock: antennas in turn, frames of slots, collisions, and reads as it reports them.

Framed slotted ALOHA as in Gen 2: in each round every tag that has power picks a slot of a frame; a tag alone in its
slot is read, two in one are lost unless one drowns the other. The frame follows the number that answered the last
time, with a lag. So the reads of one tag thin out as the population grows, and a weak tag beside a strong one suffers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from benchmarks.radio.medium import CHANNELS, WAVELENGTHS, Heard, Medium, RoomAntenna
from benchmarks.radio.things import RadioTag
from benchmarks.radio.unrest import Drift, Unrest
from drivers.emulators.scene import SECOND, Seen

_EMPTY, _LOST, _READ, _ROUND = 0.0003, 0.0008, 0.0018, 0.0035
"""Seconds of an empty slot, a collision, a read, and of what a round costs besides (Gen 2 at Miller 4)."""

_HOP = 0.2  # seconds on one channel; at most 0.4 are allowed
_CAPTURE = 7.0  # dB by which one answer must be stronger than another to be heard through it
_LARGEST_FRAME = 512
_HOPELESS = ((25.0, 0.3), (16.0, 0.15), (10.0, 0.06))
"""A tag that lacks so many dB is not looked at again for so many seconds, in which a brisk walk does not make it up."""


@dataclass(slots=True, frozen=True)
class RadioReader:
    """A reader and what its reports are like.

    `dwell`: seconds on one antenna before the next. `session`: 0, every tag answers in every round; 1, a tag that was
    read is silent while its flag lasts. `hears`: dBm below which an answer is lost. `kept`: the share of reads that it
    reports. `noise`: dB of its RSSI; `step`: dB in which it reports it. `phase`: it reports phase and Doppler;
    `half_turns`: the phase is known only up to half a turn; `blur`: radians of noise that phases have besides that of
    weak answers, `jitter`: Hz of noise of Doppler shifts likewise. `outages`: (from, to) in seconds, when it was not
    reading. `deaf`: it hears nothing, because of other transmitters, about every so many seconds for so many (means).
    """

    name: str
    antennas: tuple[RoomAntenna, ...]
    dwell: float = 0.1
    session: int = 0
    hears: float = -82.0
    kept: float = 1.0
    noise: float = 0.8
    step: float = 0.5
    phase: bool = True
    half_turns: bool = False
    blur: float = 0.0
    jitter: float = 2.0
    outages: tuple[tuple[float, float], ...] = ()
    deaf: tuple[float, float] | None = None

    def down_at(self, t: float) -> bool:
        """Whether the reader is out of order at `t`, seconds."""
        return any(start <= t < end for start, end in self.outages)


class Reporter:
    """Turns what was heard into what the reader says about it: noise, steps, and a phase origin for each channel."""

    def __init__(self, reader: RadioReader, random: Random) -> None:
        self._reader = reader
        self._random = random
        self._origins = [[random.uniform(0, 2 * math.pi) for _ in range(CHANNELS + 1)] for _ in reader.antennas]

    def answers(self, heard: Heard | None, tag: RadioTag, off: float) -> bool:
        """Whether the chip has power and its answer arrives. `off` dB of unrest count each way."""
        if heard is None:
            return False
        margin = heard.chip + off - tag.sensitivity
        if margin < -3.0 or heard.reader + 2 * off < self._reader.hears:
            return False
        return margin > 3.0 or self._random.random() < 1 / (1 + math.exp(-margin / 0.5))

    def seen(self, tag: RadioTag, number: int, channel: int, t: float, heard: Heard, off: float) -> Seen:
        """The report of a read by the `number`-th antenna of the reader."""
        reader, random = self._reader, self._random
        antenna = reader.antennas[number]
        level = heard.reader + 2 * off
        rssi = round(random.gauss(level, reader.noise) / reader.step) * reader.step
        blur = 0.06 + 0.25 * 10 ** (-max(level + 80, 0.0) / 20)
        phase = heard.phase + self._origins[number][channel] + random.gauss(0.0, math.hypot(blur, reader.blur))
        if reader.half_turns and random.random() < 0.5:
            phase += math.pi
        return Seen(
            epc=tag.epc,
            antenna=antenna.port,
            rssi=round(100 * rssi),
            channel=channel,
            time=round(t * SECOND),
            phase=round(phase / (2 * math.pi) * 4096) % 4096,
            doppler=round(16 * random.gauss(_doppler(antenna, tag, channel, t), reader.jitter + 20 * blur)),
        )


def _doppler(antenna: RoomAntenna, tag: RadioTag, channel: int, t: float) -> float:
    """Hz; positive while the tag comes nearer."""
    if not tag.path.moves:
        return 0.0
    x, y, z = tag.path.at(t)
    vx, vy, vz = tag.path.velocity(t)
    dx, dy, dz = antenna.position[0] - x, antenna.position[1] - y, antenna.position[2] - z
    distance = math.sqrt(dx * dx + dy * dy + dz * dz) + 0.05
    return 2 * (vx * dx + vy * dy + vz * dz) / distance / WAVELENGTHS[channel]


class _Answer(NamedTuple):
    """A tag that answers in a round; `off` dB of unrest count each way."""

    tag: RadioTag
    heard: Heard
    off: float

    @property
    def level(self) -> float:
        return self.heard.reader + 2 * self.off


class _Bursts:
    """When a reader is deaf, asked for in order of time."""

    def __init__(self, deaf: tuple[float, float] | None, random: Random, start: float) -> None:
        self._deaf = deaf
        self._random = random
        self._low = self._high = start

    def at(self, t: float) -> bool:
        if self._deaf is None:
            return False
        every, length = self._deaf
        while t >= self._high:
            self._low = self._high + self._random.expovariate(1 / every)
            self._high = self._low + self._random.expovariate(1 / length)
        return t >= self._low


class Inventory:
    """One reader at work among tags."""

    def __init__(
        self, reader: RadioReader, tags: Sequence[RadioTag], medium: Medium, unrest: Unrest, seed: str
    ) -> None:
        self._reader = reader
        self._tags = tags
        self._medium = medium
        self._random = Random(f"{seed}/{reader.name}")
        self._reporter = Reporter(reader, self._random)
        self._channels = self._random.sample(range(1, CHANNELS + 1), CHANNELS)
        self._unrest = unrest
        self._seed = seed
        self._drifts: dict[tuple[bytes, int], Drift] = {}
        self._silent_until: dict[bytes, float] = {}
        self._expected = [4.0] * len(reader.antennas)
        self._out_of_reach: dict[tuple[bytes, int], float] = {}

    def reads(self, start: float, end: float) -> list[Seen]:
        """Everything that it reads between two times, in order of time."""
        found: list[Seen] = []
        t = start + self._random.uniform(0, self._reader.dwell)
        bursts = _Bursts(self._reader.deaf, Random(f"{self._seed}/{self._reader.name}/deaf"), start)
        while t < end:
            for number, antenna in enumerate(self._reader.antennas):
                until = min(t + self._reader.dwell, end)
                if antenna.dead or self._reader.down_at(t):
                    t = until
                    continue
                while t < until:
                    t = min(t + 0.02, until) if bursts.at(t) else self._round(number, t, until, found)
        return found

    def _round(self, number: int, start: float, until: float, found: list[Seen]) -> float:
        """One inventory round; returns when it was over. The dwell cuts it off."""
        antenna = self._reader.antennas[number]
        channel = self._channels[int(start / _HOP) % CHANNELS]
        taking = self._taking_part(antenna, channel, start)
        frame = _frame(self._expected[number])
        if not taking:
            self._expected[number] = max(self._expected[number] / 2, 1.0)
            # Nobody there: as many empty rounds as fit into a fiftieth of a second.
            return min(start + max(0.02, _ROUND + frame * _EMPTY), until)
        slots: dict[int, list[_Answer]] = {}
        for answer in taking:
            slots.setdefault(self._random.randrange(frame), []).append(answer)
        t, last, heard = start + _ROUND, -1, 0.0
        for slot in sorted(slots):
            t += (slot - last - 1) * _EMPTY
            last = slot
            if t >= until:
                break
            winner = self._winner(slots[slot])
            heard += 1.0 if len(slots[slot]) == 1 else 2.4  # what a collision hides (Schoute 1983)
            if winner is None:
                t += _LOST
            else:
                t += _READ
                self._read(winner, number, channel, t, found)
        else:
            t += (frame - last - 1) * _EMPTY
        self._expected[number] = 0.5 * (self._expected[number] + heard)
        return min(t, until)

    def _taking_part(self, antenna: RoomAntenna, channel: int, t: float) -> list[_Answer]:
        """The tags that answer in a round."""
        taking = []
        for tag in self._tags:
            if not tag.present[0] <= t <= tag.present[1]:
                continue
            if self._reader.session and self._silent_until.get(tag.epc, 0.0) > t:
                continue
            key = (tag.epc, antenna.port)
            if self._out_of_reach.get(key, 0.0) > t:
                continue
            heard = self._medium.hear(antenna, tag, channel, t)
            lacks = 99.0 if heard is None else tag.sensitivity - heard.chip
            pause = next((seconds for least, seconds in _HOPELESS if lacks > least), 0.0)
            if heard is None or pause:
                self._out_of_reach[key] = t + pause
                continue
            off = self._off(tag, antenna.port, t)
            if self._reporter.answers(heard, tag, off):
                taking.append(_Answer(tag, heard, off))
        return taking

    def _winner(self, answers: list[_Answer]) -> _Answer | None:
        if len(answers) == 1:
            return answers[0]
        ordered = sorted(answers, key=lambda answer: -answer.level)
        strong = ordered[0].level - ordered[1].level > _CAPTURE
        return ordered[0] if strong and self._random.random() < 0.6 else None

    def _read(self, answer: _Answer, number: int, channel: int, t: float, found: list[Seen]) -> None:
        """The tag is asked for its EPC. One that moves is not where it was as the round began, and may be lost."""
        tag, heard, off = answer
        if tag.path.moves:
            later = self._medium.hear(self._reader.antennas[number], tag, channel, t)
            if later is None or not self._reporter.answers(later, tag, off):
                return
            heard = later
        self._silent_until[tag.epc] = t + tag.hold
        if self._reader.kept < 1.0 and self._random.random() > self._reader.kept:
            return
        found.append(self._reporter.seen(tag, number, channel, t, heard, off))

    def _off(self, tag: RadioTag, port: int, t: float) -> float:
        """Unrest is for what stands still: what moves has enough of its own."""
        if tag.path.moves or not self._unrest.spread:
            return 0.0
        drift = self._drifts.get((tag.epc, port))
        if drift is None:
            random = Random(f"{self._seed}/{self._reader.name}/{port}/{tag.uid}")
            drift = self._drifts[tag.epc, port] = Drift(self._unrest, random, t)
        return drift.at(t)


def _frame(expected: float) -> int:
    """The power of two next to the number of tags expected."""
    return min(1 << max(round(math.log2(max(expected, 1.0))), 0), _LARGEST_FRAME)
