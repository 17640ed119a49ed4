"""The floor: reads become facts. Pure functions of what it is given; no clock, no I/O, no asyncio."""

from gateway.floor.floor import COMMANDS, Floor
from gateway.floor.stats import FloorStats

__all__ = ["COMMANDS", "Floor", "FloorStats"]
