"""What to ask a broker for: everything first, then less, until it takes the connection; less only where that is sure.

Some brokers refuse what they have not with a reason (MQTT 5), others close the connection without a word, exactly as
a broker does that is being restarted. Where less was taken, the next connection asks for everything once more: only
if that is cut again is it the broker's way to say no, and from then on less is asked for.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.mqtt.settings import Ask, BrokerRefusal, LoginCut

_PERHAPS_LESS = frozenset({0x80, 0x81, 0x82, 0x83, 0x85, 0x87, 0x90, 0x95, 0x99})
"""Codes of a CONNACK with which brokers refuse a last will or a session too, besides what the codes are for."""


class Ladder:
    """What the next connection asks for."""

    def __init__(self, version: str) -> None:
        other = "3.1.1" if version == "5" else "5"
        self._steps = [Ask(version), Ask(version, retain=False), Ask(other), Ask(other, retain=False)]
        for spoken in (version, other):
            self._steps += [Ask(spoken, session=False), Ask(spoken, will=False)]
            self._steps.append(Ask(spoken, retain=False, will=False, session=False))
        self._at = 0
        self._taken: Ask | None = None  # less than everything, taken once
        self.ask = self._steps[0]
        self.settled = False  # it is sure what the broker has not

    def failed(self, error: Exception) -> None:
        """A connection was not made."""
        if isinstance(error, BrokerRefusal):
            self._refused(error.code)
        elif isinstance(error, LoginCut):
            self._ask_for_less()

    def _ask_for_less(self) -> None:
        if self._taken is not None:  # everything was refused again, and less is known to be taken
            self.ask, self.settled = self._taken, True
        elif not self.settled:
            self._at = (self._at + 1) % len(self._steps)
            self.ask = self._steps[self._at]

    def _refused(self, code: int) -> None:
        match code:
            case 0x84:
                self.ask = replace(self.ask, version="3.1.1" if self.ask.version == "5" else "5")
            case 0x9A:
                self.ask, self.settled = replace(self.ask, retain=False), True
            case 0x9B:
                self.ask, self.settled = replace(self.ask, qos=0), True
            case _ if code in _PERHAPS_LESS:
                self._ask_for_less()

    def taken(self) -> bool:
        """A connection was made with `ask`. False: it only showed that less is taken; ask for everything again."""
        if self.settled or self._at == 0:
            self._taken = None
            self.settled = self.settled or self.ask != self._steps[0]
            return True
        if self._taken is not None:
            self._taken, self._at, self.ask = None, 0, self._steps[0]
            return True
        self._taken, self._at, self.ask = self.ask, 0, self._steps[0]
        return False
