"""One command to a running gateway over its broker, and the answer: what the command line uses."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Any

import orjson

from gateway.config import Config
from gateway.errors import LinkError
from gateway.mqtt.client import Client
from gateway.mqtt.interface import Message, Properties
from gateway.mqtt.service import topic_base
from gateway.mqtt.settings import read_settings

ANSWER_SECONDS = 15.0
"""For the gateway to answer: it may be busy with other commands, or not be running."""


async def request(config: Config, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Sends the command `name` with the gateway's own login and returns the answer. Raises `LinkError`."""
    base = topic_base(config)
    identity = f"cli-{secrets.token_hex(8)}"
    answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def receive(message: Message) -> None:
        message.acknowledge()
        try:
            answer = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            return
        if isinstance(answer, dict) and answer.get("request") == identity and not answered.done():
            answered.set_result(answer)

    settings = await asyncio.to_thread(read_settings, config, None)
    client = Client(replace(settings, session=0, client_id=identity), receive)
    await client.open()
    try:
        (subscribed,) = await client.listen([f"{base}res/{name}"])
        if not subscribed.accepted:
            raise LinkError(f"the MQTT broker does not let {settings.username} read {base}res/{name}: {subscribed}")
        payload = orjson.dumps(arguments | {"request": identity})
        async with asyncio.timeout(ANSWER_SECONDS):
            outcome = await client.send(f"{base}cmd/{name}", payload, qos=1, properties=Properties())
            if not outcome.accepted:
                raise LinkError(f"the MQTT broker does not take the command: {outcome}")
            return await answered
    except TimeoutError:
        raise LinkError(
            f"no answer within {ANSWER_SECONDS:.0f} s: check that the gateway runs and is connected to this broker, "
            "and that the broker lets this login publish to cmd/ and read res/"
        ) from None
    finally:
        await client.close()
