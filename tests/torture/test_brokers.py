"""A broker that loses, refuses, throttles and closes, in front of the real daemon: every event once it may be taken."""

from __future__ import annotations

import asyncio
from random import Random

import orjson

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from tests.e2e.site import config
from tests.support.odd_broker import CLOSE, odd_broker
from tests.support.subscriber import until

NOT_NOW, DENIED, UNLISTED = 0x97, 0x87, 0xC3


async def test_answers_that_are_lost_and_refused_lose_no_event(make_daemon, tmp_path, say, long):
    random, given = Random(3), dict.fromkeys(("lost", "refused for now", "denied", "closed", "unlisted"), 0)
    bad = True

    def puback(topic: str, payload: bytes) -> int | None:
        chance = random.random()
        if not bad or "events/" not in topic or chance > 0.05:
            return 0
        kind, code = [("lost", None), ("refused for now", NOT_NOW), ("denied", DENIED), ("unlisted", UNLISTED)][
            int(chance * 80)
        ]
        if chance < 0.0005:
            kind, code = "closed", CLOSE
        given[kind] += 1
        return code

    async with odd_broker(puback=puback) as broker, LlrpEmulator(serials(rate=20), name="door") as door:
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door}))
        await daemon.start()
        await until(lambda: len(broker.on("events/")) >= (300 if long else 60), 300, lambda: daemon.log[-3000:])
        bad = False
        door.switch_off()

        def missing() -> set[int]:
            numbers = {orjson.loads(payload)["sequence"] for payload in broker.on("events/")}
            return set(range(1, max(numbers) + 1)) - numbers

        await until(lambda: not missing(), 180, lambda: f"{sorted(missing())[:20]}\n{daemon.log[-3000:]}")
        await asyncio.sleep(1.0)  # what the door said last is on its way
        await until(lambda: not missing(), 60)
        assert await daemon.stop() == 0, daemon.log[-3000:]
    ids: dict[str, bytes] = {}
    for payload in broker.on("events/"):
        assert ids.setdefault(orjson.loads(payload)["id"], payload) == payload, "an event changed when sent again"
    say(
        "lost and refused PUBACKs lose no event",
        ", ".join(f"{number} {kind}" for kind, number in given.items()),
        f"{len(ids):,} events, without a gap, each with its own bytes; {broker.connections} connections",
    )
