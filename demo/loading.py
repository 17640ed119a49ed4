"""What an inventory backend does about a van: sends its manifest, opens the gate session at the dock, closes it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiomqtt
import orjson

from demo.site import EXTRA, FIRST, LOADED, ON_HOLD, uid
from gateway.clock import rfc3339, wall

OPEN_AT, CLOSE_AT = 2.0, 15.0
"""Seconds of the demo: before the first package is at the door, and when the last has been judged."""

_PRODUCTS = ("Seltzer 12oz Grapefruit 10mg, 4 pack", "Live Resin 1g Garlic Cookies", "Gummies 100mg Sour Peach")


async def load_van(port: int, base: str) -> None:
    """One van: every package on its manifest is loaded, one of them on hold, and one more that is on no manifest."""
    began = time.monotonic()
    async with aiomqtt.Client(
        "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V311, identifier="demo-shipping"
    ) as client:
        await _at(began + OPEN_AT)
        await client.publish(base + "cmd/manifest", orjson.dumps(manifest(wall())), qos=1)
        opening = {"dock": "dock-1", "manifest": "0003456789", "delivery": "1", "by": "demo"}
        await client.publish(base + "cmd/gate.open", orjson.dumps(opening), qos=1)
        print(
            f"(manifest 0003456789 lists {len(LOADED)} packages; {uid(ON_HOLD)} is on hold, {uid(EXTRA)} is not on it)"
        )
        await _at(began + CLOSE_AT)
        await client.publish(base + "cmd/gate.close", orjson.dumps({"dock": "dock-1", "by": "demo"}), qos=1)


def manifest(now: int) -> dict[str, Any]:
    """The manifest in the gateway's own model, with the facts that a backend has gathered beside it."""
    return {
        "manifest": "0003456789",
        "version": 1,
        "as_of": rfc3339(now),
        "source": "demo",
        "deliveries": [
            {
                "delivery": "1",
                "dock": "dock-1",
                "recipient": "Example Retail Inc.",
                "lines": [_line(number, product, now) for number, product in zip(LOADED, _PRODUCTS, strict=True)],
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
        "batch": f"B-{FIRST}",
        "lab_state": "TestPassed",
        "record": {"as_of": rfc3339(now), "lab_state": "TestPassed", "location": "Vault", "hold": number == ON_HOLD}
        | flags,
        "lab": {
            "as_of": rfc3339(now),
            "required": ["potency"],
            "results": [{"test": "potency", "passed": True, "released": True, "revoked": False, "document": "410031"}],
        },
    }


async def _at(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
