"""Fuzz targets: functions that any bytes must leave with the error that the code promises, or with none.

A module ``fuzz_<codec>.py`` here has ``TARGETS: dict[str, Target]``; nothing has to be registered. A target's function
takes bytes and returns; whatever it raises is a finding. ``python -m tests.fuzz`` runs them all (``--help``), with
atheris where it can be imported and by mutating the seeds where not; ``test_fuzz.py`` runs each for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Target:
    """What to run on the bytes, and well-formed input to begin from."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
