"""Which trials a run is made of, and their playing in several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from benchmarks.accuracy import scenes_counts, scenes_doors, scenes_rooms
from benchmarks.accuracy.tally import Outcome, play
from benchmarks.accuracy.trial import Scene

SCENES: list[Scene] = [*scenes_doors.SCENES, *scenes_rooms.SCENES, *scenes_counts.SCENES]
_BY_NAME = {scene.name: scene for scene in SCENES}

Task = tuple[str, int, str]
"""Scene, number of the trial, seed of the run."""


def tasks_of(scenes: Sequence[Scene], quick: bool, trials: int | None, times: int, seed: str) -> Iterator[Task]:
    """The trials of a run: `trials` of each scene, or else the usual number (of a small run: `quick`) `times` over.

    The slowest come first, so that no process is left with a day at the end.
    """
    order = {"presence": 0, "counts": 1, "passes": 2}
    for scene in sorted(scenes, key=lambda scene: order[scene.family]):
        number = trials if trials is not None else times * (scene.quick if quick else scene.full)
        for trial in range(number):
            yield scene.name, trial, seed


def played(tasks: Sequence[Task], jobs: int, *, elsewhere: bool = False) -> Iterator[tuple[str, Outcome]]:
    """In the order of the tasks, however many processes play them; `elsewhere`: with other physics."""
    play_one = partial(_play, elsewhere=elsewhere)
    if jobs == 1:
        yield from map(play_one, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(play_one, tasks, chunksize=2)


def _play(task: Task, *, elsewhere: bool) -> tuple[str, Outcome]:
    name, number, seed = task
    return name, play(_BY_NAME[name], number, seed, elsewhere=elsewhere)
