"""What the reader is told to do: its ROSpec and its configuration, built from the settings.

The number of our ROSpec carries a digest of its content, so that after a reconnect a look at the numbers that the
reader holds says whether it still does what we want. Comparing the content would not do: readers fill in defaults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum

from drivers.api import Antenna, Log
from drivers.llrp.capabilities import Capabilities
from drivers.llrp.protocol.codec import Message, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.tables import enum_name
from drivers.llrp.settings import SEARCH_MODES, LlrpSettings, StartTrigger, StopTrigger

_OURS = 0x37 << 24  # below 2**31: some readers keep the number in a signed integer
_DIGEST_MASK = 0xFFFFFF
_SMALL = 1  # for readers that take no large numbers

_GEN2 = 1
_ALL_ANTENNAS = 0
_ENABLED = 1
_GPI_UNKNOWN = 2
_KEEPALIVES_MISSED = 3

_END_OF_AISPEC, _END_OF_ROSPEC = 1, 2  # when a report comes at the latest, besides after N reads

_EVENTS = (1, 2, 3, 4, 8)  # GPI, ROSpec, report buffer, reader exception, antenna


class Plainer(IntEnum):
    """How much of a ROSpec is left out for a reader that refuses it: each has what those before it have, too."""

    NOTHING = 0
    EXTRAS = 1  # vendors' extensions; session and population, where no power or mode goes with them
    REPORT = 2  # channel and count of reads
    MODE = 3  # the mode, the session and the population
    POWER = 4
    TRIGGER = 5  # a report after so many reads; the reader's other way to say the same is asked for
    REPORT_SPEC = 6  # whatever is said about reports: they are as the reader has them
    NUMBER = 7  # the number that says that it is ours


_LEFT_OUT = {
    Plainer.MODE: "the reader mode",
    Plainer.POWER: "the power of its antennas",
}


def left_out(settings: LlrpSettings, antennas: Sequence[Antenna], plainer: Plainer) -> str:
    """What a ROSpec as plain as that does not have of what is configured, in words for the operator."""
    configured = {
        Plainer.MODE: settings.mode is not None,
        Plainer.POWER: any(antenna.power is not None for antenna in antennas),
    }
    missing = [what for rung, what in _LEFT_OUT.items() if plainer >= rung and configured[rung]]
    return f" without {' and '.join(missing)}" if missing else ""


def is_ours(rospec_id: int) -> bool:
    """Whether a ROSpec of this number was made by this driver."""
    return rospec_id & ~_DIGEST_MASK == _OURS


def build_rospec(
    settings: LlrpSettings,
    antennas: Sequence[Antenna],
    reader: Capabilities,
    log: Log,
    plainer: Plainer = Plainer.NOTHING,
    *,
    starts_itself: bool = False,
) -> Element:
    """The ROSpec that inventories these antennas, from when it is enabled where it `starts_itself`. Raises a permanent
    DriverError for what the reader cannot do."""
    if plainer >= Plainer.EXTRAS:
        reader = replace(reader, extensions=False)
    if plainer >= Plainer.MODE:
        settings = settings.model_copy(update={"mode": None})
    if plainer >= Plainer.POWER:
        antennas = [replace(antenna, power=None) for antenna in antennas]
    rospec = E(
        "ROSpec",
        E("ROBoundarySpec", _start(settings.start, starts_itself=starts_itself), _stop(settings.stop)),
        E(
            "AISpec",
            E("AISpecStopTrigger", AISpecStopTriggerType=0, DurationTrigger=0),
            E(
                "InventoryParameterSpec",
                *(
                    _antenna(settings, antenna, reader, log, bare=plainer >= Plainer.MODE)
                    for antenna in antennas
                    if plainer < Plainer.EXTRAS or antenna.power is not None or settings.mode is not None
                ),
                InventoryParameterSpecID=1,
                ProtocolID=_GEN2,
            ),
            AntennaIDs=[antenna.port for antenna in antennas],
        ),
        *([] if plainer >= Plainer.REPORT_SPEC else [_report(settings, reader, plainer)]),
        ROSpecID=0,
        Priority=0,
        CurrentState=0,
    )
    content = encode(Message("ADD_ROSPEC", 0, E("ADD_ROSPEC", rospec)))
    digest = int.from_bytes(hashlib.sha256(content).digest()[:3], "big")
    rospec.fields["ROSpecID"] = _SMALL if plainer >= Plainer.NUMBER else _OURS | digest
    return rospec


def build_config(settings: LlrpSettings, reader: Capabilities) -> Element:
    """SET_READER_CONFIG: which events to send, keepalives, holding, inputs, and the reader's own link watch."""
    events = [E("EventNotificationState", EventType=event, NotificationState=1) for event in _EVENTS]
    config = E(
        "SET_READER_CONFIG",
        E("ReaderEventNotificationSpec", *events),
        E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=round(settings.keepalive * 1000)),
        ResetToFactoryDefault=0,
    )
    for port in settings.used_inputs:
        reader.check_input(port)
        config.children.append(E("GPIPortCurrentState", GPIPortNum=port, Config=1, State=_GPI_UNKNOWN))
    if reader.can_hold:
        config.children.append(E("EventsAndReports", HoldEventsAndReportsUponReconnect=int(settings.hold)))
    if reader.is_impinj:
        config.children += _impinj_config(settings)
    return config


def config_pieces(config: Element) -> list[Element]:
    """A SET_READER_CONFIG as several, each with one thing that can be refused: each event and each parameter alone."""
    parts: list[Element] = []
    for child in config.children:
        if child.name == "ReaderEventNotificationSpec":
            parts += [E(child.name, event) for event in child.children]
        else:
            parts.append(child)
    return [E(config.name, part, ResetToFactoryDefault=0) for part in parts]


def piece_name(piece: Element) -> str:
    """What a piece of `config_pieces` sets, in words."""
    part = piece.children[0]
    if part.name == "ReaderEventNotificationSpec":
        event = part.children[0]["EventType"]
        return f"events of type {event} ({enum_name('NotificationEventType', event)})"
    return part.name


def build_output(port: int, state: bool) -> Element:
    """SET_READER_CONFIG that switches one output and leaves everything else."""
    return E("SET_READER_CONFIG", E("GPOWriteData", GPOPortNumber=port, GPOData=int(state)), ResetToFactoryDefault=0)


def build_config_request(requested: int) -> Element:
    """GET_READER_CONFIG for one kind of data (0 is all of it) of every antenna and port."""
    return E("GET_READER_CONFIG", AntennaID=_ALL_ANTENNAS, RequestedData=requested, GPIPortNum=0, GPOPortNum=0)


def _start(trigger: StartTrigger | None, *, starts_itself: bool) -> Element:
    if trigger is None:  # none: we start it, which nearly every reader understands; "immediate" fewer do
        return E("ROSpecStartTrigger", ROSpecStartTriggerType=int(starts_itself))
    value = E("GPITriggerValue", GPIPortNum=trigger.input, GPIEvent=int(trigger.state), Timeout=0)
    return E("ROSpecStartTrigger", value, ROSpecStartTriggerType=3)


def _stop(trigger: StopTrigger | None) -> Element:
    if trigger is None:
        return E("ROSpecStopTrigger", ROSpecStopTriggerType=0, DurationTriggerValue=0)
    milliseconds = round(trigger.after * 1000)
    if trigger.input is None:
        return E("ROSpecStopTrigger", ROSpecStopTriggerType=1, DurationTriggerValue=milliseconds)
    value = E("GPITriggerValue", GPIPortNum=trigger.input, GPIEvent=int(trigger.state), Timeout=milliseconds)
    return E("ROSpecStopTrigger", value, ROSpecStopTriggerType=2, DurationTriggerValue=0)


def _antenna(settings: LlrpSettings, antenna: Antenna, reader: Capabilities, log: Log, *, bare: bool) -> Element:
    reader.check_antenna(antenna.port)
    configuration = E("AntennaConfiguration", AntennaID=antenna.port)
    if antenna.power is not None:
        step = reader.power(antenna.power)
        log.info("transmit power", antenna=antenna.port, wanted_dbm=antenna.power, set_dbm=step.value / 100)
        configuration.children.append(
            E("RFTransmitter", HopTableID=reader.hop_table, ChannelIndex=1, TransmitPower=step.index)
        )
    if not bare:
        configuration.children.append(_inventory(settings, reader))
    return configuration


def _inventory(settings: LlrpSettings, reader: Capabilities) -> Element:
    command = E("C1G2InventoryCommand", TagInventoryStateAware=0)
    if settings.mode is not None:
        reader.check_mode(settings.mode)
        command.children.append(E("C1G2RFControl", ModeIndex=settings.mode, Tari=0))
    command.children.append(
        E("C1G2SingulationControl", Session=settings.session, TagPopulation=settings.tag_population, TagTransitTime=0)
    )
    if reader.is_impinj and settings.search_mode is not None:
        command.children.append(E("ImpinjInventorySearchMode", InventorySearchMode=SEARCH_MODES[settings.search_mode]))
    return command


def _report(settings: LlrpSettings, reader: Capabilities, plainer: Plainer) -> Element:
    is_full = plainer < Plainer.REPORT
    content = E(
        "TagReportContentSelector",
        EnableROSpecID=0,
        EnableSpecIndex=0,
        EnableInventoryParameterSpecID=0,
        EnableAntennaID=1,
        EnableChannelIndex=int(is_full),
        EnablePeakRSSI=1,
        EnableFirstSeenTimestamp=0,
        EnableLastSeenTimestamp=int(settings.clock != "arrival"),
        EnableTagSeenCount=int(is_full),
        EnableAccessSpecID=0,
    )
    trigger = _END_OF_ROSPEC if plainer >= Plainer.TRIGGER else _END_OF_AISPEC
    report = E("ROReportSpec", content, ROReportTrigger=trigger, N=settings.report_every)
    if reader.is_impinj:
        report.children += _impinj_content(settings)
    return report


def _impinj_content(settings: LlrpSettings) -> list[Element]:
    wanted = [
        (settings.tid, E("ImpinjEnableSerializedTID", SerializedTIDMode=_ENABLED)),
        (settings.phase, E("ImpinjEnableRFPhaseAngle", RFPhaseAngleMode=_ENABLED)),
        (settings.fine_rssi, E("ImpinjEnablePeakRSSI", PeakRSSIMode=_ENABLED)),
        (settings.doppler, E("ImpinjEnableRFDopplerFrequency", RFDopplerFrequencyMode=_ENABLED)),
    ]
    chosen = [element for is_wanted, element in wanted if is_wanted]
    return [E("ImpinjTagReportContentSelector", *chosen)] if chosen else []


def _impinj_config(settings: LlrpSettings) -> list[Element]:
    """The reader's link watch (without it a half-open link blocks every later connection) and debounced inputs."""
    watch = E("ImpinjLinkMonitorConfiguration", LinkMonitorMode=_ENABLED, LinkDownThreshold=_KEEPALIVES_MISSED)
    debounced = [
        E("ImpinjGPIDebounceConfiguration", GPIPortNum=port, GPIDebounceTimerMSec=round(settle * 1000))
        for port, settle in settings.used_inputs.items()
    ]
    return [watch, *debounced]
