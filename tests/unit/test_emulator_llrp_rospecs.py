"""ROSpecs of the emulated LLRP reader on virtual time: states, refusals, start and stop triggers, report triggers."""

from __future__ import annotations

import pytest

from drivers.emulators.scene import SECOND, Field, InputEdge, Scene, Stay, Tag, population
from drivers.llrp.protocol.element import E
from tests.support.virtual_reader import START, VirtualClient, code, epc, events, rospec, tags

DISABLED, INACTIVE, ACTIVE = 0, 1, 2
SUCCESS, PARAMETER_ERROR, FIELD_ERROR, UNSUPPORTED, DEVICE_ERROR = 0, 100, 101, 109, 401
ROSPEC_EVENT, AISPEC_EVENT = 2, 6


def connected(identity="generic", scene=None, **options) -> VirtualClient:
    client = VirtualClient(scene or population(5, 100, miss=0, late=0), identity, **options)
    client.connect()
    return client


def null_start():
    return E("ROSpecStartTrigger", ROSpecStartTriggerType=0)


def duration(milliseconds):
    return E("ROSpecStopTrigger", ROSpecStopTriggerType=1, DurationTriggerValue=milliseconds)


def ai_duration(milliseconds):
    return E("AISpecStopTrigger", AISpecStopTriggerType=1, DurationTrigger=milliseconds)


def ai_tags(kind, *, number=0, attempts=0, quiet=0, timeout=0):
    trigger = E(
        "TagObservationTrigger",
        TriggerType=kind,
        NumberOfTags=number,
        NumberOfAttempts=attempts,
        T=quiet,
        Timeout=timeout,
    )
    return E("AISpecStopTrigger", trigger, AISpecStopTriggerType=3, DurationTrigger=0)


def on_input(name, kind, port, state, timeout=0):
    value = E("GPITriggerValue", GPIPortNum=port, GPIEvent=state, Timeout=timeout)
    extra = {"ROSpecStopTrigger": {"DurationTriggerValue": 0}, "AISpecStopTrigger": {"DurationTrigger": 0}}
    return E(name, value, {f"{name}Type": kind}, extra.get(name, {}))


COMMANDS = ["ENABLE_ROSPEC", "DISABLE_ROSPEC", "START_ROSPEC", "STOP_ROSPEC"]
BY_STATE = {
    DISABLED: [],
    INACTIVE: ["ENABLE_ROSPEC"],
    ACTIVE: ["ENABLE_ROSPEC", "START_ROSPEC"],
}
OUTCOMES = [
    # state, command, status, state afterwards
    (DISABLED, "ENABLE_ROSPEC", SUCCESS, INACTIVE),
    (DISABLED, "DISABLE_ROSPEC", SUCCESS, DISABLED),
    (DISABLED, "START_ROSPEC", FIELD_ERROR, DISABLED),
    (DISABLED, "STOP_ROSPEC", FIELD_ERROR, DISABLED),
    (INACTIVE, "ENABLE_ROSPEC", SUCCESS, INACTIVE),
    (INACTIVE, "DISABLE_ROSPEC", SUCCESS, DISABLED),
    (INACTIVE, "START_ROSPEC", SUCCESS, ACTIVE),
    (INACTIVE, "STOP_ROSPEC", FIELD_ERROR, INACTIVE),
    (ACTIVE, "ENABLE_ROSPEC", SUCCESS, ACTIVE),
    (ACTIVE, "DISABLE_ROSPEC", SUCCESS, DISABLED),
    (ACTIVE, "START_ROSPEC", SUCCESS, ACTIVE),
    (ACTIVE, "STOP_ROSPEC", SUCCESS, INACTIVE),
]


@pytest.mark.parametrize(("before", "command", "status", "after"), OUTCOMES)
def test_states_and_commands(before, command, status, after):
    client = connected()
    client.ask(E("ADD_ROSPEC", rospec(start=null_start())))
    for earlier in BY_STATE[before]:
        assert code(client.ask(E(earlier, ROSpecID=1))) == SUCCESS
    assert client.state() == before
    assert code(client.ask(E(command, ROSpecID=1))) == status
    assert client.state() == after
    assert bool(tags(client.pass_time(100))) is (after == ACTIVE)


@pytest.mark.parametrize("command", [*COMMANDS, "DELETE_ROSPEC"])
def test_a_rospec_that_does_not_exist(command):
    response = connected().ask(E(command, ROSpecID=99))
    assert code(response) == FIELD_ERROR
    status = response.body.need("LLRPStatus")
    assert "99 does not exist" in status["ErrorDescription"]
    assert status.need("FieldError").fields == {"FieldNum": 0, "ErrorCode": 300}


@pytest.mark.parametrize("command", ["START_ROSPEC", "STOP_ROSPEC"])
def test_zero_is_not_a_rospec_to_start_or_stop(command):
    assert code(connected().ask(E(command, ROSpecID=0))) == FIELD_ERROR


def test_zero_means_all():
    client = connected()
    for identity in (1, 2):
        client.ask(E("ADD_ROSPEC", rospec(identity, start=null_start())))
    for command, state in (("ENABLE_ROSPEC", INACTIVE), ("DISABLE_ROSPEC", DISABLED)):
        assert code(client.ask(E(command, ROSpecID=0))) == SUCCESS
        assert [client.state(identity) for identity in (1, 2)] == [state, state]
    assert code(client.ask(E("DELETE_ROSPEC", ROSpecID=0))) == SUCCESS
    assert client.ask(E("GET_ROSPECS")).body.all("ROSpec") == []


WRONG = {
    "identity 0": (rospec(0), "cannot be added"),
    "added twice": (rospec(5), "already exists"),
    "not disabled": (rospec(state=1), "in state Disabled"),
    "priority": (rospec(priority=8), "priority 8"),
    "antenna": (rospec(antennas=(1, 5)), "antennas [1, 5]"),
    "no antennas": (rospec(antennas=()), "antennas []"),
    "input that is not there": (rospec(start=on_input("ROSpecStartTrigger", 3, 9, True)), "input 9 does not exist"),
    "no trigger value": (rospec(start=E("ROSpecStartTrigger", ROSpecStartTriggerType=3)), "needs GPITriggerValue"),
    "trigger type": (rospec(start=E("ROSpecStartTrigger", ROSpecStartTriggerType=9)), "9 does not exist"),
    "vendor's": (rospec(custom=[E("ImpinjTagReportContentSelector")]), "ImpinjTagReportContentSelector"),
    "unknown": (rospec(custom=[E("Custom", VendorIdentifier=1, ParameterSubtype=2, Data=b"")]), "Custom"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_rospec_is_refused_and_changes_nothing(case):
    client = connected()
    client.ask(E("ADD_ROSPEC", rospec(5)))
    wrong, says = WRONG[case]
    response = client.ask(E("ADD_ROSPEC", wrong))
    assert code(response) == PARAMETER_ERROR
    assert says in response.body.need("LLRPStatus")["ErrorDescription"]
    assert [spec["ROSpecID"] for spec in client.ask(E("GET_ROSPECS")).body.all("ROSpec")] == [5]


def test_as_many_rospecs_as_the_capabilities_say():
    client = connected("impinj-r420")
    capabilities = client.ask(E("GET_READER_CAPABILITIES", RequestedData=2)).body.need("LLRPCapabilities")
    assert capabilities["MaxNumROSpecs"] == 1
    assert code(client.ask(E("ADD_ROSPEC", rospec(1)))) == SUCCESS
    assert code(client.ask(E("ADD_ROSPEC", rospec(2)))) == PARAMETER_ERROR


def test_utc_in_a_periodic_trigger_needs_a_utc_clock():
    value = E("PeriodicTriggerValue", E("UTCTimestamp", Microseconds=START), Offset=0, Period=1000)
    spec = rospec(start=E("ROSpecStartTrigger", value, ROSpecStartTriggerType=2))
    assert code(connected("generic").ask(E("ADD_ROSPEC", spec))) == SUCCESS
    assert code(connected("uptime-only").ask(E("ADD_ROSPEC", spec))) == PARAMETER_ERROR


def test_what_was_added_is_what_is_told():
    client = connected()
    spec = rospec(7, stop=duration(500))
    client.ask(E("ADD_ROSPEC", spec))
    assert client.ask(E("GET_ROSPECS")).body.all("ROSpec") == [spec]


# Start triggers


def test_periodic_start():
    value = E("PeriodicTriggerValue", Offset=300, Period=1000)
    client = connected()
    client.events_on(ROSPEC_EVENT)
    client.run(rospec(start=E("ROSpecStartTrigger", value, ROSpecStartTriggerType=2), stop=duration(200)))
    runs = [bool(tags(client.pass_time(100))) for _ in range(25)]
    expected = [300 <= ms % 1000 < 500 for ms in range(0, 2500, 100)]
    assert runs == expected
    assert [event["EventType"] for event in events(client.received, "ROSpecEvent")] == [0, 1] * 3


def test_periodic_start_at_a_time_of_day():
    at = START + 700_000
    value = E("PeriodicTriggerValue", E("UTCTimestamp", Microseconds=at), Offset=0, Period=0)
    client = connected()
    client.run(rospec(start=E("ROSpecStartTrigger", value, ROSpecStartTriggerType=2), stop=duration(100)))
    times = [tag.need("FirstSeenTimestampUTC")["Microseconds"] for tag in tags(client.pass_time(3000))]
    assert at <= min(times) <= max(times) < at + 100_000


def test_input_starts_and_stops():
    client = connected()
    client.configure(E("GPIPortCurrentState", GPIPortNum=2, Config=True, State=2))
    start = on_input("ROSpecStartTrigger", 3, 2, True)
    client.run(rospec(start=start, stop=on_input("ROSpecStopTrigger", 2, 2, False)))
    assert tags(client.pass_time(300)) == []
    for _ in range(2):
        client.reader.set_input(2, True, client.now)
        assert len(tags(client.pass_time(300))) == pytest.approx(30, abs=2)
        client.reader.set_input(2, False, client.now)
        client.pass_time(20)
        assert tags(client.pass_time(300)) == []


def test_an_input_that_is_not_configured_starts_nothing():
    client = connected()
    client.run(rospec(start=on_input("ROSpecStartTrigger", 3, 2, True)))
    client.reader.set_input(2, True, client.now)
    assert tags(client.pass_time(300)) == []


def test_the_scene_moves_inputs_too():
    edges = [InputEdge(200_000, 1, True), InputEdge(500_000, 1, False)]
    scene = Scene({1: Field(rate=100, miss=0, late=0)}, [Tag(b"\x1a" * 12, (Stay(1, 0, SECOND),))], inputs=edges)
    client = connected(scene=scene)
    client.configure(E("GPIPortCurrentState", GPIPortNum=1, Config=True, State=2))
    client.events_on(1)
    start, stop = on_input("ROSpecStartTrigger", 3, 1, True), on_input("ROSpecStopTrigger", 2, 1, False)
    client.run(rospec(start=start, stop=stop))
    received = client.pass_time(1000)
    times = [tag.need("FirstSeenTimestampUTC")["Microseconds"] - START for tag in tags(received)]
    assert 200_000 <= min(times) < 230_000
    assert 480_000 <= max(times) < 500_000
    assert [e["GPIEvent"] for e in events(received, "GPIEvent")] == [True, False]


def test_input_stop_has_a_timeout():
    client = connected()
    client.run(rospec(stop=on_input("ROSpecStopTrigger", 2, 1, True, timeout=400)))
    client.pass_time(390)
    assert client.state() == ACTIVE
    client.pass_time(20)
    assert client.state() == INACTIVE


# Stop triggers


def test_duration_of_a_rospec():
    client = connected()
    client.events_on(ROSPEC_EVENT)
    client.run(rospec(stop=duration(500)))
    client.pass_time(2000)
    assert len(tags(client.received)) == 50
    told = [(event["EventType"], event["ROSpecID"]) for event in events(client.received, "ROSpecEvent")]
    assert told == [(0, 1), (1, 1)]
    assert client.state() == INACTIVE


def test_aispecs_one_after_another():
    client = connected()
    client.events_on(ROSPEC_EVENT, AISPEC_EVENT)
    client.run(rospec(ai_stops=[ai_duration(200), ai_duration(100)], EnableSpecIndex=True))
    client.pass_time(1000)
    order = [tag.need("SpecIndex")["SpecIndex"] for tag in tags(client.received)]
    assert order == [1] * 20 + [2] * 10
    assert [event["SpecIndex"] for event in events(client.received, "AISpecEvent")] == [1, 2]
    assert client.state() == INACTIVE


def test_impinj_begins_again_with_the_first_aispec():
    client = connected("impinj-r420")
    client.run(rospec(ai_stops=[ai_duration(200), ai_duration(100)], EnableSpecIndex=True))
    order = [tag.need("SpecIndex")["SpecIndex"] for tag in tags(client.pass_time(600))]
    assert order == ([1] * 20 + [2] * 10) * 2
    assert client.state() == ACTIVE


@pytest.mark.parametrize(
    ("trigger", "at_least", "at_most"),
    [
        (ai_tags(0, number=3), 20, 60),  # 3 tags at 100 reads a second
        (ai_tags(0, number=100, timeout=500), 500, 520),  # never so many
        (ai_tags(1, quiet=300), 310, 380),  # 5 tags are all seen after 50 ms
        (ai_tags(1, quiet=2000, timeout=700), 700, 720),
        (ai_tags(2, attempts=4), 400, 420),
    ],
)
def test_tag_observation(trigger, at_least, at_most):
    client = connected()
    client.run(rospec(ai_stops=[trigger]))
    lasted = 0
    while client.state() == ACTIVE and lasted < 3000:
        client.pass_time(10)
        lasted += 10
    assert at_least <= lasted <= at_most


def test_input_stops_an_aispec():
    client = connected()
    client.configure(E("GPIPortCurrentState", GPIPortNum=1, Config=True, State=2))
    client.run(rospec(ai_stops=[on_input("AISpecStopTrigger", 2, 1, True), ai_duration(100)], EnableSpecIndex=True))
    client.pass_time(300)
    client.reader.set_input(1, True, client.now)
    order = [tag.need("SpecIndex")["SpecIndex"] for tag in tags(client.pass_time(300))]
    assert set(order) == {2}
    assert client.state() == INACTIVE


def test_a_rospec_of_higher_priority_takes_over():
    client = connected()
    client.events_on(ROSPEC_EVENT)
    client.run(rospec(1, priority=3))
    client.run(rospec(2, priority=1))
    assert [client.state(identity) for identity in (1, 2)] == [INACTIVE, ACTIVE]
    preempted = events(client.received, "ROSpecEvent")[1]
    assert preempted.fields == {"EventType": 2, "ROSpecID": 1, "PreemptingROSpecID": 2}
    assert code(client.ask(E("START_ROSPEC", ROSpecID=1))) == DEVICE_ERROR
    client.run(rospec(3, priority=1))
    assert [client.state(identity) for identity in (2, 3)] == [ACTIVE, INACTIVE]


# When reports go


def sizes(messages):
    return [len(m.body.all("TagReportData")) for m in messages if m.name == "RO_ACCESS_REPORT"]


def test_a_report_after_every_n_reads_and_the_rest_at_the_end():
    client = connected()
    client.events_on(ROSPEC_EVENT)
    client.run(rospec(n=20, stop=duration(500)))
    client.pass_time(600)
    assert sizes(client.received) == [20, 20, 10]
    assert client.received[-1].name == "READER_EVENT_NOTIFICATION"  # the end comes after its reads


@pytest.mark.parametrize(("trigger", "expected"), [(1, [20, 10]), (2, [30])])
def test_n_0_waits_for_the_end(trigger, expected):
    client = connected()
    client.run(rospec(n=0, trigger=trigger, ai_stops=[ai_duration(200), ai_duration(100)]))
    client.pass_time(1000)
    assert sizes(client.received) == expected


def test_no_trigger_waits_for_get_report():
    client = connected()
    client.run(rospec(trigger=0))
    assert sizes(client.pass_time(500)) == []
    assert sizes(client.send(E("GET_REPORT"))) == [50]
    assert sizes(client.send(E("GET_REPORT"))) == [0]
    client.ask(E("STOP_ROSPEC", ROSpecID=1))
    assert sizes(client.pass_time(100)) == []


def test_the_readers_own_report_spec_holds_where_the_rospec_has_none():
    client = connected()
    mine = rospec(trigger=2, n=5).need("ROReportSpec")
    assert client.configure(mine) == 0
    client.run(rospec(report=False))
    assert sizes(client.pass_time(200)) == [5, 5, 5, 5]


def test_antennas_of_the_aispec():
    scene = population(9, 100, (1, 2, 3), miss=0)
    client = connected(scene=scene)
    client.run(rospec(antennas=(1, 3)))
    assert {tag.need("AntennaID")["AntennaID"] for tag in tags(client.pass_time(500))} == {1, 3}
    client.reader.set_antenna(3, False, client.now)
    client.pass_time(20)
    assert {tag.need("AntennaID")["AntennaID"] for tag in tags(client.pass_time(500))} == {1}


def test_deleting_a_running_rospec_stops_it():
    client = connected()
    client.run(rospec())
    assert len({epc(tag) for tag in tags(client.pass_time(500))}) == 5
    assert code(client.ask(E("DELETE_ROSPEC", ROSpecID=1))) == SUCCESS
    assert tags(client.pass_time(200)) == []


# Filters


def mask_filter(mask: bytes, action=None, *, bits=None, bank=1, pointer=32):
    tag_mask = E("C1G2TagInventoryMask", MB=bank, Pointer=pointer, TagMask=(bits or 8 * len(mask), mask))
    step = [] if action is None else [E("C1G2TagInventoryStateUnawareFilterAction", Action=action)]
    return E("C1G2Filter", tag_mask, *step, T=0)


A, B, C = (bytes([first]) + bytes(11) for first in (0xA1, 0xB2, 0xA7))
FILTERS = {
    "include": ([mask_filter(b"\xa1", 0)], {A}),
    "no action is include": ([mask_filter(b"\xa1")], {A}),
    "exclude": ([mask_filter(b"\xa1", 4)], {B, C}),
    "four bits": ([mask_filter(b"\xa0", 0, bits=4)], {A, C}),
    "elsewhere": ([mask_filter(b"\x70", 0, bits=4, pointer=36)], {C}),
    "either": ([mask_filter(b"\xa1", 0), mask_filter(b"\xb2", 1)], {A, B}),
    "both": ([mask_filter(b"\xa0", 0, bits=4), mask_filter(b"\xa1", 3)], {C}),
    "unselect alone": ([mask_filter(b"\xa1", 3)], {B, C}),
    "keep alone": ([mask_filter(b"\xa1", 2)], {A}),
    "class of chip": ([mask_filter(b"\xe2", 0, bank=2, pointer=0)], {A, B, C}),
    "beyond the EPC": ([mask_filter(b"\x00", 0, pointer=32 + 96)], set()),
    "user memory": ([mask_filter(b"\x00", 0, bank=3, pointer=0)], set()),
}


def with_filters(filters, antenna=0):
    spec = rospec()
    command = E("C1G2InventoryCommand", *filters, TagInventoryStateAware=False)
    parameter_spec = spec.need("AISpec").need("InventoryParameterSpec")
    parameter_spec.children.append(E("AntennaConfiguration", command, AntennaID=antenna))
    return spec


@pytest.mark.parametrize("case", FILTERS)
def test_select_filters(case):
    filters, expected = FILTERS[case]
    field = Field(rate=100, miss=0, late=0)
    scene = Scene({1: field}, [Tag(each, (Stay(1, 0, 10 * SECOND),)) for each in (A, B, C)])
    client = connected(scene=scene)
    client.run(with_filters(filters))
    assert {epc(tag) for tag in tags(client.pass_time(200))} == expected


def test_a_filter_of_one_antenna():
    field = Field(rate=100, miss=0, late=0)
    stays = (Stay(1, 0, 10 * SECOND), Stay(2, 0, 10 * SECOND))
    client = connected(scene=Scene({1: field, 2: field}, [Tag(each, stays) for each in (A, B)]))
    client.run(with_filters([mask_filter(b"\xa1", 0)], antenna=2))
    seen = {(tag.need("AntennaID")["AntennaID"], epc(tag)) for tag in tags(client.pass_time(200))}
    assert seen == {(1, A), (1, B), (2, A)}


AWARE = E(
    "C1G2Filter",
    E("C1G2TagInventoryMask", MB=1, Pointer=32, TagMask=(8, b"\xa1")),
    E("C1G2TagInventoryStateAwareFilterAction", Target=0, Action=0),
    T=0,
)


@pytest.mark.parametrize("filters", [[mask_filter(b"\xa1", 0)] * 3, [mask_filter(b"\xa1", 6)], [AWARE]])
def test_filters_that_the_reader_cannot_do(filters):
    assert code(connected().ask(E("ADD_ROSPEC", with_filters(filters)))) == PARAMETER_ERROR
