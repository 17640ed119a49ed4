"""All packages of the licence from the Metrc API: what expires first, and what is on hold with all that belongs to it.

Both lists come whole or change nothing. On the watch list are the packages on hold, those of the same production batch,
those that a package on hold was made from, and those that were made from one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gateway.clock import NEVER, micros, rfc3339
from gateway.config.sources import MetrcConfig
from gateway.errors import Refused
from gateway.floor.gate.commands import MAX_STOCK, MAX_UIDS
from gateway.inputs import Submit
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.metrc.http import MetrcClient
from gateway.sources.metrc.shapes import Object, first_date, product_of, shown_text

ACTIVE, ON_HOLD = "/packages/v2/active", "/packages/v2/onhold"


class Packages:
    """The stock and the hold list, fetched every `packages_every` where the configuration wants them."""

    def __init__(self, config: MetrcConfig, submit: Submit, identifiers: IdentifierMap) -> None:
        self._config = config
        self._submit = submit
        self._identifiers = identifiers
        self._due = 0 if config.stock or config.hold_list else NEVER
        self._said: list[str] | None = None

    async def pull(self, client: MetrcClient, now: int) -> None:
        """Fetches both lists if it is time, and hands them on. Raises MetrcError, and Refused where they do not fit."""
        if now < self._due:
            return
        held = await client.fetch_all(ON_HOLD)
        active = await client.fetch_all(ACTIVE)
        self._due = now + micros(self._config.packages_every)
        if self._config.stock:
            await self._stock([*active, *held], now)
        if self._config.hold_list is not None:
            await self._watch(self._config.hold_list, held, [*active, *held], now)

    async def _stock(self, packages: Sequence[Object], now: int) -> None:
        items = {}
        for package in packages:
            uid, product = self._uid(package), product_of(package)
            if uid and product:
                expires = first_date(package, self._config.time_zone)
                items[uid] = {"uid": uid, "product": product, "expires": None if expires == "unknown" else expires}
        if len(items) > MAX_STOCK:
            raise Refused(f"Metrc has {len(items)} packages, and the stock holds {MAX_STOCK}: turn off `stock`")
        await self._submit(
            "stock", {"items": [items[uid] for uid in sorted(items)], "as_of": rfc3339(now), "by": "metrc"}
        )

    async def _watch(self, name: str, held: Sequence[Object], packages: Sequence[Object], now: int) -> None:
        labels = family({_label(package) for package in held}, packages)
        uids = sorted(filter(None, map(self._as_uid, labels)))
        if len(uids) > MAX_UIDS:
            raise Refused(f"{len(uids)} packages are on hold in Metrc or belong to such, and a list takes {MAX_UIDS}")
        if uids != self._said:
            reason = "on hold in Metrc, or of its batch, its source or made from it"
            await self._submit(
                "watch", {"list": name, "uids": uids, "as_of": rfc3339(now), "by": "metrc", "reason": reason}
            )
            self._said = uids
        if unnamed := sum(1 for package in held if not self._uid(package)):
            raise Refused(
                f"{unnamed} packages are on hold in Metrc under labels that no tag can have: look which they are"
            )

    def _uid(self, package: Object) -> str:
        return self._as_uid(_label(package))

    def _as_uid(self, label: str) -> str:
        """What a tag of the package has; empty where no tag can have it."""
        try:
            return self._identifiers.uid(label) if label else ""
        except Refused:
            return ""


def family(held: Collection[str], packages: Iterable[Object]) -> set[str]:
    """The labels of packages on hold with those of their batches, their sources, and all that were made from them."""
    by_label = {label: package for package in packages if (label := _label(package))}
    made_from: dict[str, list[str]] = {}
    for label, package in by_label.items():
        for source in _sources(package):
            made_from.setdefault(source, []).append(label)
    on_hold = [by_label[label] for label in sorted(set(held)) if label in by_label]
    found = set(filter(None, held))
    waiting = sorted(found)
    while waiting:
        for label in made_from.get(waiting.pop(), ()):
            if label not in found:
                found.add(label)
                waiting.append(label)
    batches = {batch for package in on_hold if (batch := _batch(package))}
    found |= {label for label, package in by_label.items() if _batch(package) in batches}
    return found | {source for package in on_hold for source in _sources(package)}


def _label(package: Mapping[str, Any]) -> str:
    return shown_text(package, "Label").upper()


def _batch(package: Mapping[str, Any]) -> str:
    return shown_text(package, "ProductionBatchNumber")


def _sources(package: Mapping[str, Any]) -> list[str]:
    value = package.get("SourcePackageLabels")
    return [label.strip().upper() for label in value.split(",") if label.strip()] if isinstance(value, str) else []
