"""The configuration of the emulated LLRP reader: what SET_READER_CONFIG changes and GET_READER_CONFIG tells.

It outlives the connection, as on the readers that can hold reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from drivers.emulators.llrp.identity import Identity
from drivers.emulators.llrp.rospecs import check_antenna
from drivers.emulators.llrp.status import Status, bad_field, bad_parameter
from drivers.llrp.protocol.element import E, Element


class Requested(IntEnum):
    """RequestedData of GET_READER_CONFIG."""

    ALL = 0
    IDENTIFICATION = 1
    ANTENNA_PROPERTIES = 2
    ANTENNA_CONFIGURATION = 3
    RO_REPORT_SPEC = 4
    EVENTS = 5
    ACCESS_REPORT_SPEC = 6
    STATE_VALUE = 7
    KEEPALIVE = 8
    INPUTS = 9
    OUTPUTS = 10
    HOLDING = 11


class EventType(IntEnum):
    """Events that a client can switch on and off."""

    HOPPING = 0
    INPUT = 1
    ROSPEC = 2
    BUFFER_WARNING = 3
    EXCEPTION = 4
    SURVEY = 5
    AISPEC = 6
    AISPEC_DETAILS = 7
    ANTENNA = 8


DEFAULT_EVENTS = frozenset({EventType.EXCEPTION, EventType.ANTENNA})
"""As a Speedway comes from the factory."""

_REPORT_CONTENT = {
    "EnableROSpecID": False,
    "EnableSpecIndex": False,
    "EnableInventoryParameterSpecID": False,
    "EnableAntennaID": True,
    "EnableChannelIndex": False,
    "EnablePeakRSSI": True,
    "EnableFirstSeenTimestamp": True,
    "EnableLastSeenTimestamp": False,
    "EnableTagSeenCount": False,
    "EnableAccessSpecID": False,
}


def _default_report_spec() -> Element:
    return E("ROReportSpec", E("TagReportContentSelector", _REPORT_CONTENT), ROReportTrigger=2, N=1)


@dataclass(frozen=True)
class ReaderConfig:
    """`keepalive` in microseconds, 0 for none; `link_down` is Impinj's number of missed acknowledgements, None when
    its link monitor is off; `listening` are the inputs whose changes are told; `revision` counts changes."""

    identity: Identity
    events: frozenset[int] = DEFAULT_EVENTS
    antennas: Mapping[int, Element] = field(default_factory=dict)
    report_spec: Element = field(default_factory=_default_report_spec)
    access_trigger: int = 0
    keepalive: int = 0
    hold: bool = False
    listening: frozenset[int] = frozenset()
    link_down: int | None = None
    revision: int = 1

    def changed(self, request: Element) -> ReaderConfig:
        """The configuration after a SET_READER_CONFIG. Raises Rejected; this one stays as it is."""
        identity = self.identity
        config = ReaderConfig(identity) if request["ResetToFactoryDefault"] else self
        for part in request.children:
            config = _APPLY[part.name](config, part) if part.name in _APPLY else config
        return replace(config, revision=self.revision + 1)

    def outputs(self, request: Element) -> dict[int, bool]:
        """The outputs that a SET_READER_CONFIG switches. Raises Rejected."""
        chosen = {}
        for part in request.all("GPOWriteData"):
            port = part["GPOPortNumber"]
            if not 1 <= port <= self.identity.outputs:
                text = f"output {port} does not exist, the reader has {self.identity.outputs}"
                raise bad_parameter("GPOWriteData", text, Status.P_FIELD_ERROR, field=0)
            chosen[port] = bool(part["GPOData"])
        return chosen


def _events(config: ReaderConfig, part: Element) -> ReaderConfig:
    states = {state["EventType"]: bool(state["NotificationState"]) for state in part.children}
    return replace(config, events=(config.events - states.keys()) | {event for event, on in states.items() if on})


def _antenna(config: ReaderConfig, part: Element) -> ReaderConfig:
    check_antenna(part, config.identity)
    ports = [part["AntennaID"]] if part["AntennaID"] else range(1, config.identity.antennas + 1)
    new = {}
    for port in ports:
        before = config.antennas.get(port) or default_antenna(config.identity, port)
        given = {child.name for child in part.children}
        kept = [child for child in before.children if child.name not in given]
        new[port] = E("AntennaConfiguration", *_in_order([*kept, *part.children]), AntennaID=port)
    return replace(config, antennas={**config.antennas, **new})


def _in_order(children: Iterable[Element]) -> list[Element]:
    order = ("RFReceiver", "RFTransmitter", "C1G2InventoryCommand")
    return sorted(children, key=lambda child: order.index(child.name) if child.name in order else len(order))


def _report_spec(config: ReaderConfig, part: Element) -> ReaderConfig:
    return replace(config, report_spec=part)


def _access_report(config: ReaderConfig, part: Element) -> ReaderConfig:
    return replace(config, access_trigger=part["AccessReportTrigger"])


def _keepalive(config: ReaderConfig, part: Element) -> ReaderConfig:
    period = part["PeriodicTriggerValue"] * 1_000 if part["KeepaliveTriggerType"] else 0
    if part["KeepaliveTriggerType"] and not period:
        raise bad_parameter("KeepaliveSpec", "a periodic keepalive needs a period", Status.P_FIELD_ERROR, field=1)
    return replace(config, keepalive=period)


def _input(config: ReaderConfig, part: Element) -> ReaderConfig:
    port = part["GPIPortNum"]
    if not 1 <= port <= config.identity.inputs:
        text = f"input {port} does not exist, the reader has {config.identity.inputs}"
        raise bad_parameter("GPIPortCurrentState", text, Status.P_FIELD_ERROR, field=0)
    return replace(config, listening=config.listening | {port} if part["Config"] else config.listening - {port})


def _holding(config: ReaderConfig, part: Element) -> ReaderConfig:
    hold = bool(part["HoldEventsAndReportsUponReconnect"])
    if hold and not config.identity.can_hold:
        text = "this reader cannot hold events and reports"
        raise bad_parameter("EventsAndReports", text, Status.P_UNSUPPORTED_PARAMETER)
    return replace(config, hold=hold)


def _link_monitor(config: ReaderConfig, part: Element) -> ReaderConfig:
    return replace(config, link_down=part["LinkDownThreshold"] if part["LinkMonitorMode"] else None)


_APPLY = {
    "ReaderEventNotificationSpec": _events,
    "AntennaConfiguration": _antenna,
    "ROReportSpec": _report_spec,
    "AccessReportSpec": _access_report,
    "KeepaliveSpec": _keepalive,
    "GPIPortCurrentState": _input,
    "EventsAndReports": _holding,
    "ImpinjLinkMonitorConfiguration": _link_monitor,
}


def default_antenna(identity: Identity, port: int) -> Element:
    """An antenna as from the factory: full power, the first mode, session 1."""
    command = E(
        "C1G2InventoryCommand",
        E("C1G2RFControl", ModeIndex=identity.modes[0][0], Tari=0),
        E("C1G2SingulationControl", Session=1, TagPopulation=32, TagTransitTime=0),
        TagInventoryStateAware=False,
    )
    return E(
        "AntennaConfiguration",
        E("RFReceiver", ReceiverSensitivity=1),
        E("RFTransmitter", HopTableID=1, ChannelIndex=0, TransmitPower=len(identity.power_table)),
        command,
        AntennaID=port,
    )


@dataclass(slots=True, frozen=True)
class Surroundings:
    """What is not configuration but is told with it: antennas that are connected, inputs, outputs."""

    connected: frozenset[int]
    inputs: Mapping[int, bool]
    outputs: Mapping[int, bool]


def describe(config: ReaderConfig, around: Surroundings, request: Element) -> list[Element]:
    """The parameters of GET_READER_CONFIG_RESPONSE after the status. Raises Rejected."""
    identity = config.identity
    try:
        requested = Requested(request["RequestedData"])
    except ValueError:
        raise bad_field(1, f"RequestedData {request['RequestedData']} does not exist") from None
    antennas = _ports(request["AntennaID"], identity.antennas, 0, "antenna")
    inputs = _ports(request["GPIPortNum"], identity.inputs, 2, "input")
    outputs = _ports(request["GPOPortNum"], identity.outputs, 3, "output")
    told: dict[Requested, list[Element]] = {
        Requested.IDENTIFICATION: [E("Identification", IDType=0, ReaderID=list(identity.mac))],
        Requested.ANTENNA_PROPERTIES: [
            E("AntennaProperties", AntennaConnected=port in around.connected, AntennaID=port, AntennaGain=0)
            for port in antennas
        ],
        Requested.ANTENNA_CONFIGURATION: [
            config.antennas.get(port) or default_antenna(identity, port) for port in antennas
        ],
        Requested.EVENTS: [
            E(
                "ReaderEventNotificationSpec",
                *(
                    E("EventNotificationState", EventType=event.value, NotificationState=event in config.events)
                    for event in EventType
                ),
            )
        ],
        Requested.RO_REPORT_SPEC: [config.report_spec],
        Requested.ACCESS_REPORT_SPEC: [E("AccessReportSpec", AccessReportTrigger=config.access_trigger)],
        Requested.STATE_VALUE: [E("LLRPConfigurationStateValue", LLRPConfigurationStateValue=config.revision)],
        Requested.KEEPALIVE: [
            E(
                "KeepaliveSpec",
                KeepaliveTriggerType=int(config.keepalive > 0),
                PeriodicTriggerValue=config.keepalive // 1_000,
            )
        ],
        Requested.INPUTS: [
            E("GPIPortCurrentState", GPIPortNum=port, Config=port in config.listening, State=around.inputs[port])
            for port in inputs
        ],
        Requested.OUTPUTS: [E("GPOWriteData", GPOPortNumber=port, GPOData=around.outputs[port]) for port in outputs],
        Requested.HOLDING: [E("EventsAndReports", HoldEventsAndReportsUponReconnect=config.hold)],
    }
    if requested is Requested.ALL:
        return [element for elements in told.values() for element in elements]
    return told[requested]


def _ports(chosen: int, count: int, field: int, what: str) -> list[int]:
    if chosen > count:
        raise bad_field(field, f"{what} {chosen} does not exist, the reader has {count}")
    return [chosen] if chosen else list(range(1, count + 1))
