"""Brings together what is known of a package when the rules are asked: its line, its delivery, watch lists, and whether
it has left already."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.clock import NEVER, rfc3339
from gateway.config import Config
from gateway.events.gate_models import Change
from gateway.floor.gate import verdict
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.manifest import DeliveryKey, Line
from gateway.floor.gate.rules import Case, Judgement, judge, named
from gateway.floor.gate.session import Session, Tag, Where
from gateway.floor.gate.shipped import Shipped
from gateway.floor.gate.stock import Stock
from gateway.floor.gate.watchlists import WatchLists


class Judges:
    """Asks the rules of the site about packages in the sessions `open`, by dock."""

    def __init__(
        self,
        config: Config,
        catalogue: Catalogue,
        shipped: Shipped,
        watch_lists: WatchLists,
        stock: Stock,
        open_: Mapping[str, Session],
    ) -> None:
        self._config = config.gate
        self._outbound = named(config.gate.rules)
        self._inbound = named(config.gate.inbound_rules)
        self._catalogue = catalogue
        self._shipped = shipped
        self._watch_lists = watch_lists
        self._stock = stock
        self._open = open_

    def rules(self, session: Session) -> list[str]:
        """The names of the rules that hold for a session."""
        return list(self._config.inbound_rules if session.inbound else self._config.rules)

    def line_of(self, session: Session, uid: str) -> Line | None:
        """The line that names a package, of whatever delivery."""
        return self._catalogue.line(uid, self._owner(session, uid))

    def judge(self, session: Session, uid: str, t: int) -> tuple[Line | None, Judgement]:
        """The line that names a package, of whatever delivery, and what the rules say of it."""
        case = self._case(session, uid, t)
        rules = self._inbound if session.inbound else self._outbound
        return case.line, judge(case, self._config, rules)

    def classify(self, session: Session, uid: str, tag: Tag, t: int) -> Line | None:
        """Gives a package its status; returns the line that names it."""
        line, judgement = self.judge(session, uid, t)
        is_line = self._catalogue.line(uid, session.key) is not None
        session.classify(tag, judgement, is_line=is_line, is_known=line is not None)
        session.stale_at = min(session.stale_at, judgement.fresh_until)
        return line

    def classify_all(self, session: Session, t: int) -> list[Change]:
        """Judges every package again; returns those whose status or reasons have changed."""
        session.stale_at = NEVER
        changed: list[Change] = []
        for uid in sorted(session.tags):
            tag = session.tags[uid]
            before = (tag.status, _words(tag))
            self.classify(session, uid, tag, t)
            after = (tag.status, _words(tag))
            if before != after:
                changed.append({"uid": uid, "from": before[1], "to": after[1]})
        return changed

    def _owner(self, session: Session, uid: str) -> DeliveryKey | None:
        return self._catalogue.owner(uid, session.key, "in" if session.inbound else "out")

    def _case(self, session: Session, uid: str, t: int) -> Case:
        owner = self._owner(session, uid)
        manifest = self._catalogue.manifest(owner)
        line = self._catalogue.line(uid, owner)
        return Case(
            line=line,
            owner=owner,
            here=session.key,
            as_of=manifest.as_of if manifest else 0,
            now=t,
            owner_dock=self._dock_of(owner),
            watched=self._watch_lists.lists(uid),
            shipped=self._left_already(session, uid, t),
            earlier=self._earlier(line, owner, t),
        )

    def _earlier(self, line: Line | None, owner: DeliveryKey | None, t: int) -> str:
        """Which package of the same product stays behind and expires before this one, in words."""
        record = None if line is None else line.record
        if line is None or record is None or not isinstance(record.expires, int):
            return ""
        for other, expires in self._stock.before(line.product, record.expires):
            if self._catalogue.line(other, owner) is None and self._shipped.key(other, t) is None:
                return f"{other} of the same product expires on {rfc3339(expires)[:10]}"
        return ""

    def product(self, uid: str) -> str:
        """What a package is, as far as a manifest or the stock says."""
        lines = (self._catalogue.line(uid, key) for key in self._catalogue.owners(uid))
        return next((line.product for line in lines if line is not None and line.product), self._stock.product(uid))

    def _dock_of(self, key: DeliveryKey | None) -> str:
        """Where a delivery is loaded, as far as that is decided."""
        for dock, session in self._open.items():
            if key is not None and session.key == key:
                return dock
        delivery = self._catalogue.delivery(key)
        return delivery.dock if delivery is not None and delivery.dock is not None else ""

    def _left_already(self, session: Session, uid: str, t: int) -> str:
        """How a package has left, in words: with an earlier session, or just now at another dock."""
        key = self._shipped.key(uid, t)
        if key is not None and not (key == session.key and uid in session.tags and session.tags[uid].carried):
            return self._shipped.words(uid)
        own = session.tags.get(uid)
        for other in self._open.values():
            tag = other.tags.get(uid)
            if other is session or (other.key is not None and other.key == session.key):
                continue  # a look ahead at a delivery that is being loaded
            if other.inbound or tag is None or not tag.was_loaded:
                continue
            if tag.where is Where.LOADED or own is None or not own.was_found:  # else a person has settled it
                return f"loaded at dock {other.dock}"
        return ""


def _words(tag: Tag) -> str | None:
    return None if tag.status is None or tag.judgement is None else verdict.words(tag, tag.judgement)
