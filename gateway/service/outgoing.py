"""One request to a server of somebody else, which may answer with anything, or not at all.

It blocks: call it in a thread.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from gateway.config.files import MAX_TOKEN, read_text
from gateway.text import printable


class Answered(OSError):
    """The other side has answered with a `status` that is no success, and these `words`."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.words = words


def post(url: str, content: bytes, token_file: Path | None, timeout: float, most: int = 0) -> bytes:
    """Posts JSON to `url`, with the token in `token_file` as ``Authorization: Bearer``; returns the first `most` bytes
    of the answer. Each wait for the other side takes `timeout` seconds at most.

    Raises `Answered` for a status that is no success, and OSError for everything else. The token is never part of a
    message.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "rfid-gateway"}
    if token_file is not None:
        headers["Authorization"] = f"Bearer {_token(token_file)}"
    request = urllib.request.Request(url, content, headers, method="POST")
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            found: bytes = answer.read(most)
            return found
    except urllib.error.HTTPError as error:
        with error:
            raise Answered(error.code, _words(error)) from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from error
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"what answers there is no web server ({type(error).__name__})") from error


def _words(answer: urllib.error.HTTPError) -> str:
    """The beginning of what the other side says, fit to be shown."""
    try:
        return printable(answer.read(300).decode("utf-8", "replace"), 200)
    except (OSError, http.client.HTTPException, ValueError):
        return ""


def _token(path: Path) -> str:
    """The token in a file. Raises OSError."""
    try:
        token = read_text(path, MAX_TOKEN).strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isascii() or not token.isprintable():
        raise OSError("its token_file holds no token: write one, and nothing else")
    return token


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: nothing is sent to where the configuration does not say."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
