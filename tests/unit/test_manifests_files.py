"""Manifests from files: CSV, JSON, the identifier map, and the folder that is watched."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.clock import rfc3339
from gateway.config import Config
from gateway.config.sources import ExpectedColumns, FolderConfig, ManifestsConfig
from gateway.errors import Refused
from gateway.floor.gate.knowledge import manifest_of
from gateway.floor.gate.manifest import MAX_LINES, read_manifest
from gateway.ops.troubles import Troubles
from gateway.sources.expected_csv import read_csv as read_expected
from gateway.sources.identifiers import IdentifierMap, read_identifiers
from gateway.sources.manifest_csv import read_csv
from gateway.sources.manifest_folder import manifest_folder
from gateway.sources.manifest_json import read_json
from gateway.sources.start import identifiers
from gateway.sources.times import read_time
from tests.support.gate_scene import T0, manifest_args, uid

OWN = (Path(__file__).parents[1] / "vectors" / "metrc" / "manifest.json").read_bytes()


def sheet(*rows: dict[str, Any], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    good = {"manifest": "M1", "delivery": "D1", "uid": uid(1), "product": "Seltzer, lime", "hold": "false"}
    names = list(good | (rows[0] if rows else {}))
    writer = csv.DictWriter(out, names, delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    for index, row in enumerate(rows or ({},), start=1):
        writer.writerow(good | {"uid": uid(index)} | row)
    return out.getvalue().encode()


def from_csv(content: bytes, columns: dict[str, str] | None = None, identifiers: IdentifierMap | None = None):
    return read_csv(
        content,
        modified=T0,
        zone="America/Denver",
        columns=columns or {},
        identifiers=identifiers or IdentifierMap(),
    )


def from_json(content: bytes, identifiers: IdentifierMap | None = None):
    return read_json(content, modified=T0, zone="America/Denver", identifiers=identifiers or IdentifierMap())


# ---- times


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-02-14T14:05:11+00:00", "2026-02-14T14:05:11.000000Z"),
        ("2026-02-14T14:05:11Z", "2026-02-14T14:05:11.000000Z"),
        ("2026-02-14T09:00:00.000", "2026-02-14T16:00:00.000000Z"),
        ("2026-07-14T09:00:00", "2026-07-14T15:00:00.000000Z"),
        ("2026-02-14", "2026-02-14T07:00:00.000000Z"),
        ("9999-12-31T23:59:59-07:00", "9999-12-30T00:00:00.000000Z"),
    ],
)
def test_times_with_and_without_an_offset(text, wanted):
    moment = read_time(text, "America/Denver")
    assert moment is not None
    assert rfc3339(moment) == wanted


@pytest.mark.parametrize("text", [None, "", "0001-01-01", "0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00.000"])
def test_the_first_day_of_all_means_none(text):
    assert read_time(text, "UTC") is None


@pytest.mark.parametrize("value", ["soon", 17, True, "2026-13-01", "2026-02-14T09:00:00" + " " * 40, ["x"]])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(Refused, match="is not a time"):
        read_time(value, "UTC")


# ---- CSV


def test_csv_line_by_line():
    content = sheet(
        {"quantity": "48", "dock": "dock-1", "recipient": "Shop", "lab_state": "TestPassed", "location": "Vault"},
        {"quantity": "", "hold": ""},
        {"delivery": "D2", "hold": "Yes"},
    )
    manifest = read_manifest(from_csv(content))
    assert (manifest.manifest, manifest.version, manifest.as_of) == ("M1", T0 // 1000, T0)
    first, second = manifest.deliveries
    assert (first.delivery, first.dock, first.recipient, len(first.lines)) == ("D1", "dock-1", "Shop", 2)
    assert first.lines[0].product == "Seltzer, lime"
    assert first.lines[0].quantity == 48.0
    assert [line.record.hold for line in (*first.lines, *second.lines) if line.record] == [False, None, True]
    assert first.lines[0].lab is None


def test_csv_with_a_certificate():
    content = sheet(
        {"coa_passed": "true", "coa_released": "true", "coa_revoked": "false", "coa_document": "77"},
        {"coa_passed": "", "coa_released": "", "coa_revoked": "", "coa_document": ""},
    )
    known, unknown = read_manifest(from_csv(content)).deliveries[0].lines
    assert known.lab is not None
    assert known.lab.results[0].model_dump() == {
        "test": "COA",
        "performed": "",
        "passed": True,
        "released": True,
        "revoked": False,
        "expires": None,
        "document": "77",
    }
    assert unknown.lab is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_spreadsheets_write_it(delimiter):
    content = b"\xef\xbb\xbf" + sheet(delimiter=delimiter)
    assert from_csv(content)["deliveries"][0]["lines"][0]["uid"] == uid(1)


AS_SAVED = {
    "UTF-8": lambda text: text.encode(),
    "UTF-8 with a mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "cp1252": lambda text: text.encode("cp1252"),
    "sep= in front": lambda text: b"sep=,\r\n" + text.encode(),
    "sep= in quotes": lambda text: b'"sep=;"\r\n' + text.replace(",", ";").encode(),
    "sep=, UTF-16": lambda text: ("sep=\t\r\n" + text.replace(",", "\t")).encode("utf-16"),
    "sep=, cp1252": lambda text: ("SEP=;\n" + text.replace(",", ";")).encode("cp1252"),
    "sep= of an old Mac": lambda text: ("sep=;\r\n" + text.replace(",", ";")).replace("\r\n", "\r").encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "tabs, UTF-16": lambda text: text.replace(",", "\t").encode("utf-16"),
    "formulas": lambda text: re.sub(r"(1A4[0-9A-F]+)", r'="\1"', text).encode(),
    "empty lines": lambda text: text.replace("\r\n", "\r\n\r\n,,,\r\n").encode(),
    "capitals in the header": lambda text: text.replace("uid", "UID", 1).encode(),
}


@pytest.mark.parametrize("saved", AS_SAVED.values(), ids=AS_SAVED.keys())
def test_the_same_sheet_works_alike_for_manifests_and_expected_sets_however_it_is_saved(saved, tmp_path):
    uids = [f"1A4060300048D3D0{number:08X}" for number in (1, 2)]
    lines = ["manifest,delivery,uid,recipient", *(f"M1,D1,{uid},Café Zürich" for uid in uids)]
    content = saved("\r\n".join(lines) + "\r\n")
    (delivery,) = from_csv(content)["deliveries"]
    assert [line["uid"] for line in delivery["lines"]] == uids
    assert delivery["recipient"] == "Café Zürich"
    found = read_expected(
        content, stem="vault", columns=ExpectedColumns(uid="uid"), zones={"vault": "vault"}, identifiers=IdentifierMap()
    )
    assert found.sets == {"vault": uids}
    identifiers = saved(f"epc,identifier,a,b\r\n{uids[0]},PAG1,x,y\r\n")
    (tmp_path / "map.csv").write_bytes(identifiers)
    assert read_identifiers(tmp_path / "map.csv").uid("PAG1") == uids[0]


def test_csv_with_columns_of_another_name():
    content = sheet().replace(b"manifest,", b"Manifest No,").replace(b",uid,", b",Package Tag,")
    columns = {"manifest": "Manifest No", "uid": "Package Tag"}
    assert from_csv(content, columns)["manifest"] == "M1"
    with pytest.raises(Refused, match="line 1: no column 'Manifest Number'"):
        from_csv(content, {"manifest": "Manifest Number"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column 'manifest'"),
        (b"manifest,delivery,uid\n", "no line under the header"),
        (b"\xff\xfe\x00", "not a text"),
        (sheet({"hold": "maybe"}), "line 2: hold is 'maybe'"),
        (sheet({"quantity": "many"}), "line 2: quantity"),
        (sheet({}, {"manifest": "M2"}), "line 3: manifest differs"),
        (sheet({"uid": "not hex"}), "line 2: 'not hex' is no EPC"),
        (sheet({"as_of": "soon"}), "line 2: as_of"),
        (sheet({"version": "-1"}), "line 2: version"),
        (b"manifest,delivery,uid,uid\nM1,D1,AB12,AB12\n", "two columns are named 'uid'"),
        (b"manifest,delivery,uid\nM1,D1\n", "has 2 cells and the header 3"),
        (b"manifest,delivery,uid\nM1,D1,AB12,X\n", "has 4 cells and the header 3"),
        (b'manifest,delivery,uid\nM1,D1,"AB12\n', "not CSV"),
        (b"manifest,delivery,uid\n" + b"M1,D1,AB12\n" * (MAX_LINES + 1), f"more than {MAX_LINES} lines"),
    ],
)
def test_wrong_csv_is_refused(content, words):
    with pytest.raises(Refused, match=words):
        from_csv(content)


# ---- JSON


def test_our_own_model_as_json():
    args = manifest_args([1, 2])
    del args["version"]
    assert read_manifest(from_json(json.dumps(args).encode())).version == T0 // 1000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(transfer=[]), "transfer: is not an object"),
        (lambda d: d.update(deliveries={}), "deliveries: is not a list"),
        (lambda d: d["deliveries"].append(7), "deliveries: is not a list of objects"),
        (lambda d: d["deliveries"][0].update(Id=[1]), "Id is missing or of the wrong type"),
        (lambda d: d["deliveries"][0].pop("_packages"), "_packages: is not an object"),
        (lambda d: d["transfer"].update(ManifestNumber=""), "no ManifestNumber"),
    ],
)
def test_shapes_that_are_not_metrcs_are_refused(change, words):
    document = json.loads(OWN)
    change(document)
    with pytest.raises(Refused, match=words):
        from_json(json.dumps(document).encode())


@pytest.mark.parametrize(
    "flag", ["IsOnHold", "IsOnHoldCombined", "IsOnRecall", "IsOnRecallCombined", "IsOnInvestigationRecall"]
)
def test_a_flag_that_is_set_blocks_whatever_its_twin_says(flag):
    document = json.loads(OWN)
    document["packageRecords"]["items"][0][flag] = True
    record = from_json(json.dumps(document).encode())["deliveries"][0]["lines"][0]["record"]
    rule = "hold" if "Hold" in flag else "recall" if flag.startswith("IsOnRecall") else "investigation"
    assert record[rule] == [flag]


@pytest.mark.parametrize("value", [None, "false", 0, "absent"])
@pytest.mark.parametrize(
    ("field", "fact"),
    [
        ("IsOnHoldCombined", "hold"),
        ("IsOnRecallCombined", "recall"),
        ("IsOnInvestigation", "investigation"),
        ("IsFinished", "finished"),
        ("LocationName", "location"),
        ("LabTestingState", "lab_state"),
    ],
)
def test_a_field_that_says_nothing_is_a_fact_not_known(field, fact, value):
    document = json.loads(OWN)
    record = document["packageRecords"]["items"][0]
    if value == "absent":
        del record[field]
    else:
        record[field] = value
    facts = from_json(json.dumps(document).encode())["deliveries"][0]["lines"][0]["record"]
    if not (isinstance(value, str) and value != "absent" and fact in ("location", "lab_state")):
        assert facts[fact] is None


@pytest.mark.parametrize("value", [0, "", "  ", None, 7.5, True])
def test_what_is_no_document_is_none(value):
    document = json.loads(OWN)
    for row in document["labResults"]["Data"]:
        row["LabTestResultDocumentFileId"] = value
    line = from_json(json.dumps(document).encode())["deliveries"][0]["lines"][0]
    assert {(one["document"] or "").strip() for one in line["lab"]["results"]} == {""}


def test_a_record_that_says_nothing_of_dates_has_no_known_limit():
    document = json.loads(OWN)
    record = document["packageRecords"]["items"][0]
    for name, wanted in (("ExpirationDate", None), ("SellByDate", None), ("UseByDate", "unknown")):
        del record[name]
        facts = from_json(json.dumps(document).encode())["deliveries"][0]["lines"][0]["record"]
        assert facts["expires"] == wanted


def lines_of(document: Any) -> list[Any]:
    manifest = read_manifest(from_json(json.dumps(document).encode()))
    return [line for delivery in manifest.deliveries for line in delivery.lines]


def camel(value: Any) -> Any:
    return spelled(value, lambda key: key[:1].lower() + key[1:])


def spelled(value: Any, spell: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {spell(key): spelled(item, spell) for key, item in value.items()}
    return [spelled(item, spell) for item in value] if isinstance(value, list) else value


def snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


@pytest.mark.parametrize("spell", [lambda key: key[:1].lower() + key[1:], str.upper, str.lower, snake])
def test_keys_are_found_in_any_spelling(spell):
    document = json.loads(OWN)
    assert lines_of(spelled(document, spell)) == lines_of(document)


def package(document: Any) -> Any:
    return document["deliveries"][0]["_packages"]["Data"][0]


def record(document: Any) -> Any:
    return document["packageRecords"]["items"][0]


def result(document: Any) -> Any:
    number = package(document)["PackageId"]
    return next(row for row in document["labResults"]["Data"] if row["PackageId"] == number)


ODD = [None, -1, "yes", "x" * 300, "<b>x", "a\x00b", {}, [True], "1900-01-01"]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "where", [package, pytest.param(record, marks=pytest.mark.slow), pytest.param(result, marks=pytest.mark.slow)]
)
def test_an_odd_fact_costs_nothing_but_itself(where, value):
    """Whatever one field of one object is: the manifest is there, the other lines are as they were, and this line is
    never better than before."""
    before = lines_of(json.loads(OWN))
    for name in list(where(json.loads(OWN))):
        document = json.loads(OWN)
        where(document)[name] = value
        after = lines_of(json.loads(json.dumps(document), parse_constant=lambda _: None))
        assert len(after) == len(before)
        if name not in ("PackageId",):
            assert after[1:] == before[1:], name


@pytest.mark.parametrize("label", [None, {}, "", "no tag", 17])
def test_a_package_without_a_label_is_a_line_that_nothing_can_match(label):
    document = json.loads(OWN)
    package(document)["PackageLabel"] = label
    first, *others = lines_of(document)
    assert others == lines_of(json.loads(OWN))[1:]
    assert len(first.uid) % 4, "no EPC has half a word"
    assert first.record is None
    assert first.identifier is not None


def test_a_label_that_is_there_twice_is_one_line_and_one_that_nothing_can_match():
    document = json.loads(OWN)
    rows = document["deliveries"][0]["_packages"]["Data"]
    rows[1]["PackageLabel"] = rows[0]["PackageLabel"]
    first, second, *_ = lines_of(document)
    assert (first.uid, first.record) == (lines_of(json.loads(OWN))[0].uid, lines_of(json.loads(OWN))[0].record)
    assert first.lab is None, "nobody knows which of the two the tag is"
    assert len(second.uid) % 4


@pytest.mark.parametrize(
    ("name", "value"),
    [("ExpirationDateTime", "never"), ("ExpirationDateTime", ...), ("OverallPassed", "yes"), ("ResultReleased", 1)],
)
def test_a_result_of_which_something_is_unknown_does_not_pass(name, value):
    document = json.loads(OWN)
    if value is ...:
        del result(document)[name]
    else:
        result(document)[name] = value
    (lab,) = [line.lab for line in lines_of(document)[:1]]
    assert any(found.passed is None or found.released is None for found in lab.results)


def test_of_two_tests_the_one_of_unknown_date_may_be_the_newest():
    document = json.loads(OWN)
    twin = dict(result(document), OverallPassed=False, TestPerformedDate=None, LabTestResultId=999_999)
    document["labResults"]["Data"].insert(0, twin)
    results = [found for found in lines_of(document)[0].lab.results if found.test == twin["TestTypeName"]]
    assert max(results, key=lambda found: found.performed).passed is None


def test_a_key_in_two_spellings_with_two_values_is_no_statement():
    document = json.loads(OWN)
    record(document)["isOnHoldCombined"] = False
    record(document)["IsOnHoldCombined"] = True
    assert lines_of(document)[0].record.hold is None


def test_parts_that_a_file_leaves_out_are_not_known():
    document = json.loads(OWN)
    del document["packageRecords"], document["labResults"]
    for delivery in document["deliveries"]:
        del delivery["_requiredLabTestBatches"]
    line = from_json(json.dumps(document).encode())["deliveries"][0]["lines"][0]
    assert line["record"] is None
    assert line["lab"] is None


# ---- identifiers


def test_the_identifier_map(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("epc,identifier\nE2000017,0001234567890123\ne2000018,PAG123456.PL1A3RD\n")
    found = read_identifiers(path)
    assert found.uid("0001234567890123") == "E2000017"
    assert found.uid("PAG123456.PL1A3RD") == "E2000018"
    assert found.uid(uid(1).lower()) == uid(1)
    with pytest.raises(Refused, match="not in the identifier map"):
        found.uid("0001234567890124")
    line = from_csv(sheet({"uid": "PAG123456.PL1A3RD"}), identifiers=found)["deliveries"][0]["lines"][0]
    assert (line["uid"], line["identifier"]) == ("E2000018", "PAG123456.PL1A3RD")


def test_a_backend_may_leave_the_uid_to_the_identifier_map():
    args = manifest_args([1])
    line = args["deliveries"][0]["lines"][0]
    del line["uid"]
    line["identifier"] = "PAG1.X"
    applied = IdentifierMap({"PAG1.X": uid(7)}).apply(args)
    assert read_manifest(applied).deliveries[0].lines[0].uid == uid(7)
    assert IdentifierMap().apply({"deliveries": "x"}) == {"deliveries": "x"}


@pytest.mark.parametrize(
    ("name", "key"), [("watch", "uids"), ("expected", "uids"), ("reads", "uids"), ("count", "expected")]
)
def test_an_identifier_that_no_tag_carries_is_mapped_or_refused(name, key):
    """Sixteen digits of BioTrack are hex too, and would be waited for as an EPC of eight bytes that never comes."""
    known = IdentifierMap({"0012345678901234": uid(7), "PAG1.X": uid(8)})
    args = {key: ["0012345678901234", "PAG1.X", uid(9)], "zone": "vault"}
    assert known.resolve(name, args) == {key: [uid(7), uid(8), uid(9)], "zone": "vault"}
    for one in (known, IdentifierMap()):
        with pytest.raises(Refused, match="identifiers_file"):
            one.resolve(name, {key: [uid(9), "0099999999999999"]})
        with pytest.raises(Refused, match="14 hex digits, and the EPC of a tag is whole words"):
            one.resolve(name, {key: [uid(9), "1A4060300048D3"]})
    assert IdentifierMap().resolve(name, {key: None}) == {key: None}
    assert IdentifierMap().resolve("gate.open", {"dock": "0099999999999999"}) == {"dock": "0099999999999999"}


@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("destroy", lambda one: one),
        ("book", lambda one: {"packages": [one]}),
        ("stock", lambda one: {"items": [one]}),
    ],
)
def test_what_names_a_package_by_an_identifier_is_mapped_or_refused_too(name, around):
    known = IdentifierMap({"PAG1.X": uid(8)})
    assert known.resolve(name, around({"uid": "PAG1.X"})) == around({"uid": uid(8)})
    with pytest.raises(Refused, match="identifiers_file"):
        known.resolve(name, around({"uid": "0099999999999999"}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epc,name\nE200,X\n", "needs the columns"),
        ("epc,identifier\nE2X0,A\n", "line 2: needs an EPC in hex"),
        ("epc,identifier\nE200\n", "line 2: has 1 cells"),
        ("epc,identifier\nE200,A\nE201,A\n", "line 3: 'A' has two EPCs"),
        ("epc,identifier\nE200,A\nE200,B\n", "has two identifiers"),
    ],
)
def test_wrong_identifier_maps(tmp_path, text, words):
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(Refused, match=words):
        read_identifiers(path)


# ---- the folder


class Site:
    """A folder, what was submitted from it, and a clock of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 0.0
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.logs: list[Any] = []
        self.refuse = ""
        settings = FolderConfig(directory=directory)
        self.folder = manifest_folder(settings, self.submit, IdentifierMap(), structlog.get_logger(), lambda: self.now)

    async def submit(self, name: str, args: dict[str, Any]) -> None:
        if name == "manifest":
            manifest_of(args)
            if self.refuse:
                raise Refused(self.refuse)
        self.commands.append((name, args))

    async def look(self, seconds: float = 3.0) -> None:
        """Two rounds with `seconds` between: what was there at the first has settled at the second."""
        await self.folder.look()
        self.now += seconds
        await self.folder.look()

    def names(self) -> list[str]:
        return [name for name, _ in self.commands]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())


@pytest.fixture
def site(tmp_path):
    with structlog.testing.capture_logs() as logs:
        site = Site(tmp_path)
        site.logs = logs
        yield site


def test_an_identifier_map_that_cannot_be_read_knows_nothing_and_stops_nothing(tmp_path):
    path, troubles, log = tmp_path / "map.csv", Troubles(), structlog.testing.CapturingLogger()
    path.write_text("tag,id\n")
    config = Config.model_construct(manifests=ManifestsConfig(identifiers_file=path))
    known = identifiers(config, log, troubles)
    assert [call.method_name for call in log.calls] == ["error"]
    (words,) = troubles.words()
    assert "no column 'epc'" in words
    assert "restart the gateway" in words
    assert known.uid(uid(1)) == uid(1)
    with pytest.raises(Refused, match="no column 'epc'"):
        known.uid("1234567890123456")  # of BioTrack: sixteen digits that would pass for an EPC


async def test_a_file_is_taken_and_put_away(site):
    (site.directory / "load.json").write_bytes(own([1]))
    (site.directory / "load.csv").write_bytes(sheet())
    await site.look()
    assert site.names() == ["manifest", "manifest"]
    assert site.files() == ["done"]
    assert len(list((site.directory / "done").iterdir())) == 2
    assert {args["by"] for _, args in site.commands} == {"file load.json", "file load.csv"}
    await site.look()
    assert len(site.commands) == 2
    assert [line["event"] for line in site.logs] == ["a file with a manifest was taken"] * 2
    assert {(line["file"], line["manifest"]) for line in site.logs} == {("load.json", "M1"), ("load.csv", "M1")}


def own(*args: Any, **changes: Any) -> bytes:
    return json.dumps(manifest_args(*args, **changes)).encode()


HOSTILE = {
    "lines.csv": (b"manifest,delivery,uid\n" + b"M1,D1,AB12\n" * 100_000, "more than 2000 lines"),
    "lines.json": (own([1]).replace(b'"lines": [', b'"lines": [' + b"{}, " * 99_999), "at most 2000 items"),
    "twice.csv": (sheet({}, {"uid": uid(1)}), "UID .* is there twice"),
    "types.json": (b'{"manifest": {"a": 1}, "version": "x", "deliveries": 7}', "manifest: must be"),
    "list.json": (b"[]", "not a JSON object"),
    "deep.json": (b"[" * 100_000, "not JSON"),
    "empty.json": (b"", "not JSON"),
    "binary.csv": (bytes(range(256)), "not a text"),
    "markup.json": (own({1: {"product": "<img src=x onerror=alert(1)>"}}), "looks like markup"),
    "control.json": (own({1: {"product": "a\x1b[2Jb"}}), "control characters"),
    "path.json": (own([1], name="../../etc/passwd"), "must match pattern"),
    "dates.json": (own([1]).replace(b'"as_of": "2026-02-14', b'"as_of": "0001-01-01'), "before 1970"),
    "nan.json": (own({1: {"quantity": float("nan")}}), "not JSON"),
    "surrogate.json": (own([1]).replace(b'"manifest":', b'"\\ud800": 1, "manifest":'), "not JSON"),
    "load.exe": (b"MZ", "neither .json nor .csv"),
    "plain": (b"x", "neither .json nor .csv"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_files_change_nothing_and_are_reported(site, name):
    content, words = HOSTILE[name]
    (site.directory / name).write_bytes(content)
    await site.look()
    await site.look()
    assert site.names() == ["manifest.refused"], "refused once, and not again while it is the same file"
    assert site.files() == sorted([name, f"{name}.refused.txt"])
    report = (site.directory / f"{name}.refused.txt").read_text()
    with pytest.raises(Refused, match=words):
        raise Refused(report)
    args = site.commands[0][1]
    assert (args["source"], args["name"]) == ("folder", name)
    assert args["reason"].isprintable()


async def test_what_the_gate_refuses_is_reported_like_any_other(site):
    site.refuse = "manifest M1: version 1 is not newer than 3"
    (site.directory / "load.csv").write_bytes(sheet())
    await site.look()
    assert "is not newer than 3" in (site.directory / "load.csv.refused.txt").read_text()
