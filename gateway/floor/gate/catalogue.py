"""The manifests that the gate knows, which package each of them names, and which deliveries are done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.floor.gate.commands import Open
from gateway.floor.gate.manifest import Delivery, DeliveryKey, Line, Manifest, as_json, read_manifest
from gateway.floor.passes import Direction

MAX_MANIFESTS = 64
"""Known at a time: some days of a large site, of which those that are done make room first."""

MAX_LINES = 20_000
"""Lines of all of them: the state of the gate stays within some megabytes."""


@dataclass(slots=True)
class Known:
    """A manifest since `received`. `done` says when each of its deliveries had its complete verdict."""

    manifest: Manifest
    received: int
    done: dict[str, int] = field(default_factory=dict)
    _text: bytes = b""

    @property
    def text(self) -> bytes:
        """The manifest as JSON, which is made once: checkpoints need those of all manifests."""
        self._text = self._text or as_json(self.manifest)
        return self._text

    @property
    def finished(self) -> bool:
        """Whether every delivery of the manifest is done."""
        return all(delivery.delivery in self.done for delivery in self.manifest.deliveries)


class Catalogue:
    """Manifests by name. `revision` grows with every change."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.revision = 0
        self._owners: dict[str, dict[DeliveryKey, Line]] = {}  # UID to the deliveries that name it

    def admit(self, manifest: Manifest, used: Mapping[str, str]) -> bool:
        """Whether `manifest` is new; False for a repetition. Manifests in `used` have a session, which is of that
        direction, also where the manifest itself was withdrawn meanwhile.

        Raises Refused where it is out of date, turns around what is being loaded, or there is no room.
        """
        before = self.known.get(manifest.manifest)
        if before is not None:
            have = before.manifest.version
            if manifest.version == have and manifest == before.manifest:
                return False
            if manifest.version <= have:
                raise Refused(
                    f"manifest {manifest.manifest}: version {_version(manifest.version)} is not newer than "
                    f"{_version(have)}, which is in force: send corrections under a higher version"
                )
            if manifest.direction != before.manifest.direction:
                raise Refused(f"manifest {manifest.manifest}: its direction cannot change: withdraw it first")
        if used.get(manifest.manifest, manifest.direction) != manifest.direction:
            raise Refused(f"manifest {manifest.manifest}: a session goes the other way for it: close that first")
        self._make_room(manifest, used, forget=False)
        return True

    def put(self, manifest: Manifest, t: int, used: Collection[str]) -> list[DeliveryKey]:
        """Takes over a manifest that was admitted. A delivery that was done is not any more if it has changed. Returns
        those that were done and had to make room."""
        gone = self._make_room(manifest, used, forget=True)
        before = self.known.get(manifest.manifest)
        known = Known(manifest, t)
        if before is not None:
            for name, when in before.done.items():
                delivery = manifest.delivery(name)
                if delivery is not None and _uids(delivery) == _uids(before.manifest.delivery(name)):
                    known.done[name] = when
            self.remove(manifest.manifest)
        self.known[manifest.manifest] = known
        self._index(manifest)
        self.revision += 1
        return gone

    def _make_room(self, manifest: Manifest, used: Collection[str], *, forget: bool) -> list[DeliveryKey]:
        others = {name: known for name, known in self.known.items() if name != manifest.manifest}
        lines = sum(known.manifest.size() for known in others.values()) + manifest.size()
        going: list[str] = []
        for name in sorted(
            (n for n in others if others[n].finished and n not in used), key=lambda n: others[n].received
        ):
            if len(others) - len(going) < MAX_MANIFESTS and lines <= MAX_LINES:
                break
            going.append(name)
            lines -= others[name].manifest.size()
        if len(others) - len(going) >= MAX_MANIFESTS or lines > MAX_LINES:
            raise Refused(
                f"manifest {manifest.manifest}: {len(others)} manifests with {lines - manifest.size()} lines are not "
                f"done yet, and there is room for {MAX_MANIFESTS} with {MAX_LINES}: withdraw those that are void"
            )
        return [key for name in going for key in self.remove(name)] if forget else []

    def remove(self, name: str) -> list[DeliveryKey]:
        """Forgets a manifest and its lines. Returns its deliveries that were done: one of the same name that comes
        later is another."""
        known = self.known.pop(name)
        for delivery in known.manifest.deliveries:
            key = (name, delivery.delivery)
            for line in delivery.lines:
                owners = self._owners[line.uid]
                del owners[key]
                if not owners:
                    del self._owners[line.uid]
        self.revision += 1
        return [(name, delivery) for delivery in known.done]

    def _index(self, manifest: Manifest) -> None:
        for delivery in manifest.deliveries:
            for line in delivery.lines:
                self._owners.setdefault(line.uid, {})[manifest.manifest, delivery.delivery] = line

    def manifest(self, key: DeliveryKey | None) -> Manifest | None:
        """The manifest of a delivery."""
        known = None if key is None else self.known.get(key[0])
        return None if known is None else known.manifest

    def delivery(self, key: DeliveryKey | None) -> Delivery | None:
        """The delivery of a key."""
        manifest = self.manifest(key)
        return None if manifest is None or key is None else manifest.delivery(key[1])

    def owner(self, uid: str, here: DeliveryKey | None, direction: str) -> DeliveryKey | None:
        """The delivery that names the UID: `here` if it does, else one of the same direction, one not done first."""
        owners = self._owners.get(uid, {})
        if here in owners:
            return here
        others = [key for key in owners if self.known[key[0]].manifest.direction == direction]
        return min(others, key=lambda key: (self.is_done(key), key), default=None)

    def owners(self, uid: str) -> list[DeliveryKey]:
        """Every delivery that names the UID."""
        return list(self._owners.get(uid, {}))

    def deliveries(self, direction: str) -> list[DeliveryKey]:
        """All that are known of one direction."""
        return [
            (name, delivery.delivery)
            for name, known in self.known.items()
            if known.manifest.direction == direction
            for delivery in known.manifest.deliveries
        ]

    def line(self, uid: str, key: DeliveryKey | None) -> Line | None:
        """The line of a package in a delivery."""
        return None if key is None else self._owners.get(uid, {}).get(key)

    def lines(self, key: DeliveryKey) -> int:
        """How many lines a delivery has."""
        delivery = self.delivery(key)
        return 0 if delivery is None else len(delivery.lines)

    def is_done(self, key: DeliveryKey) -> bool:
        """Whether a delivery has been shipped or received."""
        known = self.known.get(key[0])
        return known is not None and key[1] in known.done

    def mark_done(self, key: DeliveryKey, t: int) -> None:
        """A delivery was shipped or received at `t`."""
        self.known[key[0]].done[key[1]] = t
        self.revision += 1

    def pending(self, dock: str, taken: Collection[DeliveryKey]) -> list[DeliveryKey]:
        """Deliveries that are not done and not `taken`: those for this dock or, where there are none, for any."""
        found: dict[bool, list[DeliveryKey]] = {True: [], False: []}
        for name, known in self.known.items():
            for delivery in known.manifest.deliveries:
                key = (name, delivery.delivery)
                if delivery.dock in (dock, None) and key not in taken and delivery.delivery not in known.done:
                    found[delivery.dock == dock].append(key)
        return sorted(found[True]) or sorted(found[False])

    def begun_by(self, dock: str, uid: str, direction: Direction, taken: Collection[DeliveryKey]) -> DeliveryKey | None:
        """The delivery that a first pass at a dock begins: the pending one that names the package or, outward, the only
        one that is assigned to this dock."""
        wanted = {"out": (Direction.OUT, Direction.UNDETERMINED), "in": (Direction.IN, Direction.UNDETERMINED)}
        fitting = [
            key for key in self.pending(dock, taken) if direction in wanted[self.known[key[0]].manifest.direction]
        ]
        naming = [key for key in fitting if self.line(uid, key) is not None]
        if len(naming) == 1:
            return naming[0]
        assigned = [key for key in fitting if (found := self.delivery(key)) and found.dock == dock]
        return assigned[0] if len(assigned) == 1 and direction is Direction.OUT else None

    def outline(self, key: DeliveryKey) -> dict[str, Any]:
        """A delivery in a few words, for lists."""
        manifest, delivery = self.manifest(key), self.delivery(key)
        if manifest is None or delivery is None:
            return {"manifest": key[0], "delivery": key[1]}
        return {
            "manifest": key[0],
            "delivery": key[1],
            "version": manifest.version,
            "direction": manifest.direction,
            "dock": delivery.dock,
            "recipient": delivery.recipient,
            "lines": len(delivery.lines),
            "as_of": rfc3339(manifest.as_of),
        }

    def meant(self, wanted: Open, taken: Mapping[DeliveryKey, str]) -> DeliveryKey:
        """The delivery that a command to open means; `taken` are those with a session, and the dock of each. Raises
        Refused where it means none or several."""
        if wanted.manifest is None:
            pending = self.pending(wanted.dock, taken)
            if len(pending) != 1:
                raise Refused(
                    f"gate.open: {len(pending) or 'no'} deliveries wait for dock {wanted.dock}: name the manifest"
                )
            return pending[0]
        known = self.known.get(wanted.manifest)
        if known is None:
            raise Refused(f"gate.open: no manifest {wanted.manifest!r} is known: send it first")
        names = [delivery.delivery for delivery in known.manifest.deliveries]
        if wanted.delivery is not None:
            if wanted.delivery not in names:
                raise Refused(f"gate.open: manifest {wanted.manifest} has no delivery {wanted.delivery!r}")
            names = [wanted.delivery]
        elif len(names) > 1:
            names = [name for name in names if (wanted.manifest, name) in self.pending(wanted.dock, taken)]
        if len(names) != 1:
            raise Refused(f"gate.open: manifest {wanted.manifest} has several deliveries: name the delivery")
        key = (wanted.manifest, names[0])
        if key in taken:
            raise Refused(f"gate.open: delivery {key[1]} of manifest {key[0]} has a session at dock {taken[key]}")
        if self.is_done(key):
            raise Refused(
                f"gate.open: delivery {key[1]} of manifest {key[0]} is complete: "
                "send a correction under a higher version"
            )
        return key

    def dump(self) -> list[Any]:
        """The state for a checkpoint, ready for JSON."""
        return [[orjson.Fragment(known.text), known.received, known.done] for known in self.known.values()]

    def load(self, dump: list[Any]) -> None:
        """Takes over what `dump` gave."""
        for content, received, done in dump:
            manifest = read_manifest(content)
            self.known[manifest.manifest] = Known(manifest, received, dict(done))
            self._index(manifest)


def _uids(delivery: Delivery | None) -> set[str]:
    return set() if delivery is None else {line.uid for line in delivery.lines}


_FIRST_TIME = 10**12
"""A version from which on it is taken for a time in milliseconds, as versions from Metrc are: 2001."""


def _version(number: int) -> str:
    """A version as people read it."""
    return f"{rfc3339(number * 1000)[:19].replace('T', ' ')} UTC" if _FIRST_TIME <= number < 10**14 else str(number)
