"""Drivers are strangers to the gateway, and a serial family is one folder that nothing else names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.emulators.serial.command import emulators
from drivers.serial.family import families
from gateway.config.drivers import built_in, factory

ROOT = Path(__file__).parents[2]


def test_nothing_in_the_gateway_names_a_driver():
    names = re.compile(rf"\b({'|'.join(map(re.escape, built_in()))})\b")
    naming = [str(path) for path in (ROOT / "gateway").rglob("*.py") if names.search(path.read_text())]
    assert naming == []


@pytest.mark.parametrize("name", sorted(families()))
def test_a_family_is_one_folder_with_a_driver_and_an_emulator(name):
    assert factory(name).settings is families()[name].settings
    assert name in emulators()
    files = {path.name for path in (ROOT / "drivers" / "serial" / name).glob("*.py")}
    assert {"__init__.py", "frames.py", "session.py", "settings.py"} <= files
    naming = [
        path.name
        for path in (ROOT / "drivers" / "serial").glob("*.py")
        if re.search(rf"drivers\.serial\.{name}\b", path.read_text())
    ]
    assert naming == []
