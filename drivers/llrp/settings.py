"""What can be set for an LLRP reader: the keys of its entry in the configuration that are this driver's."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, model_validator

from drivers.api import DriverSettings, FileUse

PORT = 5084
TLS_PORT = 5085

FilePath = Annotated[Path, Strict(False)]  # text is a path, in Python as in JSON
TcpPort = Annotated[int, Field(ge=1, le=65535)]
InputPort = Annotated[int, Field(ge=1, le=65535)]
Hex = Annotated[str, StringConstraints(pattern=r"^([0-9A-Fa-f]{2}){1,64}$")]
HostName = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LlrpTls(_Part):
    """TLS to the reader. Keys stay in files. `check_hostname` off still checks the certificate's issuer."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    server_name: HostName | None = None
    check_hostname: bool = True

    def files(self) -> dict[str, FileUse]:
        """The files by their settings."""
        named = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file}
        return {f"tls.{name}": FileUse(path, name == "key_file") for name, path in named.items() if path is not None}

    @model_validator(mode="after")
    def _both_or_neither(self) -> LlrpTls:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both or neither")
        return self


class InputSettings(_Part):
    """A general purpose input in use. A change counts once the level has held for `settle` seconds."""

    port: InputPort
    settle: Annotated[float, Field(ge=0, le=10)] = 0.0


class StartTrigger(_Part):
    """Reading starts when the input takes this level."""

    input: InputPort
    state: bool = True


class StopTrigger(_Part):
    """Reading stops when the input takes this level, and in any case after `after` seconds."""

    after: Annotated[float, Field(gt=0, le=3600)]
    input: InputPort | None = None
    state: bool = False


class LlrpSettings(DriverSettings):
    """An LLRP reader.

    `connect: in` waits for the reader to call `listen_host:listen_port`; the caller is recognised by its address
    (`peer`) or by the identification that it gives (`identification`, hex). `report_every` is after how many reads
    the reader sends a report. `exclusive` removes the ROSpecs of other programs from the reader. `hold` lets the
    reader keep its reads while nobody is connected, where it can. `clock`: measure how far the reader's clock is off
    (`auto`), take its UTC as it is (`trust`), or stamp reads when they arrive (`arrival`).
    `phase`, `doppler`, `fine_rssi`, `tid` and `search_mode` exist on Impinj readers only.
    """

    connect: Literal["out", "in"] = "out"
    host: HostName | None = None
    port: TcpPort | None = None
    listen_host: HostName = "0.0.0.0"
    listen_port: TcpPort = PORT
    peer: HostName | None = None
    identification: Hex | None = None
    call_timeout: Annotated[float, Field(gt=0, le=86400)] = 60.0
    tls: LlrpTls | None = None

    session: Annotated[int, Field(ge=0, le=3)] = 1
    mode: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    tag_population: Annotated[int, Field(ge=1, le=0xFFFF)] = 32
    report_every: Annotated[int, Field(ge=1, le=0xFFFF)] = 1
    search_mode: Literal["reader", "single-target", "dual-target", "tag-focus"] | None = None
    phase: bool = False
    doppler: bool = False
    fine_rssi: bool = True
    tid: bool = False

    inputs: list[InputSettings] = Field(default_factory=list, max_length=64)
    start: StartTrigger | None = None
    stop: StopTrigger | None = None

    keepalive: Annotated[float, Field(ge=0.1, le=600)] = 2.0
    hold: bool = True
    exclusive: bool = True
    clock: Literal["auto", "trust", "arrival"] = "auto"
    command_timeout: Annotated[float, Field(ge=0.1, le=120)] = 5.0

    def endpoint(self) -> str | None:
        """The host and port that we call, or the address of the reader that calls us."""
        if self.connect == "out":
            return None if self.host is None else f"{self.host.lower().rstrip('.')}:{self.tcp_port}"
        return self.peer

    def files(self) -> dict[str, FileUse]:
        """The files of TLS that the settings name."""
        return {} if self.tls is None else self.tls.files()

    @property
    def tcp_port(self) -> int:
        """The port to connect to."""
        return self.port or (TLS_PORT if self.tls else PORT)

    @property
    def used_inputs(self) -> dict[int, float]:
        """Ports of the inputs in use, those of the triggers included, and the settle time of each in seconds."""
        ports = {trigger.input: 0.0 for trigger in (self.start, self.stop) if trigger and trigger.input}
        return ports | {entry.port: entry.settle for entry in self.inputs}

    @model_validator(mode="after")
    def _consistent(self) -> LlrpSettings:
        if self.connect == "out" and self.host is None:
            raise ValueError("host is missing: write the reader's address, or `connect: in` if the reader calls us")
        if self.connect == "in":
            self._check_caller()
        if self.stop is not None and self.start is None:
            raise ValueError("stop without start: reading would end once and never begin again")
        ports = [entry.port for entry in self.inputs]
        if len(set(ports)) != len(ports):
            raise ValueError("inputs names a port twice")
        return self

    def _check_caller(self) -> None:
        if self.host is not None or self.port is not None:
            raise ValueError(
                "host and port are for `connect: out`; with `connect: in` write peer (the reader's address)"
            )
        if self.peer is None and self.identification is None:
            raise ValueError("with `connect: in` write peer (the reader's address) or identification (hex)")
        if self.peer is not None:
            try:
                ipaddress.ip_address(self.peer)
            except ValueError:
                raise ValueError(f"peer must be an IP address, not {self.peer!r}") from None
        if self.tls is not None and self.tls.cert_file is None:
            raise ValueError("with `connect: in`, TLS needs cert_file and key_file: the reader checks who we are")


SEARCH_MODES = {"reader": 0, "single-target": 1, "dual-target": 2, "tag-focus": 3}
"""Values of Impinj's inventory search mode."""
