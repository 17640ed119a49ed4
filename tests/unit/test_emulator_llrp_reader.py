"""The emulated LLRP reader on virtual time: versions, capabilities, configuration, events, holding, counters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.emulators.llrp.identity import IDENTITIES
from drivers.emulators.scene import population, serials
from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E
from tests.support.virtual_reader import MS, START, VirtualClient, code, epc, events, rospec, tags

SUCCESS, PARAMETER_ERROR, FIELD_ERROR, MISSING, UNSUPPORTED_MESSAGE, UNSUPPORTED_VERSION = 0, 100, 101, 103, 109, 110
GPI, ROSPEC, BUFFER_WARNING, ANTENNA = 1, 2, 3, 8


def connected(identity="impinj-r420", scene=None, **options) -> VirtualClient:
    client = VirtualClient(scene or population(5, 100, miss=0), identity, **options)
    client.connect()
    return client


def test_the_first_message_says_that_the_connection_is_accepted():
    client = VirtualClient(population(5, 100), "impinj-r420")
    (first,) = client.connect()
    assert events([first]) == [E("ConnectionAttemptEvent", Status=0)]
    assert first.version == 1
    assert first.body.need("ReaderEventNotificationData").children[0] == E("UTCTimestamp", Microseconds=START)


def test_a_reader_without_utc_tells_uptime():
    client = VirtualClient(population(5, 100), "uptime-only")
    (first,) = client.connect()
    assert first.body.need("ReaderEventNotificationData").children[0].name == "Uptime"


def test_a_wrong_clock():
    client = VirtualClient(population(5, 100, late=0), "impinj-r420", clock_error=3_000_000)
    (first,) = client.connect()
    assert first.body.need("ReaderEventNotificationData").children[0]["Microseconds"] == START + 3_000_000
    client.run(rospec())
    tag = tags(client.pass_time(100))[0]
    assert tag.need("FirstSeenTimestampUTC")["Microseconds"] - START == pytest.approx(3_000_000, abs=100_000)


# Versions


def test_version_negotiation():
    client = connected("impinj-r700")
    response = client.ask(E("GET_SUPPORTED_VERSION"), version=2)
    assert (response.body["CurrentVersion"], response.body["SupportedVersion"], code(response)) == (1, 2, SUCCESS)
    assert code(client.ask(E("GET_ROSPECS"), version=2)) == UNSUPPORTED_VERSION
    assert code(client.ask(E("SET_PROTOCOL_VERSION", ProtocolVersion=2), version=2)) == SUCCESS
    client.run(rospec())
    assert {m.version for m in client.pass_time(100)} == {2}
    assert code(client.ask(E("SET_PROTOCOL_VERSION", ProtocolVersion=3), version=2)) == UNSUPPORTED_VERSION


@pytest.mark.parametrize("body", [E("GET_SUPPORTED_VERSION"), E("GET_ROSPECS")])
def test_a_1_0_1_reader_refuses_version_2(body):
    response = connected("generic").ask(body, version=2)
    assert response.name == "ERROR_MESSAGE"
    assert response.version == 2
    assert code(response) == UNSUPPORTED_VERSION


def test_a_new_connection_begins_with_1_0_1():
    client = connected("impinj-r700")
    client.ask(E("SET_PROTOCOL_VERSION", ProtocolVersion=2), version=2)
    client.reader.disconnect(client.now, [])
    (first,) = client.connect()
    assert first.version == 1


# Hostile and unsupported messages


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (encode(Message("UNKNOWN_900", 7, E("UNKNOWN_900", data=b"abc"))), UNSUPPORTED_MESSAGE),
        (encode(Message("CLIENT_REQUEST_OP", 7, E("CLIENT_REQUEST_OP"))), UNSUPPORTED_MESSAGE),
        (
            encode(
                Message("CUSTOM_MESSAGE", 7, E("CUSTOM_MESSAGE", VendorIdentifier=1, MessageSubtype=2, Data=b"")),
            ),
            UNSUPPORTED_MESSAGE,
        ),
        (b"\x04\x15\x00\x00\x00\x0b\x00\x00\x00\x07\x01", PARAMETER_ERROR),  # DELETE_ROSPEC with 1 byte of 4
        (b"\x04\x14\x00\x00\x00\x0e\x00\x00\x00\x07\x00\xb1\xff\xff", PARAMETER_ERROR),  # a length beyond the end
    ],
    ids=["unknown", "not ours", "vendor's", "short", "overlong"],
)
def test_what_cannot_be_done_is_an_error_message(data, status):
    client = connected()
    (response,) = client.send(E("x"), data=data)
    assert (response.name, response.id, code(response)) == ("ERROR_MESSAGE", 7, status)
    assert code(client.ask(E("GET_ROSPECS"))) == SUCCESS


def test_a_missing_parameter_is_named():
    response = connected().ask(E("ADD_ROSPEC"))
    assert response.name == "ADD_ROSPEC_RESPONSE"
    assert code(response) == MISSING


def test_nobody_answers_an_error_message():
    status = E("LLRPStatus", StatusCode=100, ErrorDescription="")
    assert connected().send(E("ERROR_MESSAGE", status)) == []


# Capabilities and configuration


@pytest.mark.parametrize("identity", IDENTITIES)
def test_capabilities(identity):
    model = IDENTITIES[identity]
    client = connected(identity)
    body = client.ask(E("GET_READER_CAPABILITIES", RequestedData=0)).body
    names = ["LLRPStatus", "GeneralDeviceCapabilities", "LLRPCapabilities", "RegulatoryCapabilities"]
    assert [child.name for child in body.children] == [*names, "C1G2LLRPCapabilities"]
    for requested, name in enumerate([*names[1:], "C1G2LLRPCapabilities"], 1):
        part = client.ask(E("GET_READER_CAPABILITIES", RequestedData=requested)).body
        assert [child.name for child in part.children] == ["LLRPStatus", name]
    general = body.need("GeneralDeviceCapabilities")
    assert general["MaxNumberOfAntennaSupported"] == len(general.all("PerAntennaAirProtocol")) == model.antennas
    assert general["HasUTCClockCapability"] is model.has_utc
    band = body.need("RegulatoryCapabilities").need("UHFBandCapabilities")
    powers = [(entry["Index"], entry["TransmitPowerValue"]) for entry in band.all("TransmitPowerLevelTableEntry")]
    assert powers[0] == (1, model.powers[0])
    assert powers[-1] == (len(powers), model.powers[1])
    hops = band.need("FrequencyInformation").need("FrequencyHopTable")["Frequency"]
    assert sorted(hops) == list(range(902_750, 927_251, 500))
    assert [e["ModeIdentifier"] for e in band.need("C1G2UHFRFModeTable").children] == [m[0] for m in model.modes]


def test_capabilities_that_do_not_exist():
    assert code(connected().ask(E("GET_READER_CAPABILITIES", RequestedData=5))) == FIELD_ERROR


def config(client, requested=0, antenna=0, gpi=0, gpo=0):
    return client.ask(
        E("GET_READER_CONFIG", AntennaID=antenna, RequestedData=requested, GPIPortNum=gpi, GPOPortNum=gpo)
    )


@pytest.mark.parametrize("identity", IDENTITIES)
def test_everything_in_the_configuration(identity):
    model = IDENTITIES[identity]
    body = config(connected(identity)).body
    counts = {name: len(body.all(name)) for name in dict.fromkeys(child.name for child in body.children)}
    assert counts == {
        "LLRPStatus": 1,
        "Identification": 1,
        "AntennaProperties": model.antennas,
        "AntennaConfiguration": model.antennas,
        "ReaderEventNotificationSpec": 1,
        "ROReportSpec": 1,
        "AccessReportSpec": 1,
        "LLRPConfigurationStateValue": 1,
        "KeepaliveSpec": 1,
        "GPIPortCurrentState": model.inputs,
        "GPOWriteData": model.outputs,
        "EventsAndReports": 1,
    }


def test_configuration_is_kept():
    client = connected()
    antenna = E("AntennaConfiguration", E("RFTransmitter", HopTableID=1, ChannelIndex=0, TransmitPower=21), AntennaID=2)
    keepalive = E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=5000)
    before = config(client, 7).body.need("LLRPConfigurationStateValue")
    assert client.configure(antenna, keepalive, E("GPIPortCurrentState", GPIPortNum=3, Config=True, State=2)) == SUCCESS
    powers = [a.need("RFTransmitter")["TransmitPower"] for a in config(client, 3).body.all("AntennaConfiguration")]
    assert powers == [81, 21, 81, 81]
    assert config(client, 3, antenna=2).body.all("AntennaConfiguration")[0].need("C1G2InventoryCommand")
    assert config(client, 8).body.need("KeepaliveSpec") == keepalive
    assert [gpi["Config"] for gpi in config(client, 9).body.all("GPIPortCurrentState")] == [False, False, True, False]
    assert config(client, 7).body.need("LLRPConfigurationStateValue") != before
    assert client.configure(reset=True) == SUCCESS
    assert config(client, 8).body.need("KeepaliveSpec")["KeepaliveTriggerType"] == 0


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (E("AntennaConfiguration", AntennaID=5), "antenna 5"),
        (
            E("AntennaConfiguration", E("RFTransmitter", HopTableID=1, ChannelIndex=0, TransmitPower=82), AntennaID=1),
            "index 82",
        ),
        (E("GPOWriteData", GPOPortNumber=9, GPOData=True), "output 9"),
        (E("GPIPortCurrentState", GPIPortNum=0, Config=True, State=2), "input 0"),
        (E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=0), "period"),
        (E("ImpinjLinkMonitorConfiguration", LinkMonitorMode=1, LinkDownThreshold=3), "IMPINJ_ENABLE_EXTENSIONS"),
    ],
)
def test_a_wrong_configuration_is_refused_whole(part, says):
    client = connected()
    response = client.ask(
        E("SET_READER_CONFIG", E("GPOWriteData", GPOPortNumber=1, GPOData=True), part, ResetToFactoryDefault=False)
    )
    assert code(response) == PARAMETER_ERROR
    assert says in response.body.need("LLRPStatus")["ErrorDescription"]
    assert client.reader.outputs[1] is False
    assert client.reader.config.revision == 1


@pytest.mark.parametrize("wrong", [{"requested": 12}, {"antenna": 5}, {"gpi": 9}, {"gpo": 9}])
def test_configuration_that_does_not_exist(wrong):
    assert code(config(connected(), **wrong)) == FIELD_ERROR


def test_outputs_are_seen():
    switched = []
    client = connected(on_output=lambda port, state: switched.append((port, state)))
    assert client.configure(E("GPOWriteData", GPOPortNumber=2, GPOData=True)) == SUCCESS
    assert switched == [(2, True)]
    assert [gpo["GPOData"] for gpo in config(client, 10).body.all("GPOWriteData")] == [False, True, False, False]


def test_reset_to_factory_default_removes_rospecs():
    client = connected()
    client.run(rospec())
    assert client.configure(reset=True) == SUCCESS
    assert client.ask(E("GET_ROSPECS")).body.all("ROSpec") == []


def test_a_reader_that_cannot_hold_says_so():
    client = connected(replace(IDENTITIES["generic"], can_hold=False))
    assert client.configure(E("EventsAndReports", HoldEventsAndReportsUponReconnect=True)) == PARAMETER_ERROR


def test_impinj_extensions():
    client = connected()
    monitor = E("ImpinjLinkMonitorConfiguration", LinkMonitorMode=1, LinkDownThreshold=3)
    assert code(client.ask(E("IMPINJ_ENABLE_EXTENSIONS"))) == SUCCESS
    assert client.configure(monitor) == SUCCESS
    assert code(connected("zebra-fx9600").ask(E("IMPINJ_ENABLE_EXTENSIONS"))) == UNSUPPORTED_MESSAGE


# AccessSpecs


def access_spec(identity=1, state=False):
    command = E(
        "AccessCommand",
        E("C1G2TagSpec", E("C1G2TargetTag", MB=1, Match=True, Pointer=32, TagMask=(0, b""), TagData=(0, b""))),
        E("C1G2Read", OpSpecID=1, AccessPassword=0, MB=2, WordPointer=0, WordCount=6),
    )
    return E(
        "AccessSpec",
        E("AccessSpecStopTrigger", AccessSpecStopTrigger=0, OperationCountValue=0),
        command,
        AccessSpecID=identity,
        AntennaID=0,
        ProtocolID=1,
        CurrentState=state,
        ROSpecID=0,
    )


def test_access_specs_are_acknowledged():
    client = connected()
    assert code(client.ask(E("ADD_ACCESSSPEC", access_spec()))) == SUCCESS
    assert code(client.ask(E("ADD_ACCESSSPEC", access_spec()))) == PARAMETER_ERROR
    assert code(client.ask(E("ADD_ACCESSSPEC", access_spec(0)))) == PARAMETER_ERROR
    assert code(client.ask(E("ADD_ACCESSSPEC", access_spec(2, state=True)))) == PARAMETER_ERROR
    assert code(client.ask(E("ENABLE_ACCESSSPEC", AccessSpecID=1))) == SUCCESS
    assert [s["CurrentState"] for s in client.ask(E("GET_ACCESSSPECS")).body.all("AccessSpec")] == [True]
    assert code(client.ask(E("DISABLE_ACCESSSPEC", AccessSpecID=2))) == FIELD_ERROR
    assert code(client.ask(E("DELETE_ACCESSSPEC", AccessSpecID=0))) == SUCCESS
    assert client.ask(E("GET_ACCESSSPECS")).body.all("AccessSpec") == []


# Keepalives, events, closing


def keepalives(client, milliseconds, ack):
    count = 0
    for _ in range(milliseconds // 10):
        got = [m for m in client.pass_time(10) if m.name == "KEEPALIVE"]
        count += len(got)
        if ack and got:
            client.send(E("KEEPALIVE_ACK"))
    return count


def test_keepalives_come_at_their_period():
    client = connected()
    client.configure(E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=500))
    assert keepalives(client, 5000, ack=True) == 10


@pytest.mark.parametrize(
    ("identity", "monitor", "sent"), [("generic", None, 5), ("impinj-r420", 3, 3), ("impinj-r420", None, 20)]
)
def test_a_client_that_does_not_acknowledge(identity, monitor, sent):
    client = connected(identity)
    if monitor:
        client.ask(E("IMPINJ_ENABLE_EXTENSIONS"))
        client.configure(E("ImpinjLinkMonitorConfiguration", LinkMonitorMode=1, LinkDownThreshold=monitor))
    client.configure(E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=500))
    assert keepalives(client, 10_000, ack=False) == sent
    assert client.reader.closing is (sent < 20)
    assert bool(events(client.received, "ConnectionCloseEvent")) is (sent < 20)


def test_a_keepalive_comes_after_the_reads_that_are_due():
    client = connected()
    client.configure(E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=100))
    client.run(rospec(n=4))
    for _ in range(50):
        client.now += 10 * MS
        client.reader.tick(client.now)
    names = [m.name for m in client.pump()]
    due_before = [names[:at].count("RO_ACCESS_REPORT") for at, name in enumerate(names) if name == "KEEPALIVE"]
    assert due_before == [(100 * k) // 40 for k in range(1, 6)]


def test_only_the_events_asked_for():
    client = connected()
    client.configure(E("GPIPortCurrentState", GPIPortNum=1, Config=True, State=2))
    client.reader.set_input(1, True, client.now)
    client.reader.set_antenna(1, False, client.now)
    assert events(client.pump()) == [E("AntennaEvent", EventType=0, AntennaID=1)]
    client.events_on(GPI)
    client.reader.set_input(1, False, client.now)
    client.reader.set_input(1, False, client.now)
    assert events(client.pump()) == [E("GPIEvent", GPIPortNumber=1, GPIEvent=False)]
    assert config(client, 9, gpi=1).body.need("GPIPortCurrentState")["State"] == 0
    assert config(client, 2).body.all("AntennaProperties")[0]["AntennaConnected"] is False


def test_close_connection_answers_after_what_is_due_and_then_nothing():
    client = connected()
    client.run(rospec(n=0))
    client.pass_time(200)
    messages = client.send(E("CLOSE_CONNECTION"))
    assert messages[-1].name == "CLOSE_CONNECTION_RESPONSE"
    assert client.reader.closing
    assert client.pass_time(200) == []
    assert client.send(E("GET_ROSPECS")) == []


def test_a_second_client_is_refused_and_the_first_is_told():
    client = connected()
    for initiated, status in ((False, 2), (True, 1)):
        refusal = decode(client.reader.refuse(client.now, reader_initiated=initiated))
        assert events([refusal]) == [E("ConnectionAttemptEvent", Status=status)]
        assert events(client.pump()) == [E("ConnectionAttemptEvent", Status=4)]
    assert code(client.ask(E("GET_ROSPECS"))) == SUCCESS


# Holding


def numbers(messages):
    return [epc(tag) for tag in tags(messages)]


def test_reads_are_held_while_nobody_is_connected():
    client = connected(scene=serials(100, late=0))
    client.hold()
    client.run(rospec())
    before = numbers(client.pass_time(300))
    client.reader.disconnect(client.now, [])
    assert client.pass_time(500) == []
    (first,) = client.connect()
    assert events([first]) == [E("ConnectionAttemptEvent", Status=0)]
    assert tags(client.pass_time(200)) == []
    assert len(client.reader.buffer) == 70
    after = numbers(client.send(E("ENABLE_EVENTS_AND_REPORTS"))) + numbers(client.pass_time(300))
    assert before + after == sorted(before + after)
    assert len(set(before + after)) == 130
    assert client.reader.counters.held == 70
    assert client.reader.counters.sent == client.reader.counters.made == 130


def test_answers_come_after_the_reads_that_were_held():
    client = connected(scene=serials(100))
    client.hold()
    client.run(rospec())
    client.reader.disconnect(client.now, [])
    client.pass_time(500)
    client.connect()
    requests = [Message(body.name, 7, body) for body in (E("ENABLE_EVENTS_AND_REPORTS"), E("GET_ROSPECS"))]
    names = [message.name for message in client.send(E("x"), data=b"".join(map(encode, requests)))]
    assert names[-1] == "GET_ROSPECS_RESPONSE"
    assert set(names[:-1]) == {"RO_ACCESS_REPORT"}


def test_get_report_does_not_end_the_hold():
    client = connected(scene=serials(100))
    client.hold()
    client.run(rospec())
    client.reader.disconnect(client.now, [])
    client.pass_time(100)
    client.connect()
    (report,) = client.send(E("GET_REPORT"))
    assert tags([report]) == []
    assert tags(client.send(E("ENABLE_EVENTS_AND_REPORTS"))) != []


def test_without_hold_reads_are_discarded_and_counted():
    client = connected(scene=serials(100))
    client.run(rospec())
    client.pass_time(300)
    client.reader.disconnect(client.now, [])
    client.pass_time(500)
    client.connect()
    assert client.reader.counters.discarded == 50
    assert len(tags(client.pass_time(200))) == 20


def test_the_buffer_is_bounded_warns_and_says_what_it_lost():
    client = connected(scene=serials(100, late=0), hold_buffer=50)
    client.hold()
    client.events_on(BUFFER_WARNING)
    client.run(rospec())
    client.reader.disconnect(client.now, [])
    client.pass_time(1000)
    counters = client.reader.counters
    assert (len(client.reader.buffer), counters.overflowed) == (50, 50)
    client.connect()
    messages = client.send(E("ENABLE_EVENTS_AND_REPORTS"))
    assert len(tags(messages)) == 50
    warning, overflow = events(messages)
    assert warning == E("ReportBufferLevelWarningEvent", ReportBufferPercentageFull=80)
    assert overflow == E("ReportBufferOverflowErrorEvent")
    assert [m.name for m in messages][-1] == "READER_EVENT_NOTIFICATION"
    assert counters.made == counters.sent + counters.overflowed


def test_a_client_that_does_not_listen_fills_the_buffer_too():
    client = connected(scene=serials(1000, late=0), hold_buffer=100)
    client.run(rospec())
    for _ in range(50):
        client.now += 10 * MS
        client.reader.tick(client.now)
    assert len(client.reader.buffer) == 100
    assert client.reader.counters.overflowed == 400
    assert events(client.pump(), "ReportBufferOverflowErrorEvent")
    client.pass_time(500)
    assert client.reader.counters.overflowed == 400


def test_events_are_held_too_in_bounds():
    client = connected()
    client.hold()
    client.events_on(GPI)
    client.configure(E("GPIPortCurrentState", GPIPortNum=1, Config=True, State=2))
    client.reader.disconnect(client.now, [])
    for number in range(3000):
        client.now += MS
        client.reader.set_input(1, number % 2 == 0, client.now)
    client.connect()
    held = events(client.send(E("ENABLE_EVENTS_AND_REPORTS")))
    assert len(held) == 1000
    assert held[-1]["GPIEvent"] is False


@pytest.mark.parametrize(("identity", "cleared"), [("impinj-r420", True), ("generic", False)])
def test_deleting_a_rospec_clears_its_reports_on_some_readers(identity, cleared):
    client = connected(identity)
    client.hold()
    client.run(rospec())
    client.reader.disconnect(client.now, [])
    client.pass_time(300)
    client.connect()
    client.ask(E("DELETE_ROSPEC", ROSpecID=1))
    assert bool(tags(client.send(E("ENABLE_EVENTS_AND_REPORTS")))) is not cleared
    assert bool(client.reader.counters.discarded) is cleared


def test_a_long_sleep_is_not_made_up():
    client = connected(scene=serials(100))
    client.run(rospec())
    client.now += 3600 * 1000 * MS
    client.reader.tick(client.now)
    assert len(tags(client.pump())) <= 1001


class Cuts(RuleBasedStateMachine):
    """Any order of reading, sending in part, cutting and coming back: no read twice, none gone uncounted."""

    def __init__(self) -> None:
        super().__init__()
        self.client = connected(scene=serials(200, (1, 2)), hold_buffer=60)
        self.client.hold()
        self.client.run(rospec(n=3))
        self.made: list[bytes] = []
        self.seen: list[bytes] = []
        self.client.reader._on_reads = lambda reads: self.made.extend(read.epc for read in reads)

    @rule(milliseconds=st.integers(1, 200))
    def time_passes(self, milliseconds):
        self.client.now += milliseconds * MS
        self.client.reader.tick(self.client.now)

    @precondition(lambda self: self.client.reader.connected)
    @rule()
    def the_kernel_takes_all(self):
        self.seen += numbers(self.client.pump())

    @precondition(lambda self: self.client.reader.connected)
    @rule(whole=st.integers(0, 5), partly=st.integers(0, 5))
    def the_connection_is_cut(self, whole, partly):
        reader = self.client.reader
        taken = [frame for _ in range(whole + partly) if (frame := reader.take())]
        for frame in taken[:whole]:
            reader.sent(frame)
            self.seen += numbers([decode(frame.data)])
        reader.disconnect(self.client.now, taken[whole:])

    @precondition(lambda self: not self.client.reader.connected)
    @rule(enable=st.booleans())
    def the_client_comes_back(self, enable):
        self.client.connect()
        if enable:
            self.seen += numbers(self.client.send(E("ENABLE_EVENTS_AND_REPORTS")))

    @invariant()
    def nothing_twice_nothing_uncounted(self):
        counters, waiting = self.client.reader.counters, len(self.client.reader.buffer)
        assert len(set(self.seen)) == len(self.seen) == counters.sent
        assert set(self.seen) <= set(self.made)
        assert len(self.made) == counters.made
        assert counters.made == counters.sent + counters.overflowed + counters.discarded + waiting
        assert counters.discarded == 0


TestCuts = Cuts.TestCase
TestCuts.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
