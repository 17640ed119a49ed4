"""One portal: opens a track for each tag that is read there, closes it, and says what became of it.

::

    first read ──▶ open ──silence, or the far photo-eye cleared──▶ weighed ──those beside it have left too──▶ judged
                     └──longest time a pass may take──▶ judged, and goes on as standing

Everything happens in event time, in steps of STEP: in each of them so many tags are weighed and judged at most, and
what is left is for the next one, so that no load holds up everything else. A tag that has left is weighed by itself,
and waits until every other tag that was in the portal at the same time has left, but no longer than HOLD silences: what
passes together is judged together, and said together, as a group (departures.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from heapq import heapify, heappop, heappush
from typing import Any

from gateway.clock import NEVER, SECOND, micros
from gateway.config import PortalConfig
from gateway.events.envelope import Fact
from gateway.floor.levels import CENTI
from gateway.floor.passes import Direction
from gateway.floor.places import Places
from gateway.floor.portals.balance import Balance
from gateway.floor.portals.bystanders import Bystanders
from gateway.floor.portals.companions import Companions, Trace, nearer
from gateway.floor.portals.conclusions import Conclusions
from gateway.floor.portals.departures import Departures
from gateway.floor.portals.early import EVERY, FEW_TAGS, is_watched
from gateway.floor.portals.finding import Case, Finding, Scales
from gateway.floor.portals.groups import Judged, Load, Loads
from gateway.floor.portals.last_passes import LastPasses
from gateway.floor.portals.outages import ReaderOutages
from gateway.floor.portals.phases import Phase
from gateway.floor.portals.photo_eyes import Crossing, PhotoEyes
from gateway.floor.portals.proof import PassProof, proof_of
from gateway.floor.portals.reports import Reports
from gateway.floor.portals.standing import Standing
from gateway.floor.portals.track import MAX_SIGHTINGS, Track
from gateway.floor.readers.antennas import AntennaClock, DarkCause
from gateway.floor.tags import uid

MAX_TRACKS = 20_000
"""Tags in one portal at a time: a hundred pallets. A flood of invented EPCs must not take more."""

HOLD = 1
"""Silences that a pass waits for those beside it: a tag that is read little falls silent so much earlier."""

COMPLETE = 3
"""Silences, and LOOKS steps, after its last member was said until a load is taken to be whole: so long may a tag be
waited for, and be found to have left."""

LOOKS = 2

BRIEF_DIVISOR = 4
"""When the far photo-eye has cleared, a fourth of the silence is enough: what was carried through is through."""

ALONE_DIVISOR = 2
"""The silence is so many times shorter where no more than FEW_TAGS things are in the portal."""

WALK_DIVISOR = 3
"""What was standing and went is judged by the last third of the longest pass: before that it stood."""

BEGINNING_DIVISOR = 10
"""How a tag began that was there for long is what was received of it in so small a part of the longest pass."""

AROUND = 1 * SECOND
"""Before and after a load crossed, in which what was read there was beside it."""


STEP = SECOND // 4
"""Microseconds of event time between two looks at what is due."""

WEIGHED_AT_MOST, JUDGED_AT_MOST = 24, 32
"""Tags that are weighed, and judged, in one step: some thirty milliseconds together."""

STANDING_AT_MOST, STANDING_LATER = 8, 2 * SECOND
"""Of those weighed, how many may be tags that are known to stand there and are still read; the others are looked at so
much later."""


class Portal:
    """The tags in one portal. `antennas` maps the numbers of its antennas to their sides."""

    def __init__(
        self,
        config: PortalConfig,
        places: Places,
        antenna_clock: AntennaClock,
        reports: Reports,
        last_passes: LastPasses,
        width: int,
    ) -> None:
        self.config = config
        self.antennas = {number: side for number, (name, side) in places.portal_of.items() if name == config.id}
        self.readers = {places.spots[number].reader for number in self.antennas}
        self.photo_eyes = PhotoEyes(config)
        self.standing = Standing()
        self.outages = ReaderOutages()
        self.others: list[Portal] = []
        self._scales = Scales(config, self.antennas, antenna_clock, self.photo_eyes, self.standing, self.outages, width)
        self._silence = micros(config.silence)
        self._longest = micros(config.longest)
        self._whole_after = COMPLETE * self._silence + LOOKS * STEP
        self._antenna_clock = antenna_clock
        self._reports = reports
        self._tracks: dict[bytes, Track] = {}
        self._agenda: list[tuple[int, bytes]] = []  # heap: when to look at each track
        self._fired = 0  # the newest step
        self._departures = Departures(HOLD * self._silence, self._longest)
        self._loads = Loads(config.id)
        self._bystanders = Bystanders()
        self._conclusions = Conclusions(
            config,
            self.standing,
            last_passes,
            self._bystanders,
            self._as_loud_elsewhere,
            self._prove,
            self._scales.weigh_rest,
        )

    # ---- what is read

    def see(
        self,
        epc: bytes,
        antenna: int,
        start: int,
        sums: list[int],
        unit: int,
        late: bool,
        phases: Sequence[Phase] = (),
    ) -> None:
        """One antenna's sighting of a tag in the window that began at `start`, with the phases of its reads."""
        reads, rssi, power, moment = sums
        t = start + moment // power
        track = self._tracks.get(epc)
        if track is None:
            if late or len(self._tracks) >= MAX_TRACKS:
                return
            dark = {number: self._antenna_clock.total[number] for number in self.antennas}
            track = self._tracks[epc] = Track(epc, t, t, t, dark, unit)
            heappush(self._agenda, (t + self._silence // BRIEF_DIVISOR, epc))
        if late:
            track.late += reads
            if start < track.since:
                return
        if len(track.sightings) >= MAX_SIGHTINGS:
            track.forget_before(sorted(track.sightings)[MAX_SIGHTINGS // 2][0])
        track.see((start, antenna, reads, rssi * CENTI[unit], power, moment), t)
        if phases:
            track.turn(start, antenna, phases)

    @property
    def is_busy(self) -> bool:
        """Whether anything that was read is not decided yet, or not said with its group."""
        return bool(self._tracks or self._loads.open) or self._departures.first < NEVER

    def known(self, epc: bytes) -> bool:
        """Whether the tag is in the portal."""
        return epc in self._tracks

    # ---- what falls due

    @property
    def due(self) -> int:
        """When something is to be looked at, NEVER while held reads are still coming in."""
        first = min(self._agenda[0][0] if self._agenda else NEVER, self.photo_eyes.due, self._departures.due)
        if self._loads.open:
            first = min(first, min([load.said for load in self._loads.open]) + self._whole_after)
        if first >= NEVER or any(DarkCause.HELD in self._antenna_clock.causes[antenna] for antenna in self.antennas):
            return NEVER
        return max(-(-first // STEP) * STEP, self._fired + STEP)

    def fire(self, t: int) -> list[Fact]:
        """Says what is due at `t`."""
        self._fired = t
        facts = self.photo_eyes.fire(t)
        for crossing in self.photo_eyes.went_through():
            if not self._is_read(crossing):
                facts += self._reports.unread(self.config.id, crossing, t, watched=self._is_watched())
        judged: list[Judged] = []
        before, standing = self._scales.weighings, 0
        while self._agenda and self._agenda[0][0] <= t and self._scales.weighings - before < WEIGHED_AT_MOST:
            track = self._tracks[heappop(self._agenda)[1]]
            if track.standing and not self._is_quiet(track, t):
                standing += 1
                if standing > STANDING_AT_MOST:
                    heappush(self._agenda, (t + STANDING_LATER, track.epc))
                    continue
            judged += self._look(track, t)
        facts += self._said(judged, t)
        self._departures.release(self._young(), t)
        return facts + self._judge(JUDGED_AT_MOST, t) + self._complete(t)

    def _look(self, track: Track, t: int) -> list[Judged]:
        """What is to be said of a tag at `t`: whether it has left, has been there for the longest time, or is certain
        to have passed already."""
        ends, watched = self._ends(track), is_watched(track, len(self._tracks))
        judged: list[Judged] = []
        if ends <= t:
            judged = self._end(track, ends, t)
            if track.epc not in self._tracks:
                return judged
            ends = self._ends(track)
        elif watched:
            judged = self._conclusions.of_early(self._scales.weigh(track, t, gone=True), t)
        elif self._is_leaving(track, ends, t):
            self._scales.weigh_ahead(track)
        if watched:
            ends = min(ends, t + EVERY)
        elif not track.standing and (leaving := _half(track, ends)) > t:
            ends = leaving
        heappush(self._agenda, (max(ends, t + 1), track.epc))
        return judged

    def _is_quiet(self, track: Track, t: int) -> bool:
        return track.last + self._silence // BRIEF_DIVISOR <= t

    def _is_leaving(self, track: Track, ends: int, t: int) -> bool:
        """Whether half of the silence is over after which a tag is taken to have left."""
        return not track.standing and self._is_quiet(track, t) and _half(track, ends) <= t

    def _is_read(self, crossing: Crossing) -> bool:
        """Whether any tag but those that stand there was read around a crossing."""
        start, end = crossing.start - AROUND, crossing.end + AROUND
        tracks = self._tracks.values()
        here = any(not track.standing and track.last >= start and track.first <= end for track in tracks)
        return here or self._departures.any_between(start, end)

    def _is_watched(self) -> bool:
        """Whether every antenna of the portal is working now."""
        return not any(self._antenna_clock.causes[antenna] for antenna in self.antennas)

    def settle(self) -> list[Fact]:
        """The end of a recording: nothing more will be read. Says what is decided by that."""
        for track in sorted(self._tracks.values(), key=lambda track: (track.last, track.epc)):
            self._close(track, track.last)
        self._agenda = []
        self._departures.release(NEVER, NEVER)
        return self._judge(self._departures.pending, NEVER) + self._complete(NEVER)

    def _ends(self, track: Track) -> int:
        """When the track ends, if nothing more is read."""
        ends = track.ends(self._silence, self._least(), self._longest, self.antennas)
        brief = track.last + self._silence // BRIEF_DIVISOR
        cleared = [
            c.end for c in self.photo_eyes.between(track.first, track.last) if c.direction is not Direction.TURNED_BACK
        ]
        return min(ends, max(brief, cleared[-1])) if cleared else ends

    def _least(self) -> int:
        """The silence that ends a pass of a tag that is read well: a part of it where few things are in the portal."""
        return self._silence // ALONE_DIVISOR if len(self._tracks) <= FEW_TAGS else self._silence

    def _end(self, track: Track, ends: int, t: int) -> list[Judged]:
        """The track is over: by silence, or by the longest time that a pass takes."""
        if not track.sightings or (self._is_quiet(track, t) and ends < track.since + self._longest):
            self._close(track, t)
            return []
        judged, is_over = self._conclusions.of_long(self._scales.weigh(track, t, gone=False))
        if is_over:
            track.forget()
            track.since = track.first = t
        else:
            track.begin(track.since + self._longest // BEGINNING_DIVISOR, self._scales.inside)
            track.forget_before(t - self._longest // 2)
        track.standing = True
        return judged

    def _close(self, track: Track, t: int) -> None:
        """The tag has left. It is judged when those that were there with it have left too."""
        del self._tracks[track.epc]
        if track.standing:
            track.forget_before(track.last - self._longest // WALK_DIVISOR)
        if track.sightings:
            self._departures.add(self._scales.weigh(track, t, gone=True))
        self._scales.ahead.forget(track.epc)

    def _prove(self, finding: Finding) -> PassProof:
        """The reads behind a finding, as they are now."""
        return proof_of(finding, self.antennas, self._scales.decided_by(finding), self.photo_eyes.stuck)

    def _as_loud_elsewhere(self, finding: Finding, companions: Companions) -> bool:
        """Whether the tag may as well have passed through another portal."""
        return any(nearer(finding.trace, companions, other.heard) for other in self.others)

    def heard(self, trace: Trace) -> int:
        """The power with which a tag that was in another portal was heard in this one meanwhile."""
        mine = self._tracks.get(trace.epc)
        if mine is not None and mine.sightings and mine.first <= trace.end:
            return mine.power
        return self._departures.heard(trace)

    # ---- what is said

    def _judge(self, number: int, t: int) -> list[Fact]:
        """Judges and says the passes of so many of the tags whose turn it is."""
        judged: list[Judged] = []
        passed: list[Case] = []
        for finding, companions in self._departures.take(number):
            was_said = finding.track.way is not None
            found = self._conclusions.of_gone(finding, companions)
            judged += found
            if (was_said and not found) or any(one.joins for one in found):
                passed.append(finding.case)
        self._scales.balance.learn((case.inside, case.outside) for case in passed)
        return self._said(judged, t)

    def _young(self) -> int:
        """From when on everything was read that is in the portal and may be passing."""
        return min((track.first for track in self._tracks.values() if not track.standing), default=NEVER)

    def _said(self, judged: list[Judged], t: int) -> list[Fact]:
        """The facts of what is decided at `t`: first of what did not pass, then of what did."""
        alone = sorted((one for one in judged if not one.joins), key=lambda one: (one.crossing, one.uid))
        for one in alone:
            self._bystanders.add(one.uid, one.start, one.end)
        passes = self._loads.put_together((one for one in judged if one.joins), t)
        return [fact for one in [*alone, *passes] for fact in self._reports.one(self.config, one)]

    def _complete(self, t: int) -> list[Fact]:
        """Says the groups that nothing can belong to any more."""
        if not self._loads.open:
            return []
        loads = self._loads.complete(min(self._young(), self._departures.first), t - self._whole_after)
        return [self._reports.group(self.config, load, self._strays(load)) for load in loads]

    def _strays(self, load: Load) -> list[str]:
        """Who was read while a load crossed and is not known to have passed."""
        start, end = load.first - AROUND, load.last + AROUND
        beside = self._bystanders.between(start, end)
        beside |= set(map(uid, self._departures.not_judged(start, end)))
        beside |= {uid(t.epc) for t in self._tracks.values() if t.standing and t.last >= start and t.first <= end}
        return sorted(beside - set(load.members))

    def redate(self, by: int) -> None:
        """All that is known of the portal was `by` microseconds later than was thought."""
        for track in self._tracks.values():
            track.redate(by)
        self._agenda = [(t + by, epc) for t, epc in self._agenda]
        self._fired += by if self._fired else 0
        self._scales.ahead.redate(by)
        self._departures.redate(self._scales, by)
        self._bystanders.redate(by)
        self._loads.redate(by)
        self.standing.redate(by)
        self.outages.redate(by)
        self.photo_eyes.redate(by)

    # ---- state

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {
            "tracks": [track.dump() for track in self._tracks.values()],
            "agenda": [[t, epc.hex()] for t, epc in sorted(self._agenda)],
            "fired": self._fired,
            "ahead": self._scales.ahead.dump(),
            "balance": asdict(self._scales.balance),
            **self._departures.dump(),
            "loads": self._loads.dump(),
            "bystanders": self._bystanders.dump(),
            "outages": self.outages.dump(),
            "photo_eyes": self.photo_eyes.dump(),
            "standing": self.standing.dump(),
        }

    def load(self, dump: Any, numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        tracks = [Track.load(entry, numbers) for entry in dump["tracks"]]
        self._fired = dump["fired"]
        self._scales.ahead.load(dump["ahead"])
        self._scales.balance = Balance(**dump["balance"])
        self._departures.load(dump, self._scales, numbers)
        self._loads.load(dump["loads"])
        for track in tracks:
            track.keep(self.antennas)
        self._tracks = {track.epc: track for track in tracks}
        self._agenda = [(t, bytes.fromhex(epc)) for t, epc in dump["agenda"]]
        heapify(self._agenda)
        self._bystanders.load(dump["bystanders"])
        self.outages.load(dump["outages"])
        self.photo_eyes.load(dump["photo_eyes"])
        self.standing.load(dump["standing"])


def _half(track: Track, ends: int) -> int:
    """Half way from the last read of a tag to when it is taken to have left."""
    return track.last + (ends - track.last) // 2
