"""Each mistake that an operator makes in a configuration, and the exact words that the gateway answers."""

from __future__ import annotations

import os
import re
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.api import DriverFactory, DriverSettings, FileUse
from drivers.llrp.settings import LlrpSettings
from gateway import cli
from gateway.config import FilePath, Port, TlsConfig, doubts
from gateway.config import drivers as driver_registry
from gateway.config import file as config_file
from gateway.config.yaml import MAX_BYTES
from gateway.errors import ConfigError


class Mode(StrEnum):
    FAST = "fast"
    DENSE = "dense"


class NetSettings(DriverSettings):
    host: str | None = None
    port: Port = 5084
    mode: Mode = Mode.FAST
    channels: tuple[int, ...] = ()
    tls: TlsConfig | None = None

    def endpoint(self) -> str | None:
        return f"{self.host.lower().rstrip('.')}:{self.port}" if self.host else None

    def files(self) -> dict[str, FileUse]:
        ca = None if self.tls is None else self.tls.ca_file
        return {"tls.ca_file": FileUse(ca)} if ca else {}


class TtySettings(DriverSettings):
    device: str
    calibration_file: FilePath | None = None

    def endpoint(self) -> str:
        return self.device


@dataclass
class Point:
    """As much of an entry point as the registry uses."""

    name: str
    found: Any
    value: str = "somewhere:FACTORY"

    def load(self) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture(autouse=True)
def drivers(monkeypatch):
    points = {
        "net": DriverFactory(NetSettings, lambda context, settings: None),
        "tty": DriverFactory(TtySettings, lambda context, settings: None),
        "broken": ModuleNotFoundError("No module named 'sdk'"),
        "strange": 7,
    }
    installed = {name: Point(name, found) for name, found in points.items()}
    monkeypatch.setattr(driver_registry, "installed", lambda: installed)


GOOD = """\
site: denver
gateway: gw-1
mqtt:
  host: broker.local
  version: "3.1.1"
tags:
  include: ["1A40"]
floor:
  tick: 0.1
presence:
  longest: 600
zones:
  - id: vault
    departs_after: 60
  - id: dock
readers:
  - id: dock-a
    driver: net
    host: 10.0.0.5
    mode: dense
    channels: [1, 2]
    antennas:
      - {port: 1, zone: vault}
      - port: 2
        zone: dock
        power: 27
"""

# (what is wrong, text to replace in GOOD, with what, the problems as `line: rest`)
CASES = [
    ("misspelt top key", "tags:", "tagz:", ["6: tagz: unknown key: did you mean `tags`?"]),
    ("two letters swapped", '  version: "3.1.1"', "  prot: 1883", ["5: mqtt.prot: unknown key: did you mean `port`?"]),
    (
        "decimal comma in braces",
        "{port: 1, zone: vault}",
        "{port: 1, power: 24,5, zone: vault}",
        ["23: readers[0].antennas[0].5: a comma ends a value here: write 24.5"],
    ),
    (
        "no-break spaces, as copied from a page",
        "    driver: net",
        "\u00a0\u00a0\u00a0\u00a0driver: net",
        ["18: a no-break space cannot be used here: indent with plain spaces"],
    ),
    (
        "choice in capitals",
        "mode: dense",
        "mode: DENSE",
        ["20: readers[0].mode: `DENSE` is not a choice: did you mean `dense`?"],
    ),
    (
        "a home that only shells know",
        "zones:",
        "ledger: {file: ~/ledger.db}\nzones:",
        ["12: ledger.file: ~/ledger.db begins with ~, which only shells replace by a home: write the path in full"],
    ),
    (
        "misspelt nested key",
        "departs_after: 60",
        "depart_after: 60",
        ["14: zones[0].depart_after: unknown key: did you mean `departs_after`?"],
    ),
    (
        "misspelt key that is required is said once",
        "site: denver",
        "sight: denver",
        ["1: sight: unknown key: did you mean `site`?"],
    ),
    (
        "key nobody meant",
        "  tick: 0.1",
        "  zzz: 0.1",
        ["9: floor.zzz: unknown key: remove it, or write one of lateness, max_windows, tick, window"],
    ),
    ("missing key", "gateway: gw-1\n", "", ["1: gateway: is missing: add it"]),
    (
        "missing key in a list",
        "      - port: 2\n        zone",
        "      - zone",
        ["24: readers[0].antennas[1].port: is missing: add it"],
    ),
    (
        "empty section",
        '  host: broker.local\n  version: "3.1.1"\n',
        "",
        ["3: mqtt: is empty: write a value, or remove the key"],
    ),
    (
        "number for an EPC prefix",
        '["1A40"]',
        "[3034]",
        ['7: tags.include[0]: `3034` is read as a number: put it in quotes, "3034"'],
    ),
    ("leading zero", '["1A40"]', "[012]", ['7: tags.include[0]: `012` is read as a number: put it in quotes, "012"']),
    ("exponent", '["1A40"]', "[1e5]", ['7: tags.include[0]: `1e5` is read as a number: put it in quotes, "1e5"']),
    (
        "a whole EPC of digits",
        '["1A40"]',
        "[302011223344556677889900]",
        [
            "7: tags.include[0]: `302011223344556677889900` is read as a number: "
            'put it in quotes, "302011223344556677889900"'
        ],
    ),
    (
        "hex number",
        '["1A40"]',
        "[0x1A40]",
        ['7: tags.include[0]: `0x1A40` is read as a number: put it in quotes, "0x1A40"'],
    ),
    ("number for a name", "site: denver", "site: 7", ['1: site: `7` is read as a number: put it in quotes, "7"']),
    (
        "boolean for a name",
        "site: denver",
        "site: true",
        ['1: site: `true` is read as true or false: put it in quotes, "true"'],
    ),
    ("number for a choice", '"3.1.1"', "5", ['5: mqtt.version: `5` is read as a number: put it in quotes, "5"']),
    (
        "small hex",
        '["1A40"]',
        '["1a40"]',
        ['7: tags.include[0]: `1a40` has small letters: write hex in capitals, "1A40"'],
    ),
    (
        "not hex",
        '["1A40"]',
        '["0xGG"]',
        ["7: tags.include[0]: `0xGG` is not hex: write 1 to 124 of the digits 0-9 and A-F, without 0x or spaces"],
    ),
    (
        "name with a slash",
        "site: denver",
        "site: denver/west",
        [
            "1: site: `denver/west` cannot be a name: write at most 64 of A-Z, a-z, 0-9, dot, underscore and hyphen, "
            "beginning with a letter or digit"
        ],
    ),
    (
        "escape sequences are shown, not sent to the terminal",
        "site: denver",
        'site: "\\e[2Jx"',
        [
            "1: site: `\\x1b[2Jx` cannot be a name: write at most 64 of A-Z, a-z, 0-9, dot, underscore and hyphen, "
            "beginning with a letter or digit"
        ],
    ),
    ("text for a number", "tick: 0.1", "tick: often", ["9: floor.tick: must be a number, not `often`"]),
    (
        "quoted number",
        "tick: 0.1",
        'tick: "0.1"',
        ["9: floor.tick: `0.1` is text: write a number without quotes or separators"],
    ),
    (
        "fraction for a whole number",
        "port: 2",
        "port: 2.5",
        ["24: readers[0].antennas[1].port: must be a whole number, not `2.5`"],
    ),
    (
        "too large",
        "power: 27",
        "power: 99",
        ["26: readers[0].antennas[1].power: `99` is out of range: must be at most 36"],
    ),
    (
        "too small",
        "departs_after: 60",
        "departs_after: 0",
        ["14: zones[0].departs_after: `0` is out of range: must be more than 0"],
    ),
    (
        "infinite",
        "tick: 0.1",
        "tick: .inf",
        ["9: floor.tick: `.inf` is not a number that can be used here: write a finite one"],
    ),
    ("misspelt choice", '"3.1.1"', '"3.1"', ["5: mqtt.version: `3.1` is not a choice: did you mean `3.1.1`?"]),
    ("unlike any choice", '"3.1.1"', '"tls"', ["5: mqtt.version: `tls` is not a choice: write 5 or 3.1.1"]),
    (
        "value for a list",
        '["1A40"]',
        '"1A40"',
        ["7: tags.include: must be a list, not `1A40`: write each entry in a line that begins with `- `"],
    ),
    (
        "value for a group",
        "floor:\n  tick: 0.1",
        "floor: fast",
        ["8: floor: must be a group of keys, not `fast`: write `key: value` lines, indented below"],
    ),
    (
        "password in the file",
        "  host: broker.local",
        "  password: hunter2",
        [
            "4: mqtt.password: a secret does not belong in this file: put it into a file that only the service can "
            "read, and write `password_file: /path/to/it`"
        ],
    ),
    (
        "same key twice",
        "gateway: gw-1",
        "gateway: gw-1\nsite: aurora",
        ["3: site: written twice, first in line 1: remove one of them"],
    ),
    (
        "unknown zone",
        "zone: vault",
        "zone: volt",
        ["23: readers[0].antennas[0].zone: there is no zone `volt`: did you mean `vault`?"],
    ),
    (
        "two zones of one name",
        "  - id: dock\n",
        "  - id: dock\n  - id: vault\n",
        ["16: zones[2].id: there is already a zone `vault` in line 13: rename one"],
    ),
    (
        "two antennas in the same place",
        "port: 2",
        "port: 1",
        [
            "24: readers[0].antennas[1].port: port 1 is already used in line 23: "
            "one antenna looks at one zone, remove or renumber one"
        ],
    ),
    (
        "no antennas",
        "    antennas:\n      - {port: 1, zone: vault}\n      - port: 2\n        zone: dock\n        power: 27\n",
        "    antennas: []\n",
        [
            "13: zones[0]: no antenna looks at the zone `vault`, so that nothing would ever be seen there: "
            "write `zone: vault` at an antenna, or remove the zone",
            "15: zones[1]: no antenna looks at the zone `dock`, so that nothing would ever be seen there: "
            "write `zone: dock` at an antenna, or remove the zone",
            "22: readers[0].antennas: needs at least 1 entry",
        ],
    ),
    (
        "unknown driver",
        "driver: net",
        "driver: nett",
        ["18: readers[0].driver: there is no driver `nett`: did you mean `net`?"],
    ),
    (
        "unlike any driver",
        "driver: net",
        "driver: modbus",
        ["18: readers[0].driver: there is no driver `modbus`: write one of broken, net, strange, tty"],
    ),
    (
        "driver without its library",
        "driver: net",
        "driver: broken",
        [
            "18: readers[0].driver: the driver `broken` (somewhere:FACTORY) cannot be loaded "
            "(ModuleNotFoundError: No module named 'sdk'): install what it needs, "
            "for example pip install 'rfid-gateway[broken]'"
        ],
    ),
    (
        "entry point that is no driver",
        "driver: net",
        "driver: strange",
        [
            "18: readers[0].driver: the driver `strange` (somewhere:FACTORY) is a int, not a DriverFactory: "
            "ask whoever made the driver"
        ],
    ),
    (
        "misspelt key of a driver",
        "    host: 10",
        "    hots: 10",
        ["19: readers[0].hots: unknown key: did you mean `host`?"],
    ),
    (
        "misspelt key of a reader",
        "    antennas:",
        "    antenas:",
        [
            "13: zones[0]: no antenna looks at the zone `vault`, so that nothing would ever be seen there: "
            "write `zone: vault` at an antenna, or remove the zone",
            "15: zones[1]: no antenna looks at the zone `dock`, so that nothing would ever be seen there: "
            "write `zone: dock` at an antenna, or remove the zone",
            "17: readers[0].antennas: is missing: add it",
            "22: readers[0].antenas: unknown key: did you mean `antennas`?",
        ],
    ),
    (
        "misspelt choice of a driver",
        "mode: dense",
        "mode: dence",
        ["20: readers[0].mode: `dence` is not a choice: did you mean `dense`?"],
    ),
    (
        "missing key of a driver",
        "    driver: net\n    host: 10.0.0.5\n    mode: dense\n    channels: [1, 2]\n",
        "    driver: tty\n",
        ["17: readers[0].device: is missing: add it"],
    ),
    (
        "half a client certificate",
        "    mode: dense\n",
        "    tls: {cert_file: /dev/null}\n",
        ["20: readers[0].tls: cert_file and key_file go together: give both or neither"],
    ),
    (
        "file that is not there, in a driver's settings",
        "    mode: dense\n",
        "    tls:\n      ca_file: /nowhere/ca.pem\n",
        ["21: readers[0].tls.ca_file: there is no file /nowhere/ca.pem: create it, or correct the path"],
    ),
    (
        "file that is not there",
        "  host: broker.local",
        "  username: gw\n  password_file: /nowhere/password",
        ["5: mqtt.password_file: there is no file /nowhere/password: create it, or correct the path"],
    ),
    (
        "directory for a file",
        "  host: broker.local",
        "  username: gw\n  password_file: /tmp",
        ["5: mqtt.password_file: /tmp is a directory: write the path of a file"],
    ),
    (
        "number for a file",
        "  host: broker.local",
        "  username: gw\n  password_file: 7",
        ["5: mqtt.password_file: must be the path of a file, not `7`"],
    ),
    (
        "departure window upside down",
        "longest: 600",
        "shortest: 700\n  longest: 600",
        ["11: presence.shortest: 700 s is longer than presence.longest (600 s): write at most 600"],
    ),
    (
        "included and excluded",
        'include: ["1A40"]',
        'include: ["1A40"]\n  exclude: ["1A"]',
        ["7: tags.include[0]: every tag with `1A40` is excluded by `1A` in tags.exclude: remove one of them"],
    ),
    ("tab", "  host: broker", "\thost: broker", ["4: a tab cannot be used here: indent with spaces"]),
    (
        "second colon",
        "site: denver",
        "site: denver: west",
        ["1: a second `: ` in one line: put the value in quotes, or check the indentation"],
    ),
    (
        "anchor",
        "site: denver",
        "site: &s denver",
        ["1: site: anchors and aliases (& and *) are not used here: write the value out in each place"],
    ),
    (
        "tag",
        "site: denver",
        "site: !!python/name:os.system x",
        ["1: site: the tag tag:yaml.org,2002:python/name:os.system is not used here: remove it"],
    ),
    ("second document", "zones:", "---\nzones:", ["12: a second document begins here: remove this `---`"]),
    (
        "old YAML",
        "site: denver",
        "%YAML 1.1\n---\nsite: denver",
        ["1: this file is read as YAML 1.2: remove the %YAML line"],
    ),
    ("control character", "site: denver", "site: den\x07ver", ["1: the character U+0007 is not allowed: remove it"]),
    ("key that is a list", "site: denver", "[site]: denver", ["1: a key must be a word: quote a value with { or ["]),
    ("key without colon", "gateway: gw-1", "gateway", ["3: a key without its `:`: write `key: value`"]),
    (
        "key that is not indented below its section",
        '  host: broker.local\n  version: "3.1.1"\n',
        "host: broker.local\n",
        [
            "3: mqtt: is empty: write a value, or remove the key",
            "4: host: unknown key: it belongs to `mqtt`, which is empty: indent it below that",
        ],
    ),
    ("no space behind a colon", "site: denver", "site:denver", ["1: no space after the colon: write `site: denver`"]),
    (
        "quote that is never closed",
        "site: denver",
        'site: "denver',
        ["1: a quote is opened here and not closed in this line: close it"],
    ),
    (
        "unit behind a number",
        "tick: 0.1",
        "tick: 100ms",
        ["9: floor.tick: `100ms` has a unit: write 100 alone; times are in seconds and powers in dBm"],
    ),
    ("decimal comma", "tick: 0.1", "tick: 0,1", ["9: floor.tick: `0,1` has a comma: write 0.1"]),
    (
        "time zone with a typing error",
        "tags:",
        "counts: {time_zone: America/Denvr}\ntags:",
        ["6: counts.time_zone: there is no time zone `America/Denvr`: did you mean `America/Denver`?"],
    ),
    (
        "time of day with one digit",
        "tags:",
        "counts: {plan: [{zone: vault, at: 6:00}]}\ntags:",
        [
            "6: counts.plan[0].at: `6:00` has the wrong form: write hours and minutes with two digits each, such as "
            '"06:00"'
        ],
    ),
    (
        "book of an unknown kind",
        "tags:",
        "books: {sources: [{name: erp, kind: xml}]}\ntags:",
        ["6: books.sources[0]: there is no kind `xml`: write metrc or csv or mqtt"],
    ),
    (
        "book without a kind",
        "tags:",
        "books: {sources: [{name: erp}]}\ntags:",
        ["6: books.sources[0]: `kind` is missing: add it"],
    ),
]


def problems_in(path: Path, content: str | bytes) -> list[str]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as caught:
        config_file.load(path)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def test_a_good_file_loads(tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD)
    config = config_file.load(file)
    assert (config.site, config.mqtt.version, config.tags.include) == ("denver", "3.1.1", ["1A40"])
    assert [(reader.id, antenna.port) for reader, antenna in config.antennas()] == [("dock-a", 1), ("dock-a", 2)]
    found = driver_registry.settings_for(config.readers[0])
    assert found == NetSettings(host="10.0.0.5", mode=Mode.DENSE, channels=(1, 2))


@pytest.mark.parametrize(("old", "new", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_mistake_has_its_line_and_its_remedy(tmp_path, old, new, expected):
    assert old in GOOD
    assert problems_in(tmp_path / "gateway.yaml", GOOD.replace(old, new, 1)) == expected


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines(tmp_path):
    content = GOOD.replace("site", "sight").replace("tick: 0.1", "tick: x").replace("power: 27", "power: 99")
    lines = [problem.split(":")[0] for problem in problems_in(tmp_path / "gateway.yaml", content)]
    assert lines == ["1", "9", "26"]


SECOND_READER = """\
  - id: {id}
    driver: {driver}
    {address}
    antennas: [{{port: 1, zone: vault}}]
"""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("host: Reader.local.", "host: reader.local", "reader.local:5084"),
        ("device: /dev/rfid0", "device: /dev/rfid0", "/dev/rfid0"),
        ("host: 10.0.0.9", "host: 10.0.0.9\n    port: 5085", None),
        ("mode: fast", "mode: fast", None),
    ],
)
def test_two_readers_with_one_address(tmp_path, first, second, expected):
    driver = "tty" if "device" in first else "net"
    content = GOOD
    content += SECOND_READER.format(id="b", driver=driver, address=first)
    content += SECOND_READER.format(id="c", driver=driver, address=second)
    file = tmp_path / "gateway.yaml"
    if expected is None:
        file.write_text(content)
        assert len(config_file.load(file).readers) == 3
        return
    assert problems_in(file, content) == [
        f"31: readers[2]: {expected} is already the address of readers[1] in line 27: write all its antennas under "
        "one reader, or correct the address"
    ]


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"host": "10.0.0.5"}, "10.0.0.5:5084"),
        ({"host": "10.0.0.5", "port": 5084}, "10.0.0.5:5084"),
        ({"host": "10.0.0.5", "tls": {}}, "10.0.0.5:5085"),
        ({"connect": "in", "identification": "00112233"}, None),
    ],
)
def test_the_address_of_an_llrp_reader(settings, address):
    assert driver_registry.validate(LlrpSettings, settings).endpoint() == address


def test_a_driver_may_name_files():
    settings = driver_registry.validate(LlrpSettings, {"host": "10.0.0.5", "tls": {"ca_file": "/etc/ca.pem"}})
    assert settings.files() == {"tls.ca_file": FileUse(Path("/etc/ca.pem"))}


@pytest.mark.parametrize("kind", ["configuration", "password"])
def test_a_fifo_is_said_and_not_waited_for(tmp_path, kind):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    if kind == "configuration":
        with pytest.raises(ConfigError) as caught:
            config_file.load(fifo)
        assert "1: is a FIFO (a named pipe)" in str(caught.value)
        return
    content = GOOD.replace("  host: broker.local", f"  username: gw\n  password_file: {fifo}")
    (problem,) = problems_in(tmp_path / "gateway.yaml", content)
    assert "password_file" in problem
    assert "is a FIFO" in problem


@pytest.mark.parametrize("key", ["ledger: {file: PATH}", "history: {file: PATH}", "journal: {directory: PATH}"])
def test_a_fifo_where_the_gateway_keeps_something_does_not_pass(tmp_path, key):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    section = key.partition(":")[0]
    assert f"\n{section}:" not in GOOD
    (problem,) = problems_in(tmp_path / "gateway.yaml", GOOD + key.replace("PATH", str(fifo)) + "\n")
    assert section in problem
    assert "is a FIFO" in problem or "is no folder" in problem
    for fits in (tmp_path / "new", tmp_path if "directory" in key else tmp_path / "gateway.yaml"):
        (tmp_path / "good.yaml").write_text(GOOD + key.replace("PATH", str(fits)) + "\n")
        config_file.load(tmp_path / "good.yaml")


def test_a_device_is_no_configuration():
    with pytest.raises(ConfigError, match="is a device: write the path of a file"):
        config_file.load(Path("/dev/zero"))


@pytest.mark.parametrize(("mode", "status"), [(0o600, 0), (0o640, 0), (0o644, 2), (0o604, 2), (0o602, 2)])
def test_a_secret_that_all_may_read_does_not_pass_the_check_and_is_said_at_the_start(tmp_path, capsys, mode, status):
    secret = tmp_path / "password"
    secret.write_text("open sesame")
    secret.chmod(mode)
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD.replace("  host: broker.local", f"  username: gw\n  password_file: {secret}"))
    assert config_file.check_command(file) == status
    capsys.readouterr()
    config_file.load(file)
    said = capsys.readouterr().err
    assert ("by everybody on this machine" in said) == (status == 2)
    assert "sesame" not in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("host: broker.local", "host: mqtts://broker.local", "4: mqtt.host: is more than a host: write its name or"),
        ("host: broker.local", "host: broker.local:8883", "4: mqtt.host: is a host with a port: write the host alone"),
        ("host: broker.local", "host: broker..local", "4: mqtt.host: is the name of no host: between its dots"),
        ("host: broker.local", 'host: "[::1]"', "4: mqtt.host: is an address in brackets: write ::1"),
        ("host: 10.0.0.5", "host: http://10.0.0.5", "19: readers[0].host: is more than a host: write its name or"),
        (
            "tags:",
            "cameras: [{id: c, places: [volt]}]\ntags:",
            "6: cameras[0].places[0]: there is no zone and no portal",
        ),
        (
            "tags:",
            "books: {sources: [{name: b, kind: mqtt, zones: {A: volt}}]}\ntags:",
            "6: books.sources[0].zones.A: there is no zone `volt`: did you mean `vault`?",
        ),
        ("tags:", "web: {port: 9464}\ntags:", "6: web.port: port 9464 is already that of `http`"),
        ("tags:", "ledger: {file: /x}\nhistory: {file: /x}\ntags:", "7: history.file: is the file of the ledger"),
        (
            "tags:",
            "expected: {directory: /x}\naccess: {directory: /x}\ntags:",
            "7: access.directory: /x is already expected.directory: give each its own folder",
        ),
    ],
)
def test_what_an_earlier_release_took_does_not_pass_the_check_and_is_said_at_the_start(
    tmp_path, capsys, old, new, said
):
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    assert config_file.check_command(file) == 2
    assert capsys.readouterr().err.startswith(f"{file}:{said}")
    config_file.load(file)
    assert capsys.readouterr().err.startswith(f"{file}:{said}")


def test_an_input_is_one_thing(tmp_path):
    portal = "portals: [{id: p, inside: vault, photo_eyes: [{reader: dock-a, port: 3, side: inside}]}]\n"
    antennas = "      - {port: 3, portal: p, side: inside}\n      - {port: 4, portal: p, side: outside}\n"
    dock = "docks: [{id: d, portal: p, door: {reader: dock-a, port: 3}}]\n"
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD.replace("zones:", portal + "zones:") + antennas + dock)
    assert [text for _, text in doubts.doubts(config_file.load(file))] == [
        "input 3 of reader `dock-a` is already portals[0].photo_eyes[0]: one of the two has another port"
    ]


def test_a_section_whose_libraries_are_not_installed_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(doubts, "find_spec", lambda library: None)
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD.replace("tags:", "web: {}\ntags:"))
    assert config_file.check_command(file) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{file}:6: web: no page is served until the extra `web` is installed: pip install 'rfid-gateway[web]'"
    ]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_password_without_a_user_does_not_pass_and_keeps_no_gateway_from_starting(tmp_path, version):
    secret, file = tmp_path / "password", tmp_path / "gateway.yaml"
    secret.write_text("open sesame")
    secret.chmod(0o600)
    content = GOOD.replace("  host: broker.local", f"  host: broker.local\n  password_file: {secret}")
    file.write_text(content.replace('"3.1.1"', f'"{version}"'))
    assert config_file.check_command(file) == 2
    assert [text for _, text in doubts.doubts(config_file.load(file))] == [
        "goes with mqtt.username: write both, or neither"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: write the secret into it"),
        (b"\r\n", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"caf\xe9", "is not UTF-8 text"),
        (bytes([0xFF]) * 100, "is not UTF-8 text"),
        (b"x" * (1 << 20) + b"x", "is longer than any secret"),
    ],
)
@pytest.mark.parametrize(
    "key",
    [
        "mqtt: {host: b, username: gw, password_file: PATH}",
        "alarms: {webhooks: [{name: a, url: 'http://b', form: ntfy, token_file: PATH}]}",
    ],
)
def test_a_file_that_holds_no_secret_does_not_pass_and_keeps_no_gateway_from_starting(tmp_path, key, content, said):
    secret, file = tmp_path / "secret", tmp_path / "gateway.yaml"
    secret.write_bytes(content)
    secret.chmod(0o600)
    text = re.sub(r"mqtt:\n(  .*\n)+", "", GOOD) if key.startswith("mqtt") else GOOD
    text += key.replace("PATH", str(secret)) + "\n"
    (problem,) = problems_in(file, text)
    assert said in problem
    config_file.load(file, starting=True)


def test_two_readers_of_one_name(tmp_path):
    content = GOOD + SECOND_READER.format(id="dock-a", driver="net", address="host: 10.0.0.6")
    assert problems_in(tmp_path / "gateway.yaml", content) == [
        "27: readers[1].id: there is already a reader `dock-a` in line 17: rename one"
    ]


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    secret = tmp_path / "password"
    secret.touch()
    content = GOOD.replace("  host: broker.local", f"  username: gw\n  password_file: {secret}")
    opened = Path.open

    def refuse(path, *arguments, **named):
        if path == secret:  # root may read everything, so that the mode alone would not do
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    assert problems_in(tmp_path / "gateway.yaml", content) == [
        f"5: mqtt.password_file: {secret} cannot be read by this user: change its owner or mode"
    ]


def test_a_systemd_credential_is_looked_for_only_inside_the_service(tmp_path, monkeypatch, capsys):
    credential = "/run/credentials/rfid-gateway.service/mqtt-password"
    content = GOOD.replace("  host: broker.local", f"  username: gw\n  password_file: {credential}")
    file = tmp_path / "gateway.yaml"
    file.write_text(content)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert config_file.load(file).mqtt.password_file == Path(credential)
    assert config_file.check_command(file) == 0
    said = capsys.readouterr().out.splitlines()[1]
    assert said.startswith(f"{file}:5: mqtt.password_file: systemd copies this credential when the service starts")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/rfid-gateway.service")
    assert problems_in(file, content) == [
        f"5: mqtt.password_file: there is no file {credential}: create it, or correct the path"
    ]


def test_a_file_that_is_not_there_keeps_no_gateway_from_starting(tmp_path, capsys):
    content = GOOD.replace("  host: broker.local", "  username: gw\n  password_file: /nowhere/password")
    file = tmp_path / "gateway.yaml"
    file.write_text(content)
    assert config_file.load(file, starting=True).mqtt.username == "gw"
    said = f"{file}:5: mqtt.password_file: there is no file /nowhere/password: create it, or correct the path\n"
    assert capsys.readouterr().err == said
    assert config_file.check_command(file) == 2
    assert problems_in(file, content)


def test_without_any_driver_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(driver_registry, "installed", dict)
    assert problems_in(tmp_path / "gateway.yaml", GOOD) == [
        "18: readers[0].driver: no driver is installed: install the rfid-gateway package, not only its files"
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "1: the file is empty: start from config/example.yaml"),
        (b"# only a comment\n", "1: the file is empty: start from config/example.yaml"),
        (b"- site\n", "1: must be a group of keys: start from config/example.yaml"),
        (b"site: a\ngateway: \xff\n", "2: byte 0xFF is not UTF-8: save the file as UTF-8"),
        (b"site: a\n" + b"#" * MAX_BYTES, f"1: longer than {MAX_BYTES} bytes: is this the right file?"),
        (
            b'site: a\ngateway: "\\U00110000"\n',
            "2: an escape beyond \\U0010FFFF is no character: write the character itself",
        ),
        (b'site: "\\UFFFFFFFF"\n', "1: an escape beyond \\U0010FFFF is no character: write the character itself"),
        (b"[" * 60_000, f"1: {'[0]' * 17}: nested more than 16 deep: look for a stray [ or {{"),
        (b"a: " + b"{a: " * 60_000, f"1: {'.'.join('a' * 16)}: nested more than 16 deep: look for a stray [ or {{"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\n", "1: a: anchors and aliases (& and *) are not used here: "
         "write the value out in each place"),
    ],
)  # fmt: skip
def test_files_that_are_no_configuration(tmp_path, content, expected):
    assert problems_in(tmp_path / "gateway.yaml", content) == [expected]


def test_a_file_that_is_not_there(tmp_path):
    file = tmp_path / "gateway.yaml"
    with pytest.raises(ConfigError) as caught:
        config_file.load(file)
    assert str(caught.value) == (
        f"{file}:1: cannot be read (No such file or directory): correct the path or its permissions"
    )


@pytest.mark.parametrize(
    "content",
    [
        "".join(f"key-{number}: 1\n" for number in range(1000)),
        "site: denver\n" * 1000,
        "readers:\n" + "".join(f"  - {{driver: no-{number}}}\n" for number in range(1000)),
        GOOD + "".join(f"      - {{port: 1, zone: no-{number}}}\n" for number in range(1000)),
    ],
    ids=["keys", "duplicates", "drivers", "antennas"],
)
def test_a_flood_of_mistakes_is_cut(tmp_path, content):
    problems = problems_in(tmp_path / "gateway.yaml", content)
    assert len(problems) == 101
    assert problems[-1].endswith(": and more: check again once these are mended")


def test_numbers_too_long_for_python_are_refused_by_their_field(tmp_path):
    content = GOOD.replace("departs_after: 60", f"departs_after: {'9' * 5000}")
    (problem,) = problems_in(tmp_path / "gateway.yaml", content)
    assert problem.startswith("14: zones[0].departs_after: `9999")
    assert len(problem) < 200
    content = GOOD.replace("departs_after: 60", f"departs_after: 1{'0' * 3000}")
    (problem,) = problems_in(tmp_path / "gateway.yaml", content)
    assert problem.startswith("14: zones[0].departs_after: `1000")
    assert len(problem) < 200


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 12), st.text(max_size=12))
def test_a_damaged_file_loads_or_is_explained(tmp_path_factory, start, length, inserted):
    file = tmp_path_factory.mktemp("damaged") / "gateway.yaml"
    file.write_bytes((GOOD[:start] + inserted + GOOD[start + length :]).encode("utf-8", "replace"))
    try:
        config_file.load(file)
    except ConfigError as error:
        for problem in error.problems:
            line, _, rest = problem.removeprefix(f"{file}:").partition(": ")
            assert line.isdigit()
            assert rest.isprintable()


def test_check_command_says_what_it_found(tmp_path, capsys):
    file = tmp_path / "gateway.yaml"
    file.write_text(GOOD)
    assert config_file.check_command(file) == 0
    output = capsys.readouterr()
    digest = config_file.load(file).digest()
    assert output.out == (
        f"{file}: good: site denver, gateway gw-1, 1 reader, 2 antennas, 2 zones, config hash {digest}\n"
    )
    file.write_text(textwrap.dedent(GOOD).replace("zones:", "zonez:"))
    assert config_file.check_command(file) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (f"{file}:12: zonez: unknown key: did you mean `zones`?\n{file}: 1 problem\n")


@pytest.mark.parametrize(
    ("section", "content", "said"),
    [
        ("web: {{token_file: {file}}}", "Dana: short\n", "{file}:1: the token needs 20 to 512 plain characters"),
        (
            "manifests: {{identifiers_file: {file}}}",
            "tag,id\n",
            "{config}:27: manifests.identifiers_file: the identifier map {file}: line 1: no column 'epc'",
        ),
    ],
)
def test_the_check_reads_the_files_that_the_configuration_names(tmp_path, capsys, section, content, said):
    file, named = tmp_path / "gateway.yaml", tmp_path / "named"
    named.write_text(content)
    named.chmod(0o600)
    file.write_text(GOOD + section.format(file=named) + "\n")
    assert cli.main(["check", str(file)]) == 2
    assert capsys.readouterr().err.startswith(said.format(file=named, config=file))


def test_a_serial_port_that_is_not_there_is_named_and_no_error(tmp_path, capsys):
    file, port = tmp_path / "gateway.yaml", tmp_path / "reader-on-usb"
    reader = f"  - {{id: s, driver: tty, device: {port}, antennas: [{{port: 1, zone: vault}}]}}\n"
    file.write_text(GOOD + reader)
    assert cli.main(["check", str(file)]) == 0
    said = f"{file}:27: readers[1].device: {port} is not there now, and the reader down until it is"
    assert said in capsys.readouterr().out
    port.touch()
    assert cli.main(["check", str(file)]) == 0
    assert "is not there" not in capsys.readouterr().out
