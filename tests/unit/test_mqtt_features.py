"""What is asked of a broker that has not everything: less, until it takes the connection, and only where it is sure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.mqtt.features import Ladder
from gateway.mqtt.settings import Ask, BrokerRefusal, LoginCut

BROKERS: dict[str, Callable[[Ask], bool]] = {
    "has everything": lambda ask: True,
    "no retained will": lambda ask: not (ask.retain and ask.will),
    "no will": lambda ask: not ask.will,
    "no session": lambda ask: not ask.session,
    "neither": lambda ask: not ask.will and not ask.session,
    "the other version": lambda ask: ask.version == "3.1.1",
    "the other version without a session": lambda ask: ask.version == "3.1.1" and not ask.session,
}


@pytest.mark.parametrize("name", BROKERS)
@pytest.mark.parametrize("error", [LoginCut("cut"), BrokerRefusal("refused", 0x85), BrokerRefusal("refused", 0x83)])
def test_a_broker_is_connected_to_with_what_it_has(name: str, error: Exception) -> None:
    ladder = Ladder("5")
    tries = 0
    while not (BROKERS[name](ladder.ask) and ladder.taken()):
        if not BROKERS[name](ladder.ask):
            ladder.failed(error)
        tries += 1
        assert tries < 20
    assert BROKERS[name](ladder.ask)


@pytest.mark.parametrize("away", range(1, 12))
def test_a_broker_that_was_away_is_asked_for_everything_again(away: int) -> None:
    ladder = Ladder("5")
    for _ in range(away):
        ladder.failed(LoginCut("cut"))
    while not ladder.taken():
        pass
    assert ladder.ask == Ask("5")
