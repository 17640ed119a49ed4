"""What can be written for an LLRP reader, and what it becomes on the wire."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from drivers.api import Antenna, DriverError
from drivers.llrp.capabilities import Capabilities, Power, read_capabilities
from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.tables_vendors import IMPINJ
from drivers.llrp.rospec import build_config, build_output, build_rospec, is_ours
from drivers.llrp.settings import LlrpSettings
from tests.support.claims import some
from tests.support.llrp_bench import capabilities

READER = Capabilities(
    antennas=4,
    inputs=4,
    outputs=4,
    can_hold=True,
    powers=tuple(Power(index, 1000 + 25 * index) for index in range(1, 81)),
    modes=(0, 1000, 1002),
    hop_table=3,
)
IMPINJ_READER = Capabilities(**{field: getattr(READER, field) for field in READER.__slots__} | {"vendor": IMPINJ})


def rospec(reader: Capabilities = READER, antennas: tuple[Antenna, ...] = (Antenna(1),), **settings: Any) -> Element:
    return build_rospec(LlrpSettings(host="r", **settings), antennas, reader, structlog.get_logger())


def find(element: Element, name: str) -> Element:
    """The first element of that name anywhere below."""
    found = [each for each in walk(element) if each.name == name]
    assert found, f"{name} is not there"
    return found[0]


def walk(element: Element) -> list[Element]:
    return [element, *(inner for child in element.children for inner in walk(child))]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "host is missing"),
        ({"host": "r", "prot": 5084}, "Extra inputs are not permitted"),
        ({"host": "r", "port": "5084"}, "valid integer"),
        ({"host": "r", "session": 4}, "less than or equal to 3"),
        ({"host": "r", "report_every": 0}, "greater than or equal to 1"),
        ({"host": "r", "keepalive": 0}, "greater than or equal to 0.1"),
        ({"host": "r", "clock": "ntp"}, "'auto', 'trust' or 'arrival'"),
        ({"host": "r", "stop": {"after": 3.0}}, "stop without start"),
        ({"host": "r", "inputs": [{"port": 1}, {"port": 1}]}, "names a port twice"),
        ({"host": "r", "tls": {"cert_file": "c.pem"}}, "go together"),
        ({"host": "r", "tls": {"key": "secret"}}, "Extra inputs"),
        ({"connect": "in"}, "write peer"),
        ({"connect": "in", "peer": "reader-7"}, "peer must be an IP address, not 'reader-7'"),
        ({"connect": "in", "peer": "10.0.0.7", "host": "r"}, "host and port are for `connect: out`"),
        ({"connect": "in", "peer": "10.0.0.7", "tls": {}}, "TLS needs cert_file"),
        ({"connect": "in", "identification": "xyz"}, "String should match pattern"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LlrpSettings(**settings)


@pytest.mark.parametrize(("settings", "port"), [({}, 5084), ({"tls": {}}, 5085), ({"tls": {}, "port": 7}, 7)])
def test_the_port_depends_on_tls(settings: dict[str, Any], port: int) -> None:
    assert LlrpSettings(host="r", **settings).tcp_port == port


def test_inputs_of_triggers_are_in_use_too() -> None:
    settings = LlrpSettings(
        host="r",
        inputs=[{"port": 2, "settle": 0.5}, {"port": 3}],  # type: ignore[list-item]
        start={"input": 1},  # type: ignore[arg-type]
        stop={"input": 2, "after": 5.0},  # type: ignore[arg-type]
    )
    assert settings.used_inputs == {1: 0.0, 2: 0.5, 3: 0.0}


@pytest.mark.parametrize(
    ("dbm", "index"), [(10.25, 1), (10.49, 1), (10.5, 2), (29.99, 79), (30.0, 80)], ids=lambda value: str(value)
)
def test_power_is_the_step_that_is_nearest_and_not_above(dbm: float, index: int) -> None:
    assert READER.power(dbm).index == index


@pytest.mark.parametrize("dbm", [10.24, 30.01, -5.0])
def test_power_out_of_range_names_the_range(dbm: float) -> None:
    with pytest.raises(DriverError, match=r"this reader does 10\.25 to 30 dBm") as caught:
        READER.power(dbm)
    assert caught.value.permanent


def test_power_tables_come_in_any_order() -> None:
    reader = read_capabilities(capabilities(powers=[3000, 1000, 2000]))
    assert [(step.index, step.value) for step in reader.powers] == [(2, 1000), (3, 2000), (1, 3000)]
    assert reader.power(25).index == 3


def test_a_reader_that_says_little_is_taken_as_it_is() -> None:
    reader = read_capabilities(E("GET_READER_CAPABILITIES_RESPONSE"))
    reader.check_antenna(9)
    reader.check_mode(7)
    assert reader.powers == ()


def test_the_rospec_is_what_was_asked_for() -> None:
    antennas = (Antenna(1, 25.0), Antenna(3))
    spec = rospec(antennas=antennas, session=2, mode=1002, tag_population=100, report_every=5)
    assert find(spec, "AISpec")["AntennaIDs"] == [1, 3]
    first, second = [each for each in walk(spec) if each.name == "AntennaConfiguration"]
    assert find(first, "RFTransmitter").fields == {"HopTableID": 3, "ChannelIndex": 1, "TransmitPower": 60}
    assert second.find("RFTransmitter") is None, "no power asked for: the reader's own stays"
    assert find(second, "C1G2SingulationControl").fields == {
        "Session": 2,
        "TagPopulation": 100,
        "TagTransitTime": 0,
    }
    assert find(second, "C1G2RFControl")["ModeIndex"] == 1002
    assert find(spec, "ROReportSpec")["N"] == 5
    assert not [each for each in walk(spec) if each.name.startswith("Impinj")]


def test_reads_stamped_on_arrival_need_no_times() -> None:
    assert find(rospec(clock="arrival"), "TagReportContentSelector")["EnableLastSeenTimestamp"] == 0
    assert find(rospec(), "TagReportContentSelector")["EnableLastSeenTimestamp"] == 1


@pytest.mark.parametrize(
    ("stop", "kind", "duration"),
    [
        ({"after": 2.5}, 1, 2500),
        ({"after": 2.5, "input": 2, "state": True}, 2, 0),
    ],
)
def test_triggers(stop: dict[str, Any], kind: int, duration: int) -> None:
    spec = rospec(start={"input": 1, "state": False}, stop=stop)
    start = find(spec, "ROSpecStartTrigger")
    assert start["ROSpecStartTriggerType"] == 3
    assert start.need("GPITriggerValue").fields == {"GPIPortNum": 1, "GPIEvent": 0, "Timeout": 0}
    end = find(spec, "ROSpecStopTrigger")
    assert (end["ROSpecStopTriggerType"], end["DurationTriggerValue"]) == (kind, duration)
    if kind == 2:
        assert end.need("GPITriggerValue").fields == {"GPIPortNum": 2, "GPIEvent": 1, "Timeout": 2500}


def test_the_number_of_the_rospec_tells_its_content() -> None:
    variants = [
        rospec(),
        rospec(session=2),
        rospec(report_every=2),
        rospec(antennas=(Antenna(2),)),
        rospec(antennas=(Antenna(1, 20.0),)),
        rospec(IMPINJ_READER),
        rospec(IMPINJ_READER, phase=True),
    ]
    numbers = [spec["ROSpecID"] for spec in variants]
    assert len(set(numbers)) == len(numbers)
    assert all(is_ours(number) and number < 1 << 31 for number in some(numbers))
    assert rospec()["ROSpecID"] == numbers[0]
    assert rospec(phase=True)["ROSpecID"] == numbers[0], "only Impinj knows phase"
    assert not any(is_ours(number) for number in (1, 14150, 0x38000000, 0xFFFFFFFF))


@pytest.mark.parametrize("reader", [READER, IMPINJ_READER], ids=["plain", "impinj"])
def test_everything_that_is_built_can_be_sent(reader: Capabilities) -> None:
    everything: dict[str, Any] = {
        "phase": True,
        "doppler": True,
        "tid": True,
        "mode": 1000,
        "search_mode": "tag-focus",
        "inputs": [{"port": 1, "settle": 0.02}],
        "start": {"input": 1},
        "stop": {"input": 1, "after": 9.0},
    }
    settings = LlrpSettings(host="r", **everything)
    bodies = [
        E("ADD_ROSPEC", rospec(reader, (Antenna(1, 20.0), Antenna(2)), **everything)),
        build_config(settings, reader),
        build_output(4, True),
    ]
    for body in bodies:
        frame = encode(Message(body.name, 1, body))
        assert encode(decode(frame)) == frame
    names = {each.name for body in bodies for each in walk(body)}
    assert ("ImpinjGPIDebounceConfiguration" in names) == reader.is_impinj
    assert find(bodies[1], "KeepaliveSpec")["PeriodicTriggerValue"] == 2000
    assert find(bodies[1], "EventsAndReports")["HoldEventsAndReportsUponReconnect"] == 1
    assert find(bodies[2], "GPOWriteData").fields == {"GPOPortNumber": 4, "GPOData": 1}
