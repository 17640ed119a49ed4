"""What is loaded elsewhere, or has left, and is found to be inside again."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.events.envelope import Fact
from gateway.events.gate_parts import HandheldProof, PortalProof
from gateway.floor.gate.reports import Reports
from gateway.floor.gate.session import Session, Tag
from gateway.floor.gate.shipped import Shipped
from gateway.floor.gate.unfinished import Unfinished


class Returns:
    """The sessions `open`, by dock, what has left, and the loads of sessions that have ended."""

    def __init__(
        self, open_: Mapping[str, Session], shipped: Shipped, unfinished: Unfinished, reports: Reports
    ) -> None:
        self._open = open_
        self._shipped = shipped
        self._unfinished = unfinished
        self._reports = reports

    def loaded_with(self, uid: str, here: Session | None) -> list[Session]:
        """The sessions but for `here` in which a package is loaded, or may be."""
        return [
            session
            for _, session in sorted(self._open.items())
            if session is not here and not session.inbound and session.may_have(uid)
        ]

    def doubted(
        self, uid: str, here: Session | None, t: int, proof: PortalProof | HandheldProof
    ) -> list[tuple[Session, Tag]]:
        """A package goes out, or is loaded, `here` at `t`: of others with which it was loaded before nobody knows any
        more whether it still is. Two tags may be of one number, or it has come back unseen."""
        found = [(session, session.doubt(uid, t, proof)) for session in self.loaded_with(uid, here)]
        return [(session, tag) for session, tag in found if tag is not None]

    def came_back(
        self, here: Session | None, portal: str, dock: str | None, uid: str, t: int, proof: PortalProof | HandheldProof
    ) -> list[Fact]:
        """Takes note that a package is inside since `t`, where it had left. With the delivery that is loaded `here` it
        is that session's business."""
        key = self._shipped.key(uid, t)
        own = here is not None and not here.inbound and here.key == key
        if key is None or own or not self._unfinished.came_back(uid, t, proof):
            return []
        return [self._reports.came_back(portal, dock, uid, key, proof, t)]
