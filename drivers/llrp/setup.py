"""Setting up a reader after its greeting: what is asked, in which order, and what holds when it is refused.

`STEPS` is the order. Each step asks one thing (or nothing, and is passed over), takes in the answer and names the next
state. What a reader refuses or answers oddly is unknown from then on, with a warning, and the setup goes on: only a
reader that cannot be made to read ends it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from drivers.api import Antenna, DriverError, Log
from drivers.llrp.capabilities import Capabilities, read_capabilities
from drivers.llrp.commands import NO_ANSWER, Refusal
from drivers.llrp.memory import Memory
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.rospec import (
    Plainer,
    build_config,
    build_config_request,
    build_rospec,
    config_pieces,
    left_out,
    piece_name,
)
from drivers.llrp.settings import LlrpSettings
from drivers.llrp.specs import Specs

VERSION_1_0_1 = 1
VERSION_1_1 = 2

VERSION_SILENCE = 2.0
"""A reader that knows only LLRP 1.0.1 may say nothing to the question about versions. Not worth a longer wait."""

EVENTS_AND_REPORTS = 11
"""What GET_READER_CONFIG is asked for when only the answer matters: it is one byte long."""

ALL = 0

_Answer = TypeVar("_Answer")


class State(StrEnum):
    """The states of a connection, in the order in which it goes through them. The values complete "while ..."."""

    GREETING = "waiting for the reader's greeting"
    VERSION = "asking for the protocol version"
    SET_VERSION = "agreeing on the protocol version"
    CAPABILITIES = "asking for the reader's capabilities"
    EXTENSIONS = "enabling the vendor's extensions"
    LOOK = "asking for the reader's configuration"
    CONFIGURE = "configuring the reader"
    ACCESSSPECS = "asking for the reader's AccessSpecs"
    ROSPECS = "asking for the reader's ROSpecs"
    RECONCILE = "putting our ROSpec in place"
    RELEASE = "waiting for the reads that the reader held"
    READING = "reading"
    CLOSING = "closing"
    CLOSED = "closed"


class Setup:
    """What is found out and decided on the way. The attributes are valid once their step is done."""

    def __init__(
        self, settings: LlrpSettings, antennas: Sequence[Antenna], peer: str, log: Log, memory: Memory
    ) -> None:
        self._settings = settings
        self._antennas = antennas
        self._peer = peer
        self._log = log
        self._memory = memory
        self._reader_version = VERSION_1_0_1
        self._config: deque[Element] = deque()
        self._is_whole = True  # the configuration goes as one message
        self.version = VERSION_1_0_1
        self.reader = Capabilities()
        self.found = Element("GET_READER_CONFIG_RESPONSE")
        self.looked = False  # whether the reader is the right one has been checked as far as it can be
        self.specs = Specs(settings, memory, peer, log, self._build)
        self.refused: list[str] = []  # settings that the reader did not take, in words

    @property
    def held(self) -> bool:
        """The reader went on reading while it was not connected, and kept the reads."""
        reports = self.found.find("EventsAndReports")
        return self.specs.was_in_place and reports is not None and bool(reports["HoldEventsAndReportsUponReconnect"])

    def ask_version(self) -> Element | None:
        """Which versions does the reader speak? Not asked of one that is known to speak the first only."""
        return E("GET_SUPPORTED_VERSION") if self._memory.ask_version else None

    def took_version(self, answer: Element) -> None:
        """The reader says which versions of LLRP it speaks."""
        self._reader_version = answer["CurrentVersion"]
        self.version = VERSION_1_1 if answer["SupportedVersion"] >= VERSION_1_1 else VERSION_1_0_1

    def no_version(self, refusal: Refusal) -> None:
        """The reader does not know the question, which came with LLRP 1.1."""
        self._log.debug("the reader speaks LLRP 1.0.1", answer=str(refusal))

    def ask_set_version(self) -> Element | None:
        """From here on we speak another version than the reader does now."""
        if self.version == self._reader_version:
            return None
        return E("SET_PROTOCOL_VERSION", ProtocolVersion=self.version)

    def no_set_version(self, refusal: Refusal) -> None:
        """The reader refuses a version that it has offered."""
        self.version = VERSION_1_0_1
        self._log.warning("the reader offers LLRP 1.1 and refuses it; going on with 1.0.1", reason=str(refusal))

    def ask_capabilities(self) -> Element:
        """What can the reader do?"""
        return E("GET_READER_CAPABILITIES", RequestedData=ALL)

    def took_capabilities(self, answer: Element) -> None:
        """Takes what the reader can do."""
        self.reader = read_capabilities(answer)

    def no_capabilities(self, refusal: Refusal) -> None:
        """The reader does not say what it can do: what every reader can do has to be enough."""
        self._log.warning("the reader does not tell its capabilities; going on without them", reason=str(refusal))

    def ask_extensions(self) -> Element | None:
        """An Impinj reader is asked to use its maker's extensions."""
        return E("IMPINJ_ENABLE_EXTENSIONS") if self.reader.is_impinj else None

    def no_extensions(self, refusal: Refusal) -> None:
        """The reader refuses the extensions of its vendor."""
        self.reader = replace(self.reader, extensions=False)
        self._log.warning("the reader refuses Impinj's extensions; going on without them", reason=str(refusal))

    def ask_look(self) -> Element:
        """What is the reader's configuration, before we change it?"""
        return build_config_request(ALL)

    def took_look(self, answer: Element) -> None:
        """Takes the reader's configuration; a reader with another identification than ours is not ours."""
        self.found, self.looked = answer, True
        identification = answer.find("Identification")
        wanted = self._settings.identification
        if wanted is None or identification is None:
            return
        found = bytes(identification["ReaderID"]).hex().upper()
        if found != wanted.upper():
            raise DriverError(
                f"{self._peer}: this is reader {found}, not {wanted.upper()}: correct its address or `identification`"
            )

    def no_look(self, refusal: Refusal) -> None:
        """The reader does not tell its configuration."""
        self.looked = True
        self._log.warning("the reader does not tell its configuration", reason=str(refusal))

    def ask_configure(self) -> Element | None:
        """The configuration that we want, in as many messages as the reader needs."""
        if self._is_whole and not self._config:
            self._leave_out_unknown_powers()
            self.specs.prepare()
            self._config.append(build_config(self._settings, self.reader))
        return self._config[0] if self._config else None

    def _build(self, plainer: Plainer) -> Element:
        starts_itself = self._memory.starts_itself
        return build_rospec(
            self._settings, self._antennas, self.reader, self._log, plainer, starts_itself=starts_itself
        )

    @property
    def left_out(self) -> list[str]:
        """What the reader did not take of what it was to do, in words."""
        plainer = self._memory.plainer
        if plainer is Plainer.NOTHING:
            return self.refused
        without = left_out(self._settings, self._antennas, plainer)
        return [*self.refused, f"our ROSpec as configured (a plainer one is in its place{without})"]

    def _leave_out_unknown_powers(self) -> None:
        """A power is a row of a table that the reader tells: without one, the power stays as it is."""
        if self.reader.powers or all(antenna.power is None for antenna in self._antennas):
            return
        self._refused("the power of its antennas", Refusal("the reader does not tell its transmit power table"))
        self._antennas = [replace(antenna, power=None) for antenna in self._antennas]

    def took_configure(self, _answer: Element) -> None:
        """One part of the configuration is in place."""
        self._config.popleft()
        self._is_whole = False

    def no_configure(self, refusal: Refusal) -> None:
        """One thing that a reader does not know makes it refuse all that came with it: they are sent one by one."""
        piece = self._config.popleft()
        if refusal is NO_ANSWER:
            self._is_whole = False
            self._refused(piece.name, refusal)
        elif self._is_whole:
            self._is_whole = False
            self._log.warning("the reader refuses its configuration; sending it piece by piece", reason=str(refusal))
            self._config.extend(config_pieces(piece))
        else:
            self._refused(piece_name(piece), refusal)

    def _refused(self, what: str, refusal: Refusal) -> None:
        self.refused.append(what)
        self._log.warning("the reader refuses a setting; going on without it", setting=what, reason=str(refusal))

    def ask_access_specs(self) -> Element:
        """Which AccessSpecs does the reader have?"""
        return E("GET_ACCESSSPECS")

    def ask_rospecs(self) -> Element:
        """Which ROSpecs does the reader have?"""
        return E("GET_ROSPECS")

    def ask_reconcile(self) -> Element | None:
        """The next command of those that bring the reader to what we want."""
        return self.specs.next()

    def ask_release(self) -> Element:
        """The last message: events and held reports may come now."""
        return build_config_request(EVENTS_AND_REPORTS)

    def nothing(self, _answer: Element | Refusal) -> None:
        """Only that an answer came matters."""


@dataclass(slots=True, frozen=True)
class Step:
    """`ask` gives the request, or None where there is nothing to ask; `refused` says what then holds. `repeats` asks
    again until there is nothing to ask."""

    ask: Callable[[Setup], Element | None]
    answered: Callable[[Setup, Element], None]
    refused: Callable[[Setup, Refusal], None]
    then: State
    repeats: bool = False


def _of_specs(method: Callable[[Specs, _Answer], None]) -> Callable[[Setup, _Answer], None]:
    return lambda setup, answer: method(setup.specs, answer)


STEPS: dict[State, Step] = {
    State.VERSION: Step(Setup.ask_version, Setup.took_version, Setup.no_version, State.SET_VERSION),
    State.SET_VERSION: Step(Setup.ask_set_version, Setup.nothing, Setup.no_set_version, State.CAPABILITIES),
    State.CAPABILITIES: Step(Setup.ask_capabilities, Setup.took_capabilities, Setup.no_capabilities, State.EXTENSIONS),
    State.EXTENSIONS: Step(Setup.ask_extensions, Setup.nothing, Setup.no_extensions, State.LOOK),
    State.LOOK: Step(Setup.ask_look, Setup.took_look, Setup.no_look, State.CONFIGURE),
    State.CONFIGURE: Step(
        Setup.ask_configure, Setup.took_configure, Setup.no_configure, State.ACCESSSPECS, repeats=True
    ),
    State.ACCESSSPECS: Step(
        Setup.ask_access_specs, _of_specs(Specs.took_access_specs), _of_specs(Specs.no_access_specs), State.ROSPECS
    ),
    State.ROSPECS: Step(Setup.ask_rospecs, _of_specs(Specs.took_rospecs), _of_specs(Specs.no_rospecs), State.RECONCILE),
    State.RECONCILE: Step(Setup.ask_reconcile, _of_specs(Specs.took), _of_specs(Specs.no), State.RELEASE, repeats=True),
    State.RELEASE: Step(Setup.ask_release, Setup.nothing, Setup.nothing, State.READING),
}
