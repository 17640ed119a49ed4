"""Stack lights, buzzers and interlocks: what each output should be, from what the docks show.

Nothing here switches anything. `changes` says what to switch now, and `wanted` what every output of a reader should
be, for when it has been away: a light must never tell of yesterday.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from gateway.clock import NEVER, micros
from gateway.config.gate import DockConfig

Switch: TypeAlias = tuple[str, int, bool]
"""Reader, port, level."""


class Lamp(StrEnum):
    """What a stack light shows."""

    OFF = "off"
    AMBER = "amber"
    RED = "red"
    GREEN = "green"


@dataclass(slots=True)
class _Shown:
    lamp: Lamp = Lamp.OFF
    until: int = NEVER
    buzz_until: int = 0


class Signals:
    """The lamps of every dock."""

    def __init__(self, docks: Iterable[DockConfig]) -> None:
        self._docks = {dock.id: dock for dock in docks}
        self._shown = {name: _Shown() for name in self._docks}
        self._given: dict[tuple[str, int], bool] = {}

    def lamp(self, dock: str) -> Lamp:
        """The lamp that a dock shows."""
        return self._shown[dock].lamp

    def show(self, dock: str, lamp: Lamp, until: int = NEVER) -> None:
        """Shows `lamp` and nothing else, until another is shown or `until`."""
        shown = self._shown[dock]
        shown.lamp, shown.until = lamp, until

    def buzz(self, dock: str, t: int) -> None:
        """Sounds the buzzer from `t` on."""
        self._shown[dock].buzz_until = t + micros(self._docks[dock].lights.buzz)

    def redate(self, by: int) -> None:
        """What is shown stays so long as it was to stay."""
        for shown in self._shown.values():
            shown.until += by if shown.until != NEVER else 0
            shown.buzz_until += by if shown.buzz_until else 0

    @property
    def due(self) -> int:
        """When a lamp goes out or a buzzer falls silent."""
        return min(
            (min(shown.until, shown.buzz_until or NEVER) for shown in self._shown.values()),
            default=NEVER,
        )

    def fire(self, t: int) -> None:
        """Puts out what has shone long enough at `t`."""
        for shown in self._shown.values():
            if shown.until <= t:
                shown.lamp, shown.until = Lamp.OFF, NEVER
            if shown.buzz_until <= t:
                shown.buzz_until = 0

    def unlit(self) -> dict[tuple[str, int], bool]:
        """Reader and port to the level at which nothing shines, sounds or opens, for every output of the docks."""
        return Signals(self._docks.values()).wanted()

    def wanted(self) -> dict[tuple[str, int], bool]:
        """Reader and port to level, for every output that the configuration names."""
        wanted: dict[tuple[str, int], bool] = {}
        for name, dock in self._docks.items():
            shown, lights = self._shown[name], dock.lights
            for output, lit in (
                (lights.red, shown.lamp is Lamp.RED),
                (lights.amber, shown.lamp is Lamp.AMBER),
                (lights.green, shown.lamp is Lamp.GREEN),
                (lights.buzzer, shown.buzz_until > 0),
                (dock.interlock, shown.lamp is Lamp.GREEN),
            ):
                if output is not None:
                    wanted[output.reader, output.port] = lit == output.on
        return wanted

    def changes(self) -> list[Switch]:
        """What to switch since the last call; everything on the first."""
        wanted = self.wanted()
        changed = [(*place, level) for place, level in wanted.items() if self._given.get(place) is not level]
        self._given = wanted
        return changed

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {name: [shown.lamp.value, shown.until, shown.buzz_until] for name, shown in self._shown.items()}

    def load(self, dump: dict[str, Any]) -> None:
        """Takes over what `dump` gave."""
        for name, (lamp, until, buzz_until) in dump.items():
            if name in self._shown:
                self._shown[name] = _Shown(Lamp(lamp), until, buzz_until)
