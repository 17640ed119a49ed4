"""A manifest from JSON: our own model, or objects in Metrc's shapes put together in one file.

The latter is ``{"transfer": …, "deliveries": [{…, "_packages": {"Data": […]}, "_requiredLabTestBatches":
{"Data": […]}}], "packageRecords": {"items": […]}, "labResults": {"Data": […]}, "as_of": …}``; what is left out is not
known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.metrc.keys import Keys
from gateway.sources.metrc.shapes import Facts, Gathered, Object, manifest_args
from gateway.sources.times import read_time
from gateway.text import printable


def read_json(content: bytes, *, modified: int, zone: str, identifiers: IdentifierMap) -> dict[str, Any]:
    """The arguments of the command `manifest`. `modified` (microseconds UTC) dates facts that say no time of their own,
    and is the version where none is given. Raises Refused."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Refused(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Refused("not a JSON object: a file holds one manifest")
    keys = Keys(document)
    if "transfer" in keys:
        return _from_metrc(keys, modified, zone, identifiers)
    if "manifest" not in document:
        raise Refused("neither a manifest of the gateway's model nor a transfer in Metrc's shape")
    defaults = {"version": modified // 1000, "as_of": rfc3339(modified), "source": "folder"}
    return identifiers.apply(defaults | document)


def _from_metrc(document: Object, modified: int, zone: str, identifiers: IdentifierMap) -> dict[str, Any]:
    as_of = read_time(document.get("as_of"), zone) or modified
    deliveries = _objects(document, "deliveries")
    packages: dict[Any, Sequence[Object]] = {}
    facts: dict[str, Facts] = {}
    for delivery in deliveries:
        packages[_key(delivery, "Id", int)] = _objects(_object(delivery, "_packages"), "Data")
        required = _required(delivery)
        for package in packages[delivery["Id"]]:
            label, number = package.get("PackageLabel"), package.get("PackageId")
            if isinstance(label, str):
                is_known = required is not None and isinstance(number, int)
                facts[label] = Facts(required=(required or {}).get(number or 0, []) if is_known else None)
    _add_records(document, facts, as_of)
    _add_results(document, packages, facts, as_of)
    version = document.get("version", modified // 1000)
    direction = document.get("direction", "out")
    gathered = Gathered(_object(document, "transfer"), deliveries, packages, as_of, facts)
    return manifest_args(
        gathered, version=version, direction=direction, source="folder", zone=zone, identifiers=identifiers
    )


def _required(delivery: Object) -> dict[int, list[str]] | None:
    """Package id to the batches of tests that it needs; None where the file does not say, or not of which package."""
    if "_requiredLabTestBatches" not in delivery:
        return None
    required: dict[int, list[str]] = {}
    for row in _objects(_object(delivery, "_requiredLabTestBatches"), "Data"):
        number = row.get("PackageId")
        if type(number) is not int:
            return None
        required.setdefault(number, []).append(printable(str(row.get("LabTestBatchName")), 200))
    return required


def _add_records(document: Object, facts: dict[str, Facts], as_of: int) -> None:
    """Adds the records; one that does not say of which package is nobody's."""
    if "packageRecords" not in document:
        return
    for record in _objects(_object(document, "packageRecords"), "items"):
        label = record.get("Label")
        found = facts.get(label) if isinstance(label, str) else None
        if found is not None:
            found.record, found.record_as_of = record, as_of


def _add_results(
    document: Object, packages: Mapping[Any, Sequence[Object]], facts: dict[str, Facts], as_of: int
) -> None:
    """Adds the results. Where one does not say of which package it is, it may be bad news for any: none is known."""
    if "labResults" not in document:
        return
    by_package: dict[int, list[Object]] = {}
    for result in _objects(_object(document, "labResults"), "Data"):
        number = result.get("PackageId")
        if type(number) is not int:
            return
        by_package.setdefault(number, []).append(result)
    rows = [package for delivery in packages.values() for package in delivery]
    labels = Counter(label for package in rows if isinstance(label := package.get("PackageLabel"), str))
    for package in rows:
        label, number = package.get("PackageLabel"), package.get("PackageId")
        found = facts.get(label) if isinstance(label, str) else None
        if found is not None and type(number) is int and labels[str(label)] == 1:  # else nobody knows which the tag is
            found.results, found.results_as_of = by_package.get(number, []), as_of


def _key(item: Object, name: str, kind: type[Any]) -> Any:
    """What ties objects together: without it nobody knows what an object belongs to."""
    if type(item.get(name)) is not kind:
        raise Refused(f"{name} is missing or of the wrong type in one of the objects")
    return item[name]


def _object(parent: Object, name: str) -> Object:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise Refused(f"{name}: is not an object")
    return value


def _objects(parent: Object, name: str) -> Sequence[Object]:
    value = parent.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Refused(f"{name}: is not a list of objects")
    return value
