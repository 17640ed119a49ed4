"""What is posted to servers of somebody else: whatever answers, and whatever is in the token file, is an OSError."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.config.cameras import CameraConfig
from gateway.errors import Refused
from gateway.service.cameras import export
from gateway.service.outgoing import Answered, post


@contextmanager
def answering(content: bytes) -> Iterator[str]:
    """Meanwhile something at this address answers each request with these bytes, and ends the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(content)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


ODD = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a line without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "less than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_whatever_answers_is_no_fault_of_ours(odd: bytes) -> None:
    with answering(odd) as url:
        try:
            said = str(len(post(url, b"{}", None, 5.0, 1 << 20)))
        except OSError as error:
            said = type(error).__name__
    assert said in ("1", "OSError", "ConnectionResetError", "RemoteDisconnected")


def test_what_answers_and_is_no_web_server_is_said_to_be_none() -> None:
    with answering(ODD["another protocol"]) as url, pytest.raises(OSError, match=r"is no web server \(BadStatusLine\)"):
        post(url, b"{}", None, 5.0)


@pytest.mark.parametrize(
    "content", [b"s3cret-token\nand a remark\n", b"s3cret\x00token", "s3crét".encode(), b"\xff", b""]
)
async def test_a_token_file_that_holds_more_than_a_token_is_not_repeated(tmp_path: Path, content: bytes) -> None:
    token = tmp_path / "token"
    token.write_bytes(content)
    frigate = {"url": "http://127.0.0.1:9", "camera": "dock", "token_file": str(token)}
    camera = CameraConfig.model_validate({"id": "dock-1", "places": ["dock"], "frigate": frigate})
    asked = {"camera": "dock-1", "start": "2026-02-14T09:00:10Z", "end": "2026-02-14T09:00:40Z", "by": "Dana"}
    with pytest.raises(Refused, match="its token_file holds no token") as refused:
        await export([camera], asked)
    assert "s3cr" not in str(refused.value)


def test_what_a_server_refuses_is_said_with_its_words() -> None:
    with answering(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nno\x1b!") as url, pytest.raises(Answered) as refused:
        post(url, b"{}", None, 5.0)
    assert (refused.value.status, refused.value.words) == (403, "no\\x1b!")
