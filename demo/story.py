"""The demo's day, told by what happens: a van is loaded wrong and put right; a package walks out of quarantine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiomqtt
import orjson

from demo.site import CAGE, DOCK, EXTRA, LOADED, ON_HOLD, QUARANTINED, SHELF_A, SHELF_B, WANDERS, Readers, uid
from demo.watch import Watcher
from gateway.clock import rfc3339, wall

MANIFEST = "0003456789"
STOCK = 29
"""Packages on the shelves and in the cage."""

PATIENCE = 20.0
"""Seconds for which the story waits for what should happen; then it goes on all the same."""

_PRODUCTS = ("Seltzer 12oz Grapefruit 10mg, 4 pack", "Live Resin 1g Garlic Cookies", "Gummies 100mg Sour Peach")


class Story:
    """What people and an inventory backend do, one thing after the other."""

    def __init__(self, client: aiomqtt.Client, base: str, site: Readers, watcher: Watcher) -> None:
        self._client = client
        self._base = base
        self._stage = site.stage
        self._watcher = watcher

    async def tell(self) -> None:
        """The whole of it; then only one package is moved from shelf to shelf, for ever."""
        await self._until(
            lambda: len(self._watcher.of("arrived")) >= len(LOADED) + len(QUARANTINED), "the shelves are full"
        )
        await self._load()
        await self._put_right()
        await self._walk_out()
        await self._destroy()
        place = SHELF_B
        while True:
            self._stage.put(uid(WANDERS), place)
            place = SHELF_A if place is SHELF_B else SHELF_B
            await asyncio.sleep(8)

    async def _load(self) -> None:
        await self._say(f"a manifest of {len(LOADED)} packages comes; {uid(ON_HOLD)[-6:]} is on hold")
        await self._command("manifest", manifest(wall()))
        for number in (*LOADED, EXTRA):
            self._stage.put(uid(number), DOCK)
        await asyncio.sleep(2.0)
        await self._command("gate.open", {"dock": "dock-1", "manifest": MANIFEST, "delivery": "1", "by": "ana"})
        await self._say(f"the van is loaded, with that one and with {uid(EXTRA)[-6:]}, which is on no manifest")
        for number in (*LOADED, EXTRA):
            self._stage.carry_out(uid(number))
            await asyncio.sleep(1.0)
        await self._until(lambda: len(self._watcher.gate("item")) >= 4, "all four are judged: STOP")

    async def _put_right(self) -> None:
        await self._say("both are brought back, and the manifest is corrected")
        for number in (ON_HOLD, EXTRA):
            self._stage.carry_in(uid(number), DOCK)
            await asyncio.sleep(1.0)
        await self._until(lambda: len(self._watcher.gate("item")) >= 6, "both came back")
        await self._command("manifest", manifest(wall(), version=2, without=ON_HOLD))
        await self._command("gate.close", {"dock": "dock-1", "by": "ana"})
        await self._until(lambda: self._watcher.gate("verdict"), "the verdict")

    async def _walk_out(self) -> None:
        gone = uid(QUARANTINED[-1])
        await self._say(f"{gone[-6:]} walks out of quarantine")
        listed = {"list": "quarantine", "uids": [uid(number) for number in QUARANTINED], "by": "ana"}
        await self._command("watch", listed)
        self._stage.put(gone, DOCK)
        await self._until(lambda: self._watcher.of("alarm"), "the alarm")
        noted = {"alarm": "watch-list", "subject": f"quarantine/{gone}", "by": "ana", "note": "taking it back"}
        await asyncio.sleep(2.0)  # the alarm is on the page a moment after it is on the broker
        await self._command("alarm.acknowledge", noted)
        self._stage.put(gone, CAGE)
        await self._until(lambda: any("cleared" in text for text in self._watcher.of("alarm")), "it is back")

    async def _destroy(self) -> None:
        gone = uid(QUARANTINED[0])
        self._stage.take_away(gone)
        await asyncio.sleep(2.0)
        await self._say(f"{gone[-6:]} was destroyed, before a witness")
        said: dict[str, Any] = {"uid": gone, "weight": 453.6, "unit": "Grams", "method": "ground and mixed with soil"}
        await self._command("destroy", said | {"by": "ana", "witness": "ben", "photo": "photos/0017.jpg"})

    async def _say(self, text: str) -> None:
        """Tells what people do, a moment before they do it: the clocks of readers are some milliseconds apart."""
        self._watcher.note(text)
        await asyncio.sleep(0.2)

    async def _command(self, name: str, args: dict[str, Any]) -> None:
        await self._client.publish(f"{self._base}cmd/{name}", orjson.dumps(args), qos=1)

    async def _until(self, condition: Callable[[], Any], what: str) -> None:
        if not await self._watcher.until(condition, PATIENCE):
            self._watcher.note(f"still waiting for: {what}")


async def tell(port: int, base: str, site: Readers, watcher: Watcher) -> None:
    """Until it is cancelled."""
    async with aiomqtt.Client(
        "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V311, identifier="demo-shipping"
    ) as client:
        await Story(client, base, site, watcher).tell()


def manifest(now: int, version: int = 1, without: int | None = None) -> dict[str, Any]:
    """The manifest in the gateway's own model, with the facts that a backend has gathered beside it."""
    return {
        "manifest": MANIFEST,
        "version": version,
        "as_of": rfc3339(now),
        "source": "demo",
        "deliveries": [
            {
                "delivery": "1",
                "dock": "dock-1",
                "recipient": "Example Retail Inc.",
                "lines": [
                    _line(number, product, now)
                    for number, product in zip(LOADED, _PRODUCTS, strict=True)
                    if number != without
                ],
            }
        ],
    }


def _line(number: int, product: str, now: int) -> dict[str, Any]:
    flags = dict.fromkeys(("recall", "investigation", "finished", "destroyed"), False)
    return {
        "uid": uid(number),
        "product": product,
        "quantity": 48,
        "unit": "Each",
        "batch": f"B-{LOADED[0]}",
        "lab_state": "TestPassed",
        "record": {"as_of": rfc3339(now), "lab_state": "TestPassed", "location": "Vault", "hold": number == ON_HOLD}
        | flags,
        "lab": {
            "as_of": rfc3339(now),
            "required": ["potency"],
            "results": [{"test": "potency", "passed": True, "released": True, "revoked": False, "document": "410031"}],
        },
    }
