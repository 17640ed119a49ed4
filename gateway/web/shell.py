"""Whole pages: what stands around the parts, the login, and pages that say what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gateway.web.assets import Assets
from gateway.web.templates import render

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

    def live(self, path: str, title: str, view: str, parts: Mapping[str, Markup], visitor: Visitor) -> str:
        """A page whose parts are kept up to date from the view `view`."""
        return self._page("live.html", title, visitor, view=view, build=self._assets.build, path=path, parts=parts)

    def still(self, path: str, title: str, content: Markup, strip: Markup, visitor: Visitor, what: str = "") -> str:
        """A page that is made once; `what` stands in its search field, `strip` says what is alarming."""
        return self._page("still.html", title, visitor, path=path, content=content, strip=strip, what=what)

    def login(self, target: str, csrf: str, error: str = "") -> str:
        """The page on which somebody logs in."""
        return self._page("login.html", "Log in", target=target, csrf=csrf, error=error)

    def message(self, status: int, title: str, words: str) -> str:
        """A page that says one thing."""
        return self._page("message.html", f"{status} {title}", heading=title, words=words)

    def _page(self, template: str, title: str, visitor: Visitor | None = None, **values: Any) -> str:
        common = {
            "title": title,
            "heading": title,
            "visitor": visitor,
            "local": visitor is not None and not visitor.can_leave and visitor.name == LOCAL,
            "url": self._assets.url,
            "navigation": NAVIGATION,
            "view": "",
            "what": "",
        }
        return render(template, **common | values)
