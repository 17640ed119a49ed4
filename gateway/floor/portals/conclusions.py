"""From a verdict on one pass to what is published of the tag: a pass, standing, turned back, undetermined, or nothing.

What is known of the tag besides its verdict is added here: another portal that heard it as well, where its last pass
led to, whether it is standing stock, and what was published while it was still read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gateway.config import PortalConfig
from gateway.floor.passes import Direction
from gateway.floor.portals.bystanders import Bystanders
from gateway.floor.portals.companions import Companions, alone
from gateway.floor.portals.early import SURELY_CAME_BACK, WAYS, certainty, is_certain, is_revised
from gateway.floor.portals.finding import Finding
from gateway.floor.portals.groups import Judged
from gateway.floor.portals.judge import Verdict, again, judge
from gateway.floor.portals.last_passes import LastPasses
from gateway.floor.portals.proof import PassProof
from gateway.floor.portals.standing import LEARNED, Standing
from gateway.floor.tags import uid

LIKELY = 0.5
"""Posterior of a pass from which on a tag that stays is not said to stand there, but to have passed or stood."""


class Conclusions:
    """The conclusions of one portal. `elsewhere` tells whether a finding and its companions were heard as loud at
    another portal, `prove` gives the reads behind a finding, `weigh_rest` weighs what was read after a way was said."""

    def __init__(
        self,
        config: PortalConfig,
        standing: Standing,
        last_passes: LastPasses,
        bystanders: Bystanders,
        elsewhere: Callable[[Finding, Companions], bool],
        prove: Callable[[Finding], PassProof],
        weigh_rest: Callable[[Finding], Finding | None],
    ) -> None:
        self._config = config
        self._standing = standing
        self._last_passes = last_passes
        self._bystanders = bystanders
        self._elsewhere = elsewhere
        self._prove = prove
        self._weigh_rest = weigh_rest

    def of_early(self, finding: Finding, t: int) -> list[Judged]:
        """The pass of a tag that is still read at `t`, where its direction has been certain for a while and nothing
        else that is known of the tag speaks against it; else nothing."""
        track = finding.track
        verdict = judge(finding.case, alone(), max(self._config.certainty, certainty(track, t)))
        if not is_certain(track, verdict, t) or self._elsewhere(finding, alone()):
            return []
        if self._last_passes.there(track.epc, self._place(verdict.direction)):
            return []
        track.way, track.said = verdict.direction, t
        return self._passed(finding, verdict, alone())

    def of_long(self, finding: Finding) -> tuple[list[Judged], bool]:
        """What is published of a tag that has been read for the longest time that a pass takes, and still is; and
        whether its pass is over by that."""
        track = finding.track
        verdict = judge(finding.case, alone(), self._config.certainty)
        if track.way is not None:
            return self._came_back(finding) or self._revised(finding, verdict), True
        if verdict.direction in WAYS:
            track.doubt = 0.0
            return self._passed(finding, verdict, alone()), True
        if verdict.direction is Direction.STANDING:
            return self._found_standing(finding, verdict), False
        if verdict.confidence >= LIKELY:
            track.doubt = verdict.confidence
        return [], False

    def of_gone(self, finding: Finding, companions: Companions) -> list[Judged]:
        """What is published of a tag that has left, with `companions` that left with it. Nothing, if the tag is known
        to stand there and its reads do not contradict that."""
        verdict = judge(finding.case, companions, self._config.certainty)
        track = finding.track
        if track.way is not None:
            return self._came_back(finding) or self._revised(finding, verdict)
        if verdict.direction in WAYS:
            return self._passed(finding, verdict, companions)
        standing = verdict.direction is Direction.STANDING
        if standing and track.doubt:
            return self._unclear(finding, verdict)
        if self._standing.add(track.epc, track.last, long=standing):
            again_and_again = "seen again and again without passing"
            verdict = replace(verdict, direction=Direction.STANDING, confidence=LEARNED, reason=again_and_again)
        elif standing:
            self._bystanders.add(uid(track.epc), track.since, track.last)
            return []
        elif verdict.direction is Direction.UNDETERMINED:
            self._last_passes.lose(track.epc)
        return [self._judged(finding, verdict)]

    def _passed(self, finding: Finding, verdict: Verdict, companions: Companions) -> list[Judged]:
        """A pass with a direction, unless it was another portal's, or the tag went that way before and this one is no
        surer than that allows."""
        epc, place = finding.track.epc, self._place(verdict.direction)
        if self._elsewhere(finding, companions):
            verdict = replace(verdict, direction=Direction.UNDETERMINED, reason="as loud at another portal")
            return [self._judged(finding, verdict)]
        if self._last_passes.there(epc, place):
            verdict = replace(verdict, confidence=again(verdict.confidence), reason="the same way as the time before")
            if verdict.confidence < self._config.certainty:
                verdict = replace(verdict, direction=Direction.UNDETERMINED, leaning=verdict.direction)
                self._last_passes.lose(epc)
                return [self._judged(finding, verdict)]
        self._last_passes.passed(epc, place)
        self._standing.forget(epc)
        return [self._judged(finding, verdict)]

    def _came_back(self, finding: Finding) -> list[Judged]:
        """The pass back of a tag that was said to have passed while it was still read, where what was read of it since
        is a pass by itself; else nothing."""
        rest = self._weigh_rest(finding)
        if rest is None:
            return []
        verdict = judge(rest.case, alone(), max(self._config.certainty, SURELY_CAME_BACK))
        if verdict.direction not in WAYS or verdict.direction is finding.track.way or self._elsewhere(rest, alone()):
            return []
        finding.track.way = None
        return self._passed(rest, verdict, alone())

    def _revised(self, finding: Finding, verdict: Verdict) -> list[Judged]:
        """Takes back what was said of a tag while it was still read, where its whole pass does not bear it out."""
        track = finding.track
        said, track.way = track.way, None
        if said is None or not is_revised(said, verdict, whole=not finding.case.full):
            return []
        judged = self._judged(finding, verdict, said)
        if verdict.direction is Direction.UNDETERMINED:
            self._last_passes.lose(track.epc)
        else:
            self._last_passes.passed(track.epc, self._place(judged.direction))
        return [judged]

    def _place(self, way: Direction) -> str | None:
        """Where a way leads to."""
        return self._config.inside if way is Direction.IN else self._config.outside

    def _unclear(self, finding: Finding, verdict: Verdict) -> list[Judged]:
        """The tag stands there, and may have passed before."""
        track = finding.track
        verdict = replace(verdict, direction=Direction.UNDETERMINED, confidence=track.doubt, reason="passed, or stood")
        track.doubt = 0.0
        self._last_passes.lose(track.epc)
        return [self._judged(finding, verdict)]

    def _found_standing(self, finding: Finding, verdict: Verdict) -> list[Judged]:
        """The tag was there for the longest time that a pass takes. Said once."""
        track = finding.track
        if track.doubt:
            return self._unclear(finding, verdict)
        new = self._standing.add(track.epc, track.last, long=True)
        return [self._judged(finding, verdict)] if new else []

    def _judged(self, finding: Finding, verdict: Verdict, revises: Direction | None = None) -> Judged:
        track = finding.track
        return Judged(uid(track.epc), track.since, track.last, verdict, self._prove(finding), revises=revises)
