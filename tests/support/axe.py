"""axe-core, which finds what people with a screen reader or a keyboard cannot use: fetched from npm, kept in .tools.

Skips, loudly, where npm or the network is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.debian import TOOLS

PACKAGE = "axe-core@4.10.3"
SHA256 = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"
REMEDY = f"{PACKAGE} cannot be fetched, so that nobody looks whether the pages are accessible: install npm, go online"


def source() -> str:
    """The script."""
    folder = TOOLS / "axe-core"
    script = folder / "axe.min.js"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes side by side fetch it once
        if not script.exists():
            _fetch(folder, script)
    return script.read_text()


def _fetch(folder: Path, script: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip(REMEDY)
    command = ["npm", "pack", "--silent", PACKAGE, "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(REMEDY)
    if done.returncode:
        pytest.skip(f"{REMEDY}: {done.stderr.decode(errors='replace')[-200:]}")
    (archive,) = folder.glob("*.tgz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256, "that is not the axe-core that was asked for"
    with tarfile.open(archive) as packed:
        member = packed.extractfile("package/axe.min.js")
        assert member is not None
        draft = script.with_suffix(".part")
        draft.write_bytes(member.read())
        draft.replace(script)


async def violations(page: Any) -> list[str]:
    """What is wrong with the page that is open, each with where; the page's context has to bypass its policy."""
    await page.add_script_tag(content=source())
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{entry['id']}: {entry['help']}: {node['html'][:160]}"
        for entry in found["violations"]
        for node in entry["nodes"]
    ]
