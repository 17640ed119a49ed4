"""The three files that the page loads, read once and kept: nothing else can be asked for."""

from __future__ import annotations

import hashlib
from importlib import resources

from gateway import __version__

_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Assets:
    """The files by name. `build` changes with the version and with every one of them: an open page that was made by
    another build loads itself anew."""

    def __init__(self) -> None:
        folder = resources.files("gateway.web") / "static"
        self._content = {name: (folder / name).read_bytes() for name in _TYPES}
        digest = hashlib.sha256(__version__.encode())
        for name in sorted(self._content):
            digest.update(self._content[name])
        self.build = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Where a file is, with what makes browsers fetch it again after an upgrade."""
        return f"/static/{name}?{self.build}"

    def get(self, name: str) -> tuple[bytes, str] | None:
        """Content and media type."""
        content = self._content.get(name)
        return None if content is None else (content, _TYPES[name])
