"""What faults in the floor do to a run: which inputs are left out, which readers are shut out, and that a floor that
has failed judges nothing more."""

from __future__ import annotations

from time import monotonic
from traceback import format_exception

from drivers.api import Batch, DriverError, Item
from drivers.sparse_log import SparseLog
from gateway.inputs import Input
from gateway.ledger.unjudged import Unjudged
from gateway.ops.logs import Logger


class Faults:
    """Faults in the floor of one run. `number` counts the inputs that were left out."""

    def __init__(self, unjudged: Unjudged, log: Logger) -> None:
        self.unjudged = unjudged
        self.number = 0
        self._log = log
        self._sparse = SparseLog(log)
        self._broken: BaseException | None = None
        self._shut_out: frozenset[str] = frozenset()
        self._until = 0.0

    def broke(self, error: BaseException) -> None:
        """The floor has failed in the midst of an input: its state is none any more."""
        self._broken = error

    def check(self) -> None:
        """Raises where the floor has failed."""
        if self._broken is not None:
            raise RuntimeError("the floor has failed: nothing is judged before a start") from self._broken

    def leave_out(self, journal: str, position: int, item: Input, error: Exception) -> None:
        """A fault has met an input from outside, which changes nothing for the others."""
        self.number += 1
        kind = type(item).__name__
        self._sparse.error(
            "a fault in the gateway: an input cannot be judged and is left out, and a loss is stated; send the file "
            "that is kept of it to whoever mends the gateway",
            about=kind, kind=kind, reader=getattr(item, "reader", ""), position=position, reason=repr(error),
            kept=str(self.unjudged.directory), exc_info=error,
        )  # fmt: skip
        self.unjudged.keep(journal, position, item, "".join(format_exception(error)))

    def shut_out(self, readers: frozenset[str], seconds: float) -> None:
        """Takes no reads of these readers for so long: starts have failed on what they read."""
        self._shut_out, self._until = readers, monotonic() + seconds
        for reader in sorted(readers):
            self._log.error(
                "a reader is shut out: what it reads meets a fault in the gateway, at each start anew",
                reader=reader, seconds=seconds, kept=str(self.unjudged.directory),
            )  # fmt: skip

    def admit(self, item: Item) -> None:
        """Raises `DriverError` for the reads of a reader that is shut out."""
        if not self._shut_out or not isinstance(item, Batch) or item.reader not in self._shut_out:
            return
        if monotonic() < self._until:
            raise DriverError(
                f"reader {item.reader} is shut out for a while: what it reads meets a fault in the gateway; send "
                f"{self.unjudged.directory} to whoever mends it",
                permanent=True,
            )
        self._shut_out = frozenset()
