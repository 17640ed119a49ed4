"""What events of older releases call otherwise, in the words of this one: for whoever reads events from a ledger.

An event is published as it was written, whatever the release. Recognition, the history and a start that has only events
to build from ask here first.
"""

from __future__ import annotations

from typing import Any

_DIRECTIONS = {"returned": "turned_back", "static": "standing"}
_STORIES = {"back": "turned_back", "still": "standing"}
_ALARMS = {"beam-stuck": "photo-eye-stuck"}
_FEATURES = {
    "walk_or_back": "walk_or_turned_back",
    "walk_or_still": "walk_or_standing",
    "back_or_still": "turned_back_or_standing",
}

Data = dict[str, Any]


def in_todays_words(data: Data) -> Data:
    """The data of an event, as this release would say it; the same object where it does already."""
    match data:
        case {"movement": "passed" | "revised"}:
            return data | {"direction": direction(data["direction"]), "evidence": pass_evidence(data["evidence"])}
        case {"gate": "item", "item": {"proof": {"source": "portal"} as proof} as item}:
            return data | {"item": item | {"proof": pass_proof(proof)}}
        case {"alarm": str(word)} if word in _ALARMS:
            return data | {"alarm": alarm(word)}
    return data


def direction(word: str) -> str:
    """The direction of a pass."""
    return _DIRECTIONS.get(word, word)


def alarm(word: str) -> str:
    """The kind of an alarm."""
    return _ALARMS.get(word, word)


def pass_proof(proof: Data) -> Data:
    """A pass as the gate keeps it with a package."""
    return proof | {"evidence": pass_evidence(proof["evidence"])}


def pass_evidence(evidence: Data) -> Data:
    """The reads behind a pass."""
    renamed = {"companions" if name == "company" else name: value for name, value in evidence.items()}
    for name, words in (("likelihood", _STORIES), ("walk", _STORIES), ("decided_by", _FEATURES)):
        if name in renamed:
            renamed[name] = {words.get(word, word): value for word, value in renamed[name].items()}
    if renamed.get("photo_eyes") is not None:
        renamed["photo_eyes"] = direction(renamed["photo_eyes"])
    return renamed
