"""A reader whose side answers are odd, refused or missing: what they are about is unknown, and it reads on."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from drivers.api import Antenna, DriverError, InputChange, ReaderAlive, ReaderCondition, ReaderDown, ReaderUp
from drivers.comprehension import PATIENCE
from drivers.llrp.announce import FOREIGN_ACCESS, FOREIGN_ACCESS_SPEC, FOREIGN_ROSPEC, SETTINGS_REFUSED
from drivers.llrp.clock import Stamps
from drivers.llrp.protocol.codec import Message, decode_tolerant, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.setup import State
from tests.support.claims import some
from tests.support.llrp_bench import HOLDS, OK, SECOND, T0, Bench, event, failed


def hear_odd(bench: Bench, message: Message, tail: bytes = b"", cut: int = 0) -> None:
    """`message` with bytes behind its last parameter, or cut short."""
    frame = encode(message)
    frame = frame[: len(frame) - cut] + tail
    bench.hear(decode_tolerant(frame[:2] + struct.pack(">I", len(frame)) + frame[6:]))


ABLE = E(
    "GeneralDeviceCapabilities",
    E("GPIOCapabilities", NumGPIs=2, NumGPOs=2),
    MaxNumberOfAntennaSupported=2,
    CanSetAntennaProperties=0,
    HasUTCClockCapability=1,
    DeviceManufacturerName=161,
    ModelName=1,
    ReaderFirmwareVersion="1.2.3",
)


def answer_of(bench: Bench, *parts: Element, **fields: Any) -> Message:
    name = f"{bench.asked.name}_RESPONSE"
    if name == "GET_READER_CAPABILITIES_RESPONSE":
        parts = (ABLE,)
    return Message(name, bench.asked.id, E(name, OK, *parts, **fields))


SIDE_ANSWERS = [
    State.CAPABILITIES, State.LOOK, State.CONFIGURE, State.ACCESSSPECS, State.ROSPECS, State.RECONCILE, State.RELEASE,
]  # fmt: skip


@pytest.mark.parametrize("state", SIDE_ANSWERS)
@pytest.mark.parametrize(
    ("tail", "cut"),
    [(b"\0\0", 0), (b"\x00", 0), (b"\xff\xff\xff\xff", 0), (b"\x00\xf0\x00\x04", 0), (b"\x8d\x00", 0), (b"", 1)],
)
def test_bytes_that_do_not_belong_cost_nothing_but_themselves(state: State, tail: bytes, cut: int) -> None:
    bench = Bench()
    bench.set_up(until=state)
    hear_odd(bench, answer_of(bench), tail, cut)
    bench.set_up()
    assert len(bench.take(ReaderUp)) == 1


def test_a_version_that_cannot_be_read_is_1_0_1() -> None:
    bench = Bench()
    bench.greet()
    bench.hear(decode_tolerant(b"\x08\x38" + struct.pack(">II", 11, bench.asked.id) + b"\x01"))
    assert bench.asked.name == "GET_READER_CAPABILITIES"
    assert bench.asked.version == 1


def test_what_is_known_beside_a_tail_is_used() -> None:
    bench = Bench()
    bench.set_up(until=State.CAPABILITIES)
    hear_odd(bench, answer_of(bench), b"\0\0")
    bench.set_up()
    assert bench.take(ReaderUp)[0].firmware == "1.2.3"


def test_one_event_type_refused_costs_only_that() -> None:
    bench = Bench()
    bench.set_up(until=State.CONFIGURE)
    while bench.state is State.CONFIGURE:
        body = bench.asked.body
        events = [event for spec in body.all("ReaderEventNotificationSpec") for event in spec.children]
        bench.refuse() if any(event["EventType"] == 8 for event in events) else bench.answer()
    bench.set_up()
    pieces = [message.body for message in bench.sent if message.name == "SET_READER_CONFIG"][1:]
    assert any(piece.find("KeepaliveSpec") for piece in pieces)
    assert any(piece.find("EventsAndReports") for piece in pieces)
    (condition,) = bench.take(ReaderCondition)
    assert (condition.condition, condition.active) == (SETTINGS_REFUSED, True)
    assert condition.detail == "events of type 8 (Antenna_Event)"


def test_a_reader_without_keepalives_is_asked_for_signs_of_life() -> None:
    bench = Bench()
    bench.set_up()
    bench.take()
    for _ in range(20):
        while bench.asked.name != "GET_READER_CONFIG" or bench.session._commands.in_flight is None:
            bench.wait(0.1)
        bench.answer()
    assert len(bench.take(ReaderAlive)) == 20
    with pytest.raises(DriverError, match="3 keepalives are missing"):
        bench.wait(10)


def test_an_answer_that_is_cut_off_says_no_rospecs() -> None:
    """So ours may be in the way: it is put in its place, not taken for refused."""
    bench = Bench()
    bench.set_up(until=State.RECONCILE)
    while bench.asked.name != "ADD_ROSPEC":
        bench.answer()
    ours = bench.rospec["ROSpecID"]
    bench.refuse(101)
    assert (bench.asked.name, bench.asked.body["ROSpecID"]) == ("DELETE_ROSPEC", ours)
    bench.answer()
    assert bench.asked.name == "ADD_ROSPEC"
    bench.set_up()
    assert bench.take(ReaderUp)


def inventory(rospec: Element) -> Element:
    return rospec.need("AISpec").need("InventoryParameterSpec")


def content(rospec: Element) -> Element:
    report = rospec.find("ROReportSpec") or E("ROReportSpec")
    return report.find("TagReportContentSelector") or Element("", {"EnableChannelIndex": 0, "EnableTagSeenCount": 0})


def has_power(rospec: Element) -> bool:
    return any(antenna.find("RFTransmitter") for antenna in inventory(rospec).children)


def has_mode(rospec: Element) -> bool:
    commands = [antenna.find("C1G2InventoryCommand") for antenna in inventory(rospec).children]
    return any(command is not None and command.find("C1G2RFControl") for command in commands)


# What a reader does not take of a ROSpec, and what its operator is told to be missing besides.
REFUSALS: dict[str, tuple[Callable[[Element], object], str]] = {
    "channel": (lambda spec: content(spec)["EnableChannelIndex"], ""),
    "count": (lambda spec: content(spec)["EnableTagSeenCount"], ""),
    "mode": (has_mode, " without the reader mode"),
    "power": (has_power, " without the reader mode and the power of its antennas"),
    "antennas": (lambda spec: inventory(spec).children, " without the reader mode and the power of its antennas"),
    "trigger": (lambda spec: (spec.find("ROReportSpec") or {"ROReportTrigger": 0})["ROReportTrigger"] == 1, ""),
    "report": (lambda spec: spec.find("ROReportSpec"), ""),
    "number": (lambda spec: spec["ROSpecID"] > 0xFFFF, ""),
}


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_rospec_that_is_refused_goes_in_plainer_and_is_known_the_next_time(refused: str) -> None:
    objects, told = REFUSALS[refused]
    bench = Bench(antennas=(Antenna(1, 27.0), Antenna(2)), settings={"mode": 2})
    bench.set_up(until=State.RECONCILE)
    adds = []
    while bench.state is State.RECONCILE:
        if bench.asked.name == "ADD_ROSPEC":
            adds.append(bench.asked.body.need("ROSpec"))
            if objects(adds[-1]):
                bench.refuse(100)
                continue
        bench.answer()
    bench.set_up()
    assert len(adds) > 2
    (condition,) = bench.take(ReaderCondition)
    assert condition.condition == SETTINGS_REFUSED
    assert told in condition.detail
    again = Bench(memory=bench.memory, antennas=(Antenna(1, 27.0), Antenna(2)), settings={"mode": 2})
    again.set_up()
    assert not objects(again.rospec)
    assert again.names().count("ADD_ROSPEC") == 1


def test_a_reader_that_takes_no_rospec_at_all_is_asked_for_everything_the_next_time() -> None:
    bench = Bench()
    bench.set_up(until=State.RECONCILE)

    def refuse_all() -> None:
        while True:
            bench.refuse(401) if bench.asked.name == "ADD_ROSPEC" else bench.answer()

    with pytest.raises(DriverError, match="refused ADD_ROSPEC"):
        refuse_all()
    again = Bench(memory=bench.memory)
    again.set_up()
    assert content(again.rospec)["EnableChannelIndex"]


def test_rospecs_of_others_that_are_not_removed_as_they_are_are_disabled_first_or_go_all_at_once() -> None:
    other = E(
        "ROSpec",
        E("ROBoundarySpec", E("ROSpecStartTrigger", ROSpecStartTriggerType=0),
          E("ROSpecStopTrigger", ROSpecStopTriggerType=0, DurationTriggerValue=0)),
        ROSpecID=5, Priority=0, CurrentState=2,
    )  # fmt: skip
    for helps, told in (("DISABLE_ROSPEC", []), ("all", []), ("", [(FOREIGN_ROSPEC, True, "5")])):
        bench = Bench()
        bench.set_up(until=State.ROSPECS)
        bench.answer(other)
        while bench.state is not State.READING:
            body = bench.asked.body
            done = bench.names().count(helps) or (helps == "all" and body.fields.get("ROSpecID") == 0)
            bench.refuse(101) if body.name == "DELETE_ROSPEC" and not done else bench.answer()
        assert [(item.condition, item.active, item.detail) for item in bench.take(ReaderCondition)] == told


@pytest.mark.parametrize("tells", [True, False])
def test_a_reader_that_reads_no_more_without_a_word_is_set_up_again(tells: bool) -> None:
    """One that does not tell the state of its ROSpecs is left alone."""
    bench = Bench()
    bench.set_up()
    state = 2 if tells else 1
    asked = 0
    with pytest.raises(DriverError, match="stopped reading by itself") if tells else contextlib.nullcontext():
        for _ in range(100):
            bench.wait(2)
            bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
            if bench.asked.name == "GET_ROSPECS":
                asked += 1
                bench.answer(Element("ROSpec", bench.rospec.fields | {"CurrentState": state}, bench.rospec.children))
                state = 1
    assert asked == (2 if tells else 1)


@pytest.mark.parametrize("state", [2, 1])
def test_a_start_that_is_refused_counts_by_what_the_reader_does(state: int) -> None:
    bench = Bench()
    bench.set_up(until=State.RECONCILE)
    while bench.asked.name != "START_ROSPEC":
        bench.answer()
    bench.refuse(101)
    assert bench.asked.name == "GET_ROSPECS"
    ours = Element("ROSpec", bench.rospec.fields | {"CurrentState": state}, bench.rospec.children)
    if state == 2:
        bench.answer(ours)
        bench.set_up()
        assert bench.take(ReaderUp)
    else:
        bench.answer(ours)
        assert bench.asked.name == "DELETE_ROSPEC", "another is tried"


def test_a_reader_that_does_not_tell_its_powers_reads_with_those_that_it_has() -> None:
    bench = Bench(antennas=(Antenna(1, 27.0), Antenna(2)))
    bench.set_up(until=State.CAPABILITIES)
    bench.refuse()
    bench.set_up()
    (condition,) = bench.take(ReaderCondition)
    assert (condition.condition, condition.detail) == (SETTINGS_REFUSED, "the power of its antennas")
    spec = bench.rospec.need("AISpec").need("InventoryParameterSpec")
    assert all(antenna.find("RFTransmitter") is None for antenna in some(spec.children))


def test_a_configuration_that_is_not_answered_is_not_told_again() -> None:
    bench = Bench()
    bench.set_up(until=State.CONFIGURE)
    bench.wait(6)
    assert bench.names().count("SET_READER_CONFIG") == 1
    bench.set_up()
    assert bench.take(ReaderUp)


def test_an_error_without_an_id_answers_what_was_asked() -> None:
    bench = Bench()
    bench.set_up(until=State.ACCESSSPECS)
    bench.refuse(identity=0)
    assert bench.state is State.ROSPECS


# AccessSpecs of others


def access_spec(number: int) -> Element:
    return E(
        "AccessSpec",
        E("AccessSpecStopTrigger", AccessSpecStopTrigger=0, OperationCountValue=0),
        E(
            "AccessCommand",
            E(
                "C1G2TagSpec",
                E("C1G2TargetTag", MB=1, Match=1, Pointer=32, TagMask=(0, b""), TagData=(0, b"")),
            ),
            E("C1G2Write", OpSpecID=1, AccessPassword=0, MB=1, WordPointer=2, WriteData=[0x1A40]),
        ),
        AccessSpecID=number,
        AntennaID=0,
        ProtocolID=1,
        CurrentState=1,
        ROSpecID=0,
    )


@pytest.mark.parametrize("exclusive", [True, False])
def test_access_specs_of_others_are_removed_or_told(exclusive: bool) -> None:
    bench = Bench(settings={"exclusive": exclusive})
    bench.set_up(until=State.ACCESSSPECS)
    bench.answer(access_spec(7))
    bench.set_up()
    names = bench.names()
    conditions = [(item.condition, item.active, item.detail) for item in bench.take(ReaderCondition)]
    if exclusive:
        assert names.index("DELETE_ACCESSSPEC") < names.index("START_ROSPEC")
        assert conditions == []
    else:
        assert "DELETE_ACCESSSPEC" not in names
        assert conditions == [(FOREIGN_ACCESS_SPEC, True, "7")]


def test_an_access_spec_that_cannot_be_removed_is_told_until_it_is_gone() -> None:
    bench = Bench()
    bench.set_up(until=State.ACCESSSPECS)
    bench.answer(access_spec(7))
    while bench.state is not State.READING:
        bench.refuse() if bench.asked.name == "DELETE_ACCESSSPEC" else bench.answer()
    assert [(item.condition, item.active) for item in bench.take(ReaderCondition)] == [(FOREIGN_ACCESS_SPEC, True)]
    again = Bench(memory=bench.memory)
    again.set_up()
    assert [(item.condition, item.active) for item in again.take(ReaderCondition)] == [(FOREIGN_ACCESS_SPEC, False)]


def test_access_specs_that_cannot_be_removed_together_are_removed_one_by_one() -> None:
    bench = Bench()
    bench.set_up(until=State.ACCESSSPECS)
    bench.answer(access_spec(7), access_spec(8))
    while bench.state is not State.READING:
        both = bench.asked.name == "DELETE_ACCESSSPEC" and bench.asked.body["AccessSpecID"] == 0
        bench.refuse() if both else bench.answer()
    deleted = [message.body["AccessSpecID"] for message in bench.sent if message.name == "DELETE_ACCESSSPEC"]
    assert sorted(deleted) == [0, 7, 8]
    assert bench.take(ReaderCondition) == []


def test_a_kept_rospec_keeps_what_the_reader_holds() -> None:
    """Where there is no AccessSpec, nothing is deleted: some readers clear their queue with it."""
    bench = Bench()
    bench.set_up()
    ours = Element("ROSpec", bench.rospec.fields | {"CurrentState": 2}, bench.rospec.children)
    again = Bench()
    again.set_up(found=[HOLDS], rospecs=[ours])
    assert "DELETE_ACCESSSPEC" not in again.names()


def test_results_of_others_are_a_condition_while_they_come() -> None:
    bench = Bench()
    bench.set_up()
    bench.take()
    for _ in range(3):
        bench.session.acted({7}, bench.now, bench.at)
        bench.wait(0)
        bench._collect()
    (condition,) = bench.take(ReaderCondition)
    assert condition.condition == FOREIGN_ACCESS
    assert "AccessSpec (7)" in condition.detail
    assert bench.names().count("DELETE_ACCESSSPEC") == 2, "once when it was set up, once when it came"
    bench.answer()
    for _ in range(3):
        bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
    assert [(item.condition, item.active) for item in bench.take(ReaderCondition)] == [(FOREIGN_ACCESS, False)]


# A reader that is not understood


def test_a_reader_of_which_nothing_is_understood_gives_no_sign_of_life_and_ends() -> None:
    bench = Bench()
    bench.set_up()
    bench.take()
    for _ in range(round(PATIENCE)):
        bench.session.puzzled(3, "no EPC", bench.now, bench.at)
        bench.wait(1)
        bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
    with pytest.raises(DriverError, match=r"none of its 33 reports of the last 10 s is understood \(no EPC\)"):
        bench.session.puzzled(3, "no EPC", bench.now, bench.at)
    assert bench.take(ReaderAlive) == []


def test_a_single_odd_report_is_forgotten() -> None:
    bench = Bench()
    bench.set_up()
    bench.take()
    bench.session.puzzled(1, "no EPC", bench.now, bench.at)
    for _ in range(3 * round(PATIENCE)):
        bench.wait(1)
        bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
    assert len(bench.take(ReaderAlive)) == 2 * round(PATIENCE)


def test_odd_reports_among_good_ones_change_nothing() -> None:
    bench = Bench()
    bench.set_up()
    bench.take()
    for _ in range(round(PATIENCE) + 2):
        bench.session.puzzled(3, "no EPC", bench.now, bench.at)
        bench.session._oddities.reports.understood(bench.at)
        bench.wait(1)
        bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
    assert len(bench.take(ReaderAlive)) == round(PATIENCE) + 2
    assert bench.take(ReaderDown) == []


def test_an_event_whose_content_cannot_be_read_is_passed_over() -> None:
    bench = Bench()
    bench.set_up()
    bench.hear(Message("READER_EVENT_NOTIFICATION", 1, E("READER_EVENT_NOTIFICATION")))
    assert bench.state is State.READING


def test_a_refusal_without_a_reason_is_a_refusal() -> None:
    bench = Bench()
    bench.set_up(until=State.LOOK)
    bench.answer(status=failed(100))
    assert bench.state is State.CONFIGURE


def test_a_reader_that_numbers_all_its_answers_alike_is_understood() -> None:
    """The question about versions was given up: its id, on every later answer, does not make those late ones of it."""
    bench = Bench()
    bench.greet()
    given_up = bench.asked.id
    bench.wait(2.5)
    assert bench.asked.name == "GET_READER_CAPABILITIES"
    for _ in range(20):
        if bench.state is not State.READING:
            bench.answer(identity=given_up)
    assert bench.take(ReaderUp)


def test_what_a_reader_leaves_unanswered_for_months_is_not_remembered_for_months() -> None:
    bench = Bench(settings={"report_every": 10, "keepalive": 10.0})
    bench.set_up()
    for _ in range(500):
        bench.wait(10)
        bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
    assert len(bench.session._commands._abandoned) < 100


def test_an_output_that_a_lively_reader_does_not_answer_costs_no_reads() -> None:
    bench = Bench()
    bench.set_up()
    results: list[DriverError | None] = []
    bench.session.set_output(1, True, results.append, bench.at)
    bench._collect()
    for _ in range(10):
        bench.wait(1)
        bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
    assert bench.state is State.READING
    (error,) = results
    assert "output 1 may or may not have switched: no answer from the reader" in str(error)


@pytest.mark.parametrize("refused", [0, 1, 2], ids=["at once", "in its place", "a plainer one"])
def test_a_reader_that_starts_no_rospec_is_given_one_that_starts_itself(refused: int) -> None:
    bench = Bench()

    def set_up() -> None:
        """Of a reader that starts a ROSpec only by what the ROSpec says."""
        bench.set_up(until=State.RECONCILE)
        state, spec, adds = 0, Element("ROSpec"), 0
        while bench.state is State.RECONCILE:
            match bench.asked.name:
                case "START_ROSPEC":
                    bench.refuse(101)
                case "GET_ROSPECS":
                    bench.answer(Element("ROSpec", spec.fields | {"CurrentState": state}, spec.children))
                case "ADD_ROSPEC":
                    spec = bench.asked.body.need("ROSpec")
                    adds += bench.memory.starts_itself
                    bench.refuse(101) if 0 < adds <= refused else bench.answer()
                case "ENABLE_ROSPEC":
                    trigger = spec.need("ROBoundarySpec").need("ROSpecStartTrigger")
                    state = 2 if trigger["ROSpecStartTriggerType"] == 1 else 1
                    bench.answer()
                case _:
                    bench.answer()
        bench.set_up()

    set_up()
    assert bench.take(ReaderUp)
    assert bench.names().count("START_ROSPEC") == 1
    assert bench.names()[-4:-2] == ["ENABLE_ROSPEC", "GET_ROSPECS"], "whether it reads is asked"
    bench = Bench(memory=bench.memory)
    set_up()
    assert bench.take(ReaderUp)
    assert "START_ROSPEC" not in bench.names(), "what it took is known the next time"


def test_a_reader_that_starts_no_rospec_whatever_it_says_is_an_error() -> None:
    bench = Bench()
    bench.set_up(until=State.RECONCILE)
    with pytest.raises(DriverError, match="refused START_ROSPEC"):
        refuse_to_start(bench)
    assert bench.names().count("ADD_ROSPEC") == 2
    assert not bench.memory.starts_itself, "it was not that"


def refuse_to_start(bench: Bench) -> None:
    """The reader takes every ROSpec and leaves it inactive."""
    for _ in range(50):
        if bench.asked.name == "GET_ROSPECS":
            bench.answer(Element("ROSpec", bench.rospec.fields | {"CurrentState": 1}, bench.rospec.children))
        elif bench.asked.name == "START_ROSPEC":
            bench.refuse(101)
        else:
            bench.answer()


@pytest.mark.parametrize("of_reports", [Stamps.UTC, Stamps.UPTIME])
def test_events_may_have_another_kind_of_time_than_reports(of_reports: Stamps) -> None:
    """Each kind is read by what is known of it: an event is never of 1970, nor of a century that has not begun."""
    bench = Bench(settings={"inputs": [{"port": 1}]})
    behind = 3_600 * SECOND  # the reader's UTC

    def stamp(kind: Stamps) -> dict[str, int]:
        return {"utc": bench.now - behind} if kind is Stamps.UTC else {"uptime": bench.now - T0 + 77 * SECOND}

    of_events = Stamps.UPTIME if of_reports is Stamps.UTC else Stamps.UTC
    bench.greet(**stamp(of_events))
    bench.set_up()
    for state in (True, False):
        bench.wait(1)
        (time,) = stamp(of_reports).values()
        bench.session.reported(of_reports, time, bench.now, bench.at)
        bench.hear(event(E("GPIEvent", GPIPortNumber=1, GPIEvent=state), **stamp(of_events)))
        (change,) = bench.take(InputChange)
        assert abs(change.t - bench.now) < SECOND


@pytest.mark.parametrize("what", ["answers", "errors", "exceptions"])
def test_what_a_reader_says_wrongly_for_ever_does_not_fill_the_log(what: str) -> None:
    bench = Bench(settings={"report_every": 10})
    bench.set_up()
    with structlog.testing.capture_logs() as lines:
        for number in range(200):
            bench.wait(1)
            bench.hear(Message("KEEPALIVE", 1, E("KEEPALIVE")))
            bench.answer(identity=0 if what == "answers" else None)
            if what == "errors":
                bench.hear(Message("ERROR_MESSAGE", 99, E("ERROR_MESSAGE", failed(100, f"reason {number}"))))
            elif what == "exceptions":
                bench.hear(event(E("ReaderExceptionEvent", Message=f"exception {number}")))
    assert 1 <= len([line for line in lines if line["log_level"] != "debug"]) < 10
