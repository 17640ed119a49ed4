"""What comes from handhelds and from access control: messages of sleds, scanned codes, and CSV files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.clock import micros_of
from gateway.config import Config
from gateway.config.drops import AccessConfig, HandheldsConfig, ReadsFolderConfig
from gateway.errors import Refused
from gateway.floor import Floor
from gateway.inputs import Command
from gateway.service.scans import decoded
from gateway.sources.access_folder import access_folder
from gateway.sources.handheld import Sleds, read_event
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.reads_folder import reads_folder
from tests.support.floor_scene import T0, config
from tests.unit.test_expected_folder import Log

UID = "1A4060300048D3D000000001"
OTHER = "1A4060300048D3D000000002"
NOW = micros_of(datetime(2026, 2, 14, 9, 0, tzinfo=UTC))
TOPIC = "acme/DATA/clients/data1event/RFD40-212735201D0053"


def event(tags: Any = (), barcodes: Any = None, **more: Any) -> bytes:
    data = {"tagData": tags} if barcodes is None else {"tagData": tags, "barcodeData": barcodes}
    return orjson.dumps({"type": "CYCLE_COUNT", "timestamp": "2026-02-14T08:59:58Z", "data": data} | more)


class Bench:
    """Where commands go, as in a gateway with this identifier map."""

    def __init__(self, **identifiers: str) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.log = Log()
        self.identifiers = IdentifierMap(identifiers)
        self.floor = Floor(config())

    async def submit(self, name: str, args: dict[str, Any]) -> None:
        args = self.identifiers.resolve(name, decoded(name, args, self.identifiers))
        self.floor.admit(Command(T0 * 2, name, args))
        self.taken.append((name, args))

    @property
    def warnings(self) -> str:
        return " ".join(str(fields) for level, _, fields in self.log.lines if level == "warning")


def test_a_message_of_a_sled_is_tags_codes_and_a_time():
    tags = [
        {"EPCid": UID.lower(), "EPC": UID.lower(), "eventNum": 1, "peakRssi": -39, "seenCount": 3},
        {"EPCid": OTHER, "eventNum": 2},
        {"eventNum": 3},
        {"EPC": "zz", "eventNum": 4},
        {"EPC": UID, "seenCount": 10**9},
        "odd",
    ]
    heard = read_event(event(tags, [{"decodedBarcode": UID, "symbology": "CODE128"}, {"symbology": "QR"}]), NOW)
    assert heard.uids == [UID] * 3 + [OTHER] + [UID] * 100
    assert heard.codes == [UID]
    assert heard.odd == 4
    assert heard.time == "2026-02-14T08:59:58.000000Z"


@pytest.mark.parametrize("said", ["2019-08-24T14:15:22Z", "2026-02-14T12:00:00Z", "2026-02-14T08:59:58", "", 5, None])
def test_a_sled_with_a_wrong_clock_has_read_now(said: Any):
    assert read_event(event([{"EPC": UID}], timestamp=said), NOW).time is None


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"[]", b"null", b'{"data": 5}', b'{"data": {}}', b'{"data": []}', b"{" * 70_000, b"[" * 5000],
)
def test_what_is_no_message_of_a_sled_is_refused(payload: bytes):
    with pytest.raises(Refused):
        read_event(payload, NOW)


async def test_a_sled_gives_reads_under_its_name_and_bad_codes_stop_nothing():
    bench = Bench()
    named = HandheldsConfig(topics=["acme/#"], names={"RFD40-212735201D0053": "sled-1"})
    sleds = Sleds(named, bench.submit, bench.log)
    codes = [{"decodedBarcode": "036000291452"}, {"decodedBarcode": f"{UID} "}]
    await sleds.take(TOPIC, event([{"EPC": UID}], codes, timestamp=None))
    assert bench.taken == [
        ("reads", {"reader": "sled-1", "by": "sled-1", "uids": [UID]}),
        ("reads", {"reader": "sled-1", "by": "sled-1", "uids": [UID], "how": "barcode"}),
    ]
    assert "no package" in bench.warnings
    await sleds.take("acme/DATA/<script>", event([{"EPC": UID}]))
    await sleds.take(TOPIC, b"{")
    assert len(bench.taken) == 2


@pytest.mark.parametrize(
    ("code", "uid"),
    [
        (UID, UID),
        (f" {UID.lower()}\r\n", UID),
        ("1A40 6030 0048 D3D0 0000 0001", UID),
        ("HTTPS://1A4.COM/landingpage/1A4060300048D3D000000001/7", UID),
        ("PAG123456.PL1A3RD", OTHER),
        ("1234567890123456", OTHER),
    ],
)
def test_a_scanned_code_is_a_package(code: str, uid: str):
    known = IdentifierMap({"PAG123456.PL1A3RD": OTHER, "1234567890123456": OTHER})
    assert decoded("reads", {"codes": [code]}, known) == {"uids": [uid], "how": "barcode"}


def test_the_package_that_a_unit_names_may_have_a_tag_of_another_number():
    known = IdentifierMap({UID: OTHER})
    for code in (UID, f"HTTPS://1A4.COM/landingpage/{UID}/7"):
        assert decoded("reads", {"codes": [code]}, known)["uids"] == [OTHER]


@pytest.mark.parametrize("codes", [[], "x", [5], ["036000291452"], ["1234567890123456"], [UID] * 201, ["<script>"]])
def test_a_code_of_no_package_is_refused(codes: Any):
    with pytest.raises(Refused):
        decoded("reads", {"codes": codes}, IdentifierMap())


def put(path: Path, content: str) -> None:
    path.write_text(content)
    os.utime(path, (T0 // 10**6, T0 // 10**6))


async def taken(folder: Any, path: Path, content: str) -> None:
    put(path, content)
    for _ in range(3):
        await folder.look()


async def test_files_of_a_handheld(tmp_path: Path):
    bench = Bench()
    settings: dict[str, Any] = {"directory": tmp_path, "settle": 0.05}
    now = iter(range(100))
    plain = reads_folder(ReadsFolderConfig(**settings), bench.submit, bench.log, lambda: next(now))
    await taken(plain, tmp_path / "shelf 3.csv", f"uid\n{UID}\n{OTHER}\n{UID}\n")
    [(name, args)] = bench.taken
    assert (name, args["reader"], args["uids"]) == ("reads", "shelf-3", [UID, OTHER, UID])
    for bad in ("uid\nxyz\n", "epc\nA\n", "uid\n", "\0"):
        await taken(plain, tmp_path / "bad.csv", bad)
        assert (tmp_path / "bad.csv.refused.txt").exists()
    assert len(bench.taken) == 1

    columns = {"uid": "EPC", "reader": "Device", "time": "Time"}
    other = ReadsFolderConfig.model_validate(settings | {"columns": columns})
    named = reads_folder(other, bench.submit, bench.log, lambda: next(now))
    times = ("2023-11-14T22:00:01Z", "2023-11-14T22:00:00Z", "2030-01-01T00:00:00Z")
    lines = [f"{UID},Sled 1,{times[0]}", f"{OTHER},sled-2,{times[1]}"]
    await taken(named, tmp_path / "two.csv", "EPC,Device,Time\n" + "\n".join(lines))
    assert [(args["reader"], args["time"]) for _, args in bench.taken[1:]] == [
        ("sled-2", times[1]), ("Sled-1", times[0]),
    ]  # fmt: skip
    await taken(named, tmp_path / "late.csv", f"EPC,Device,Time\n{UID},s,{times[2]}")
    assert "set the handheld's clock" in (tmp_path / "late.csv.refused.txt").read_text()


async def test_files_of_an_access_control_system(tmp_path: Path):
    bench = Bench()
    now = iter(range(100))
    settings = {"directory": tmp_path, "settle": 0.05, "time_zone": "America/Denver", "columns": {"door": "Door Name"}}
    folder = access_folder(AccessConfig.model_validate(settings), bench.submit, bench.log, lambda: next(now))
    lines = ("Vault door 1;2023-11-14 08:00:05;granted;Dana", "Türe 2é;2023-11-14T15:00:00Z;forced;")
    sheet = "\n".join(("Door Name;time;action;person", *lines))
    await taken(folder, tmp_path / "doors.csv", sheet)
    assert [(args["door"], args["action"], args["person"], args["time"]) for _, args in bench.taken] == [
        ("Vault-door-1", "granted", "Dana", "2023-11-14T15:00:05.000000Z"),
        ("Ture-2e", "forced", "", "2023-11-14T15:00:00.000000Z"),
    ]
    bad = ("door,time\n", "Door Name,time,action\n,2023-11-14,x\n", "Door Name,time,action\nA,noon,x\n",
           "Door Name,time,action\nA,2029-01-01,x\n", "Door Name,time,action\nA,2023-11-14,\n")  # fmt: skip
    for number, content in enumerate(bad):
        await taken(folder, tmp_path / f"bad-{number}.csv", content)
        assert (tmp_path / f"bad-{number}.csv.refused.txt").exists(), content
    assert len(bench.taken) == 2


@pytest.mark.parametrize("topic", ["#", "+/a", "$SYS/a", "a/#/b", "a/b+", "", "a\x00b"])
def test_a_filter_that_takes_in_too_much_is_refused(topic: str):
    with pytest.raises(ValueError, match="topics"):
        Config.model_validate(config().model_dump() | {"handhelds": {"topics": [topic]}})
