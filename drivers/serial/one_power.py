"""The power of readers that have one for all their antennas, in whole dBm."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api import DriverError


def one_power(powers: Mapping[int, float | None], most: int) -> int | None:
    """The power (dBm) that all antennas are configured to have, None where none is. Raises a permanent `DriverError`
    for one that the reader cannot have, which has `most` at the most."""
    wanted = {power for power in powers.values() if power is not None}
    if not wanted:
        return None
    if len(wanted) > 1:
        raise DriverError(
            "this reader has one power for all its antennas: give every antenna the same power", permanent=True
        )
    power = wanted.pop()
    if not 0 <= power <= most or power != int(power):
        raise DriverError(f"power {power:g} dBm: this reader takes whole dBm, 0 to {most}", permanent=True)
    return int(power)
