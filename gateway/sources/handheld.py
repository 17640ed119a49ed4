"""Zebra RFD40 and RFD90 sleds: what they publish as `dataEVT` becomes the command `reads`.

A message is ``{"type", "timestamp", "data": {"tagData": […], "barcodeData": […]}}``. A record of a tag has its EPC in
hex as ``EPC`` or ``EPCid`` where the operating mode asks for it, and ``seenCount`` where reads are gathered; a record
of a barcode has ``decodedBarcode``. The last level of the topic is the serial number. (Zebra TechDocs, "RFD40/90 MQTT
API", dataEVT.) Sleds lose messages and say so themselves: it is no list of every read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from drivers.api import Log
from drivers.sparse_log import SparseLog
from gateway.clock import CLOCK_AHEAD, SECOND, read_rfc3339, rfc3339, wall
from gateway.config import Config
from gateway.config.base import IDENTIFIER_PATTERN
from gateway.config.drops import HandheldsConfig
from gateway.errors import Refused
from gateway.floor.gate.commands import MAX_UIDS
from gateway.inputs import Submit
from gateway.mqtt.intake import Listener
from gateway.text import printable

MAX_BYTES = 64 << 10
"""Of a message: ten times what a sled sends at most."""

MAX_REPEATS = 100
"""Reads of one tag that one record may stand for in the count of reads."""

OLDEST = 3_600 * SECOND
"""How old a message may be, as the broker keeps those of a gateway that was away. Where it is older, or further ahead
than CLOCK_AHEAD, the sled's clock is wrong, and its reads are of now."""

_EPC = re.compile(r"(?:[0-9A-Fa-f]{4}){1,31}")
_NAME = re.compile(IDENTIFIER_PATTERN)
_EPC_KEYS = ("EPC", "EPCid", "epc", "idHex")
_BARCODE_KEYS = ("decodedBarcode", "decodedbarcode", "barcode")


@dataclass(slots=True)
class Heard:
    """What one message says: EPCs in capital hex, each as often as it was read; codes; when; and how many records could
    not be understood."""

    uids: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    time: str | None = None
    odd: int = 0


def read_event(payload: bytes, now: int) -> Heard:
    """A `dataEVT` that came at `now`, microseconds UTC. Raises Refused where it is none; a record that is odd is
    counted, and the rest goes on."""
    if len(payload) > MAX_BYTES:
        raise Refused(f"{len(payload)} bytes are more than a sled sends")
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Refused(f"is not JSON: {error}") from error
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, dict) or not any(key in data for key in ("tagData", "barcodeData")):
        raise Refused("is no dataEVT: it has neither data.tagData nor data.barcodeData")
    heard = Heard(time=_time(event.get("timestamp"), now))
    for record in _records(data.get("tagData"), heard):
        epc = next((record[key] for key in _EPC_KEYS if isinstance(record.get(key), str)), "")
        if not _EPC.fullmatch(epc):
            heard.odd += 1
            continue
        seen = record.get("seenCount")
        times = min(max(seen, 1), MAX_REPEATS) if isinstance(seen, int) and not isinstance(seen, bool) else 1
        heard.uids += [epc.upper()] * times
    for record in _records(data.get("barcodeData"), heard):
        code = next((record[key] for key in _BARCODE_KEYS if isinstance(record.get(key), str)), "")
        if not 0 < len(code) <= 500:
            heard.odd += 1
            continue
        heard.codes.append(code)
    return heard


def _records(given: Any, heard: Heard) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list):
        heard.odd += 1
        return []
    records = [record for record in given if isinstance(record, dict)]
    heard.odd += len(given) - len(records)
    return records


def _time(given: Any, now: int) -> str | None:
    """The time of a message, where it can be right; None for the time at which it came."""
    try:
        said = read_rfc3339(given)
    except ValueError:
        return None
    return rfc3339(min(said, now)) if now - OLDEST <= said <= now + CLOCK_AHEAD else None


class Sleds:
    """The sleds of a configuration. `submit` takes what they read."""

    def __init__(self, config: HandheldsConfig, submit: Submit, log: Log) -> None:
        self._names = config.names
        self._submit = submit
        self._log = SparseLog(log)

    async def take(self, topic: str, payload: bytes) -> None:
        """One message. What is wrong with it is said in the log, and the next one is as good as any."""
        serial = topic.rpartition("/")[2].strip()
        reader = self._names.get(serial, serial)
        try:
            if not _NAME.fullmatch(reader):
                raise Refused("the last level of its topic is no name of a handheld: give it one in handhelds.names")
            heard = read_event(payload, wall())
        except Refused as refusal:
            self._complain(serial, str(refusal))
            return
        if heard.odd:
            self._complain(serial, f"{heard.odd} records without an EPC or a code: turn on EPC in its operating mode")
        common = {"reader": reader, "by": reader} | ({"time": heard.time} if heard.time else {})
        commands: list[dict[str, Any]] = [
            common | {"uids": heard.uids[first : first + MAX_UIDS]} for first in range(0, len(heard.uids), MAX_UIDS)
        ]
        commands += [common | {"codes": [code]} for code in heard.codes]
        for args in commands:
            try:
                await self._submit("reads", args)
            except Refused as refusal:
                self._complain(serial, str(refusal))

    def _complain(self, serial: str, why: str) -> None:
        self._log.warning(
            "what a handheld has sent cannot be used",
            about=serial,
            handheld=printable(serial, 64),
            reason=printable(why, 300),
        )


def listeners(config: Config, submit: Submit, log: Log) -> dict[str, Listener]:
    """The topics of handhelds, each with what takes it."""
    sleds = Sleds(config.handhelds, submit, log)
    return dict.fromkeys(config.handhelds.topics, sleds.take)
