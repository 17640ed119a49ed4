"""Retained topics over a real broker."""

from __future__ import annotations

import orjson
import pytest

from tests.conftest import MakeBroker
from tests.support.mosquitto import Broker
from tests.support.mqtt_service import BASE, service
from tests.support.proxy import proxy
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("impatient_link")

ZONE = "state/zone/vault"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_state_is_retained_and_only_its_newest_value_counts(broker: Broker, version: str) -> None:
    async with service(broker.port, version=version) as mqtt:
        for count in range(50):
            mqtt.board.set(ZONE, orjson.dumps({"tags": count}))
        await until(lambda: mqtt.stats.states_published >= 2)  # the birth and this one
        with Subscriber(broker.port, BASE + "state/#") as subscriber:
            await subscriber.until(lambda it: it.last(BASE + ZONE))
            assert subscriber.messages[0].retain
            assert subscriber.last(BASE + ZONE) == {"tags": 49}
        assert mqtt.stats.states_published == 2


async def test_a_broker_that_has_forgotten_gets_the_whole_board_again(broker: Broker) -> None:
    async with service(broker.port) as mqtt:
        mqtt.board.set(ZONE, b'{"tags":7}')
        await until(lambda: mqtt.stats.states_published >= 2)
        broker.stop()
        (broker.folder / "data" / "mosquitto.db").unlink()
        broker.start()
        with Subscriber(broker.port, BASE + "state/#") as subscriber:
            await subscriber.until(lambda it: it.last(BASE + ZONE) == {"tags": 7})
            assert (await subscriber.until(lambda it: it.last(BASE + "state/gateway")))["status"] == "online"


async def test_what_is_taken_off_the_board_is_forgotten_even_over_a_cut(broker: Broker) -> None:
    async with proxy(broker.port) as network, service(network.port) as mqtt:
        mqtt.board.set(ZONE, b"{}")
        await until(lambda: mqtt.stats.states_published >= 2)
        network.cut()
        mqtt.board.remove(ZONE)
        await until(lambda: mqtt.stats.connects == 2 and mqtt.stats.states_published >= 4)
        with Subscriber(broker.port, BASE + "state/#") as late:
            await late.until(lambda it: it.last(BASE + "state/gateway"))
            assert not late.on(BASE + ZONE)


async def test_a_refused_state_is_counted_and_stops_nothing(make_broker: MakeBroker, tmp_path) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}#\ntopic deny {BASE}state/zone/#\n")
    broker = make_broker("allow_anonymous true", f"acl_file {acl}")
    async with service(broker.port) as mqtt:
        mqtt.board.set(ZONE, b"{}")
        mqtt.board.set("state/zone/dock", b"{}")
        mqtt.board.set("state/reader/r1", b"{}")
        await until(lambda: (mqtt.stats.states_published, mqtt.stats.states_refused) == (2, 2))
        assert mqtt.connected
