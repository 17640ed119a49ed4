"""What is known of a reader from one connection to the next."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Memory:
    """One reader. Times are microseconds UTC."""

    ask_version: bool = True
    inputs: dict[int, bool] = field(default_factory=dict)
    last_read: int | None = None  # of the newest read delivered
    heard: int | None = None  # when the last message came
    cut: tuple[int, int] | None = None  # when a link died with bytes possibly on the way
    lasting: set[str] = field(default_factory=set)  # conditions of its setup that hold
