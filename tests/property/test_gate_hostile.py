"""Whatever is sent to the gate or put into the folder: it is taken or refused, and nothing else happens."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.floor.gate import COMMANDS, Gate
from gateway.floor.gate.manifest import read_manifest
from gateway.inputs import Command
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.manifest_csv import COLUMNS, read_csv
from gateway.sources.manifest_json import read_json
from tests.support.gate_scene import T0, at, config, manifest, manifest_args, state_of, uid

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["M1", "D1", "dock-1", "hold", uid(1)]),
    st.sampled_from(["2026-02-14T09:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01", "0001-01-01T00:00:00+10:00"]),
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
KEYS = [
    "manifest",
    "version",
    "delivery",
    "deliveries",
    "dock",
    "by",
    "uids",
    "list",
    "mode",
    "reader",
    "time",
    "reason",
    "source",
    "as_of",
    "name",
    "where",
]


@settings(deadline=None)
@given(st.sampled_from(COMMANDS), st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), json_values, max_size=5))
def test_commands_are_taken_or_refused(name, args):
    gate = Gate(config())
    gate.command(manifest(0, [1]))
    gate.command(Command(at(0), "gate.open", {"dock": "dock-1"}))
    saved = state_of(gate)
    command = Command(at(1), name, args)
    try:
        gate.admit(command)
    except Refused:
        assert [fact.data["gate"] for fact in gate.command(command)] == ["refused"]
        assert state_of(gate) == saved
    else:
        assert all(fact.data.get("gate") != "refused" for fact in gate.command(command))
        state_of(gate)


def places(content: Any, at_: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [at_, *(path for key, value in inner for path in places(value, (*at_, key)))]


GOOD = manifest_args({"1": {}, "2": {}})
PLACES = places(GOOD)[1:]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLACES), json_values)
def test_a_manifest_with_anything_in_any_place_is_taken_or_refused(path, value):
    args = json.loads(json.dumps(GOOD))
    target = args
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    gate = Gate(config())
    try:
        gate.admit(Command(at(0), "manifest", args))
    except Refused:
        assert gate.command(Command(at(0), "manifest", args))[0].data["gate"] == "refused"
    else:
        gate.command(Command(at(0), "manifest", args))
        again = Gate(config())
        again.load(state_of(gate))
        assert state_of(again) == state_of(gate)


@settings(deadline=None)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_json_are_read_or_refused(content):
    with contextlib.suppress(Refused):
        read_manifest(read_json(content, modified=T0, zone="UTC", identifiers=IdentifierMap()))


METRC = {
    "transfer": {"ManifestNumber": "1"},
    "deliveries": [
        {
            "Id": 1,
            "_packages": {"Data": [{"PackageLabel": uid(1), "PackageId": 1, "ShippedQuantity": 1.0}]},
            "_requiredLabTestBatches": {"Data": [{"PackageId": 1, "LabTestBatchName": "A"}]},
        }
    ],
    "packageRecords": {"items": [{"Label": uid(1), "FinishedDate": None, "LabTestResultExpirationDateTime": None}]},
    "labResults": {"Data": [{"PackageId": 1, "TestTypeName": "A", "ResultReleaseDateTime": None, "RevokedDate": None}]},
}
METRC_PLACES = places(METRC)[1:]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(METRC_PLACES), json_values)
def test_anything_in_any_place_of_metrcs_shapes_is_read_or_refused(path, value):
    document = json.loads(json.dumps(METRC))
    target: Any = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with contextlib.suppress(Refused):
        read_manifest(
            read_json(json.dumps(document).encode(), modified=T0, zone="America/Denver", identifiers=IdentifierMap())
        )


cells = st.text(max_size=8) | st.sampled_from(["M1", "D1", uid(1), "true", "", "1", '"', "0001-01-01"])


rows_of_cells = st.lists(st.lists(cells, max_size=7), max_size=4)


@settings(deadline=None)
@given(st.lists(st.sampled_from(COLUMNS), max_size=6), rows_of_cells, st.binary(max_size=30))
def test_any_text_as_csv_is_read_or_refused(extra, rows, noise):
    lines = [
        ["manifest", "delivery", "uid", *extra],
        *[["M1", "D1", uid(index), *row] for index, row in enumerate(rows)],
    ]
    content = "\n".join(",".join(line) for line in lines).encode("utf-8", "surrogatepass") + noise
    with contextlib.suppress(Refused):
        read_manifest(read_csv(content, modified=T0, zone="UTC", columns={}, identifiers=IdentifierMap()))
