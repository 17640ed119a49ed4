"""One trial of a scene: a world, the configuration that describes it, and what of it is weighed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from benchmarks.accuracy.site import Door
from benchmarks.radio import World
from gateway.inputs import Command

Family = Literal["passes", "presence", "counts"]


@dataclass(slots=True)
class Trial:
    """`groups`: the UIDs of each convoy of two or more; `neighbours`: tags at a door are exposed to the others too;
    `watched`: at a door, presence in the zones behind it is weighed as well."""

    world: World
    config: dict[str, Any]
    doors: list[Door] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    groups: list[set[str]] = field(default_factory=list)
    neighbours: bool = False
    watched: bool = False


@dataclass(slots=True, frozen=True)
class Scene:
    """A row of the matrix. `full` and `quick`: trials of a whole and of a small run; a trial holds several passes.
    `ordinary`: one of those for which 95 % decided are asked."""

    name: str
    family: Family
    build: Callable[[Random], Trial]
    full: int
    quick: int
    ordinary: bool = False
