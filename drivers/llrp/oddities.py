"""What a reader sends that cannot be read: unknown, said once, and an end only where nothing can be read any more."""

from __future__ import annotations

from drivers.api import DriverError, Log
from drivers.comprehension import Comprehension
from drivers.llrp.protocol.codec import Message

_REPORT = "RO_ACCESS_REPORT"


class Oddities:
    """What could not be read on one connection. Times in monotonic seconds."""

    def __init__(self, peer: str, log: Log) -> None:
        self._peer = peer
        self._log = log
        self._known: set[str] = set()  # kinds of messages that were odd
        self.reports = Comprehension()

    def look(self, message: Message) -> None:
        """Logs what of `message` was set aside, once for each kind of message."""
        if message.odd and message.name not in self._known:
            self._known.add(message.name)
            self._log.warning(
                "a message is not as LLRP has it; what cannot be read is unknown",
                message=message.name,
                odd=message.odd[:4],
            )

    def unread(self, count: int, example: str, at: float) -> None:
        """`count` tag reports could not be read; `example` says why one could not. Raises DriverError when none could
        be read for too long."""
        if _REPORT not in self._known:
            self._known.add(_REPORT)
            self._log.warning("a tag report cannot be read; the others are taken", example=example)
        self.reports.puzzled(at, example, count)
        if self.reports.verdict is not None:
            raise DriverError(f"{self._peer}: {self.reports.verdict}")
