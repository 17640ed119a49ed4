"""Requests that were taken, over crashes too: a command that comes again is not carried out again.

The broker sends a command again that was not acknowledged when the process died, and a backend repeats one to which no
answer came. Whether the floor has it, the journal and the checkpoint know.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from gateway.floor.bounded import Bounded
from gateway.inputs import Command

MAX_REQUESTS = 256
"""As many as answers are kept within a run (mqtt/repeats.py)."""


class Requests:
    """The newest commands that name their request: name and request, with a digest of the arguments and the time of
    acceptance in microseconds."""

    def __init__(self) -> None:
        self._taken: Bounded[tuple[str, str], tuple[str, int]] = Bounded(MAX_REQUESTS)

    def note(self, command: Command) -> None:
        """The floor has been given this command."""
        request = command.args.get("request")
        if isinstance(request, str):
            self._taken.renew((command.name, request), (_digest(command), command.t))

    def taken(self, command: Command) -> int | None:
        """When the floor was given the very same, None where it was not."""
        request = command.args.get("request")
        digest, t = self._taken.get((command.name, request), ("", 0)) if isinstance(request, str) else ("", 0)
        return t if digest == _digest(command) else None

    def dump(self) -> str:
        """All of it as JSON, the oldest first."""
        return orjson.dumps([[*key, *entry] for key, entry in self._taken.items()]).decode()

    def load(self, dump: str) -> None:
        """Takes over what `dump` gave."""
        for name, request, digest, t in orjson.loads(dump):
            self._taken.renew((name, request), (digest, t))


def _digest(command: Command) -> str:
    arguments: Any = dict(command.args)
    return hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()[:32]
