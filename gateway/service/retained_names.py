"""The names of the retained topics that a broker may hold of this gateway: it keeps them for ever.

They are saved with every checkpoint. What is of nothing in the configuration any more is cleared by this run or by the
next; where the gateway has another root, site or name than before, that is all that it had below the former one.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

_OWN = ("state/gateway", "state/ledger", "state/alarms")
"""Topics that every gateway has."""

_MOST = 10_000
"""Topics of former names that are kept in mind, as many as a board has."""


class RetainedNames:
    """`names` are below `base`, what every topic of the gateway begins with; `former` are whole topics."""

    def __init__(self, names: Iterable[str] = (), base: str = "", former: Iterable[str] = ()) -> None:
        self.names = list(names)
        self.base = base
        self.former = list(former)

    def at(self, base: str) -> None:
        """From now on the gateway's topics begin with `base`. All below another one is to be cleared."""
        if self.base not in ("", base):
            self.former = [*self.former, *(self.base + name for name in (*_OWN, *self.names))][-_MOST:]
            self.names = []
        self.base = base
        self.former = [topic for topic in self.former if not topic.startswith(base)]

    def dump(self) -> str:
        """As text, for `load`."""
        return orjson.dumps({"names": self.names, "base": self.base, "former": self.former}).decode()

    @classmethod
    def load(cls, text: str) -> RetainedNames:
        """From the text of a checkpoint; one of an earlier release has the names alone."""
        content = orjson.loads(text)
        return cls(content) if isinstance(content, list) else cls(**content)
