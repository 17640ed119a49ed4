"""Who passed through a portal, which way, and how sure that is. docs/portals.md says how and why."""

from gateway.floor.portals.portals import Portals

__all__ = ["Portals"]
