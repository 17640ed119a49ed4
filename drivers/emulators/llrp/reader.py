"""The emulated LLRP reader without its network: a client's frames and time in, frames out.

`handle` takes a frame of the client, `tick` lets time pass, `take` gives the next frame for the kernel. It keeps
reading while no client is connected; with HoldEventsAndReportsUponReconnect the reads wait in a bounded buffer until a
client has said ENABLE_EVENTS_AND_REPORTS, without it they are discarded (and counted). Every read is reported once at
most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from drivers.api import ProtocolError
from drivers.emulators.llrp.config import Surroundings, describe
from drivers.emulators.llrp.identity import ZEBRA, capabilities
from drivers.emulators.llrp.machine import Machine
from drivers.emulators.llrp.rospecs import Command
from drivers.emulators.llrp.status import OK, Rejected, Status, bad_field, bad_parameter, failure
from drivers.llrp.protocol.codec import Message, decode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.framing import Frame as Received

# What a handler gives back: the answer without its name and status, children and fields as `E` takes them.
_Answer: TypeAlias = list[Element | dict[str, int]]

_FOREIGN = ("Impinj", "Moto", "Custom", "Unknown")
"""How the names of parameters begin that are not the standard's."""

_VERSION_MESSAGES = (46, 47)
"""GET_SUPPORTED_VERSION and SET_PROTOCOL_VERSION carry version 2 whatever is in use (LLRP 1.1, section 10.1)."""


class EmulatedReader(Machine):
    """One reader and its answers. See `Machine` for how it is built and how time passes."""

    def handle(self, received: Received, now: int) -> None:
        """One frame of the connected client. What it leads to comes out of `take`."""
        self.advance(now)
        if self.closing:
            return
        version, number, identity, frame = received
        try:
            self._check_version(version, number)
            message = decode(frame)
        except Rejected as no:
            self.outbox.answer(E("ERROR_MESSAGE", no.status), identity, version)
            return
        except ProtocolError as error:
            status = failure(Status.PARAMETER_ERROR, str(error)).status
            self.outbox.answer(E("ERROR_MESSAGE", status), identity, version)
            return
        if message.name in _SILENT:
            _SILENT[message.name](self, message)
        elif message.name in _HANDLERS:
            self._respond(message, _HANDLERS[message.name])
        else:
            status = failure(Status.UNSUPPORTED_MESSAGE, f"{message.name} is not supported").status
            self.outbox.answer(E("ERROR_MESSAGE", status), identity, version)

    def _check_version(self, version: int, number: int) -> None:
        allowed = version in self.identity.versions and (version <= self.version or number in _VERSION_MESSAGES)
        if not allowed:
            raise failure(Status.UNSUPPORTED_VERSION, f"protocol version {version} is not in use")

    def _respond(self, message: Message, handler: Callable[[EmulatedReader, Message], _Answer]) -> None:
        name = message.name + "_RESPONSE"
        try:
            self._check_custom(message.body)
            body = E(name, OK, *handler(self, message))
        except Rejected as no:
            body = E(name, no.status, *self._fields_of_refusal(name))
        except ProtocolError as error:
            body = E(name, failure(Status.MISSING_PARAMETER, str(error)).status)
        if message.name == "CLOSE_CONNECTION":
            self.outbox.last_answer(body, message.id, message.version)
        else:
            self.outbox.answer(body, message.id, message.version)

    def _fields_of_refusal(self, name: str) -> Iterator[dict[str, int]]:
        if name == "GET_SUPPORTED_VERSION_RESPONSE":
            yield self._versions()

    def _check_custom(self, element: Element) -> None:
        """A reader returns an error for vendor parameters that it does not support (LLRP 1.0.1, section 8.2)."""
        for child in element.children:
            known = {"Impinj": self.extensions, "Moto": self.identity.manufacturer == ZEBRA}
            prefix = next((prefix for prefix in _FOREIGN if child.name.startswith(prefix)), None)
            if prefix is not None and not known.get(prefix):
                hint = "; send IMPINJ_ENABLE_EXTENSIONS first" if self.identity.is_impinj else ""
                text = f"{element.name} holds {child.name}, which is not supported{hint}"
                raise bad_parameter(child.name, text, Status.P_UNSUPPORTED_PARAMETER)
            self._check_custom(child)

    # Versions, capabilities, configuration

    def _versions(self) -> dict[str, int]:
        return {"CurrentVersion": self.version, "SupportedVersion": max(self.identity.versions)}

    def _get_supported_version(self, message: Message) -> _Answer:
        return [self._versions()]

    def _set_protocol_version(self, message: Message) -> _Answer:
        wanted = message.body["ProtocolVersion"]
        if wanted not in self.identity.versions:
            raise failure(Status.UNSUPPORTED_VERSION, f"protocol version {wanted} is not supported")
        self.version = wanted
        return []

    def _get_capabilities(self, message: Message) -> _Answer:
        requested = message.body["RequestedData"]
        if requested > 4:
            raise bad_field(0, f"RequestedData {requested} does not exist")
        return [*capabilities(self.identity, requested)]

    def _get_config(self, message: Message) -> _Answer:
        around = Surroundings(self.antennas, self.inputs, self.outputs)
        return [*describe(self.config, around, message.body)]

    def _set_config(self, message: Message) -> _Answer:
        config = self.config.changed(message.body)
        outputs = self.config.outputs(message.body)
        if message.body["ResetToFactoryDefault"]:
            self._delete_rospecs(0)
            self.access_specs.clear()
        self.configure(config)
        for port, state in outputs.items():
            self.set_output(port, state)
        return []

    def _enable_extensions(self, message: Message) -> _Answer:
        if not self.identity.is_impinj:
            raise failure(Status.UNSUPPORTED_MESSAGE, "this reader has no Impinj extensions")
        self.extensions = True
        return []

    def _close(self, message: Message) -> _Answer:
        return []

    # ROSpecs

    def _add_rospec(self, message: Message) -> _Answer:
        self.rospecs.add(message.body.need("ROSpec"), self.now)
        return []

    def _delete_rospec(self, message: Message) -> _Answer:
        self._delete_rospecs(message.body["ROSpecID"])
        return []

    def _delete_rospecs(self, identity: int) -> None:
        for gone in self.rospecs.delete(identity, self.now):
            if self.identity.delete_clears:
                self.counters.discarded += self.buffer.discard(gone)

    def _get_rospecs(self, message: Message) -> _Answer:
        return [spec.described() for spec in self.rospecs.specs.values()]

    def _command(self, command: Command, message: Message) -> _Answer:
        self.rospecs.command(command, message.body["ROSpecID"], self.now)
        return []

    # AccessSpecs: kept and acknowledged, never carried out

    def _add_access_spec(self, message: Message) -> _Answer:
        spec = message.body.need("AccessSpec")
        identity = spec["AccessSpecID"]
        if identity == 0:
            raise bad_parameter("AccessSpec", "AccessSpecID 0 means all and cannot be added", field=0)
        if identity in self.access_specs:
            raise bad_parameter("AccessSpec", f"AccessSpec {identity} already exists", Status.P_FIELD_ERROR, field=0)
        if spec["CurrentState"]:
            raise bad_parameter("AccessSpec", "an AccessSpec is added disabled", Status.P_FIELD_ERROR, field=3)
        if len(self.access_specs) >= self.identity.max_accessspecs:
            text = f"this reader takes {self.identity.max_accessspecs} AccessSpecs"
            raise bad_parameter("AccessSpec", text, Status.P_OVERFLOW_PARAMETER)
        self.access_specs[identity] = spec
        return []

    def _access_specs_of(self, message: Message) -> list[int]:
        identity = message.body["AccessSpecID"]
        if identity and identity not in self.access_specs:
            raise bad_field(0, f"AccessSpec {identity} does not exist")
        return [identity] if identity else list(self.access_specs)

    def _delete_access_spec(self, message: Message) -> _Answer:
        for identity in self._access_specs_of(message):
            del self.access_specs[identity]
        return []

    def _switch_access_spec(self, enabled: bool, message: Message) -> _Answer:
        for identity in self._access_specs_of(message):
            self.access_specs[identity].fields["CurrentState"] = enabled
        return []

    def _get_access_specs(self, message: Message) -> _Answer:
        return [*self.access_specs.values()]

    # What has no response

    def _get_report(self, message: Message) -> None:
        if self.reporting and self.buffer.unreleased:
            self.buffer.release_all()
        else:
            self.outbox.empty_report()

    def _enable_reports(self, message: Message) -> None:
        self.outbox.holding = False
        self.buffer.release_all()

    def _keepalive_ack(self, message: Message) -> None:
        self.unacknowledged = 0

    def _ignore(self, message: Message) -> None:
        """Nobody answers an ERROR_MESSAGE."""


_SILENT: dict[str, Callable[[EmulatedReader, Message], None]] = {
    "GET_REPORT": EmulatedReader._get_report,
    "ENABLE_EVENTS_AND_REPORTS": EmulatedReader._enable_reports,
    "KEEPALIVE_ACK": EmulatedReader._keepalive_ack,
    "ERROR_MESSAGE": EmulatedReader._ignore,
}

_HANDLERS: dict[str, Callable[[EmulatedReader, Message], _Answer]] = {
    "GET_SUPPORTED_VERSION": EmulatedReader._get_supported_version,
    "SET_PROTOCOL_VERSION": EmulatedReader._set_protocol_version,
    "GET_READER_CAPABILITIES": EmulatedReader._get_capabilities,
    "GET_READER_CONFIG": EmulatedReader._get_config,
    "SET_READER_CONFIG": EmulatedReader._set_config,
    "IMPINJ_ENABLE_EXTENSIONS": EmulatedReader._enable_extensions,
    "CLOSE_CONNECTION": EmulatedReader._close,
    "ADD_ROSPEC": EmulatedReader._add_rospec,
    "DELETE_ROSPEC": EmulatedReader._delete_rospec,
    "ENABLE_ROSPEC": lambda reader, message: reader._command(Command.ENABLE, message),
    "DISABLE_ROSPEC": lambda reader, message: reader._command(Command.DISABLE, message),
    "START_ROSPEC": lambda reader, message: reader._command(Command.START, message),
    "STOP_ROSPEC": lambda reader, message: reader._command(Command.STOP, message),
    "GET_ROSPECS": EmulatedReader._get_rospecs,
    "ADD_ACCESSSPEC": EmulatedReader._add_access_spec,
    "DELETE_ACCESSSPEC": EmulatedReader._delete_access_spec,
    "ENABLE_ACCESSSPEC": lambda reader, message: reader._switch_access_spec(True, message),
    "DISABLE_ACCESSSPEC": lambda reader, message: reader._switch_access_spec(False, message),
    "GET_ACCESSSPECS": EmulatedReader._get_access_specs,
}
