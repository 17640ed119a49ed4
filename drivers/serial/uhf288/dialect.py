"""How a UHFReader lays out the tags of its reports: hundreds of types share the frames and differ in what is inside.

An inventory reply has a byte of antennas in front or not, and a byte of RSSI behind each EPC or not. A report that is
sent unasked is the EPC alone, or antenna, length, EPC and RSSI. A reply that fits one layout hardly ever fits another,
since its tags must fill it to the byte; so the layout of a reader is the one that its replies fit.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from drivers.serial.uhf288.frames import Tag, read_realtime, read_tags


class Shape(NamedTuple):
    """What the tags of a reply have beside their EPCs."""

    antenna: bool
    rssi: bool


FULL, BARE = Shape(True, True), Shape(False, False)
LONGEST_TAIL = 4
"""Bytes behind the tags of a reply of which nobody knows what they are."""

_OTHERS = (FULL, BARE, Shape(False, True), Shape(True, False))


class Dialect:
    """The layout of one reader. `fits` once a report was read with it; until then, and again after a report that does
    not fit, all layouts are tried. `names_antenna` is where to begin."""

    def __init__(self, *, names_antenna: bool) -> None:
        self.shape = FULL if names_antenna else BARE
        self.fits = False
        self._tail = 0

    def tags(self, data: bytes) -> list[Tag]:
        """The tags of an inventory reply. Raises `ValueError` when they fit no layout."""
        try:
            tags = list(read_tags(data, antenna=self.shape.antenna, rssi=self.shape.rssi, tail=self._tail))
            if not self.fits and len(tags) > 1 and not all(tag.epc for tag in tags):
                raise ValueError("an inventory reply may have tags without EPC, or another layout")
        except ValueError:
            tags = self._learn(data) or self._blank(data)
            if not tags:
                raise
        self.fits = self.fits or any(tag.epc for tag in tags)
        return tags

    @staticmethod
    def _blank(data: bytes) -> list[Tag]:
        """A tag alone that nobody has written yet, in whichever layout; none where it is something else."""
        for shape in _OTHERS:
            with suppress(ValueError):
                tags = list(read_tags(data, antenna=shape.antenna, rssi=shape.rssi))
                if len(tags) == 1 and not tags[0].epc:
                    return tags
        return []

    def _learn(self, data: bytes) -> list[Tag]:
        """The tags by the first layout that fits, best without anything behind them; none where no layout fits."""
        for tail in range(LONGEST_TAIL + 1):
            for shape in _OTHERS:
                try:
                    tags = list(read_tags(data, antenna=shape.antenna, rssi=shape.rssi, tail=tail))
                except ValueError:
                    continue
                if tags and all(tag.epc and len(tag.epc) % 2 == 0 for tag in tags):
                    self.shape, self._tail = shape, tail
                    return tags
        return []

    def report(self, data: bytes) -> Tag:
        """The tag of a report that was sent unasked. Raises `ValueError` when it fits no layout."""
        bare = bool(data) and len(data) % 2 == 0  # an EPC is whole words
        try:
            tag = read_realtime(data, bare=False)
        except ValueError:
            if not bare:
                raise
            tag = read_realtime(data, bare=True)
        else:
            if bare and not self.shape.antenna:
                tag = read_realtime(data, bare=True)
        self.fits = True
        return tag
