"""The dock gate: no van leaves with a package that is not on its manifest."""

from gateway.floor.gate.gate import COMMANDS, Gate

__all__ = ["COMMANDS", "Gate"]
