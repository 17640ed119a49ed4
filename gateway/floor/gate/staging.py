"""What of each delivery stands in the staging zones, and what stands there that is on no manifest.

Said when a manifest comes and, a moment after the last move, when what is staged has changed. Like every pre-check it
is no verdict: who stands in staging is loaded by nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

import orjson

from gateway.clock import NEVER, SECOND, rfc3339
from gateway.events.envelope import Fact, gate
from gateway.events.gate_models import Staged
from gateway.events.gate_parts import LikelyError, NotStaged, StagedExtra
from gateway.floor.gate import verdict
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.in_turn import InTurn
from gateway.floor.gate.likely import likely_errors
from gateway.floor.gate.manifest import Delivery, DeliveryKey
from gateway.floor.gate.reports import MANIFESTS

SETTLE = 10 * SECOND
"""After the first move, before it is said: a cart comes in one go."""

MOST = 200
"""Packages that an event names of each kind; all are counted. Some 40 kB, which every broker takes."""


class Whereabouts(Protocol):
    """Where presence has the tags."""

    def seen(self, uid: str) -> tuple[str, int] | None:
        """The zone in which a tag is, or was seen last, and when; None where it is not known."""

    def inside(self, zones: Collection[str]) -> Mapping[str, str]:
        """UID to zone of the tags that are in one of these zones."""


class Blind:
    """The whereabouts for a gate without a floor: no tag is anywhere."""

    def seen(self, uid: str) -> tuple[str, int] | None:
        """Nothing was."""
        return None

    def inside(self, zones: Collection[str]) -> Mapping[str, str]:
        """Nothing is."""
        return {}


class Staging:
    """The staging `zones` of a site. `product` says what a package is, `loading` which deliveries have a session."""

    def __init__(
        self,
        zones: Iterable[str],
        catalogue: Catalogue,
        whereabouts: Whereabouts,
        product: Callable[[str], str],
        loading: Callable[[], Collection[DeliveryKey]],
        digest: str,
    ) -> None:
        self.zones = frozenset(zones)
        self._settled = NEVER
        self._in_turn: InTurn[None] = InTurn()
        self._catalogue = catalogue
        self._whereabouts = whereabouts
        self._product = product
        self._loading = loading
        self._digest = digest
        self._said: dict[DeliveryKey, str] = {}

    def moved(self, zones: Collection[str | None], t: int) -> None:
        """A tag came to one of these zones or went from it; or a manifest came."""
        if self.zones and (not zones or not self.zones.isdisjoint(zones)):
            self._settled = min(self._settled, t + SETTLE)

    @property
    def due(self) -> int:
        """When it is looked what has changed, or at more of it."""
        return min(self._settled, self._in_turn.due)

    def fire(self, t: int) -> list[Fact]:
        """What has changed, if it is time."""
        if self.due > t:
            return []
        if self._settled <= t:
            self._settled = NEVER
            self._in_turn.add(self._catalogue.deliveries("out"), None)
        here = self._whereabouts.inside(self.zones)
        extra = self._on_no_manifest(here)
        facts: list[Fact] = []
        loading = self._loading()
        self._said = {key: said for key, said in self._said.items() if self._catalogue.delivery(key) is not None}
        for key, _ in self._in_turn.portion(self._catalogue.lines, t):
            before = self._said.pop(key, None)
            if key in loading or self._catalogue.is_done(key) or self._catalogue.delivery(key) is None:
                continue
            data = self._data(key, here, extra)
            plain = {**data, "not_staged": [[line["uid"], line["zone"]] for line in data["not_staged"]]}
            self._said[key] = hashlib.sha256(orjson.dumps(plain)).hexdigest()[:32]
            if before != self._said[key]:
                facts.append(gate(MANIFESTS, t, data))
        return facts

    def of(self, key: DeliveryKey) -> Staged | None:
        """What is staged of a delivery now; None without staging zones, and for what comes in."""
        manifest = self._catalogue.manifest(key)
        if not self.zones or manifest is None or manifest.direction == "in":
            return None
        here = self._whereabouts.inside(self.zones)
        return self._data(key, here, self._on_no_manifest(here))

    def _data(self, key: DeliveryKey, here: Mapping[str, str], extra: list[StagedExtra]) -> Staged:
        manifest, delivery = self._catalogue.manifest(key), self._catalogue.delivery(key)
        assert manifest is not None
        assert delivery is not None
        away = [line for line in delivery.lines if line.uid not in here]
        missing: list[NotStaged] = []
        for line in away[:MOST]:
            seen = self._whereabouts.seen(line.uid)
            zone, last = (None, None) if seen is None else (seen[0], rfc3339(seen[1]))
            missing.append({"uid": line.uid, "product": line.product, "zone": zone, "last": last})
        return {
            "gate": "staging",
            "manifest": key[0],
            "delivery": key[1],
            "version": manifest.version,
            "dock": delivery.dock,
            "recipient": delivery.recipient,
            "lines": len(delivery.lines),
            "staged": len(delivery.lines) - len(away),
            "not_staged": missing,
            "extra": len(extra),
            "extras": extra[:MOST],
            "likely": self._likely(delivery, here, extra),
            "evidence": {"config": self._digest, "algorithm": verdict.ALGORITHM},
        }

    def _on_no_manifest(self, here: Mapping[str, str]) -> list[StagedExtra]:
        return [
            {"uid": uid, "product": self._product(uid), "zone": here[uid]}
            for uid in sorted(here)
            if not self._catalogue.owners(uid)
        ]

    @staticmethod
    def _likely(delivery: Delivery, here: Mapping[str, str], extra: Iterable[StagedExtra]) -> list[LikelyError]:
        missing = [(line.uid, line.product) for line in delivery.lines if line.uid not in here]
        return likely_errors(missing, [(found["uid"], found["product"]) for found in extra])

    def redate(self, by: int) -> None:
        """What is due is due `by` microseconds later."""
        self._settled += by if self._settled != NEVER else 0
        self._in_turn.redate(by)

    def dump(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        said = [[*key, said] for key, said in self._said.items()]
        return {"due": self._settled, "said": said, "in_turn": self._in_turn.dump()}

    def load(self, dump: Mapping[str, Any]) -> None:
        """Takes over what `dump` gave; checkpoints of versions before have no turns."""
        self._settled = dump["due"]
        if "in_turn" in dump:
            self._in_turn.load(dump["in_turn"])
        self._said = {(manifest, delivery): said for manifest, delivery, said in dump["said"]}
