"""An outage of one reader, with its short connections: one ReaderUp at its end, one loss for each cause."""

from __future__ import annotations

from dataclasses import replace

from drivers.api import Item, ReaderLoss, ReaderUp


class Outage:
    """What has come from a reader's connections since it was last up."""

    def __init__(self) -> None:
        self._up: ReaderUp | None = None
        self._losses: dict[str, ReaderLoss] = {}

    def reads(self, item: ReaderUp) -> None:
        """A connection reads. Nothing is held over the outage as a whole unless each of them held."""
        held = item.held if self._up is None else item.held and self._up.held
        self._up = replace(item, held=held)

    def lost(self, item: ReaderLoss) -> None:
        """A connection lost reads: one loss with those of the same cause, from the first to the last of them."""
        known = self._losses.get(item.cause)
        if known is not None:
            start, end = min(known.start, item.start), max(known.end, item.end)
            item = replace(item, start=start, end=end, certain=known.certain and item.certain)
        self._losses[item.cause] = item

    def over(self, now: int = 0) -> list[Item]:
        """The items that end it, at `now` where that is later: the losses, then the ReaderUp. The next begins empty."""
        up, losses = self._up, self._losses
        self._up, self._losses = None, {}
        if up is None:
            return []
        return [*(replace(loss, t=max(now, loss.t)) for loss in losses.values()), replace(up, t=max(now, up.t))]
