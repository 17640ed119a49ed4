"""Objects in the shapes of the Metrc v2 API as a manifest of our model.

Field names are Metrc's; what they mean for the gate is told here and nowhere else. A field that is absent or of the
wrong type makes a fact unknown, never a good one. A flag and its "combined" twin (which includes what the package was
made from) block when either is set, and only the combined one can clear: Metrc leaves ``IsOnRecall`` null on packages
that were never recalled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.times import read_time

Object = Mapping[str, Any]


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
    """The arguments of the command `manifest`. Raises Refused where something is not in Metrc's shape."""
    number = _text(gathered.transfer, "ManifestNumber")
    if not number:
        raise Refused("the transfer has no ManifestNumber")
    return {
        "manifest": number,
        "version": version,
        "direction": direction,
        "as_of": rfc3339(gathered.as_of),
        "source": source,
        "deliveries": [_delivery(delivery, gathered, zone, identifiers) for delivery in gathered.deliveries],
    }


def _delivery(delivery: Object, gathered: Gathered, zone: str, identifiers: IdentifierMap) -> dict[str, Any]:
    key = delivery.get("Id")
    if type(key) is not int:
        raise Refused(f"a delivery of manifest {gathered.transfer.get('ManifestNumber')!r} has no Id")
    packages = gathered.packages.get(key)
    if packages is None:
        raise Refused(f"delivery {key}: its packages are missing")
    return {
        "delivery": str(key),
        "recipient": _text(delivery, "RecipientFacilityName"),
        "lines": [_line(package, gathered.facts, zone, identifiers) for package in packages],
    }


def _line(package: Object, facts: Mapping[str, Facts], zone: str, identifiers: IdentifierMap) -> dict[str, Any]:
    label = _text(package, "PackageLabel")
    if not label:
        raise Refused("a package of the manifest has no PackageLabel")
    uid = identifiers.uid(label)
    known = facts.get(label, Facts())
    return {
        "uid": uid,
        "identifier": None if uid == label.upper() else label,
        "product": _text(package, "ItemName"),
        "category": _text(package, "ItemCategoryName"),
        "quantity": _number(package, "ShippedQuantity"),
        "unit": _text(package, "ShippedUnitOfMeasureName"),
        "batch": _text(package, "ProductionBatchNumber"),
        "lab_state": _text(package, "LabTestingState") or None,
        "record": None if known.record is None else record_args(known.record, known.record_as_of, zone),
        "lab": _lab(known, zone),
    }


def record_args(record: Object, as_of: int, zone: str) -> dict[str, Any]:
    """A package record as the facts of the gate."""
    return {
        "as_of": rfc3339(as_of),
        "lab_state": _text(record, "LabTestingState") or None,
        "lab_expires": _time(record, "LabTestResultExpirationDateTime", zone),
        "location": _text(record, "LocationName") or None,
        "hold": _flag(record, ("IsOnHold", "IsOnHoldCombined"), clear=("IsOnHoldCombined",)),
        "recall": _flag(record, ("IsOnRecall", "IsOnRecallCombined"), clear=("IsOnRecallCombined",)),
        "investigation": _flag(record, _INVESTIGATION, clear=_INVESTIGATION),
        "finished": _finished(record, zone),
        "destroyed": _destroyed(record),
    }


_INVESTIGATION = ("IsOnInvestigation", "IsOnInvestigationHold", "IsOnInvestigationRecall")


def _flag(record: Object, names: Sequence[str], clear: Sequence[str]) -> list[str] | None:
    """The flags that are set; none where all of `clear` are false; None where that is not known."""
    raised = [name for name in names if record.get(name) is True]
    if raised:
        return raised
    return [] if all(record.get(name) is False for name in clear) else None


def _finished(record: Object, zone: str) -> list[str] | None:
    raised = ["IsFinished"] if record.get("IsFinished") is True else []
    try:
        raised += [name for name in ("FinishedDate", "ArchivedDate") if read_time(record[name], zone) is not None]
    except (KeyError, Refused):
        return raised or None
    if raised:
        return raised
    return [] if record.get("IsFinished") is False else None


def _destroyed(record: Object) -> list[str] | None:
    """The field is null or false on every package that is not set aside for destruction."""
    if "PackageForProductDestruction" not in record:
        return None
    value = record["PackageForProductDestruction"]
    return [] if value is None or value is False else ["PackageForProductDestruction"]


def _lab(facts: Facts, zone: str) -> dict[str, Any] | None:
    if facts.results is None:
        return None
    return {
        "as_of": rfc3339(facts.results_as_of),
        "required": facts.required,
        "results": [_result(result, zone) for result in facts.results],
    }


def _result(result: Object, zone: str) -> dict[str, Any]:
    document = result.get("LabTestResultDocumentFileId")
    released = _time(result, "ResultReleaseDateTime", zone) or ""
    return {
        "test": _text(result, "TestTypeName"),
        "performed": f"{_text(result, 'TestPerformedDate')[:10]} {released}".strip(),
        "passed": _bool(result, "OverallPassed"),
        "released": _bool(result, "ResultReleased"),
        "revoked": _revoked(result, zone),
        "expires": _time(result, "ExpirationDateTime", zone),
        "document": str(document)[:100] if type(document) in (int, str) and document != "" else None,
    }


def _revoked(result: Object, zone: str) -> bool | None:
    try:
        return any(read_time(result[name], zone) is not None for name in ("RevokedDate", "LabTestDetailRevokedDate"))
    except KeyError:
        return None
    except Refused:
        return True  # something is written where a date of revocation belongs


def _bool(record: Object, name: str) -> bool | None:
    value = record.get(name)
    return value if type(value) is bool else None


def _text(record: Object, name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _number(record: Object, name: str) -> float | None:
    value = record.get(name)
    return value if type(value) in (int, float) else None


def _time(record: Object, name: str, zone: str) -> str | None:
    moment = read_time(record.get(name), zone)
    return None if moment is None else rfc3339(moment)
