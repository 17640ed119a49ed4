"""A real Chromium for the tests of the page: the installed one, or Debian's package where the tests run as root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
REMEDY = "Chromium not found, so that the dock page is not tested: install it with `apt install chromium`"


def find() -> Path:
    """The program. Installs Debian's where that is possible without asking, and skips, saying so, where it is not."""
    found = _installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with (Path(tempfile.gettempdir()) / "install-chromium.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # test processes side by side install it once
            found = _installed() or _install()
    if found is None:
        pytest.skip(REMEDY)
    return found


def _installed() -> Path | None:
    named = os.environ.get("CHROMIUM")
    paths = [named] if named else [shutil.which(program) for program in PROGRAMS]
    return next((Path(path) for path in paths if path and Path(path).exists()), None)


def _install() -> Path | None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive", **os.environ}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(["apt-get", "-q", *command], env=quiet, capture_output=True, timeout=600)
        if done.returncode:
            return None
    return _installed()
