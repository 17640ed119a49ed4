"""Whole pages: what stands around the parts, the login, and pages that say what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.web.assets import Assets
from gateway.web.html import Html, el, join
from gateway.web.icons import icon

NAVIGATION = (
    ("/", "Docks"),
    ("/plan", "Floor"),
    ("/manifests", "Manifests"),
    ("/alarms", "Alarms"),
    ("/zones", "Zones"),
    ("/counts", "Counts"),
    ("/differences", "Differences"),
    ("/readers", "Readers"),
)
"""The pages that every page leads to: address and name."""


LOCAL = "local"
"""Who acts where nobody has to log in: somebody on this machine."""


@dataclass(slots=True, frozen=True)
class Visitor:
    """Who looks: the name that actions carry, None before the login. `can_leave`: there is a login to end."""

    name: str | None
    csrf: str
    can_leave: bool = False


class Shell:
    """Makes pages that all look alike."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def live(self, path: str, title: str, view: str, parts: Mapping[str, Html], visitor: Visitor) -> str:
        """A page whose parts are kept up to date from the view `view`."""
        kind = view.split("/")[0]
        body = join(
            self._bar(path, title, visitor),
            el("div", parts["strip"], data_part="strip"),
            el("div", icon("offline"), el("span", "Not live", class_="word"),
               el("span", "", id="offline-words"), id="offline", class_="offline", hidden=True),
            el("main", [el("div", part, data_part=name, class_=f"part-{name}") for name, part in parts.items()
                        if name != "strip"],
               class_=kind, id="main"),
            el("p", "", id="announce", class_="unseen", aria_live="assertive", role="status"),
            el("dialog", id="ask", aria_labelledby="ask-title"),
        )  # fmt: skip
        return self._page(title, body, visitor, data_view=view, data_build=self._assets.build)

    def still(self, path: str, title: str, content: Html, strip: Html, visitor: Visitor, what: str = "") -> str:
        """A page that is made once; `what` stands in its search field, `strip` says what is alarming."""
        bar = self._bar(path, title, visitor, what, follows=False)
        main = el("main", content, class_="still", id="main")
        return self._page(title, join(bar, strip, main, el("dialog", id="ask", aria_labelledby="ask-title")), visitor)

    def login(self, target: str, csrf: str, error: str = "") -> str:
        """The page on which somebody logs in."""
        form = el(
            "form",
            el("h1", "Log in"),
            el("label", "Token", for_="token"),
            el("input", id="token", name="token", type="password", required=True, autofocus=True, maxlength=512,
               autocomplete="current-password", aria_describedby="login-error"),
            el("input", type="hidden", name="csrf", value=csrf),
            el("input", type="hidden", name="next", value=target),
            el("p", error, class_="error", role="alert", id="login-error"),
            el("button", "Log in", type="submit", class_="do"),
            method="post",
            action="/login",
        )  # fmt: skip
        return self._page("Log in", el("main", form, class_="login", id="main"))

    def message(self, status: int, title: str, words: str) -> str:
        """A page that says one thing."""
        body = el(
            "main",
            el("h1", title),
            el("p", words),
            el("p", el("a", "All docks", href="/")),
            class_="message",
            id="main",
        )
        return self._page(f"{status} {title}", body)

    def _bar(self, path: str, title: str, visitor: Visitor, what: str = "", *, follows: bool = True) -> Html:
        links = [el("a", words, href=href, aria_current="page" if href == path else None) for href, words in NAVIGATION]
        leave = (
            el("form", el("input", type="hidden", name="csrf", value=visitor.csrf),
               el("button", "Log out", type="submit", class_="small"), method="post", action="/logout")
            if visitor.can_leave else Html("")
        )  # fmt: skip
        return el(
            "header",
            el("h1", title),
            el("nav", links, aria_label="Pages"),
            el(
                "form",
                el(
                    "input",
                    name="what",
                    type="search",
                    aria_label="Find a package: UID, last digits, batch, product",
                    placeholder="Package",
                    value=what,
                    maxlength=200,
                    autocomplete="off",
                ),
                el("button", "Find", type="submit", class_="small"),
                action="/find",
                method="get",
                role="search",
            ),
            el("span", el("span", "", class_="dot"), el("span", "Connecting", id="live-words"), id="live")
            if follows
            else None,
            el("span", visitor.name, class_="who") if visitor.can_leave else Html(""),
            el("button", "Theme", id="theme", type="button", class_="small", hidden=True),
            leave,
        )

    def _page(self, title: str, body: Html, visitor: Visitor | None = None, **data: str) -> str:
        known: dict[str, str | bool] = dict(data)
        if visitor is not None:
            known |= {"data_csrf": visitor.csrf, "data_local": not visitor.can_leave and visitor.name == LOCAL}
        head = join(
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="dark light"),
            el("title", f"{title} · RFID gateway"),
            el("link", rel="icon", href=self._assets.url("icon.svg"), type="image/svg+xml"),
            el("link", rel="stylesheet", href=self._assets.url("page.css")),
            el("script", src=self._assets.url("page.js"), defer=True),
        )
        skip = el("a", "To the content", href="#main", class_="skip")
        return "<!doctype html>\n" + el("html", el("head", head), el("body", skip, body, **known), lang="en")
