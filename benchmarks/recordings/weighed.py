"""What a portal weighed while a recording was judged: every finding of its tag, with the features of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from benchmarks.recordings.passes import Answer, Recording, answer
from gateway.floor.portals import portal as portal_module
from gateway.floor.portals.features import Features
from gateway.floor.portals.finding import Finding, Scales
from gateway.floor.portals.walk_model import Likelihood


@dataclass(slots=True, frozen=True)
class Weighed:
    """One weighing of the tag at `t` (microseconds): what the learned layer made of it, from which features."""

    t: int
    story: Likelihood
    features: Features


def looks(recording: Recording, *, whole_only: bool) -> tuple[Answer, list[Weighed]]:
    """What was said of a recording, and every weighing of its tag; `whole_only`: not those of a tag that is still read,
    which is then judged no earlier than it has left."""
    found: list[Weighed] = []
    with _seen(recording.uid, found):
        if not whole_only:
            return answer(recording), found
        with patch.object(portal_module, "is_watched", lambda track, tags: False):
            return answer(recording), found


@contextmanager
def _seen(uid: str, found: list[Weighed]) -> Iterator[None]:
    weigh = Scales.weigh

    def noted(scales: Scales, track: Any, t: int, *, gone: bool) -> Finding:
        finding = weigh(scales, track, t, gone=gone)
        if track.epc.hex().upper() == uid and track.sightings:
            copy = replace(track, sightings=list(track.sightings))
            found.append(Weighed(t, finding.case.likelihood, scales.shape(copy, finding.case.walk, gone=gone)))
        return finding

    with patch.object(Scales, "weigh", noted):
        yield
