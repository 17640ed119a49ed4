"""What the broker's retained mark says of a ledger that a power cut has taken back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.mqtt.interface import Message
from gateway.mqtt.remembered import Remembered

EARLIER, OURS, LATER = "20261127T143257Z-957a3fef", "20261127T143305Z-14e9817b", "20261127T143319Z-5500b209"


@pytest.mark.parametrize(
    ("epoch", "run", "begun", "known"),
    [
        (OURS, "before", False, 90),
        (OURS, "this", False, 0),  # said by this very run, over an earlier connection
        (EARLIER, "before", False, 0),  # this one began later, and its first run never met the broker
        (EARLIER, "before", True, 0),
        (LATER, "before", False, 26),  # its beginning was cut off, and the ledger went on from what is older
        (LATER, "this", False, 0),
        (LATER, "before", True, 0),  # it has just begun; a clock that was set back named it
    ],
)
def test_what_is_known_of_the_ledger_from_before(epoch, run, begun, known):
    remembered = Remembered("state/ledger")
    mark = f'{{"epoch": "{epoch}", "sequence": 90, "run": "{run}"}}'.encode()
    assert remembered.takes(Message("state/ledger", mark, retain=True))
    ledger = SimpleNamespace(epoch=OURS, run="this", begun=begun, opened_at=25)
    assert remembered.known(SimpleNamespace(leave=lambda topics: None), ledger) == known
