"""What the gate is told of the world beyond the floor: manifests, watch lists, the stock, and what was destroyed.

Each command is planned here, which refuses it and changes nothing; what is planned is carried out at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeAlias

from gateway.errors import Refused
from gateway.events.envelope import Fact
from gateway.floor.gate import commands
from gateway.floor.gate.alarms import Alarms
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.manifest import Manifest, essence, read_manifest
from gateway.floor.gate.precheck import Prechecks
from gateway.floor.gate.reports import Reports
from gateway.floor.gate.sessions import Sessions
from gateway.floor.gate.staging import Staging
from gateway.floor.gate.stock import Stock
from gateway.floor.gate.watchlists import WatchLists
from gateway.inputs import Command
from gateway.text import validated

Action: TypeAlias = Callable[[], list[Fact]]
Plan: TypeAlias = Callable[[Command], Action]
"""A command to what carries it out. Raises Refused where it cannot be carried out."""


def manifest_of(args: Mapping[str, Any]) -> tuple[Manifest, str]:
    """The manifest in the arguments of the command `manifest`, and who sends it. Raises Refused."""
    mine = commands.Arguments.model_fields.keys()
    manifest = read_manifest({key: value for key, value in args.items() if key not in mine})
    sender = validated(
        commands.Arguments, {key: args[key] for key in mine & args.keys()}, f"manifest {manifest.manifest}"
    )
    return manifest, sender.by


class Knowledge:
    """The plans of the commands that tell the gate something, by name."""

    def __init__(
        self,
        docks: Collection[str],
        catalogue: Catalogue,
        watch_lists: WatchLists,
        stock: Stock,
        sessions: Sessions,
        prechecks: Prechecks,
        reports: Reports,
        alarms: Alarms,
        staging: Staging,
    ) -> None:
        self._docks = docks
        self._catalogue = catalogue
        self._watch_lists = watch_lists
        self._stock = stock
        self._sessions = sessions
        self._prechecks = prechecks
        self._reports = reports
        self._alarms = alarms
        self._staging = staging
        self.plans: dict[str, Plan] = {
            "manifest": self._manifest,
            "manifest.withdraw": self._withdraw,
            "manifest.refused": self._rejected,
            "stock": self._take_stock,
            "destroy": self._destroy,
            "watch": self._watched,
        }

    def _manifest(self, command: Command) -> Action:
        manifest, by = command.typed(manifest_of)
        t = command.t
        for delivery in manifest.deliveries:
            if delivery.dock is not None and delivery.dock not in self._docks:
                known = ", ".join(sorted(self._docks)) or "none"
                raise Refused(f"manifest {manifest.manifest}: no dock {delivery.dock!r}: docks are {known}")
        if not self._catalogue.admit(manifest, self._sessions.manifests()):
            return list
        return lambda: self._take_manifest(manifest, by, t)

    def _take_manifest(self, manifest: Manifest, by: str, t: int) -> list[Fact]:
        known = self._catalogue.known.get(manifest.manifest)
        before = None if known is None else known.manifest
        self._sessions.unfinished.forget(self._catalogue.put(manifest, t, self._sessions.manifests()))
        self._staging.moved((), t)
        facts = []
        if known is None or essence(known.text) != essence(self._catalogue.known[manifest.manifest].text):
            facts.append(self._reports.manifest("received", manifest, before, t, by=by))
        facts += self._sessions.corrected(manifest, before, t)
        return facts + self._prechecks.of(manifest, t)

    def _withdraw(self, command: Command) -> Action:
        wanted = commands.read(commands.Withdraw, command)
        t = command.t
        known = self._catalogue.known.get(wanted.manifest)
        if known is None:
            raise Refused(f"manifest.withdraw: no manifest {wanted.manifest!r} is known")

        def withdraw() -> list[Fact]:
            self._sessions.unfinished.forget(self._catalogue.remove(wanted.manifest))
            self._staging.moved((), t)
            fact = self._reports.manifest("withdrawn", known.manifest, None, t, by=wanted.by, reason=wanted.reason)
            return [fact, *self._sessions.rejudge(t, "manifest withdrawn")]

        return withdraw

    def _rejected(self, command: Command) -> Action:
        wanted = commands.read(commands.Rejected, command)
        t = command.t
        return lambda: self._alarms.manifest_refused(wanted.source, wanted.name, wanted.reason, t)

    def _take_stock(self, command: Command) -> Action:
        wanted = commands.read(commands.Stock, command)
        t = command.t

        def take() -> list[Fact]:
            moved = self._stock.put(wanted.items)
            facts = [self._reports.stock(wanted, self._stock.number, moved, t)] if any(moved) else []
            return facts + self._sessions.rejudge(t, "stock") + self._prechecks.all(t, "stock")

        return take

    def _destroy(self, command: Command) -> Action:
        wanted = commands.read(commands.Destroy, command)
        t = command.t
        self._watch_lists.admit_destroyed(wanted.uid)

        def destroy() -> list[Fact]:
            fact = self._reports.destroyed(
                wanted, self._sessions.judges.product(wanted.uid), self._watch_lists.last_zone(wanted.uid), t
            )
            self._watch_lists.destroyed(wanted.uid, wanted.method, t)
            return [fact, *self._sessions.rejudge(t, "watch list"), *self._prechecks.of_packages([wanted.uid], t)]

        return destroy

    def _watched(self, command: Command) -> Action:
        wanted = commands.read(commands.WatchListChange, command)
        t = command.t
        self._watch_lists.admit(wanted)
        named = {*wanted.uids, *self._watch_lists.on(wanted.name)}
        again = partial(self._prechecks.of_packages, named, t)
        return lambda: self._watch_lists.change(wanted, t) + self._sessions.rejudge(t, "watch list") + again()
