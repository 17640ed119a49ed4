"""A scene: the tags around an emulated reader, and the reads that they would give, as a pure function of time.

Times here are microseconds since the beginning of the scene. The same scene gives the same reads however the time is
cut into pieces: each antenna has a grid of slots, and everything about a slot (which tag answers, noise, miss) comes
from a hash of the seed, the antenna and the number of the slot.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import NamedTuple

SECOND = 1_000_000
CHANNELS = 50
"""Hop channels of the FCC band, 902.75 to 927.25 MHz; a dwell is 0.2 s (at most 0.4 s are allowed)."""
DWELL = 200_000
FOREVER = 1 << 62
FADE_DB = 15.0
"""How far a tag's level is down at the ends of a stay with a fade."""

_MASK = (1 << 64) - 1
_NOISE_STEPS = 4096
_SEGMENTS_KEPT = 64
"""Delays of up to 0.1 s cross several of a busy scene's changes; more than these few need not be remembered."""


class Seen(NamedTuple):
    """One read. `rssi` in 1/100 dBm, `channel` from 1, `phase` in 1/4096 turn, `doppler` in 1/16 Hz."""

    epc: bytes
    antenna: int
    rssi: int
    channel: int
    time: int
    phase: int
    doppler: int


class InputEdge(NamedTuple):
    """A general purpose input changed."""

    time: int
    port: int
    state: bool


@dataclass(slots=True, frozen=True)
class Field:
    """How one antenna sees: slots per second, share of slots in which a visible tag is missed, noise in dB, and the
    level in dBm below which nothing is read.

    `late` is the share of reads that are delivered after their time, by up to `delay` microseconds; real readers
    deliver a fifth to three quarters of their reads out of time order.
    """

    rate: float = 50.0
    miss: float = 0.05
    noise: float = 2.0
    sensitivity: float = -82.0
    late: float = 0.3
    delay: int = 100_000


@dataclass(slots=True, frozen=True)
class Stay:
    """A tag is in the view of `antenna` from `start` until `end` at `level` dBm.

    During `fade` microseconds after the start and before the end the level is lower, by up to `FADE_DB`, as when a
    tag is carried past.
    """

    antenna: int
    start: int
    end: int
    level: float = -60.0
    fade: int = 0

    def level_at(self, time: int) -> float:
        """The level in dBm at a time in microseconds: it fades in and out at the ends."""
        inside = min(time - self.start, self.end - time)
        if inside >= self.fade:
            return self.level
        return self.level - FADE_DB * (1 - inside / self.fade)


@dataclass(slots=True, frozen=True)
class Tag:
    """A tag and when it is where."""

    epc: bytes
    stays: tuple[Stay, ...]


def tid_of(epc: bytes) -> bytes:
    """The 96-bit TID of the chip that carries `epc`: made up, stable, of the class E2."""
    low = _mix(int.from_bytes(epc, "big") & _MASK)
    return b"\xe2\x80\x11\x60" + low.to_bytes(8, "big")


def _mix(value: int) -> int:
    """The finaliser of SplitMix64 (Steele et al. 2014): 64 well mixed bits of any integer."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class _View:
    """What one antenna sees: its tags over time, and its slots."""

    def __init__(self, antenna: int, field: Field, seed: int, serial_prefix: bytes | None) -> None:
        self._field = field
        self._antenna = antenna
        self._salt = _mix(seed << 8 | antenna)
        self._period = SECOND / field.rate
        self._serial_prefix = None if serial_prefix is None else serial_prefix + bytes([antenna])
        random = Random(self._salt)
        self._noise = [round(100 * random.gauss(0.0, field.noise)) for _ in range(_NOISE_STEPS)]
        self._stays: list[tuple[Stay, bytes]] = []
        self._edges: list[int] = []
        self._segments: dict[int, list[tuple[Stay, bytes]]] = {}

    def add(self, stay: Stay, epc: bytes) -> None:
        self._stays.append((stay, epc))

    def cut(self, epc: bytes, time: int) -> None:
        """The tag is not seen any more from `time` on."""
        self._stays = [
            (replace(stay, end=min(stay.end, time)) if one == epc else stay, one)
            for stay, one in self._stays
            if one != epc or stay.start < time
        ]

    def settle(self) -> None:
        """To be called after the last change."""
        self._segments.clear()
        self._edges = sorted({edge for stay, _ in self._stays for edge in (stay.start, stay.end)})

    def visible(self, time: int) -> list[tuple[Stay, bytes]]:
        segment = bisect_right(self._edges, time)
        found = self._segments.get(segment)
        if found is None:
            if len(self._segments) >= _SEGMENTS_KEPT:
                self._segments.clear()
            found = self._segments[segment] = [seen for seen in self._stays if seen[0].start <= time < seen[0].end]
        return found

    def reads(self, since: int, until: int, earliest: int, cycle: int) -> list[tuple[int, Seen]]:
        """The reads delivered in [since, until), each with its time of delivery, in that order."""
        out: list[tuple[int, Seen]] = []
        noise, salt, antenna, period = self._noise, self._salt, self._antenna, self._period
        floor = round(self._field.sensitivity * 100)
        miss_below = round(self._field.miss * 0x10000)
        late_below = round(self._field.late * 0x1000)
        for slot in range(-int(-since // period), -int(-until // period)):
            bits = _mix(salt ^ slot)
            if bits & 0xFFFF < miss_below:
                continue
            delivered = time = int(slot * period)
            if bits >> 16 & 0xFFF < late_below:
                time = max(earliest, time - (bits >> 28 & 0xFFFF) * self._field.delay // 0xFFFF)
            found = self._answer(slot, time % cycle if cycle else time)
            if found is None:
                continue
            epc, level = found
            rssi = level + noise[bits >> 52]
            if rssi < floor:
                continue
            channel = 1 + _mix(salt ^ time // DWELL) % CHANNELS
            seen = Seen(epc, antenna, rssi, channel, time, bits >> 32 & 0xFFF, (bits >> 44 & 0xFF) - 128)
            out.append((delivered, seen))
        return out

    def _answer(self, slot: int, time: int) -> tuple[bytes, int] | None:
        """Which tag answers in a slot, and its level in 1/100 dBm."""
        if self._serial_prefix is not None:
            return self._serial_prefix + slot.to_bytes(12 - len(self._serial_prefix), "big"), -5500
        candidates = self.visible(time)
        if not candidates:
            return None
        stay, epc = candidates[slot % len(candidates)]
        return epc, round(100 * (stay.level_at(time) if stay.fade else stay.level))


@dataclass
class Scene:
    """Tags and inputs around the antennas of one reader.

    With a `cycle` (microseconds) everything repeats with that period. With a `serial_prefix` (up to 4 bytes) the tags
    are ignored and every slot of an antenna is a new tag: prefix, antenna (1 byte), number of the slot; nothing can be
    lost, repeated or made up in such a scene without being noticed.
    """

    fields: Mapping[int, Field]
    tags: Sequence[Tag] = ()
    inputs: Sequence[InputEdge] = ()
    cycle: int = 0
    seed: int = 1
    serial_prefix: bytes | None = None
    _views: dict[int, _View] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.serial_prefix is not None and len(self.serial_prefix) > 4:
            raise ValueError("serial_prefix is longer than 4 bytes: the slot number needs 7 of the 12 bytes of an EPC")
        self._views = {
            antenna: _View(antenna, field, self.seed, self.serial_prefix) for antenna, field in self.fields.items()
        }
        for tag in self.tags:
            for stay in tag.stays:
                if stay.antenna not in self._views:
                    raise ValueError(f"tag {tag.epc.hex().upper()} stays at antenna {stay.antenna}, which has no field")
                if stay.end <= stay.start or (self.cycle and stay.end > self.cycle):
                    raise ValueError(f"tag {tag.epc.hex().upper()}: a stay must end after its start, within the cycle")
                self._views[stay.antenna].add(stay, tag.epc)
        for view in self._views.values():
            view.settle()

    def add(self, epc: bytes, stay: Stay) -> None:
        """One more stay of a tag, in a scene that may be running: it should not have begun yet."""
        self._views[stay.antenna].add(stay, epc)
        self._views[stay.antenna].settle()

    def cut(self, epc: bytes, time: int) -> None:
        """No antenna sees the tag any more from `time` on, microseconds of the scene."""
        for view in self._views.values():
            view.cut(epc, time)
            view.settle()

    def reads(self, since: int, until: int, antennas: Collection[int] | None = None, earliest: int = 0) -> list[Seen]:
        """The reads delivered in [since, until), in order of delivery, which is not the order of their times.

        `antennas`: which ones are on, by default all; no read has a time before `earliest` (when they came on).
        """
        delivered: list[tuple[int, Seen]] = []
        for antenna, view in self._views.items():
            if antennas is None or antenna in antennas:
                delivered += view.reads(since, until, earliest, self.cycle)
        delivered.sort()
        return [seen for _, seen in delivered]

    def edges(self, since: int, until: int) -> list[InputEdge]:
        """The changes of inputs in [since, until), in order of time."""
        if not self.cycle:
            return sorted(edge for edge in self.inputs if since <= edge.time < until)
        found = []
        for round_ in range(since // self.cycle, (until - 1) // self.cycle + 1):
            base = round_ * self.cycle
            found += [edge._replace(time=edge.time + base) for edge in self.inputs]
        return sorted(edge for edge in found if since <= edge.time < until)


def _epcs(prefix: str, count: int) -> list[bytes]:
    """`count` EPCs of 96 bits: `prefix` in hex, then a number."""
    digits = 24 - len(prefix)
    if digits < 1 or count > 16**digits:
        raise ValueError(f"prefix {prefix!r} leaves no room for {count} numbers in an EPC of 24 hex digits")
    return [bytes.fromhex(f"{prefix}{number:0{digits}X}") for number in range(1, count + 1)]


PACKAGE_PREFIX = "1A4060300048D3D0"
FOREIGN_PREFIX = "3034257BF400B7"
"""SGTIN-96 tags such as those of clothing: not stock."""


def population(
    tags: int,
    rate: float,
    antennas: Iterable[int] = (1,),
    *,
    seed: int = 1,
    prefix: str = PACKAGE_PREFIX,
    miss: float = 0.05,
    late: float = 0.3,
) -> Scene:
    """`tags` standing tags, spread over `antennas`; each antenna has `rate` slots a second."""
    ports = list(antennas)
    random = Random(seed)
    standing = [
        Tag(epc, (Stay(ports[index % len(ports)], 0, FOREVER, random.uniform(-68, -48)),))
        for index, epc in enumerate(_epcs(prefix, tags))
    ]
    return Scene(dict.fromkeys(ports, Field(rate=rate, miss=miss, late=late)), standing, seed=seed)


def serials(rate: float, antennas: Iterable[int] = (1,), *, seed: int = 1, run: int = 0, late: float = 0.3) -> Scene:
    """Every read is a new tag, numbered by slot: proves that none is lost. `run` (16 bits) tells readers apart."""
    field = Field(rate=rate, miss=0.0, late=late, sensitivity=-200.0)
    return Scene(dict.fromkeys(antennas, field), seed=seed, serial_prefix=b"\xe2\x00" + run.to_bytes(2, "big"))


def serial_of(epc: bytes) -> tuple[int, int, int]:
    """``(run, antenna, slot)`` of an EPC of a scene made by `serials`."""
    return int.from_bytes(epc[2:4], "big"), epc[4], int.from_bytes(epc[5:], "big")


def traffic(
    tags: int,
    rate: float,
    antennas: Iterable[int] = (1, 2),
    *,
    seed: int = 1,
    cycle: float = 60.0,
    standing: float = 0.3,
    foreign: int = 0,
    prefix: str = PACKAGE_PREFIX,
) -> Scene:
    """Tags that stay, come, move from antenna to antenna and go, again and again with a period of `cycle` seconds.

    The share `standing` never leaves; of the others each spends the cycle as: absent, then one antenna after another,
    then absent. `foreign` more tags that are no stock stand about.
    """
    ports = list(antennas)
    random = Random(seed)
    length = round(cycle * SECOND)
    made = []
    for index, epc in enumerate(_epcs(prefix, tags)):
        if index < round(standing * tags):
            made.append(Tag(epc, (Stay(ports[index % len(ports)], 0, length, random.uniform(-65, -50)),)))
        else:
            made.append(Tag(epc, _visit(random, ports, length)))
    for index, epc in enumerate(_epcs(FOREIGN_PREFIX, foreign)):
        made.append(Tag(epc, (Stay(ports[index % len(ports)], 0, length, random.uniform(-70, -55)),)))
    return Scene(dict.fromkeys(ports, Field(rate=rate)), made, cycle=length, seed=seed)


def _visit(random: Random, ports: Sequence[int], length: int) -> tuple[Stay, ...]:
    """One visit within a cycle: to all antennas in turn, beginning at any; between a tenth and nine tenths of it."""
    first = random.randrange(len(ports))
    route = [*ports[first:], *ports[:first]]
    start = random.uniform(0.08, 0.3) * length
    end = random.uniform(0.6, 0.85) * length
    cuts = [start, *sorted(random.uniform(start, end) for _ in route[1:]), end]
    level = random.uniform(-62, -50)
    stays = (
        Stay(antenna, round(begin), max(round(begin) + 1, round(finish)), level, fade=min(SECOND, length // 60))
        for antenna, (begin, finish) in zip(route, pairwise(cuts), strict=True)
    )
    return tuple(stays)


def recorded(seen: Seen, reader: str, origin: int) -> dict[str, object]:
    """A read as a line of recorded reads; `origin` is the beginning of the scene in microseconds UTC."""
    return {
        "t": (origin + seen.time) / SECOND,
        "reader": reader,
        "antenna": seen.antenna,
        "epc": seen.epc.hex().upper(),
        "rssi": seen.rssi / 100,
        "channel": seen.channel,
    }
