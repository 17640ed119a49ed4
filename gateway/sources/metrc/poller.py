"""Manifests from the Metrc API: transfers to deliveries to packages, and the facts about each package.

The line list comes whole or not at all: a page, a delivery or a package that is missing makes the manifest wait. A
fact about a package that could not be fetched is left out, which the gate takes for unknown and blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn
from urllib.parse import quote

from drivers.api import Log
from gateway.clock import SECOND, micros, rfc3339
from gateway.config.sources import MetrcConfig
from gateway.errors import Refused, RfidError
from gateway.inputs import Submit
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.metrc.access import Connect, connector, read_keys
from gateway.sources.metrc.http import MetrcClient, MetrcError
from gateway.sources.metrc.keys import Keys, whole_number
from gateway.sources.metrc.packages import Packages
from gateway.sources.metrc.polling import keep_polling
from gateway.sources.metrc.shapes import Facts, Gathered, Object, manifest_args
from gateway.sources.times import read_time
from gateway.tasks import run_together
from gateway.text import printable

_DAY, _HOUR = 86_400 * SECOND, 3_600 * SECOND
_MOST_SAID = 1_000
"""Manifests of which something is said only once."""

_NAMED = 5
"""Packages that a message about missing facts names."""


@dataclass(slots=True)
class _Known:
    """A transfer as it was gathered last; `gathered` is 0 where facts were missing."""

    modified: str
    gathered: int


class Metrc:
    """Looks for transfers and hands their manifests on, each again when it changes or its facts grow old."""

    def __init__(
        self,
        config: MetrcConfig,
        submit: Submit,
        identifiers: IdentifierMap,
        log: Log,
        now: Callable[[], int],
        connect: Connect | None = None,
    ) -> None:
        self._config = config
        self._submit = submit
        self._identifiers = identifiers
        self._log = log
        self._now = now
        self._connect = connect or connector(config)
        self._packages = Packages(config, submit, identifiers)
        self._known: dict[tuple[str, int], _Known] = {}
        self._said: dict[str, str] = {}

    async def run(self) -> NoReturn:
        """Polls for ever. What goes wrong is logged, becomes an alarm, and is tried again."""
        await keep_polling(self.poll, self._config.poll, partial(self._say, ""))

    async def poll(self) -> None:
        """One round. Raises MetrcError where the transfers that go out cannot be had or the keys are not accepted, and
        Refused where a key file cannot be read. What else cannot be had is said, and keeps nothing else from coming."""
        keys = await asyncio.to_thread(read_keys, self._config)
        async with self._connect(keys) as client:
            await self._look(client, "outgoing")
            if self._config.incoming:
                await self._beside("incoming transfers", self._look(client, "incoming"))
            await self._beside("lists of packages", self._packages.pull(client, self._now()))

    async def _beside(self, what: str, part: Awaitable[None]) -> None:
        """A part of a round that the others do not wait for. Raises MetrcError where the keys are not accepted."""
        try:
            await part
            self._said.pop(what, None)
        except RfidError as error:
            if isinstance(error, MetrcError) and error.status == 401:
                raise
            await self._say_once(what, str(error))

    async def _look(self, client: MetrcClient, direction: str) -> None:
        """Hands on what is new of the transfers of one direction."""
        transfers = await self._transfers(client, direction)
        seen = {(direction, number) for number in transfers}
        self._known = {key: known for key, known in self._known.items() if key[0] != direction or key in seen}
        for number, transfer in sorted(transfers.items()):
            await self._transfer(client, direction, number, transfer)

    async def _transfers(self, client: MetrcClient, direction: str) -> dict[int, Object]:
        """Transfers by id, changed within the days configured: Metrc looks at no more than 24 hours at a time."""
        found: dict[int, Object] = {}
        end = self._now()
        for back in range(self._config.days):
            query = {
                "lastModifiedStart": rfc3339(end - (back + 1) * _DAY),
                "lastModifiedEnd": rfc3339(end - back * _DAY),
            }
            for transfer in await client.fetch_all(f"/transfers/v2/{direction}", query):
                number = whole_number(transfer.get("Id"))
                if number is not None:
                    found.setdefault(number, transfer)  # newer windows come first
                else:
                    await self._say_once(_name(transfer), "a transfer has no Id, so that nothing of it can be fetched")
        return found

    async def _transfer(self, client: MetrcClient, direction: str, number: int, transfer: Object) -> None:
        """Hands one transfer on, if it is new, has changed or its facts are due."""
        manifest = _name(transfer)
        modified = str(transfer.get("LastModified"))
        known = self._known.get((direction, number))
        voided = transfer.get("IsVoided")
        if voided is True:
            if known is None or known.modified != modified:
                self._known[direction, number] = _Known(modified, self._now())
                with contextlib.suppress(Refused):  # it need not be known
                    await self._submit("manifest.withdraw", {"manifest": manifest, "by": "metrc", "reason": "voided"})
            return
        if voided is not False:
            await self._say_once(
                manifest, "Metrc does not say whether the manifest is voided: it is neither taken nor withdrawn"
            )
            return
        if _received(transfer):
            return
        if known is not None and self._is_older(modified, known.modified):
            await self._say_once(
                manifest, f"Metrc gives it as of {printable(modified, 40)}, older than it was: it stays as it is"
            )
            return
        now = self._now()
        fresh = known is not None and known.modified == modified
        if fresh and known is not None and now - known.gathered < micros(self._config.refresh):
            return
        try:
            args, missing = await self._gather(client, direction, number, transfer)
        except RfidError as error:
            if isinstance(error, MetrcError) and error.status == 401:
                raise
            await self._say(manifest, str(error))
            return
        self._known[direction, number] = _Known(modified, 0 if missing else now)
        try:
            await self._submit("manifest", {"by": "metrc"} | args)
        except Refused as refusal:
            await self._say(manifest, str(refusal))
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            await self._say(
                manifest,
                f"facts are missing, and these packages stay blocked until they are there: "
                f"{'; '.join(missing[:_NAMED])}{more}",
            )

    def _is_older(self, modified: str, known: str) -> bool:
        """Whether a transfer comes as it was before the last time, as from a server that is behind: beyond doubt, for
        local time comes twice when the clocks are set back."""
        try:
            then, now = (read_time(text, self._config.time_zone) for text in (known, modified))
        except Refused:
            return False
        return then is not None and now is not None and now < then - (0 if _has_offset(modified) else _HOUR)

    async def _gather(
        self, client: MetrcClient, direction: str, number: int, transfer: Object
    ) -> tuple[dict[str, Any], list[str]]:
        """The arguments of the command `manifest`, and in words which facts could not be had."""
        as_of = self._now()
        deliveries = await client.fetch_all(f"/transfers/v2/{number}/deliveries")
        _expect(transfer, "DeliveryCount", len(deliveries), "deliveries")
        packages: dict[Any, list[Object]] = {}
        for delivery in deliveries:
            key = whole_number(delivery.get("Id"))
            if key is None:
                raise MetrcError(f"transfer {number}: a delivery has no Id", permanent=True)
            rows = await client.fetch_all(f"/transfers/v2/deliveries/{key}/packages")
            _expect(delivery, "DeliveryPackageCount", len(rows), f"packages of delivery {key}")
            packages[key] = rows
        facts: dict[str, Facts] = {}
        missing: list[str] = []
        if direction == "outgoing":  # what is still the sender's cannot be asked for here
            wanted = [row for rows in packages.values() for row in rows if _label(row)]
            missing += ["a package without a label" for rows in packages.values() for row in rows if not _label(row)]
            await self._all_facts(client, wanted, facts, missing)
        gathered = Gathered(transfer, deliveries, packages, as_of, facts)
        args = manifest_args(
            gathered,
            version=as_of // 1000,
            direction="out" if direction == "outgoing" else "in",
            source="metrc",
            zone=self._config.time_zone,
            identifiers=self._identifiers,
        )
        return args, sorted(missing)

    async def _all_facts(
        self, client: MetrcClient, packages: list[Object], facts: dict[str, Facts], missing: list[str]
    ) -> None:
        """Raises MetrcError where the keys are not accepted any more: the rest need not be asked. Of packages with one
        label nobody knows which the tag is: their lab results are not."""
        by_label: dict[str, Object] = {}
        for package in packages:
            label = _label(package)
            twice = label in by_label and by_label[label].get("PackageId") != package.get("PackageId")
            by_label[label] = Keys({"PackageLabel": label}) if twice else package
        try:
            await run_together(*(self._facts(client, package, facts, missing) for package in by_label.values()))
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
            raise (first if isinstance(first, RfidError) else errors) from None

    async def _facts(self, client: MetrcClient, package: Object, facts: dict[str, Facts], missing: list[str]) -> None:
        """Fills in what is known of one package. Raises only where no package can be asked about."""
        label = _label(package)
        found = facts[label] = Facts()
        for what in (self._record, self._lab):
            try:
                await what(client, package, found)
            except MetrcError as error:
                if error.status == 401:
                    raise
                missing.append(f"{printable(label, 40)}: {error}")

    async def _record(self, client: MetrcClient, package: Object, found: Facts) -> None:
        """The package's record. Raises MetrcError where it cannot be had, or is of another package."""
        label = _label(package)
        record = await client.get(f"/packages/v2/{quote(label, safe='')}")
        if not isinstance(record, Keys) or _folded(record.get("Label")) != _folded(label):
            raise MetrcError(f"the record of {label} is of another package", permanent=True)
        found.record, found.record_as_of = record, self._now()

    async def _lab(self, client: MetrcClient, package: Object, found: Facts) -> None:
        """The package's lab results, and what it needs of them. Raises MetrcError as `_record`."""
        label, number = _label(package), whole_number(package.get("PackageId"))
        if number is None:
            raise MetrcError(f"package {label} has no PackageId", permanent=True)
        batches = await client.fetch_all(f"/transfers/v2/deliveries/package/{number}/requiredlabtestbatches")
        results = await client.fetch_all("/labtests/v2/results", {"packageId": number})
        whose = [whole_number(row.get("PackageId")) for row in (*batches, *results)]
        if any(package not in (number, None) for package in whose):
            raise MetrcError(f"lab results of {label} are of another package", permanent=True)
        found.required = [printable(str(row.get("LabTestBatchName")), 200) for row in batches]
        # Whose a result is that names no package, nobody knows: it counts for nothing.
        found.results = [
            row if whole_number(row.get("PackageId")) == number else Keys({**row, "overallpassed": None})
            for row in results
        ]
        found.results_as_of = self._now()

    async def _say_once(self, manifest: str, reason: str) -> None:
        """As `_say`, the same about the same manifest only once."""
        if self._said.get(manifest) != reason and len(self._said) < _MOST_SAID:
            self._said[manifest] = reason
            await self._say(manifest, reason)

    async def _say(self, manifest: str, reason: str) -> None:
        """Into the log, and as an alarm."""
        self._log.warning("a manifest cannot be had from Metrc as it should be", manifest=manifest, reason=reason)
        args = {"source": "metrc", "name": printable(manifest, 100), "reason": printable(reason, 2000)}
        try:
            await self._submit("manifest.refused", args)
        except Refused as refusal:
            self._log.error("what is wrong with a manifest could not be said as an alarm", reason=str(refusal))


def _name(transfer: Object) -> str:
    """What the transfer is called, for people."""
    return printable(str(transfer.get("ManifestNumber")), 100)


def _has_offset(text: str) -> bool:
    return text.endswith("Z") or text[-6:-5] in ("+", "-")


def _label(package: Object) -> str:
    """The label of a package as it is written, empty where there is none."""
    value = package.get("PackageLabel")
    return value.strip() if isinstance(value, str) else ""


def _folded(label: Any) -> str:
    return label.strip().upper() if isinstance(label, str) else ""


def _received(transfer: Object) -> bool:
    """Every delivery has arrived: there is nothing left to load, nor to receive."""
    total = whole_number(transfer.get("DeliveryCount"))
    received = whole_number(transfer.get("ReceivedDeliveryCount"))
    return total is not None and received is not None and 0 < total <= received


def _expect(said: Object, name: str, count: int, what: str) -> None:
    """What Metrc says that there is must be what it gave."""
    number = whole_number(said.get(name))
    if number is not None and number != count:
        raise MetrcError(f"Metrc says that there are {number} {what} and gives {count}: the manifest waits")
