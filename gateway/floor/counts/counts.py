"""Counts: how many tags are in a zone, and how well it was being read meanwhile.

A periodic count covers the time since the one before, on a grid of event time; one on command takes `duration`, or
until no new tags come; one on the calendar (plan.py) begins by itself when its zone is due and being read. What
is remembered is in which rounds each tag was seen (run.py) and how long each antenna had been dark when the
count began: the rest is in the columns of the tags when it ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gateway.clock import NEVER, SECOND, micros, parse_rfc3339
from gateway.config import Config
from gateway.errors import Refused
from gateway.events.count_models import Trigger
from gateway.events.envelope import Fact
from gateway.events.envelope import count as counted
from gateway.floor.counts.by_hand import GATEWAY, ByHand
from gateway.floor.counts.estimate import stay
from gateway.floor.counts.expected import MAX_EXPECTED, ExpectedSets, read_uids
from gateway.floor.counts.plan import GOOD_DUTY, RETRY, RETRY_POOR, Plan
from gateway.floor.counts.report import Comparison
from gateway.floor.counts.result import Results, outline
from gateway.floor.counts.run import MOST_ROUNDS, Running
from gateway.floor.counts.sessions import LONGEST as LONGEST_SESSION
from gateway.floor.counts.watched import Watched
from gateway.floor.evidence import Evidence
from gateway.floor.places import Places
from gateway.floor.presence.presence import Presence
from gateway.floor.readers.history import ReaderHistory
from gateway.floor.tags import Foreign
from gateway.inputs import Command

LONGEST = 3600.0
"""Seconds. A count that takes longer is not a count but a day of presence."""

SILENCE = 60 * SECOND
"""The longest lateness that can be set: by then the first read of a recording is known."""

MAX_RUNNING = 64
"""Counts on command that may run at a time: a count each for every zone of a large site."""


class Counts:
    """The counts that are being taken, the plan of those to come, and the expected sets.

    `newest` maps a zone to the outline of its newest count; `begun` says whether the periodic counts have.
    """

    def __init__(
        self,
        config: Config,
        places: Places,
        reader_history: ReaderHistory,
        presence: Presence,
        foreign: Foreign,
        evidence: Evidence,
    ) -> None:
        self.expected = ExpectedSets()
        self.newest: dict[str, dict[str, Any]] = {}
        self.begun = False
        self._silent = 0  # since when nothing is heard that they could begin with
        self._running: list[Running] = []
        self._every = {zone.id: micros(zone.count_every) for zone in config.zones if zone.count_every}
        self._zones = {zone.id for zone in config.zones}
        self._window = micros(config.floor.window)
        self._round = self._whole(micros(config.counts.round))
        self._longest = micros(config.counts.longest)
        self.plan = Plan(config.counts, self._zones)
        self._places = places
        self._watched = Watched(places, reader_history)
        self._presence = presence
        self._comparison = Comparison(places, presence, self.expected)
        self._results = Results(places, presence, foreign, evidence, self._watched, self._comparison)
        self.by_hand = ByHand(config, self.expected, self._comparison)

    # ---- commands

    def admit(self, command: Command, waiting: Sequence[Command]) -> None:
        """Raises Refused where the command cannot be carried out once those that are `waiting` are."""
        match command.name:
            case "expected":
                self.expected.admit(command, self._zones)
            case "count":
                self._admit_count(command.args, sum(1 for other in waiting if other.name == "count"))
            case _:
                self.by_hand.admit(command, waiting)

    def _admit_count(self, args: Mapping[str, Any], waiting: int) -> None:
        unknown = sorted(set(args) - {"zone", "duration", "request", "expected", "by"})
        if unknown:
            raise Refused(f"count: unknown argument {unknown[0]!r}: it takes zone, duration, expected, by and request")
        _who("count", args)
        if not isinstance(args.get("zone"), str) or args["zone"] not in self._zones:
            raise Refused(f"count: no zone {args.get('zone')!r}: zones are {', '.join(sorted(self._zones))}")
        duration = args.get("duration")
        if duration is not None and (
            isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 < duration <= LONGEST
        ):
            raise Refused(f"count: duration {duration!r} is not a number of seconds up to {LONGEST:g}")
        request = args.get("request", "")
        if request is not None and (not isinstance(request, str) or len(request) > 128):
            raise Refused("count: request is not a text of at most 128 characters")
        asked = [count for count in self._running if count.trigger == "command"]
        if waiting + len(asked) >= MAX_RUNNING:
            raise Refused(f"count: {MAX_RUNNING} counts are running already: wait until one has ended")
        if args.get("expected") is not None:
            own = len(read_uids("count", args["expected"])) + sum(len(count.expected or ()) for count in asked)
            if own > MAX_EXPECTED:
                raise Refused(
                    f"count: the counts that are running expect {MAX_EXPECTED} tags: wait until one has ended"
                )

    def carry_out(self, command: Command) -> list[Fact]:
        """Carries out a command that was admitted. Where another overtook it, so that it is not admitted any more, it
        changes nothing."""
        args, t = command.args, command.t
        match command.name:
            case "expected":
                return self.expected.change(command)
            case "count":
                own = args.get("expected")
                count = self._new(args["zone"], t, args.get("duration"), "command", args.get("request"))
                count.expected = None if own is None else read_uids("count", own)
                count.by = args.get("by")
                return []
        facts = self.by_hand.carry_out(command)
        self._follow()
        return facts

    def _follow(self) -> None:
        """Begins the counts of the sessions that were opened, and ends those of the sessions that were closed."""
        for session in self.by_hand.sessions.open_ones():
            counts = [count for count in self._running if count.session == session.id]
            for count in counts if session.closed else ():
                count.end, count.closing = max(session.closed, count.round_start + 1), session.closed_by != GATEWAY
            for zone in session.zones if not counts and not session.closed else ():
                end = session.opened + 2 * LONGEST_SESSION
                count = self._start(zone, session.opened, end, "session", session.request, by_itself=True)
                count.session, count.by = session.id, session.by

    # ---- beginning

    def begin_periodic(self, t: int) -> None:
        """Begins the periodic counts that are not running, up to the next point of their grid, and the plan."""
        self.begun = True
        running = {count.zone for count in self._running if count.trigger == "periodic"}
        for zone, every in self._every.items():
            if zone not in running:
                self._start(zone, t, (t // every + 1) * every, "periodic")
        self.plan.begin(t)

    def idle(self, t: int) -> None:
        """Event time has come to `t`. Where nothing was heard of any reader for SILENCE, the counts begin all the
        same, so that a zone that nobody has ever read is overdue."""
        if not self.begun:
            self._silent = self._silent or t
            if t - self._silent >= SILENCE:
                self.begin_periodic(t)

    def skip(self, t: int) -> None:
        """Nobody was counting up to `t`: the periodic counts begin again, and what was due meanwhile is tried."""
        self._running = [count for count in self._running if count.trigger != "periodic" or count.end > t]
        self.begin_periodic(t)
        self.plan.skip(t)

    def redate(self, by: int) -> None:
        """What they have seen was `by` microseconds later than was thought."""
        self._silent += by if self._silent else 0
        self.by_hand.redate(by)
        for count in self._running:
            count.redate(by, self._every[count.zone] if count.trigger == "periodic" else 0)

    def _new(self, zone: str, t: int, duration: float | None, trigger: Trigger, request: str | None = None) -> Running:
        """Begins a count of a given duration in seconds, or one that ends by itself."""
        if duration is None:
            return self._start(zone, t, t + self._longest, trigger, request, by_itself=True)
        return self._start(zone, t, t + micros(duration), trigger, request)

    def _start(
        self, zone: str, start: int, end: int, trigger: Trigger, request: str | None = None, *, by_itself: bool = False
    ) -> Running:
        """Begins a count up to `end`, in rounds of whole windows; a count of a given length in as many as fit."""
        step = self._round
        if not by_itself:
            length = max(end - start, 1)
            step = self._whole(-(-length // min(max(length // step, 1), MOST_ROUNDS)))
        dark = self._watched.dark(zone, start)
        count = Running(
            zone, trigger, request, start, end, step, by_itself, dark, round_start=start, round_dark=dict(dark)
        )
        self._running.append(count)
        return count

    def _whole(self, step: int) -> int:
        """A length of rounds such that no window belongs to two."""
        return -(-step // self._window) * self._window

    def _begin_planned(self, t: int) -> None:
        """Begins the counts of the calendar that are due, where somebody is reading the zone."""
        for zone, due in self.plan.ready(t):
            if blindness := self._watched.blindness(zone):
                self.plan.overdue(zone, due, blindness, t + RETRY)
            else:
                self._new(zone, t, None, "calendar").due = due
                self.plan.started(zone)

    # ---- what falls due

    @property
    def due(self) -> int:
        """When the next round ends, or the next count of the calendar is tried."""
        ends = min((count.next for count in self._running), default=NEVER)
        return min(ends, self.plan.attempt, self.by_hand.due)

    def fire(self, t: int) -> list[Fact]:
        """The counts that end at `t`, and what handhelds have read."""
        facts = self.by_hand.fire(t)
        self._follow()
        rounds = [count for count in self._running if count.next <= t]
        if rounds:
            self._close_rounds(rounds, t)
        ended = sorted(
            (count for count in rounds if count.finished),
            key=lambda count: (count.end, count.zone, count.start, count.request or ""),
        )
        finished = {id(count) for count in ended}
        self._running = [count for count in self._running if id(count) not in finished]
        facts += [self._state(count) for count in ended]
        self.by_hand.sessions.forget({count.session for count in self._running if count.session})
        for count in ended:
            if count.trigger == "periodic":
                self._start(count.zone, count.end, count.end + self._every[count.zone], "periodic")
        if self.plan.attempt <= t:
            self._begin_planned(t)
        return facts

    def _close_rounds(self, counts: list[Running], t: int) -> None:
        """Ends the rounds that end at `t`, with one look at all tags for all of them."""
        tags, zone_of = self._presence.tags, self._places.zone_of
        antenna, last, epcs = tags.antenna, tags.last, tags.epcs
        begin = min(count.round_start for count in counts)
        by_zone: dict[int, list[int]] = {self._places.zone_numbers[count.zone]: [] for count in counts}
        for slot, seen in enumerate(last):
            if seen >= begin and (found := by_zone.get(zone_of[antenna[slot]])) is not None:
                found.append(slot)
        near: dict[int, list[tuple[int, bytes]]] = {zone: [] for zone in by_zone}
        for slot, views in self._presence.rivals.items():
            for zone in near.keys() & views.keys():
                near[zone].append((views[zone].last, epcs[slot]))
        for count in counts:
            start, zone = count.round_start, self._places.zone_numbers[count.zone]
            read = (epcs[slot] for slot in by_zone[zone] if last[slot] >= start)
            passing = (epc for seen, epc in near[zone] if seen >= start)
            if count.session:
                read = (epc for epc in sorted({*read, *self.by_hand.fresh(count.session, count.zone)}))
            count.close_round(t, read, passing, self._watched.dark(count.zone, t))

    def live(self, zone: str) -> dict[str, Any] | None:
        """A session that counts a zone, as it stands, ready for JSON; None where nobody counts it. `data` is what its
        event would say now, `stay_s` for how much longer it is worth staying."""
        session = self.by_hand.sessions.at(zone)
        count = next((one for one in self._running if session and one.zone == zone and one.session == session.id), None)
        if session is None or count is None:
            return None
        data = self._results.of(count, max(count.round_start, count.start), session)
        return {"data": data, "stay_s": stay(data["estimate"], self._round / SECOND)}

    def goes_on_beyond(self, zones: Collection[str]) -> bool:
        """Whether a zone that is none of these is being counted because somebody wants it."""
        return bool(self._beyond(zones))

    def _beyond(self, zones: Collection[str]) -> list[Running]:
        return [count for count in self._running if count.zone not in zones and count.trigger != "periodic"]

    def end_beyond(self, zones: Collection[str], t: int) -> list[Fact]:
        """Ends at `t` the counts of zones that are none of these, and the sessions that count nothing else, and says
        what they have come to."""
        facts = [
            self.by_hand.sessions.close(session, GATEWAY, "its zones are configured no more", t)
            for session in self.by_hand.sessions.open_ones()
            if not session.closed and not any(zone in zones for zone in session.zones)
        ]
        for count in self._beyond(zones):
            if count.round_start < t:
                self._close_rounds([count], t)
            count.is_gone = True
            facts.append(self._state(count))
            self._running.remove(count)
        self.by_hand.sessions.leave(zones)
        return facts

    def _state(self, count: Running) -> Fact:
        """The event of a count that has ended."""
        t, session = count.round_start, self.by_hand.sessions.get(count.session)
        data = self._results.of(count, t, session)
        self.newest[count.zone] = outline(data)
        self._tick_off(data, count.start, t)
        return counted(count.zone, t, data)

    def _tick_off(self, data: Mapping[str, Any], start: int, t: int) -> None:
        """Tells the plan what became of a count, from the data of its event."""
        zone, session = data["zone"], data.get("session")
        by_hand = session is not None and bool(session["hand"] or session["through"])
        duty = 1.0 if by_hand else data["quality"]["duty"]
        if data["trigger"] == "periodic":
            return
        if duty >= GOOD_DUTY:
            self.plan.counted(zone, start, t)
        elif data["trigger"] == "calendar":
            why = f"the zone was watched for {duty:.0%} of its count only"
            self.plan.overdue(zone, parse_rfc3339(data["scheduled"]), why, t + RETRY_POOR)

    # ---- state

    def departed(self, facts: Iterable[Fact]) -> None:
        """Hears of what presence says, so that the last sighting of expected tags outlives their departure."""
        self.expected.departed(facts)

    def zone_state(self, zone: str) -> dict[str, Any]:
        """The part of a zone's retained state that is about counts, ready for JSON."""
        return {
            "last_count": self.newest.get(zone),
            "count_plan": self.plan.state(zone),
            "expected": self.expected.state(zone),
        }

    def apply(self, data: Mapping[str, Any]) -> None:
        """Takes over from an event that a count was stated: it is not running any more."""
        start, end = (parse_rfc3339(data[key]) for key in ("started", "ended"))
        same = (data["zone"], data["trigger"], start)
        self._running = [count for count in self._running if (count.zone, count.trigger, count.start) != same]
        if data["zone"] in self._zones:
            self.newest[data["zone"]] = outline(data)
            self._tick_off(data, start, end)

    def apply_session(self, data: Mapping[str, Any], t: int) -> None:
        """Takes over from an event that a session was opened or closed."""
        self.by_hand.sessions.apply(data, parse_rfc3339(data["started"]), t)
        self._follow()

    def dump(self) -> dict[str, Any]:
        """Everything but the expected sets, ready for JSON."""
        return {
            "running": [count.dump() for count in self._running],
            **self.by_hand.dump(),
            "newest": self.newest,
            "plan": self.plan.dump(),
            "expected": not self.expected.empty,
            "begun": self.begun,
            "silent": self._silent,
        }

    def load(self, dump: Mapping[str, Any], expected: Mapping[str, Any] | None, t: int) -> None:
        """Takes over, at event time `t`, what was running in zones that are still there, and as often as it is still
        wanted. `expected` is the dump of the expected sets where there is one."""
        for entry in dump["running"]:
            count = Running.load(entry)
            every = self._every.get(count.zone)
            wanted = count.trigger != "periodic" or (every is not None and count.end % every == 0)
            if count.zone in self._zones and wanted:
                self._running.append(count)
        self.newest = {zone: outline for zone, outline in dump["newest"].items() if zone in self._zones}
        if expected is not None:
            self.expected.load(expected, self._zones)
        self.begun, self._silent = dump["begun"], dump["silent"]
        self.by_hand.load(dump, {count.session for count in self._running if count.session})
        calendar = {count.zone for count in self._running if count.trigger == "calendar"}
        self.plan.load(dump["plan"], calendar)
        if self.begun:
            self.begin_periodic(t)


def _who(command: str, args: Mapping[str, Any]) -> None:
    """Raises Refused where `by` is no name."""
    by = args.get("by")
    if by is not None and (not isinstance(by, str) or not 0 < len(by) <= 64 or not by.isprintable()):
        raise Refused(f"{command}: by is not a name of at most 64 characters")
