"""The floor: reads become facts. Pure functions of what it is given; no clock, no I/O, no asyncio."""

from gateway.floor.admission import COMMANDS
from gateway.floor.floor import Floor
from gateway.floor.stats import FloorStats

__all__ = ["COMMANDS", "Floor", "FloorStats"]
