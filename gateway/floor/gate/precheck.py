"""Before the van: every line of a delivery judged by every rule that can be judged, as soon as its manifest is known.

It is said again when what is known of a package changes the judgement. Nothing is loaded by it and no light goes on:
never green, never a verdict. A COA that is missing is known at eight in the morning and not at the door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Any

import orjson

from gateway.events.envelope import Fact, gate
from gateway.events.gate_parts import Item, PrecheckWhy
from gateway.floor.gate import verdict
from gateway.floor.gate.asking import Judges
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.manifest import Delivery, DeliveryKey, Manifest
from gateway.floor.gate.reports import MANIFESTS
from gateway.floor.gate.session import Session

PART = 200
"""Lines in one event: some 60 kB, which every broker takes. A longer delivery is said in several."""


class Prechecks:
    """What was said of each delivery last, so that only what is new is said again. `loading` are those that have a
    session, which says it all itself."""

    def __init__(
        self, catalogue: Catalogue, judges: Judges, loading: Callable[[], Collection[DeliveryKey]], digest: str
    ) -> None:
        self._catalogue = catalogue
        self._loading = loading
        self._judges = judges
        self._digest = digest
        self._said: dict[DeliveryKey, str] = {}

    def of(self, manifest: Manifest, t: int) -> list[Fact]:
        """The deliveries of a manifest that was received."""
        keys = [(manifest.manifest, delivery.delivery) for delivery in manifest.deliveries]
        return self._look(keys, t, "manifest")

    def of_packages(self, uids: Collection[str], t: int) -> list[Fact]:
        """The deliveries that name one of these packages, which a watch list names, or does not any more."""
        keys = {key for uid in uids for key in self._catalogue.owners(uid)}
        return self._look(sorted(keys), t, "watch list")

    def all(self, t: int, why: PrecheckWhy) -> list[Fact]:
        """Every delivery that is known."""
        keys = [
            (name, delivery.delivery)
            for name, known in self._catalogue.known.items()
            for delivery in known.manifest.deliveries
        ]
        return self._look(keys, t, why)

    def _look(self, keys: Iterable[DeliveryKey], t: int, why: PrecheckWhy) -> list[Fact]:
        self._said = {key: said for key, said in self._said.items() if self._catalogue.delivery(key) is not None}
        facts: list[Fact] = []
        loading = self._loading()
        for key in keys:
            manifest, delivery = self._catalogue.manifest(key), self._catalogue.delivery(key)
            if manifest is None or delivery is None or self._catalogue.is_done(key) or key in loading:
                continue
            items = self._items(key, manifest, delivery, t)
            said = hashlib.sha256(orjson.dumps(items)).hexdigest()[:32]
            if self._said.get(key) != said:
                self._said[key] = said
                facts += self._facts(key, manifest, delivery, items, t, why)
        return facts

    def _items(self, key: DeliveryKey, manifest: Manifest, delivery: Delivery, t: int) -> list[Item]:
        """Every line as it would be judged if it passed now, those that may not leave first."""
        session = Session(delivery.dock or "", manifest.direction == "in", key, manifest.version, t, "", "command")
        items: list[Item] = []
        for line in delivery.lines:
            _, judgement = self._judges.judge(session, line.uid, t)
            item = verdict.entry(line.uid, line, None, judgement)
            item["verdict"] = "not loaded" if judgement.passed else judgement.words()
            items.append(item)
        return sorted(items, key=lambda item: (not item["rules"], not item["unknown"], item["uid"]))

    def _facts(
        self, key: DeliveryKey, manifest: Manifest, delivery: Delivery, items: list[Item], t: int, why: PrecheckWhy
    ) -> list[Fact]:
        parts = [items[start : start + PART] for start in range(0, len(items), PART)] or [[]]
        blocked = sum(1 for item in items if item["rules"])
        unknown = sum(1 for item in items if item["unknown"] and not item["rules"])
        return [
            gate(
                MANIFESTS,
                t,
                {
                    "gate": "precheck",
                    "manifest": key[0],
                    "delivery": key[1],
                    "version": manifest.version,
                    "direction": manifest.direction,
                    "source": manifest.source,
                    "dock": delivery.dock,
                    "recipient": delivery.recipient,
                    "why": why,
                    "lines": len(items),
                    "blocked": blocked,
                    "unknown": unknown,
                    "part": number,
                    "parts": len(parts),
                    "items": part,
                    "evidence": {"config": self._digest, "algorithm": verdict.ALGORITHM},
                },
            )
            for number, part in enumerate(parts, 1)
        ]

    def dump(self) -> list[list[str]]:
        """Everything, ready for JSON."""
        return [[*key, said] for key, said in self._said.items()]

    def load(self, dump: Iterable[Any]) -> None:
        self._said = {(manifest, delivery): said for manifest, delivery, said in dump}
