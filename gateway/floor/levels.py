"""Levels of what was received: the units in which readers give RSSI, hundredths of a decibel, and linear power."""

from __future__ import annotations

from array import array

from drivers.api import RssiUnit

UNITS = (RssiUnit.DBM, RssiUnit.CENTI_DBM, RssiUnit.RAW)
"""Order is the code of a unit in window keys and in snapshots."""


CENTI = (100, 1, 50)
"""Hundredths of a decibel in one step, by unit code. A raw step counts as half a decibel: it has no unit, and half a
decibel is what makes its range that of real signals."""


def _signed(steps: int, size: int) -> array[int]:
    """Linear power of each RSSI from -size to size - 1, `steps` to a decibel; a negative RSSI is a negative index."""
    return array("q", (_power(step / steps) for step in (*range(size), *range(-size, 0))))


def _power(decibel: float) -> int:
    """Linear power as an integer: 1 at -100 dBm or less, and never more than at +20 dBm."""
    return max(1, round(10 ** ((min(decibel, 20.0) + 100) / 10)))


POWER = (_signed(1, 128), _signed(100, 12_800), array("q", (_power(step / 2 - 115) for step in range(256))))
"""Linear power of an RSSI, by unit code. A step outside the table raises IndexError."""


RANGE = ((-128, 127), (-12_800, 12_799), (0, 255))
