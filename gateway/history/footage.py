"""Where to look at the recordings of a trail: for each change of place the ranges of the cameras that saw it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.clock import SECOND, micros
from gateway.config.cameras import CameraConfig
from gateway.history.answers import Entry, Footage, Pass, Stay, Trail

MAX_RANGES = 200
"""Ranges in one trail; the newest."""


def with_footage(trail: Trail, cameras: Sequence[CameraConfig]) -> Trail:
    """The trail with the cameras' ranges in line, each before the change of place that it shows."""
    if not cameras:
        return trail
    left = MAX_RANGES
    entries: list[Entry] = []
    for entry in reversed(trail.entries):
        entries.append(entry)
        ranges = list(_ranges(entry, cameras))[:left]
        left -= len(ranges)
        entries += reversed(ranges)
    return trail.model_copy(update={"entries": entries[::-1]})


def _ranges(entry: Entry, cameras: Sequence[CameraConfig]) -> Iterator[Footage]:
    match entry:
        case Stay(state="unseen"):
            return  # nothing moved
        case Stay():
            first = last = entry.since
            places = {entry.zone, entry.before, entry.portal}
        case Pass():
            first, last, places = entry.first, entry.last, {entry.portal}
        case _:
            return
    for camera in cameras:
        if places & set(camera.places):
            start, end = first - micros(camera.before), last + micros(camera.after)
            yield Footage(
                camera=camera.id,
                start=start,
                end=end,
                url=_link(camera, start, end),
                frigate=camera.frigate is not None,
            )


def _link(camera: CameraConfig, start: int, end: int) -> str | None:
    if camera.link is None:
        return None
    return camera.link.replace("{start}", str(start // SECOND)).replace("{end}", str(-(-end // SECOND)))
