"""Fixtures for every test. Those about MQTT run a real mosquitto; where there is none they fail and say what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import mosquitto
from tests.support.mosquitto import Broker

MakeBroker = Callable[..., Broker]

# Examples are the same in every run, so that one that fails can be run again; `make fuzz` looks for new ones. How long
# one takes says more about what else the machine does than about the code.
hypothesis.settings.register_profile(
    "project", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever runs processes, brokers, sockets or ports, or searches for examples, is left to `make test`."""
    for item in items:
        if {"e2e", "integration", "property", "fuzz", "torture"} & set(item.path.parts):
            item.add_marker(pytest.mark.slow)


# looptime asks for the event loop in synchronous tests too. Unless one was set before, if only to None, asyncio then
# makes a loop that nobody closes, and the warning hits whichever test comes next.
asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def mosquitto_program() -> mosquitto.Program:
    return mosquitto.find()


@pytest.fixture
def make_broker(mosquitto_program: mosquitto.Program, tmp_path: Path) -> Iterator[MakeBroker]:
    """Starts a broker with these lines of configuration: ``make_broker("allow_anonymous true", ...)``."""
    started: list[Broker] = []

    def make(*settings: str) -> Broker:
        broker = Broker(mosquitto_program, tmp_path / f"broker-{len(started)}", settings or ("allow_anonymous true",))
        started.append(broker)
        broker.start()
        return broker

    yield make
    for broker in started:
        broker.kill()


@pytest.fixture
def broker(make_broker: MakeBroker) -> Broker:
    """A broker of one's own, which allows everyone."""
    return make_broker()


@pytest.fixture(scope="session")
def shared_broker(mosquitto_program: mosquitto.Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that stays up for all tests: use topics and client ids of your own, and leave it running."""
    broker = Broker(mosquitto_program, tmp_path_factory.mktemp("shared-broker"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def impatient_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway connects to its broker again within a quarter of a second."""
    monkeypatch.setattr("gateway.mqtt.link.FIRST_DELAY", 0.05)
    monkeypatch.setattr("gateway.mqtt.link.LONGEST_DELAY", 0.25)
