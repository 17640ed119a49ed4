"""Objects in the shapes of the Metrc v2 API as a manifest of our model.

Field names are Metrc's, in any spelling; what they mean for the gate is told here and nowhere else. Each fact stands
for itself: one that is absent, odd or contradicts itself is unknown, and blocks that line and nothing else. Nothing
unknown is ever taken for a statement. A flag and its "combined" twin (which includes what the package was made from)
block when either is set, and only the combined one can clear: Metrc leaves ``IsOnRecall`` null on packages that were
never recalled.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.floor.gate.manifest import MAX_RESULTS, is_plain
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.metrc.keys import whole_number
from gateway.sources.times import read_time
from gateway.text import printable

Object = Mapping[str, Any]

_MOST_QUANTITY = 1e9
_MOST_BATCHES = 100
_NEWEST = "9999-12-31"
"""When a test of unknown date was performed, next to others of its name: nothing may be newer than what is unknown."""


@dataclass(slots=True)
class Facts:
    """What is known of one package beside its line, each with when it was fetched. None: not known."""

    record: Object | None = None
    record_as_of: int = 0
    required: list[str] | None = None
    results: Sequence[Object] | None = None
    results_as_of: int = 0


@dataclass(slots=True)
class Gathered:
    """A transfer with everything that belongs to it: packages by delivery, and facts by label."""

    transfer: Object
    deliveries: Sequence[Object]
    packages: Mapping[Any, Sequence[Object]]  # delivery id to packages
    as_of: int
    facts: Mapping[str, Facts] = field(default_factory=dict)


def manifest_args(
    gathered: Gathered, *, version: int, direction: str, source: str, zone: str, identifiers: IdentifierMap
) -> dict[str, Any]:
    """The arguments of the command `manifest`. Raises Refused where the transfer itself is not in Metrc's shape."""
    number = _text(gathered.transfer, "ManifestNumber")
    if not number:
        raise Refused("the transfer has no ManifestNumber")
    lines = _Lines(number, gathered.facts, zone, identifiers)
    return {
        "manifest": number,
        "version": version,
        "direction": direction,
        "as_of": rfc3339(gathered.as_of),
        "source": source,
        "deliveries": [_delivery(delivery, gathered, lines) for delivery in gathered.deliveries],
    }


def _delivery(delivery: Object, gathered: Gathered, lines: _Lines) -> dict[str, Any]:
    key = whole_number(delivery.get("Id"))
    if key is None:
        raise Refused(f"a delivery of manifest {gathered.transfer.get('ManifestNumber')!r} has no Id")
    packages = gathered.packages.get(key)
    if packages is None:
        raise Refused(f"delivery {key}: its packages are missing")
    return {
        "delivery": str(key),
        "recipient": shown_text(delivery, "RecipientFacilityName"),
        "lines": [lines.line(package, key, index) for index, package in enumerate(packages)],
    }


class _Lines:
    """Makes the lines of one manifest. A package whose label names no tag gets a stand-in, see `_stand_in`."""

    def __init__(self, manifest: str, facts: Mapping[str, Facts], zone: str, identifiers: IdentifierMap) -> None:
        self._manifest = manifest
        self._facts = facts
        self._zone = zone
        self._identifiers = identifiers
        self._used: set[str] = set()

    def line(self, package: Object, delivery: int, index: int) -> dict[str, Any]:
        """The line of the package that is the `index`-th of its delivery."""
        label = _text(package, "PackageLabel")
        known = self._facts.get(label, Facts())
        try:
            uid = self._identifiers.uid(label)
            if uid in self._used:
                raise Refused("is on the manifest twice")
            identifier = None if uid == label.upper() else label
        except Refused:
            known = Facts()
            uid = self._stand_in(delivery, index)
            identifier = (
                label[:100] or f"package without label, PackageId {printable(repr(package.get('PackageId')), 40)}"
            )
        self._used.add(uid)
        return {
            "uid": uid,
            "identifier": identifier,
            "product": product_of(package),
            "category": shown_text(package, "ItemCategoryName"),
            "quantity": _quantity(package),
            "unit": shown_text(package, "ShippedUnitOfMeasureName"),
            "batch": shown_text(package, "ProductionBatchNumber"),
            "lab_state": _name(package, "LabTestingState"),
            "record": None if known.record is None else record_args(known.record, known.record_as_of, self._zone),
            "lab": _lab(known, self._zone),
        }

    def _stand_in(self, delivery: int, index: int) -> str:
        """A UID that no tag can have (an EPC is whole words, this has eleven bytes): the line can never be matched, and
        what it stands for is seen as missing until Metrc says which package it is."""
        seed = f"{self._manifest}/{delivery}/{index}".encode()
        return "FF" + hashlib.sha256(seed).hexdigest()[:20].upper()


def record_args(record: Object, as_of: int, zone: str) -> dict[str, Any]:
    """A package record as the facts of the gate."""
    expires, _ = _time(record, "LabTestResultExpirationDateTime", zone)
    return {
        "as_of": rfc3339(as_of),
        "lab_state": _name(record, "LabTestingState"),
        "lab_expires": expires,
        "expires": first_date(record, zone),
        "location": _text(record, "LocationName") or None,
        "hold": _flag(record, ("IsOnHold", "IsOnHoldCombined"), clear=("IsOnHoldCombined",)),
        "recall": _flag(record, ("IsOnRecall", "IsOnRecallCombined"), clear=("IsOnRecallCombined",)),
        "investigation": _flag(record, _INVESTIGATION, clear=_INVESTIGATION),
        "finished": _finished(record, zone),
        "destroyed": _destroyed(record),
    }


def first_date(record: Object, zone: str) -> str | None:
    """The first of the dates after which a package must not be sold or used; ``unknown`` where one cannot be read, or
    the record has none of them, not even as null."""
    names = ("ExpirationDate", "SellByDate", "UseByDate")
    dates = [_time(record, name, zone) for name in names]
    if not all(known for _, known in dates) or not any(name in record for name in names):
        return "unknown"
    return min((date for date, _ in dates if date is not None), default=None)


_INVESTIGATION = ("IsOnInvestigation", "IsOnInvestigationHold", "IsOnInvestigationRecall")


def _flag(record: Object, names: Sequence[str], clear: Sequence[str]) -> list[str] | None:
    """The flags that are set; none where all of `clear` are false and none is odd; None where that is not known."""
    raised = [name for name in names if record.get(name) is True]
    if raised:
        return raised
    odd = any(type(record.get(name)) is not bool and record.get(name) is not None for name in names)
    return [] if not odd and all(record.get(name) is False for name in clear) else None


def _finished(record: Object, zone: str) -> list[str] | None:
    raised = ["IsFinished"] if record.get("IsFinished") is True else []
    dates = ("FinishedDate", "ArchivedDate")
    raised += [name for name in dates if _time(record, name, zone)[0] is not None]
    if raised:
        return raised
    known = all(name in record and _time(record, name, zone)[1] for name in dates)
    return [] if known and record.get("IsFinished") is False else None


def _destroyed(record: Object) -> list[str] | None:
    """The field is null or false on every package that is not set aside for destruction."""
    if "PackageForProductDestruction" not in record:
        return None
    value = record["PackageForProductDestruction"]
    if value is None or value is False:
        return []
    return ["PackageForProductDestruction"] if value is True or isinstance(value, dict) else None


def _lab(facts: Facts, zone: str) -> dict[str, Any] | None:
    """The lab results; None where how long they are good for is not known, or there are more than a line may have."""
    if facts.results is None or len(facts.results) > MAX_RESULTS or len(facts.required or ()) > _MOST_BATCHES:
        return None
    if facts.record is not None and not _time(facts.record, "LabTestResultExpirationDateTime", zone)[1]:
        return None
    tests = Counter(_text(result, "TestTypeName") for result in facts.results)
    return {
        "as_of": rfc3339(facts.results_as_of),
        "required": facts.required,
        "results": [_result(result, zone, index, tests) for index, result in enumerate(facts.results)],
    }


def _result(result: Object, zone: str, index: int, tests: Mapping[str, int]) -> dict[str, Any]:
    test = _text(result, "TestTypeName")
    released, release_known = _time(result, "ResultReleaseDateTime", zone)
    expires, expiry_known = _time(result, "ExpirationDateTime", zone)
    performed = _text(result, "TestPerformedDate")[:10]
    passed = _bool(result, "OverallPassed")
    if not expiry_known or "ExpirationDateTime" not in result:
        passed = None
    if tests[test] > 1 and not (performed and release_known):  # which of them is the newest is not known
        performed, passed = _NEWEST, None
    return {
        "test": test or f"test without name, number {index + 1}",
        "performed": f"{performed} {released or ''}".strip(),
        "passed": passed,
        "released": _bool(result, "ResultReleased"),
        "revoked": _revoked(result, zone),
        "expires": expires,
        "document": _document(result),
    }


def _document(result: Object) -> str | None:
    """What the certificate is filed under, in words or as a number."""
    value = result.get("LabTestResultDocumentFileId")
    if isinstance(value, str):
        return value[:100] or None
    number = whole_number(value)
    return str(number) if number else None  # 0 is what a database writes for no document


def _revoked(result: Object, zone: str) -> bool | None:
    """True also where something is written that is no date in the place of a date of revocation."""
    dates = ("RevokedDate", "LabTestDetailRevokedDate")
    if any(not _time(result, name, zone)[1] or _time(result, name, zone)[0] is not None for name in dates):
        return True
    return False if all(name in result for name in dates) else None


def _bool(record: Object, name: str) -> bool | None:
    value = record.get(name)
    return value if type(value) is bool else None


def _text(record: Object, name: str) -> str:
    """A text that the gate takes, else nothing: what is odd must not cost the manifest."""
    value = record.get(name)
    if not isinstance(value, str):
        return ""
    value = value.strip()
    return value if len(value) <= 200 and is_plain(value) else ""


def shown_text(record: Object, name: str) -> str:
    """A text for people, of which a part is better than nothing."""
    value = record.get(name)
    text = value.strip()[:200] if isinstance(value, str) else ""
    return text if is_plain(text) else ""


def product_of(package: Object) -> str:
    """The name of what is in a package: that of its item, or what a list calls it by; empty where there is none."""
    item = package.get("Item")
    return shown_text(item, "Name") if isinstance(item, Mapping) else shown_text(package, "ItemName")


def _name(record: Object, name: str) -> str | None:
    value = _text(record, name)
    return value if 0 < len(value) <= 100 else None


def _quantity(package: Object) -> float | None:
    value: Any = package.get("ShippedQuantity")
    good = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= _MOST_QUANTITY
    return float(value) if good else None


def _time(record: Object, name: str, zone: str) -> tuple[str | None, bool]:
    """A time, or None for none; and whether that is known."""
    try:
        moment = read_time(record.get(name), zone)
    except Refused:
        return None, False
    if moment is not None and moment < 0:
        return None, False
    return (None if moment is None else rfc3339(moment)), True
