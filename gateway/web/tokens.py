"""Who may log in: a file of ``name: token`` lines, and logins that outlive the gateway without being stored.

A login is a cookie ``name.expiry.signature``. The key of the signature is the token itself, so that a token that is
removed or replaced ends its logins, and a restart does not.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from gateway.config.base import IDENTIFIER_PATTERN
from gateway.config.files import read_plain
from gateway.errors import ConfigError

MAX_FILE = 64 << 10
"""Bytes of a token file: hundreds of people."""

SHORTEST = 20
"""Characters of a token. It is not typed often, and nobody should be able to guess it."""

LONGEST = 512

_NAME = re.compile(IDENTIFIER_PATTERN)
_PURPOSE = b"rfid-gateway login 1\0"


class Tokens:
    """Tokens by name."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = dict(tokens)

    def name_of(self, token: str) -> str | None:
        """Whose token it is. Takes the same time whichever it is, or none."""
        given = _digest(token)
        found = None
        for name, known in self._tokens.items():
            if hmac.compare_digest(_digest(known), given):
                found = name
        return found

    def login(self, name: str, expires: int) -> str:
        """The cookie of a login that ends at `expires`, in seconds UTC."""
        content = f"{name}.{expires}"
        return f"{content}.{_signature(self._tokens[name], content)}"

    def check(self, cookie: str, now: float) -> str | None:
        """Who is logged in with a cookie, or None."""
        content, _, signature = cookie.rpartition(".")
        name, _, expires = content.rpartition(".")
        token = self._tokens.get(name)
        if token is None or not hmac.compare_digest(_signature(token, content).encode(), signature.encode()):
            return None
        return name if int(expires) > now else None


def read_tokens(path: Path) -> Tokens:
    """Reads a token file. Raises ConfigError, naming line and remedy; tokens are never part of a message."""
    try:
        content = read_plain(path, MAX_FILE)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            [f"{path}: cannot be read ({why}): correct web.token_file or its mode; it holds one `name: token` a line"]
        ) from error
    tokens: dict[str, str] = {}
    problems = []
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, token = (part.strip() for part in line.partition(":"))
        if problem := _problem(name, token, tokens):
            problems.append(f"{path}:{number}: {problem}")
        tokens[name] = token
    if not tokens and not problems:
        problems.append(f"{path}: holds no token: write a line such as `name: token` for everyone who may log in")
    if problems:
        raise ConfigError(problems)
    return Tokens(tokens)


def _problem(name: str, token: str, known: Mapping[str, str]) -> str:
    """What is wrong with a line. Repeats nothing of it: where the two are swapped, the name is the token."""
    if not _NAME.match(name) or not token:
        return "write `name: token`; a name has letters, digits, dots, dashes and underscores, 64 at most"
    if not SHORTEST <= len(token) <= LONGEST or not token.isascii() or not token.isprintable() or " " in token:
        return f"the token needs {SHORTEST} to {LONGEST} plain characters without spaces"
    if name in known:
        return "this name is there already: remove one"
    if token in known.values():
        return "this is somebody else's token: everyone needs one of their own"
    return ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _signature(token: str, content: str) -> str:
    return hmac.new(token.encode(), _PURPOSE + content.encode(), hashlib.sha256).hexdigest()
