"""Programs of Debian's packages for tests: the installed one, or the package unpacked into `.tools` without root."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / ".tools"


class NotFoundError(Exception):
    """The program is not installed and its package cannot be fetched. What needs it must fail, not be skipped."""


@dataclasses.dataclass(frozen=True)
class Program:
    """How to start a program: its path, and where its libraries are when they are not the system's."""

    path: Path
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        """The environment to start it in."""
        environment = dict(os.environ)
        if self.libraries:
            environment["LD_LIBRARY_PATH"] = ":".join(str(path) for path in self.libraries)
        return environment

    def missing_libraries(self) -> list[str]:
        """The libraries that are neither the system's nor beside it."""
        listing = _run(["ldd", str(self.path)], env=self.environment())
        return [line.split()[0] for line in listing.splitlines() if "not found" in line]


def find(path: str, package: str, tools: Path = TOOLS) -> Program:
    """The program that is at `path` in `package`: the installed one, else the one in `tools`, fetched there when it is
    not. Raises `NotFoundError`."""
    name = Path(path).name
    installed = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if installed:
        return Program(Path(installed))
    tools.mkdir(parents=True, exist_ok=True)
    with (tools / f"{package}.lock").open("w") as lock:  # test processes side by side fetch it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _unpacked(tools / package, path) or _fetch(tools, path, package)


def _unpacked(root: Path, path: str) -> Program | None:
    if not (root / path).exists():
        return None
    folders = {library.parent for library in root.rglob("*.so*")}
    return Program(root / path, tuple(sorted(folders)))


def _fetch(tools: Path, path: str, package: str) -> Program:
    remedy = f"install it with: apt install {package}"
    name = Path(path).name
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NotFoundError(f"{name} is not on PATH and there is no apt-get to fetch it with: {remedy}")
    with tempfile.TemporaryDirectory(dir=tools) as temporary:
        folder = Path(temporary)
        try:
            _download(folder, [], package)
        except subprocess.CalledProcessError:
            # The package lists are missing or too old, and the system's cannot be refreshed without root.
            options = _private_lists(folder)
            try:
                _run(["apt-get", *options, "update"], cwd=folder)
                _download(folder, options, package)
            except subprocess.CalledProcessError as error:
                raise NotFoundError(f"{name} is not on PATH and cannot be fetched: {remedy}\n{error.stderr}") from error
        root = folder / "root"
        for archive in sorted(folder.glob("*.deb")):
            _run(["dpkg", "-x", str(archive), str(root)])
        program = _unpacked(root, path)
        if program is None or program.missing_libraries():
            missing = program.missing_libraries() if program else [path]
            raise NotFoundError(f"the fetched {name} lacks {', '.join(missing)}: {remedy}")
        root.rename(tools / package)
    program = _unpacked(tools / package, path)
    assert program is not None
    return program


def _private_lists(folder: Path) -> list[str]:
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    return ["-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User="]


def _download(folder: Path, options: list[str], package: str) -> None:
    """Fetches the package and those of its shared libraries, at any depth, which this system has not."""
    relations = ["--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces"]
    tree = _run(["apt-cache", *options, "depends", *relations, "--no-enhances", package], cwd=folder)
    libraries = {line for line in tree.splitlines() if line.startswith("lib") and not line.startswith("libjs-")}
    status = _run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n"])
    installed = {line.split()[0] for line in status.splitlines() if line.endswith(" installed")}
    _run(["apt-get", *options, "download", package, *sorted(libraries - installed)], cwd=folder)


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, cwd=cwd, env=env, check=True, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    ).stdout
