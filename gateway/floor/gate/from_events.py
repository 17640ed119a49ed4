"""Takes over what the gate's own events say, for a start that has only them: the journal behind the last checkpoint is
lost (a power cut, a reboot).

Events tell where packages are, not what manifests and watch lists hold. A manifest that came after the checkpoint is
therefore not known any more; an older version of it is dropped rather than trusted, and its packages are extra until it
is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never, NoReturn

from gateway.clock import parse_rfc3339
from gateway.events.gate_models import GateKind
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.manifest import DeliveryKey
from gateway.floor.gate.session import Ending, Session, Where
from gateway.floor.gate.sessions import Sessions
from gateway.floor.gate.watchlists import WatchLists

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


class FromEvents:
    """Applies events to a gate that was loaded from a checkpoint older than they are."""

    def __init__(self, catalogue: Catalogue, sessions: Sessions, watch_lists: WatchLists) -> None:
        self._catalogue = catalogue
        self._sessions = sessions
        self._watch_lists = watch_lists

    def apply(self, data: Data, t: int) -> None:
        """Takes in one event of the gate; events come oldest first. Raises KeyError, ValueError or TypeError where it
        is none of the gate's."""
        kind: GateKind = data["gate"]
        match kind:
            case "opened":
                self._opened(data, t)
            case "attached":
                self._attached(data, t)
            case "item":
                self._item(data, t)
            case "verdict":
                self._verdict(data, t)
            case "came-back":
                self._sessions.unfinished.came_back(data["uid"], t, data["proof"])
            case "manifest-received" | "manifest-withdrawn":
                self._manifest(data, t)
            case "overridden":
                if self._session(data) is not None:
                    self._sessions.answered_for(data["dock"], data["uid"], data["by"], data["reason"], t)
            case "destroyed":
                self._watch_lists.destroyed(data["uid"], data["method"], t)
            case "confirmed" | "revised" | "refused" | "precheck" | "staging" | "crossed-unread":
                pass  # follows from what else is known; the time that nobody watched is counted again from here
            case "watch-changed" | "stock-changed" | "output-switched":
                pass  # what was said comes again from whoever said it, and lamps are set anew
            case _:
                _unknown(kind)

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
        session = self._session(data) or self._sessions.orphan(data["dock"])
        if session is not None:
            session.ending = Ending(t, parse_rfc3339(data["closed"]), data["closed_by"], data["closed_why"])
            self._sessions.finish(session, t, data["outcome"])

    def _manifest(self, data: Data, t: int) -> None:
        known = self._catalogue.known.get(data["manifest"])
        withdrawn = data["gate"] == "manifest-withdrawn"
        if known is not None and (withdrawn or known.manifest.version < data["version"]):
            done = self._catalogue.remove(data["manifest"])
            if withdrawn:
                self._sessions.unfinished.forget(done)
            self._sessions.rejudge(t, "manifest")

    def _session(self, data: Data) -> Session | None:
        return self._sessions.at(data["dock"])


def _key(data: Data) -> DeliveryKey | None:
    return None if data["manifest"] is None else (data["manifest"], data["delivery"])


def _unknown(kind: Never) -> NoReturn:
    """The type check sees to it that no kind of event comes here; an event of a newer release may."""
    raise ValueError(f"{kind!r} is no event of the gate")
