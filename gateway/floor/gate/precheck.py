"""Before the van: every line of a delivery judged by every rule that can be judged, as soon as its manifest is known.

It is said again when what is known of a package changes the judgement. Nothing is loaded by it and no light goes on:
never green, never a verdict. A COA that is missing is known at eight in the morning and not at the door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import astuple, dataclass, replace
from typing import Any

import orjson

from gateway.clock import NEVER
from gateway.events.envelope import Fact, gate
from gateway.events.gate_parts import Item, PrecheckWhy
from gateway.floor.gate import verdict
from gateway.floor.gate.asking import Judges
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.in_turn import InTurn
from gateway.floor.gate.manifest import Delivery, DeliveryKey, Manifest
from gateway.floor.gate.reports import MANIFESTS
from gateway.floor.gate.session import Session

PART = 200
"""Lines in one event: some 60 kB, which every broker takes. A longer delivery is said in several."""


@dataclass(slots=True, frozen=True)
class _Said:
    """What was said of a delivery last: a digest of its lines, until when their facts hold, and how many are blocked,
    not known, and warned of."""

    digest: str
    stale: int = NEVER
    blocked: int = 0
    unknown: int = 0
    warned: int = 0


def _counted(items: Iterable[Item]) -> tuple[int, int, int]:
    items = list(items)
    return (
        sum(1 for item in items if item["rules"]),
        sum(1 for item in items if item["unknown"] and not item["rules"]),
        sum(1 for item in items if "warnings" in item),
    )


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
        self._said: dict[DeliveryKey, _Said] = {}
        self._in_turn: InTurn[PrecheckWhy] = InTurn()
        self._passed_over: dict[DeliveryKey, PrecheckWhy] = {}  # while they were loading, and why they were looked at

    def of(self, manifest: Manifest, t: int) -> list[Fact]:
        """The deliveries of a manifest that was received."""
        keys = [(manifest.manifest, delivery.delivery) for delivery in manifest.deliveries]
        self._in_turn.remove(keys)
        return self._look([(key, "manifest") for key in keys], t)

    def of_packages(self, uids: Collection[str], t: int) -> list[Fact]:
        """The deliveries that name one of these packages, which a watch list names, or does not any more."""
        keys = {key for uid in uids for key in self._catalogue.owners(uid)}
        return self._portion(sorted(keys), t, "watch list")

    def all(self, t: int, why: PrecheckWhy) -> list[Fact]:
        """Every delivery that is known."""
        keys = [*self._catalogue.deliveries("out"), *self._catalogue.deliveries("in")]
        return self._portion(keys, t, why)

    def session_over(self, key: DeliveryKey, t: int) -> list[Fact]:
        """A delivery that is not loaded any more is looked at where something has changed meanwhile."""
        why = self._passed_over.pop(key, None)
        return [] if why is None else self._portion([key], t, why)

    def _portion(self, keys: Iterable[DeliveryKey], t: int, why: PrecheckWhy) -> list[Fact]:
        """Looks at these when it is their turn, and at those whose turn it is."""
        self._in_turn.add(keys, why)
        return self._look(self._in_turn.portion(self._catalogue.lines, t), t)

    def _look(self, keys: Iterable[tuple[DeliveryKey, PrecheckWhy]], t: int) -> list[Fact]:
        self._said = {key: said for key, said in self._said.items() if self._catalogue.delivery(key) is not None}
        facts: list[Fact] = []
        loading = self._loading()
        for key, why in keys:
            manifest, delivery = self._catalogue.manifest(key), self._catalogue.delivery(key)
            if manifest is None or delivery is None or self._catalogue.is_done(key):
                continue
            if key in loading:
                self._passed_over.setdefault(key, why)
                continue
            items, stale = self._items(key, manifest, delivery, t)
            digest = hashlib.sha256(orjson.dumps(items)).hexdigest()[:32]
            before = self._said.get(key)
            self._said[key] = _Said(digest, stale, *_counted(items))
            if before is None or before.digest != digest:
                facts += self._facts(key, manifest, delivery, items, t, why)
        return facts

    def _items(self, key: DeliveryKey, manifest: Manifest, delivery: Delivery, t: int) -> tuple[list[Item], int]:
        """Every line as judged if it passed now, those that may not leave first, and until when it holds."""
        session = Session(delivery.dock or "", manifest.direction == "in", key, manifest.version, t, "", "command")
        items: list[Item] = []
        stale = NEVER
        for line in delivery.lines:
            _, judgement = self._judges.judge(session, line.uid, t)
            stale = min(stale, judgement.fresh_until)
            item = verdict.entry(line.uid, line, None, judgement)
            item["verdict"] = "not loaded" if judgement.passed else judgement.words()
            items.append(item)
        items.sort(key=lambda item: (not item["rules"], not item["unknown"], "warnings" not in item, item["uid"]))
        return items, stale

    def _facts(
        self, key: DeliveryKey, manifest: Manifest, delivery: Delivery, items: list[Item], t: int, why: PrecheckWhy
    ) -> list[Fact]:
        parts = [items[start : start + PART] for start in range(0, len(items), PART)] or [[]]
        blocked, unknown, _ = _counted(items)
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

    @property
    def due(self) -> int:
        """When the next fact becomes too old, or more is to be looked at."""
        return min(self._in_turn.due, min((said.stale for said in self._said.values()), default=NEVER))

    def fire(self, t: int) -> list[Fact]:
        """Says anew what rests on facts that have become too old by `t`."""
        keys = [key for key, said in self._said.items() if said.stale <= t]
        for key in keys:
            self._said[key] = replace(self._said[key], stale=NEVER)
        return self._portion(keys, t, "facts too old") if keys or self._in_turn.due <= t else []

    def redate(self, by: int) -> None:
        """What waits for its turn is due `by` microseconds later."""
        self._in_turn.redate(by)

    def outlines(self) -> list[dict[str, Any]]:
        """Every delivery in a few words, with what was found last; those that are done come last."""
        keys = [*self._catalogue.deliveries("out"), *self._catalogue.deliveries("in")]
        keys.sort(key=lambda key: (self._catalogue.is_done(key), key))
        return [self.outline(key) for key in keys]

    def outline(self, key: DeliveryKey) -> dict[str, Any]:
        """A delivery in a few words, with what was found last; numbers are None where it was not looked at."""
        said = self._said.get(key)
        return self._catalogue.outline(key) | {
            "done": self._catalogue.is_done(key),
            "loading": key in self._loading(),
            "blocked": None if said is None else said.blocked,
            "unknown": None if said is None else said.unknown,
            "warned": None if said is None else said.warned,
        }

    def whole(self, key: DeliveryKey, t: int) -> dict[str, Any] | None:
        """A delivery with its lines, judged at `t`; None where it is not known."""
        manifest, delivery = self._catalogue.manifest(key), self._catalogue.delivery(key)
        if manifest is None or delivery is None:
            return None
        items, _ = self._items(key, manifest, delivery, t)
        return self.outline(key) | {"items": items}

    def dump(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "said": [[*key, *astuple(said)] for key, said in self._said.items()],
            "in_turn": self._in_turn.dump(),
            "passed_over": [[*key, why] for key, why in self._passed_over.items()],
        }

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave; checkpoints of versions before have what was said alone."""
        if isinstance(dump, dict):
            self._in_turn.load(dump["in_turn"])
            passed_over = dump.get("passed_over", [])
            self._passed_over = {(manifest, delivery): why for manifest, delivery, why in passed_over}
            dump = dump["said"]
        self._said = {(manifest, delivery): _Said(*said) for manifest, delivery, *said in dump}
