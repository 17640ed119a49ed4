"""Who passed through a portal, which way, and how sure that is. docs/portals.md says how and why."""

from gateway.floor.portals.portals import Portals
from gateway.floor.portals.reports import OnPass

__all__ = ["OnPass", "Portals"]
