"""The drivers that are installed: whatever names a `DriverFactory` in the entry-point group ``rfid_gateway.drivers``.

An entry point is imported only when a reader asks for it, so that a driver whose library is not installed disturbs
nobody who does not use it.
"""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, entry_points

import drivers
from drivers.api import ENTRY_POINT_GROUP, DriverError, DriverFactory, DriverSettings
from gateway.config.model import ReaderConfig
from gateway.text import did_you_mean


def installed() -> dict[str, EntryPoint]:
    """The entry points by driver name. Nothing is imported."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def built_in() -> list[str]:
    """The drivers that come with the gateway: their keys are in the schema of the configuration. Those of others are
    let through there, and checked like these."""
    return sorted(name for name, point in installed().items() if point.module.startswith(f"{drivers.__name__}."))


def factory(name: str) -> DriverFactory:
    """The factory of a driver. Raises a permanent `DriverError` when there is none or it cannot be imported."""
    points = installed()
    if not points:
        raise DriverError(
            "no driver is installed: install the rfid-gateway package, not only its files", permanent=True
        )
    if name not in points:
        raise DriverError(f"there is no driver `{name}`: {did_you_mean(name, points)}", permanent=True)
    point = points[name]
    try:
        found = point.load()
    except Exception as error:  # an import can fail in any way, and the sentence below is for all of them
        raise DriverError(
            f"the driver `{name}` ({point.value}) cannot be loaded ({type(error).__name__}: {error}): "
            f"install what it needs, for example pip install 'rfid-gateway[{name}]'",
            permanent=True,
        ) from error
    if not isinstance(found, DriverFactory):
        raise DriverError(
            f"the driver `{name}` ({point.value}) is a {type(found).__name__}, not a DriverFactory: "
            "ask whoever made the driver",
            permanent=True,
        )
    return found


def settings_for(reader: ReaderConfig) -> DriverSettings:
    """The driver's own settings of a reader. Raises `DriverError` as `factory`, pydantic's `ValidationError`."""
    return validate(factory(reader.driver).settings, reader.driver_keys())


def validate(model: type[DriverSettings], keys: dict[str, object]) -> DriverSettings:
    """`keys` as read from YAML, as the driver's model. By way of JSON, where strict models still take text for an
    enumeration or a path, and a list for a tuple."""
    return model.model_validate_json(json.dumps(keys))
