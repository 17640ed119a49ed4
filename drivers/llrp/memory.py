"""What is known of a reader from one connection to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.llrp.rospec import Plainer


@dataclass(slots=True)
class Memory:
    """What is known of one reader. Times are microseconds UTC."""

    ask_version: bool = True
    inputs: dict[int, bool] = field(default_factory=dict)
    last_read: int | None = None  # of the newest read delivered
    heard: int | None = None  # when the last message came
    cut: tuple[int, int] | None = None  # when a link died with bytes possibly on the way
    plainer: Plainer = Plainer.NOTHING  # what a ROSpec has to leave out for this reader to take it
    starts_itself: bool = False  # the reader starts no ROSpec when told to: ours says that it is to start
    lasting: set[str] = field(default_factory=set)  # conditions of its setup that hold

    def link_cut(self, since: int, until: int) -> None:
        """A link died at `until`; what was sent into it after `since` may not have come. Cuts before it are part of it
        until they were told."""
        self.cut = (since if self.cut is None else min(since, self.cut[0]), until)

    def told_cut(self, newest: int, now: int) -> tuple[int, int] | None:
        """The range of reads that dead links may have swallowed, None without any; it is told once.

        Reads are held from when the reader itself has seen that the link is dead, which may be long after we did. The
        first of them that come, up to `newest`, show when that was.
        """
        if self.cut is None:
            return None
        (start, end), self.cut = self.cut, None
        return start, min(max(end, newest), max(end, now))
