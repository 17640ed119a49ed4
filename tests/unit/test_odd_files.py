"""What the gateway reads while it runs: a FIFO, a device or a folder in the place of a file is an error that comes at
once, and a byte order mark is no part of a secret."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.llrp.connect import client_tls
from drivers.llrp.settings import LlrpTls
from gateway.config.files import read_text
from gateway.config.sources import MetrcConfig
from gateway.errors import LedgerError, RfidError
from gateway.ledger.schema import connect
from gateway.mqtt.settings import read_settings
from gateway.sources.metrc.access import read_keys
from gateway.web.tokens import read_tokens
from tests.support.mqtt_service import config

FOLDER, FIFO, DEVICE, LONG = "folder", "fifo", "/dev/zero", "long"


def made(kind: str, directory: Path) -> Path:
    path = directory / kind if not kind.startswith("/") else Path(kind)
    if kind == FOLDER:
        path.mkdir()
    elif kind == FIFO:
        os.mkfifo(path)
    elif kind == LONG:
        path.touch()
        os.truncate(path, 1 << 30)
    return path


def metrc(path: Path) -> tuple[str, str]:
    return read_keys(MetrcConfig(url="http://127.0.0.1:1", license="x", vendor_key_file=path, user_key_file=path))


READERS: dict[str, Callable[[Path], object]] = {
    "password": lambda path: read_settings(config(1, username="gateway", password_file=path), None),
    "authorities": lambda path: read_settings(config(1, tls={"ca_file": path}), None),
    "certificate": lambda path: read_settings(config(1, tls={"cert_file": path, "key_file": path}), None),
    "tokens": read_tokens,
    "keys of Metrc": metrc,
    "token": lambda path: read_text(path, 100),
}


@pytest.mark.parametrize("kind", [FOLDER, FIFO, DEVICE, LONG])
@pytest.mark.parametrize("reader", list(READERS))
def test_what_is_no_file_is_an_error_at_once(reader: str, kind: str, tmp_path: Path) -> None:
    if kind == LONG and reader in ("authorities", "certificate"):
        return  # OpenSSL reads it as it comes
    with pytest.raises((RfidError, OSError)):
        READERS[reader](made(kind, tmp_path))


@pytest.mark.parametrize("kind", [FOLDER, FIFO, DEVICE])
def test_a_readers_authorities_are_a_file(kind: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="write the path of a file"):
        client_tls(LlrpTls(ca_file=made(kind, tmp_path)))


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_byte_order_mark_is_no_part_of_a_secret(end: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xef\xbb\xbfword" + end.encode())
    assert read_text(path, 100) == "word"
    assert read_settings(config(1, username="gateway", password_file=path), None).password == "word"
    assert metrc(path) == ("word", "word")
    path.write_bytes(b"\xef\xbb\xbfana: " + b"a" * 32)
    assert read_tokens(path)


@pytest.mark.parametrize("kind", [FIFO, DEVICE])
def test_a_ledger_that_is_no_file_is_an_error_at_once(kind: str, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="is a FIFO or a device"):
        connect(made(kind, tmp_path))
