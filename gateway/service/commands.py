"""What the backend and the operator may ask for, over MQTT: each command checked, done and answered.

A command that changes what the floor says becomes an input of the floor, journalled like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from drivers.api import DriverError
from gateway.clock import rfc3339
from gateway.config import Identifier
from gateway.errors import Refused
from gateway.floor import COMMANDS as FLOOR_COMMANDS
from gateway.floor.admission import read
from gateway.floor.gate.commands import Who
from gateway.history.answers import Alarm
from gateway.history.asking import QUESTIONS
from gateway.history.history import History
from gateway.inputs import Command
from gateway.mqtt.repeats import Repeats
from gateway.readers.fleet import Readers
from gateway.service.alarms import Alarms
from gateway.service.pipeline import Pipeline
from gateway.service.scans import decoded
from gateway.sources.identifiers import IdentifierMap
from gateway.text import validated

_INTERNAL = frozenset({"manifest.refused", "output.switched", "alarm.over"})
"""What only the gateway itself says."""

_BULKY = frozenset({"manifest", "watch", "expected", "book", "stock"})
"""What these bring is in no event: it must not rest in the journal alone, which a power cut would take."""

_SAFE_WITHIN = 20.0
"""Seconds for which such a command waits for the disk before its answer says that it is not there yet."""

_ANSWERED = 50
"""Parts of an answer over MQTT unless `limit` asks for more: some 40 kB, which every broker takes."""

Request = Annotated[str, Field(max_length=128)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    request: Request | None = None


class _Output(_Arguments):
    reader: Identifier
    port: Annotated[int, Field(ge=1, le=255)]
    state: bool
    by: Who = "backend"


class _Status(_Arguments):
    pass


class Commands:
    """The commands by name. `handle` is what the MQTT intake calls; `repeats` is what it has answered in this run."""

    def __init__(
        self,
        pipeline: Pipeline,
        readers: Readers,
        history: History,
        alarms: Alarms,
        now: Callable[[], int],
    ) -> None:
        self.identifiers = IdentifierMap()
        self.repeats = Repeats()
        self._pipeline = pipeline
        self._readers = readers
        self._history = history
        self.alarms = alarms
        self._now = now
        self._closed = False
        self._handlers: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "output": self._output,
            "status": self._status,
            "alarm.acknowledge": self._acknowledge,
        }

    @property
    def names(self) -> list[str]:
        """The commands there are."""
        return sorted({*self._handlers, *QUESTIONS, *FLOOR_COMMANDS} - _INTERNAL)

    def add(self, handlers: Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]) -> None:
        """More commands by name, each with what carries it out."""
        self._handlers |= handlers

    def close(self) -> None:
        """The gateway stops: what comes from here on is refused, for it would come behind the last checkpoint."""
        self._closed = True

    async def handle(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """Does the command `name`; returns its result. Raises `Refused` and changes nothing where it is wrong."""
        handler = self._handlers.get(name)
        if handler is not None:
            return await handler(args)
        if name in QUESTIONS:
            return await self._history.asked(name, {"limit": _ANSWERED} | args, self._now())
        if name in FLOOR_COMMANDS and name not in _INTERNAL:
            return await self.submit(name, args)
        raise Refused(f"there is no command {name!r}; there are: {', '.join(self.names)}")

    async def submit(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """A command for the floor, from the outside or from the gateway's own sources of manifests and sets. One that
        names its request and was taken before, also by a run that was killed then, is only answered again."""
        self._stopped()
        command = Command(self._now(), name, self.identifiers.resolve(name, decoded(name, args, self.identifiers)))
        if name in _BULKY:
            await asyncio.to_thread(read, command)  # meanwhile ticks go on
            self._stopped()
        taken = self._pipeline.requests.taken(command)
        if taken is None:
            self._pipeline.floor.admit(command)
            self._pipeline.command(command)
        position = self._pipeline.position
        answer = {"accepted": rfc3339(command.t if taken is None else taken)}
        if name not in _BULKY:
            return answer
        self._pipeline.hurry_checkpoint()
        try:
            await asyncio.wait_for(self._pipeline.safe(position), _SAFE_WITHIN)
        except TimeoutError:  # the disk is full or failing, which health and alarms say
            return answer | {"saved": False}
        return answer | {"saved": True}

    def _stopped(self) -> None:
        if self._closed:
            raise Refused("the gateway is stopping: send it again when it is back")

    async def _acknowledge(self, args: dict[str, Any]) -> dict[str, Any]:
        """Takes note of an alarm that is open: the floor's command, with what the alarm itself says."""
        alarm = self.alarms.find(str(args.get("alarm")), str(args.get("subject")))
        return await self.submit("alarm.acknowledge", args | {"place": alarm.place, "uid": alarm.uid})

    async def over(self, alarm: Alarm, reason: str) -> None:
        """Ends an alarm about something that is configured no more. Raises `Refused`."""
        about = {"alarm": alarm.kind, "subject": alarm.subject, "place": alarm.place, "uid": alarm.uid}
        await self.submit("alarm.over", about | {"reason": reason, "by": "gateway"})

    async def _output(self, args: dict[str, Any]) -> dict[str, Any]:
        wanted = validated(_Output, args, "output")
        try:
            await self._readers.get(wanted.reader).driver.set_output(wanted.port, wanted.state)
        except DriverError as error:
            raise Refused(f"output {wanted.port} of reader {wanted.reader} was not switched: {error}") from error
        done = {"reader": wanted.reader, "port": wanted.port, "state": wanted.state}
        await self.submit("output.switched", done | {"by": wanted.by})
        return done

    async def _status(self, args: dict[str, Any]) -> dict[str, Any]:
        validated(_Status, args, "status")
        floor = self._pipeline.floor
        return {
            "time": rfc3339(self._now()),
            "readers": {
                supervisor.reader: {
                    "status": floor.reader_state(supervisor.reader)["status"],
                    "error": supervisor.last_error,
                }
                for supervisor in self._readers
            },
        }
