"""The unit and its companions, judged by systemd's own tools. No systemd has to be running."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "rfid-gateway.service"

THRESHOLD = "15"
"""The exposure that `systemd-analyze security` may find, times ten."""


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} not found: THE UNIT FILES ARE NOT CHECKED; install Debian's systemd package")
    return found


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def directives(path: Path) -> list[tuple[str, str]]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "["))]
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def test_the_unit_is_understood(tmp_path):
    # The program need not be installed where the tests run.
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"=/opt\S+", "=/bin/true", UNIT.read_text()))
    done = run(tool("systemd-analyze"), "verify", "--man=no", str(copy))
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, complaints) == (0, [])


def test_the_unit_exposes_little():
    done = run(
        tool("systemd-analyze"), "security", "--no-pager", "--offline=true", f"--threshold={THRESHOLD}", str(UNIT)
    )
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_the_threshold_can_fail(tmp_path):
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("CapabilityBoundingSet=\n", "").replace("User=rfid-gateway", "User=root"))
    done = run(
        tool("systemd-analyze"), "security", "--no-pager", "--offline=true", f"--threshold={THRESHOLD}", str(copy)
    )
    assert done.returncode != 0


def test_the_user_is_made(tmp_path):
    sysusers = tool("systemd-sysusers")
    (tmp_path / "etc").mkdir()
    done = run(sysusers, f"--root={tmp_path}", str(SYSTEMD / "rfid-gateway.sysusers"))
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^rfid-gateway:.*:/var/lib/rfid-gateway:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text(), re.M
    )
    assert re.search(r"^dialout:.*:rfid-gateway$", (tmp_path / "etc/group").read_text(), re.M)


@pytest.mark.parametrize(
    ("directive", "value"),
    [
        ("Type", "notify"),
        ("ExecReload", "/opt/rfid-gateway/bin/rfid-gateway check /etc/rfid-gateway/gateway.yaml"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("Restart", "always"),
        ("RuntimeDirectory", "rfid-gateway"),
        ("RuntimeDirectoryPreserve", "yes"),
        ("StateDirectory", "rfid-gateway"),
    ],
)
def test_what_the_gateway_relies_on(directive, value):
    assert (directive, value) in directives(UNIT)


def test_directories_are_those_of_the_configurations_defaults():
    from gateway.config import JournalConfig, LedgerConfig

    found = dict(directives(UNIT))
    assert str(LedgerConfig().file.parent) == f"/var/lib/{found['StateDirectory']}"
    assert str(JournalConfig().directory.parent) == f"/run/{found['RuntimeDirectory']}"


def test_the_watchdog_waits_longer_than_a_slow_commit():
    from gateway.ops.health import COMMIT_LIMIT, TURN_LIMIT

    seconds = int(dict(directives(UNIT))["WatchdogSec"].removesuffix("s"))
    assert seconds / 2 >= max(COMMIT_LIMIT, TURN_LIMIT)


def test_serial_readers_may_be_used():
    allowed = {value for key, value in directives(UNIT) if key == "DeviceAllow"}
    assert {"char-ttyUSB rw", "char-ttyACM rw"} <= allowed
    rules = (SYSTEMD / "60-rfid-gateway.rules").read_text()
    assert 'GROUP="dialout"' in rules
    assert ("SupplementaryGroups", "dialout") in directives(UNIT)


def test_udev_rules_are_well_formed():
    """Each line is a list of KEY op "value", and every label that is gone to exists."""
    text = (SYSTEMD / "60-rfid-gateway.rules").read_text()
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    part = r'[A-Z]+(\{\w+\})?(==|!=|\+=|=)"[^"]*"'
    assert [line for line in rules if not re.fullmatch(rf"{part}(, {part})*", line)] == []
    assert set(re.findall(r'GOTO="(\w+)"', text)) == set(re.findall(r'LABEL="(\w+)"', text))
    if (udevadm := shutil.which("udevadm")) and "verify" in run(udevadm, "--help").stdout:
        assert run(udevadm, "verify", str(SYSTEMD / "60-rfid-gateway.rules")).returncode == 0
