"""Takes over what the gate's own events say, for a start that has only them: the journal behind the last checkpoint is
lost (a power cut, a reboot).

Events tell where packages are, not what manifests and watch lists hold. A manifest that came after the checkpoint is
therefore not known any more; an older version of it is dropped rather than trusted, and its packages are extra until it
is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.manifest import DeliveryKey, parse_time
from gateway.floor.gate.session import Ending, Session, Where
from gateway.floor.gate.sessions import Sessions
from gateway.floor.gate.shipped import Shipped

_WHERE = {
    "matched": Where.LOADED,
    "blocked": Where.LOADED,
    "extra": Where.LOADED,
    "undetermined": Where.UNSURE,
    "missing": Where.OUTSIDE,
    "returned": Where.OUTSIDE,
    None: Where.OUTSIDE,
}
"""Status to place; only a package that is not loaded has none."""

Data = Mapping[str, Any]


class Recovered:
    """Applies events to a gate that was loaded from a checkpoint older than they are."""

    def __init__(self, catalogue: Catalogue, sessions: Sessions, shipped: Shipped) -> None:
        self._catalogue = catalogue
        self._sessions = sessions
        self._shipped = shipped
        self._kinds: Mapping[str, Callable[[Data, int], None]] = {
            "opened": self._opened,
            "attached": self._attached,
            "item": self._item,
            "confirmed": self._nothing,  # the time that nobody watched is counted again from here
            "revised": self._nothing,
            "verdict": self._verdict,
            "came-back": self._came_back,
            "manifest-received": self._manifest,
            "manifest-withdrawn": self._manifest,
            "refused": self._nothing,
            "watch-changed": self._nothing,  # a list is sent again; until then the checkpoint's holds
            "precheck": self._nothing,  # the manifest that it was about is not known any more
        }

    def apply(self, data: Data, t: int) -> None:
        """One event, oldest first. Raises KeyError, ValueError or TypeError where it is none of the gate's."""
        self._kinds[data["gate"]](data, t)

    def _opened(self, data: Data, t: int) -> None:
        if self._sessions.knows(data["dock"]) and self._sessions.at(data["dock"]) is None:
            self._sessions.open(data["dock"], _key(data), t, data["by"], data["why"])

    def _attached(self, data: Data, t: int) -> None:
        key = _key(data)
        if self._session(data) is not None and key is not None:
            self._sessions.attach(data["dock"], key, t, data["by"])

    def _item(self, data: Data, t: int) -> None:
        if self._session(data) is not None:
            self._sessions.recall(data["dock"], data["uid"], _WHERE[data["status"]], t, data["item"])

    def _verdict(self, data: Data, t: int) -> None:
        session = self._session(data)
        if session is not None:
            session.ending = Ending(t, parse_time(data["closed"]), data["closed_by"], data["closed_why"])
            self._sessions.finish(data["dock"], t)

    def _came_back(self, data: Data, t: int) -> None:
        self._shipped.forget(data["uid"])

    def _manifest(self, data: Data, t: int) -> None:
        known = self._catalogue.known.get(data["manifest"])
        withdrawn = data["gate"] == "manifest-withdrawn"
        if known is not None and (withdrawn or known.manifest.version < data["version"]):
            self._catalogue.remove(data["manifest"])
            self._sessions.rejudge(t, "manifest")

    def _nothing(self, data: Data, t: int) -> None:
        """Follows from what else is known."""

    def _session(self, data: Data) -> Session | None:
        return self._sessions.at(data["dock"])


def _key(data: Data) -> DeliveryKey | None:
    return None if data["manifest"] is None else (data["manifest"], data["delivery"])
