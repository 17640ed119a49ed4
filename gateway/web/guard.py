"""Who asks, and whether the browser that asks was led here by another site.

Whoever may use the page is known by a client certificate, by a login, or by being on this machine where neither is
configured. An action needs more: it has to come from a page of ours, which the browser (`Origin`, `Sec-Fetch-Site`)
and a secret in the page say independently of each other.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.config.web import WebConfig, is_loopback
from gateway.web.shell import LOCAL, Visitor
from gateway.web.tokens import Tokens

_VISITOR = "rfid_visitor"
_LOGIN = "rfid_login"
_SECRET = re.compile(r"[A-Za-z0-9_-]{22,64}")
_PURPOSE = b"rfid-gateway csrf 1"


class Guard:
    """The rules of a configuration. `tokens` gives the tokens as they are now."""

    def __init__(self, config: WebConfig, tokens: Callable[[], Tokens], now: Callable[[], float] = time.time) -> None:
        self._config = config
        self._tokens = tokens
        self._now = now

    def who(self, request: Request) -> str | None:
        """The name of whoever asks, None where nobody is logged in. Raises HTTPException 421 where a page without a
        login is reached under a foreign name, as it would be through another site's DNS."""
        name = self._who(request)
        if name is not None:
            request.scope.get("state", {}).get("proved", _no_connection)()
        return name

    def _who(self, request: Request) -> str | None:
        if not self._config.needs_login:
            if not is_loopback(_split(f"//{request.headers.get('host', '')}").hostname or ""):
                raise HTTPException(421, "Without a login the page is served on this machine only: use 127.0.0.1.")
            return LOCAL
        subject: str | None = request.scope.get("state", {}).get("subject")
        if subject is not None:
            return _proved(subject)
        cookie = request.cookies.get(self._name(_LOGIN), "")
        name = self._tokens().check(cookie, self._now()) if self._config.token_file else None
        return None if name is None else _proved(name)

    def bearer(self, token: str, request: Request) -> str | None:
        """The name of the program that sends a token with its request, None where it is nobody's. Raises as `who`."""
        if not self._config.needs_login:
            return self.who(request)
        return self._tokens().name_of(token)

    def visitor(self, request: Request) -> Visitor:
        """Whoever asks, with the secret that their pages carry. `remember` has to go with the answer."""
        subject = request.scope.get("state", {}).get("subject")
        name = self.who(request)
        return Visitor(name, _csrf(self._secret(request)), can_leave=self._config.needs_login and subject is None)

    def remember(self, request: Request, response: Response) -> None:
        """Gives a browser that has none the cookie that the secret in its pages is made from."""
        if not _SECRET.fullmatch(request.cookies.get(self._name(_VISITOR), "")):
            self._set(request, response, _VISITOR, self._secret(request), None)

    def check_origin(self, request: Request, csrf: str) -> None:
        """Raises HTTPException 403 where an action does not come from a page of ours."""
        origin = _split(request.headers.get("origin", "")).netloc
        site = request.headers.get("sec-fetch-site", "same-origin")
        cookie = request.cookies.get(self._name(_VISITOR), "")
        genuine = _SECRET.fullmatch(cookie) and hmac.compare_digest(_csrf(cookie).encode(), csrf.encode())
        if not origin or origin != request.headers.get("host") or site != "same-origin" or not genuine:
            raise HTTPException(403, "This did not come from a page of the gateway: load the page again.")

    def log_in(self, token: str, request: Request, response: Response) -> bool:
        """Logs in with a token; False where it is nobody's."""
        name = self._tokens().name_of(token)
        if name is None:
            return False
        lasts = int(self._config.login_lasts)
        self._set(request, response, _LOGIN, self._tokens().login(name, int(self._now()) + lasts), lasts)
        return True

    def log_out(self, response: Response) -> None:
        """Takes the login back."""
        response.delete_cookie(self._name(_LOGIN), path="/", secure=self._secure, httponly=True, samesite="strict")

    @property
    def _secure(self) -> bool:
        return self._config.tls is not None

    def _name(self, name: str) -> str:
        """With TLS the browser itself sees to it that nobody else has set the cookie."""
        return f"__Host-{name}" if self._secure else name

    def _set(self, request: Request, response: Response, name: str, value: str, lasts: int | None) -> None:
        response.set_cookie(
            self._name(name), value, max_age=lasts, path="/", secure=self._secure, httponly=True, samesite="strict"
        )

    def _secret(self, request: Request) -> str:
        """What the browser's cookie holds, or what it is about to be given with the answer to this request."""
        cookie = request.cookies.get(self._name(_VISITOR), "")
        if _SECRET.fullmatch(cookie):
            return cookie
        fresh: str = request.scope.setdefault("rfid.visitor", secrets.token_urlsafe(24))
        return fresh


def _split(address: str) -> SplitResult:
    """An address in its parts; empty ones for what is none, such as ``//[``: anybody may send that."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _no_connection() -> None:
    """Tells nobody that a request has shown who asks: it came without a connection of ours."""


def _proved(name: str) -> str:
    """The name of somebody who has proved it. Nobody can be who acts where nobody has to log in, and types a name."""
    return f"{name}-login" if name == LOCAL else name


def _csrf(secret: str) -> str:
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest()
