"""What is wrong with a file that the configuration names, or with its own: looked at before it is opened.

Opening a FIFO waits for whoever writes to it, and a device may never end: only plain files are read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from drivers.plain_files import no_plain_file

MAX_TOKEN = 8_192
"""Bytes of a file with one token."""

MAX_SECRET = 1 << 20
"""Bytes of a file with a secret of any kind: keys and chains of certificates may have some thousand."""

_CREDENTIALS = Path("/run/credentials")
"""Where systemd puts credentials: they exist only while the service runs."""

SECRETS = ("password_file", "token_file", "key_file")
"""How the names of settings end whose files hold secrets."""


_HOME = "{path} begins with ~, which only shells replace by a home: write the path in full"


def in_the_way(path: Path, folder: bool) -> str:
    """What stands where a file of the gateway's own would be, or a folder, or nothing."""
    if str(path).startswith("~"):
        return _HOME.format(path=path)
    try:
        if folder:
            return "" if path.is_dir() or not path.exists() else f"{path} is no folder: write the path of one"
        what = no_plain_file(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path} cannot be used ({error.strerror}): correct the path"
    return f"{path} {what}" if what else ""


def out_of_reach(path: Path) -> bool:
    """Whether a file is a credential of a service that this process is not."""
    return path.is_relative_to(_CREDENTIALS) and "CREDENTIALS_DIRECTORY" not in os.environ


def unusable(path: Path) -> str:
    """Why a file cannot be used, or nothing. A systemd credential is left to the service, where alone it exists."""
    if out_of_reach(path):
        return ""
    if str(path).startswith("~"):
        return _HOME.format(path=path)
    try:
        if what := no_plain_file(path):
            return f"{path} {what}"
        with path.open("rb"):
            return ""
    except FileNotFoundError:
        return f"there is no file {path}: create it, or correct the path"
    except PermissionError:
        return f"{path} cannot be read by this user: change its owner or mode"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}): correct the path"


def holds_no_secret(path: Path) -> str:
    """Why a file that can be used holds no secret, or nothing. What is in it is never said."""
    if out_of_reach(path):
        return ""
    try:
        content = read_text(path, MAX_SECRET)
    except UnicodeDecodeError:
        return f"{path} is not UTF-8 text: write the secret and nothing else into it"
    except OSError:
        return f"{path} is longer than any secret: correct the path"
    return "" if content.strip() else f"{path} is empty: write the secret into it"


def credential(path: Path) -> str:
    """What a reload cannot do about a secret that systemd has copied, or nothing."""
    if not path.is_relative_to(_CREDENTIALS):
        return ""
    return (
        "systemd copies this credential when the service starts and never again: a new password, or a token that is "
        "withdrawn, needs `systemctl restart`, not `reload`; a file that the service itself reads has effect at once"
    )


def exposed(path: Path) -> str:
    """Says that everybody on this machine may read or change a secret; empty where nobody else may."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if not mode & (stat.S_IROTH | stat.S_IWOTH):
        return ""
    may = "read" if mode & stat.S_IROTH else "changed"
    return f"{path} may be {may} by everybody on this machine: chmod o= {path}"


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of a plain file, opened so that nothing is waited for. Raises OSError, also where it is longer than
    `most` or no plain file any more."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is no plain file")
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"{path} is longer than {most} bytes")
    return content


def read_text(path: Path, most: int) -> str:
    """The text of a plain file without a byte order mark and without the end of its last line. Raises OSError as
    `read_plain`, and UnicodeDecodeError."""
    return read_plain(path, most).decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
