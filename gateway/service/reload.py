"""What a reload changes: the sections that differ, and what each of them takes."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config import Config
from gateway.floor import Floor

# What these say is open or held for as long as the process lives.
_FIXED = (
    "site",
    "gateway",
    "ledger",
    "history",
    "journal",
    "recording",
    "http",
    "alarms",
    "cameras",
    "manifests",
    "expected",
    "web",
)


@dataclass(slots=True, frozen=True)
class Change:
    """`config` is what is in force after the reload: the new one, with the old one's `needs_restart` sections."""

    config: Config
    sections: list[str]
    needs_restart: list[str]
    floor: bool
    mqtt: bool


def compare(present: Config, wanted: Config) -> Change:
    """What changes from `present` to `wanted`, without a restart and with one."""
    differing = [name for name in Config.model_fields if getattr(present, name) != getattr(wanted, name)]
    fixed = [name for name in differing if name in _FIXED]
    config = wanted.model_copy(update={name: getattr(present, name) for name in fixed})
    return Change(
        config=config,
        sections=[name for name in differing if name not in fixed],
        needs_restart=fixed,
        floor=present.floor_json() != config.floor_json(),
        mqtt=present.mqtt != config.mqtt,
    )


def carry_over(floor: Floor, config: Config) -> Floor:
    """A floor of `config` in the state of `floor`."""
    successor = Floor(config)
    successor.restore(floor.snapshot())
    return successor
