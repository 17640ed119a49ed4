"""Access to the Metrc API: the keys, from files of their own, and a client that is paced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from gateway.config.files import read_text
from gateway.config.sources import MetrcAccess
from gateway.errors import Refused
from gateway.sources.metrc.http import MetrcClient, Pace

_LONGEST_KEY_FILE = 4096

Connect: TypeAlias = Callable[[tuple[str, str]], MetrcClient]
"""Makes a client with (vendor key, user key)."""


Paces: TypeAlias = dict[tuple[str, str], Pace]
"""The pace of each licence, by address and licence: Metrc counts what a facility asks, whoever of us asks."""


def connector(access: MetrcAccess, paces: Paces | None = None) -> Connect:
    """Makes clients that keep to one pace together, and with all others that ask for the same licence by `paces`: the
    slowest of theirs."""
    paces = {} if paces is None else paces
    pace = paces.setdefault((access.url, access.license), Pace(access.rate))
    pace.slow_to(access.rate)
    return lambda keys: MetrcClient(access.url, access.license, keys, pace=pace, timeout=access.timeout)


def read_keys(access: MetrcAccess) -> tuple[str, str]:
    """The vendor key and the user key. Raises Refused, naming the file and never what is in it."""
    return _read_key(access.vendor_key_file), _read_key(access.user_key_file)


def _read_key(path: Path) -> str:
    try:
        text = read_text(path, _LONGEST_KEY_FILE).strip()
    except (OSError, UnicodeError):
        raise Refused(f"the key file {path} cannot be read: create it, readable for the service only") from None
    if not text or len(text) > 200 or not text.isascii() or not text.isprintable():
        raise Refused(f"the key file {path} does not hold a key: write the key and nothing else into it")
    return text
