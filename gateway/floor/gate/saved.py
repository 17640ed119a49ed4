"""Sessions as JSON and back, for checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.floor.gate.rules import Judgement
from gateway.floor.gate.session import Ending, Session, Status, Tag, Where


def dump_session(session: Session) -> dict[str, Any]:
    """A session, ready for JSON."""
    return {
        "dock": session.dock,
        "inbound": session.inbound,
        "key": session.key,
        "version": session.version,
        "opened": session.opened,
        "by": session.by,
        "why": session.why,
        "tags": dump_tags(session.tags),
        "last": session.last,
        "stale_at": session.stale_at,
        "beyond": session.beyond,
        "strays": session.strays,
        "dark": session.dark,
        "before": session.before,
        "confirmed": session.confirmed,
        "overrides": session.overrides,
        "ending": None if session.ending is None else asdict(session.ending),
    }


def load_session(dump: Mapping[str, Any]) -> Session:
    """A session from its dump; its packages are yet to be counted."""
    tags = load_tags(dump["tags"])
    kept = {name: value for name, value in dump.items() if name not in ("tags", "key", "ending")}
    return Session(
        key=None if dump["key"] is None else (dump["key"][0], dump["key"][1]),
        tags=tags,
        ending=None if dump["ending"] is None else Ending(**dump["ending"]),
        **kept,
    )


def dump_tags(tags: Mapping[str, Tag]) -> dict[str, Any]:
    """The packages of a session by UID, ready for JSON."""
    return {uid: _dump_tag(tag) for uid, tag in tags.items()}


def load_tags(dump: Mapping[str, Any]) -> dict[str, Tag]:
    """The packages of a session from their dump."""
    return {uid: _load_tag(content) for uid, content in dump.items()}


def _dump_tag(tag: Tag) -> dict[str, Any]:
    return {
        "where": tag.where.value,
        "loads": tag.loads,
        "returns": tag.returns,
        "passes": tag.passes,
        "first": tag.first,
        "last": tag.last,
        "carried": tag.carried,
        "proof": tag.proof,
        "status": tag.status.value if tag.status else None,
        "judgement": _dump_judgement(tag.judgement),
    }


def _dump_judgement(judgement: Judgement | None) -> list[Any] | None:
    if judgement is None:
        return None
    return [judgement.blocked, judgement.unknown, judgement.fresh_until, judgement.warned]


def _load_tag(dump: dict[str, Any]) -> Tag:
    judgement = None
    if dump["judgement"] is not None:
        blocked, unknown, fresh_until, *warned = dump["judgement"]
        judgement = Judgement(_pairs(blocked), _pairs(unknown), fresh_until, _pairs(warned[0] if warned else ()))
    status = Status(dump["status"]) if dump["status"] else None
    return Tag(**(dump | {"where": Where(dump["where"]), "status": status, "judgement": judgement}))


def _pairs(dump: Any) -> tuple[tuple[str, str], ...]:
    return tuple((rule, words) for rule, words in dump)
