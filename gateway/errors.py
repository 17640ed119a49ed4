"""The exception tree of the project::

    RfidError
    ├── ConfigError         the configuration is wrong; lists every error with file, line and remedy
    ├── DriverError         a reader cannot be used now (`permanent` says whether trying again can help)
    │   └── ProtocolError   a peer broke its protocol
    ├── HistoryError        the history's file cannot be used; it can be made again from the ledger
    ├── LinkError           the MQTT broker cannot be reached or refuses us
    ├── LedgerError         the ledger on disk cannot be read or written
    │   ├── Damaged         its file is damaged
    │   └── InUse           another process has it
    └── Refused             a command or an input that is understood and not accepted; nothing was changed

A message says what happened, where, and what to do about it.
"""

from __future__ import annotations

from drivers.api import DriverError, ProtocolError, RfidError

__all__ = [
    "ConfigError",
    "Damaged",
    "DriverError",
    "HistoryError",
    "InUse",
    "LedgerError",
    "LinkError",
    "ProtocolError",
    "Refused",
    "RfidError",
]


class ConfigError(RfidError):
    """The configuration is wrong. `problems` holds one line for each error, ready to print."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class HistoryError(RfidError):
    """The history's file cannot be used. It can be deleted: the gateway makes it again from its ledger."""


class LinkError(RfidError):
    """The MQTT broker cannot be reached or refuses us."""


class LedgerError(RfidError):
    """The ledger on disk cannot be read or written."""


class Damaged(LedgerError):
    """The file of the ledger is damaged."""


class InUse(LedgerError):
    """Another process has the ledger or the journal."""


class Refused(RfidError):
    """A command or an input is understood and not accepted. Nothing was changed."""
