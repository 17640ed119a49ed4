"""The order of things in a connection to an LLRP reader, and what happens when the reader does not keep to it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from drivers.api import (
    Antenna,
    AntennaStatus,
    ClockQuality,
    DriverError,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderLoss,
    ReaderUp,
)
from drivers.llrp.clock import Stamps
from drivers.llrp.commands import MAX_WAITING
from drivers.llrp.events import STRAGGLING
from drivers.llrp.memory import Memory
from drivers.llrp.protocol.codec import Message
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.rospec import is_ours
from drivers.llrp.setup import State
from tests.support.llrp_bench import HOLDS, SECOND, T0, Bench, capabilities, event, failed

KEEPALIVE = Message("KEEPALIVE", 77, E("KEEPALIVE"))


def reading(**options: Any) -> Bench:
    """A session that has come to READING with an agreeable reader; its first items are gone."""
    bench = Bench(**options)
    bench.set_up()
    bench.take()
    return bench


def our_rospec(state: int, **options: Any) -> Element:
    """Our ROSpec as the reader would give it back, in this state."""
    rospec = reading(**options).rospec
    return Element("ROSpec", rospec.fields | {"CurrentState": state}, rospec.children)


# Setting up


def test_nothing_is_sent_before_the_greeting() -> None:
    bench = Bench()
    bench.hear(KEEPALIVE)
    assert bench.names() == ["KEEPALIVE_ACK"]  # an answer, not a question
    bench.greet()
    assert bench.names()[1:] == ["GET_SUPPORTED_VERSION"]


def test_the_whole_order_with_a_new_reader() -> None:
    bench = Bench()
    bench.set_up()
    assert bench.names() == [
        "GET_SUPPORTED_VERSION",
        "GET_READER_CAPABILITIES",
        "GET_READER_CONFIG",
        "SET_READER_CONFIG",
        "GET_ACCESSSPECS",
        "GET_ROSPECS",
        "DELETE_ACCESSSPEC",
        "ADD_ROSPEC",
        "ENABLE_ROSPEC",
        "START_ROSPEC",
        "ENABLE_EVENTS_AND_REPORTS",
        "GET_READER_CONFIG",
    ]
    assert [type(item) for item in bench.items] == [ReaderUp, ReaderClock, ReaderAlive]
    up = bench.items[0]
    assert isinstance(up, ReaderUp)
    assert (up.held, up.firmware) == (False, "1.2.3")


def test_one_command_is_in_flight_at_a_time() -> None:
    bench = reading()
    results: list[DriverError | None] = []
    sent = len(bench.sent)
    for port in (1, 2, 3):
        bench.session.set_output(port, True, results.append, bench.at)
    bench._collect()
    for port in (1, 2, 3):
        assert len(bench.sent) == sent + port
        assert bench.asked.body.need("GPOWriteData")["GPOPortNumber"] == port
        bench.answer()
    assert results == [None, None, None]


@pytest.mark.parametrize(
    ("how", "version"),
    [
        (lambda bench: bench.answer(CurrentVersion=1, SupportedVersion=2), 2),
        (lambda bench: bench.answer(CurrentVersion=1, SupportedVersion=1), 1),
        (lambda bench: bench.answer(status=failed(110), CurrentVersion=1, SupportedVersion=1), 1),
        (lambda bench: bench.refuse(110), 1),
        (lambda bench: bench.refuse(109), 1),
        (lambda bench: bench.refuse(110, identity=0), 1),
        (lambda bench: bench.wait(2.5), 1),
    ],
    ids=["1.1", "1.0.1", "bad status", "bad version", "bad message", "error without an id", "silence"],
)
def test_the_version_is_negotiated(how: Any, version: int) -> None:
    bench = Bench()
    bench.greet()
    assert bench.asked.version == 2
    how(bench)
    if version == 2:
        assert bench.asked.name == "SET_PROTOCOL_VERSION"
        assert bench.asked.body["ProtocolVersion"] == 2
        bench.answer()
    assert bench.asked.name == "GET_READER_CAPABILITIES"
    assert bench.asked.version == version


def test_a_reader_that_has_1_1_already_is_not_told_again() -> None:
    bench = Bench()
    bench.greet()
    bench.answer(CurrentVersion=2, SupportedVersion=2)
    assert bench.asked.name == "GET_READER_CAPABILITIES"
    assert bench.asked.version == 2


def test_a_reader_that_offers_1_1_and_refuses_it_gets_1_0_1() -> None:
    bench = Bench()
    bench.greet()
    bench.answer(CurrentVersion=1, SupportedVersion=2)
    bench.refuse()
    assert bench.asked.name == "GET_READER_CAPABILITIES"
    assert bench.asked.version == 1


def test_a_late_answer_about_versions_is_ignored() -> None:
    bench = Bench()
    bench.greet()
    question = bench.asked
    bench.wait(2.5)
    body = E("GET_SUPPORTED_VERSION_RESPONSE", failed(0), CurrentVersion=1, SupportedVersion=2)
    bench.hear(Message(body.name, question.id, body))
    bench.set_up()
    assert bench.state is State.READING


def test_a_reader_that_hangs_up_on_the_version_is_not_asked_again() -> None:
    memory = Memory()
    bench = Bench(memory=memory)
    bench.greet()
    bench.session.link_lost(bench.now, orderly=True)
    again = Bench(memory=memory)
    again.greet()
    assert again.asked.name == "GET_READER_CAPABILITIES"


def test_impinj_gets_its_extensions_first_and_can_refuse_them() -> None:
    for refused in (False, True):
        bench = Bench(settings={"phase": True, "tid": True, "search_mode": "dual-target"})
        bench.greet()
        bench.refuse()
        body = capabilities(vendor=25882)
        bench.hear(Message(body.name, bench.asked.id, body))
        assert bench.asked.name == "IMPINJ_ENABLE_EXTENSIONS"
        if refused:
            bench.refuse()
        bench.set_up()
        custom = {part.name for message in bench.sent for part in _walk(message.body) if "Impinj" in part.name}
        expected = {
            "ImpinjTagReportContentSelector",
            "ImpinjEnableSerializedTID",
            "ImpinjEnableRFPhaseAngle",
            "ImpinjEnablePeakRSSI",
            "ImpinjInventorySearchMode",
            "ImpinjLinkMonitorConfiguration",
        }
        assert custom == (set() if refused else expected)


def _walk(element: Element) -> list[Element]:
    return [element, *(inner for child in element.children for inner in _walk(child))]


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("ADD_ROSPEC", "the reader refused ADD_ROSPEC: M_UnsupportedMessage"),
        ("ENABLE_ROSPEC", "the reader refused ENABLE_ROSPEC: M_UnsupportedMessage"),
    ],
)
def test_what_may_not_be_refused(refused: str, message: str) -> None:
    bench = Bench()
    bench.greet()
    with pytest.raises(DriverError, match=re.escape(message)):
        _go_on_refusing(bench, {refused})


def _go_on_refusing(bench: Bench, refused: set[str]) -> None:
    while bench.state is not State.READING:
        if bench.asked.name in refused:
            bench.refuse()
        elif bench.asked.name == "GET_READER_CAPABILITIES":
            body = capabilities()
            bench.hear(Message(body.name, bench.asked.id, body))
        elif bench.asked.name == "GET_SUPPORTED_VERSION":
            bench.refuse()
        else:
            bench.answer()


def test_what_may_be_refused() -> None:
    bench = Bench()
    bench.greet()
    refused = {"GET_READER_CAPABILITIES", "GET_READER_CONFIG", "SET_READER_CONFIG", "DELETE_ROSPEC"}
    _go_on_refusing(bench, refused | {"GET_ACCESSSPECS", "DELETE_ACCESSSPEC", "GET_ROSPECS"})
    assert bench.names()[-7:] == [
        "DELETE_ACCESSSPEC",
        "DELETE_ROSPEC",
        "ADD_ROSPEC",
        "ENABLE_ROSPEC",
        "START_ROSPEC",
        "ENABLE_EVENTS_AND_REPORTS",
        "GET_READER_CONFIG",
    ]


@pytest.mark.parametrize("status", [1, 2])
def test_another_client_is_named(status: int) -> None:
    bench = Bench()
    with pytest.raises(DriverError, match="reader:5084: another client is connected to this reader"):
        bench.greet(status)


def test_other_refusals_of_the_connection() -> None:
    with pytest.raises(DriverError, match="refuses the connection"):
        Bench().greet(3)


def test_news_of_another_client_does_not_end_ours() -> None:
    bench = reading()
    bench.greet(4)
    assert bench.state is State.READING


# Reconciling


def test_our_rospec_is_kept_and_its_held_reads_announced() -> None:
    bench = Bench()
    bench.set_up(found=[HOLDS], rospecs=[our_rospec(2)])
    assert not {"ADD_ROSPEC", "DELETE_ROSPEC", "ENABLE_ROSPEC", "START_ROSPEC"} & set(bench.names())
    assert bench.take(ReaderUp)[0].held is True


@pytest.mark.parametrize(
    ("state", "then"),
    [(0, ["ENABLE_ROSPEC", "START_ROSPEC"]), (1, ["START_ROSPEC"])],
    ids=["disabled", "enabled but not running"],
)
def test_our_rospec_is_set_going_again(state: int, then: list[str]) -> None:
    bench = Bench()
    bench.set_up(found=[HOLDS], rospecs=[our_rospec(state)])
    assert [name for name in bench.names() if "ROSPEC" in name] == ["GET_ROSPECS", *then]
    assert bench.take(ReaderUp)[0].held is False, "it did not read while we were away"


def test_without_hold_in_force_nothing_was_held() -> None:
    bench = Bench()
    bench.set_up(rospecs=[our_rospec(2)])
    assert bench.take(ReaderUp)[0].held is False


def test_changed_settings_replace_our_rospec() -> None:
    old = our_rospec(2)
    bench = Bench(settings={"session": 2})
    bench.set_up(found=[HOLDS], rospecs=[old])
    deleted = [message.body["ROSpecID"] for message in bench.sent if message.name == "DELETE_ROSPEC"]
    assert deleted == [old["ROSpecID"]]
    assert bench.rospec["ROSpecID"] != old["ROSpecID"]
    assert is_ours(bench.rospec["ROSpecID"])
    assert bench.take(ReaderUp)[0].held is False


@pytest.mark.parametrize(("exclusive", "deleted"), [(True, [1, 14150]), (False, [])])
def test_rospecs_of_others(exclusive: bool, deleted: list[int]) -> None:
    others = [Element("ROSpec", our_rospec(2).fields | {"ROSpecID": n}, our_rospec(2).children) for n in (1, 14150)]
    bench = Bench(settings={"exclusive": exclusive})
    bench.set_up(rospecs=[*others, our_rospec(2)])
    sent = sorted(message.body["ROSpecID"] for message in bench.sent if message.name == "DELETE_ROSPEC")
    assert sent == deleted
    assert "ADD_ROSPEC" not in bench.names()


def test_a_reader_that_cannot_hold_is_not_told_to() -> None:
    bench = Bench()
    bench.set_up(able=capabilities(hold=0))
    assert "ENABLE_EVENTS_AND_REPORTS" not in bench.names()
    config = next(message.body for message in bench.sent if message.name == "SET_READER_CONFIG")
    assert config.find("EventsAndReports") is None


def test_the_wrong_reader_at_the_right_address() -> None:
    bench = Bench(settings={"identification": "0016250011aa"})
    found = E("Identification", IDType=0, ReaderID=[0, 0x16, 0x25, 0, 0x11, 0xBB])
    with pytest.raises(DriverError, match="this is reader 0016250011BB, not 0016250011AA"):
        bench.set_up(found=[found])


# Answers that do not fit


@pytest.mark.parametrize(("name", "shift"), [("GET_ROSPECS_RESPONSE", 0), ("GET_ROSPECS_RESPONSE", 5)])
def test_an_answer_to_something_else_answers_nothing(name: str, shift: int) -> None:
    bench = Bench()
    bench.greet()
    bench.refuse()
    bench.hear(Message(name, bench.asked.id + shift, E(name, failed(0))))
    assert bench.state is State.CAPABILITIES
    bench.set_up()


def test_an_answer_with_another_message_id_is_taken() -> None:
    bench = Bench()
    bench.greet()
    bench.refuse()
    bench.hear(Message("GET_READER_CAPABILITIES_RESPONSE", bench.asked.id + 1, capabilities()))
    bench.set_up()
    assert bench.take(ReaderUp)[0].firmware == "1.2.3"


def test_an_error_message_with_another_id_answers_nothing_and_is_told_later() -> None:
    bench = Bench()
    bench.greet()
    bench.refuse()
    bench.refuse(101, identity=4711)
    with pytest.raises(DriverError, match=r"no answer to GET_READER_CONFIG .* id 4711: M_FieldError"):
        bench.wait(12)


def test_unknown_messages_are_passed_over() -> None:
    bench = reading()
    bench.hear(Message("UNKNOWN_999", 5, Element("UNKNOWN_999", {"data": b"x"})))
    assert bench.state is State.READING


# Time


def test_the_greeting_has_a_deadline_that_other_bytes_do_not_move() -> None:
    bench = Bench(settings={"command_timeout": 3.0})
    bench.wait(2)
    bench.hear(KEEPALIVE)
    with pytest.raises(DriverError, match=r"no whole LLRP greeting came within 3 s: is this an LLRP reader"):
        bench.wait(1.1)


def test_every_command_has_a_deadline() -> None:
    bench = Bench(settings={"command_timeout": 3.0})
    bench.greet()
    bench.refuse()
    bench.hear(KEEPALIVE)
    bench.wait(2.9)
    assert bench.state is State.CAPABILITIES
    bench.wait(0.2)
    assert bench.state is State.LOOK, "one question may stay without an answer"
    with pytest.raises(DriverError, match=r"no answer to GET_READER_CONFIG \(message id 3\) within 3 s while ask"):
        bench.wait(3.1)


def test_three_missing_keepalives_are_a_dead_link() -> None:
    bench = reading(settings={"keepalive": 2.0})
    for _ in range(5):
        bench.wait(2)
        bench.hear(KEEPALIVE)
    bench.wait(6.9)
    with pytest.raises(DriverError, match="3 keepalives are missing"):
        bench.wait(0.2)


def test_reports_are_signs_of_life_too() -> None:
    bench = reading(settings={"keepalive": 2.0})
    for _ in range(10):
        bench.wait(5)
        bench.session.reported(Stamps.UTC, bench.now, bench.now, bench.at)


def test_held_reads_may_take_longer_than_a_command() -> None:
    bench = Bench(settings={"command_timeout": 3.0})
    bench.set_up(until=State.RELEASE)
    for _ in range(10):
        bench.wait(2)
        bench.session.reported(Stamps.UTC, T0, bench.now, bench.at)
    assert bench.take(ReaderAlive) == []
    bench.answer()
    assert bench.take(ReaderAlive) == [ReaderAlive("r1", bench.now)]


@pytest.mark.parametrize("lively", [True, False])
def test_a_reader_that_does_not_answer_the_last_question_reads_if_it_is_alive(lively: bool) -> None:
    bench = Bench(settings={"command_timeout": 3.0, "keepalive": 1.0})
    bench.set_up(until=State.RELEASE)
    for _ in range(2):
        bench.wait(1)
        if lively:
            bench.hear(KEEPALIVE)
    if lively:
        bench.wait(1.2)
        assert bench.state is State.READING
    else:
        with pytest.raises(DriverError, match="no answer to GET_READER_CONFIG"):
            bench.wait(1.2)


def test_a_gateway_that_was_held_up_reads_before_it_judges() -> None:
    """The loop's timer goes off first, long after it was due, and only then what came in time is read."""
    bench = reading(settings={"keepalive": 2.0})
    bench.at += 60
    bench.session.tick(bench.now, bench.at)
    bench.hear(KEEPALIVE)
    bench.wait(6.9)
    with pytest.raises(DriverError, match="3 keepalives are missing"):
        bench.wait(0.3)


def test_nothing_is_overdue_while_paused() -> None:
    bench = reading(settings={"keepalive": 2.0})
    results: list[DriverError | None] = []
    bench.session.set_output(1, True, results.append, bench.at)
    bench.session.pause(bench.at)
    bench.wait(600)
    bench.session.resume(bench.at)
    bench.wait(4.9)
    assert results == []
    bench.wait(0.3)
    assert [str(error) for error in results] == [
        "reader:5084: output 1 may or may not have switched: no answer from the reader"
    ]


# What the reader says by itself


def test_keepalives_are_acknowledged_by_their_id_and_told() -> None:
    bench = reading()
    bench.wait(1)
    bench.hear(KEEPALIVE)
    assert (bench.asked.name, bench.asked.id) == ("KEEPALIVE_ACK", 77)
    assert bench.take() == [ReaderAlive("r1", bench.now)]


def test_with_several_reads_a_report_the_rest_is_fetched_before_life_is_told() -> None:
    bench = reading(settings={"report_every": 10})
    bench.hear(KEEPALIVE)
    assert bench.names()[-3:] == ["KEEPALIVE_ACK", "GET_REPORT", "GET_READER_CONFIG"]
    assert bench.take() == []
    asked = bench.now
    bench.wait(0.25)
    bench.answer()
    assert bench.take(ReaderAlive) == [ReaderAlive("r1", asked)], "what was read meanwhile may not have come"


def test_antennas() -> None:
    bench = Bench()
    bench.set_up(found=[E("AntennaProperties", AntennaConnected=n != 2, AntennaID=n, AntennaGain=0) for n in (1, 2, 3)])
    states = bench.take(AntennaStatus)
    assert [(state.antenna, state.up) for state in states] == [(1, True), (2, False)]
    bench.hear(event(E("AntennaEvent", EventType=0, AntennaID=1), utc=T0 + 5))
    lost = bench.take(AntennaStatus)
    assert [(state.antenna, state.up, state.t) for state in lost] == [(1, False, T0 + 5)]


def test_a_full_buffer_is_a_condition_that_ends_and_an_overflow_is_a_loss() -> None:
    bench = reading()
    bench.session.reported(Stamps.UTC, T0 - 7 * SECOND, bench.now, bench.at)
    bench.hear(event(E("ReportBufferLevelWarningEvent", ReportBufferPercentageFull=80)))
    bench.hear(event(E("ReportBufferOverflowErrorEvent")))
    condition, loss = bench.take()
    assert (condition.condition, condition.active, condition.detail[-9:]) == ("buffer-warning", True, "80 % full")
    assert loss == ReaderLoss("r1", bench.now, T0 - 7 * SECOND - STRAGGLING, bench.now, "reader-buffer-overflow")
    bench.hear(KEEPALIVE)
    assert bench.take(ReaderCondition) == []
    bench.hear(KEEPALIVE)
    assert bench.take(ReaderCondition) == [ReaderCondition("r1", bench.now, "buffer-warning", False)]


def test_an_exception_is_told_in_the_readers_words_but_not_at_any_length() -> None:
    bench = reading()
    bench.hear(event(E("ReaderExceptionEvent", Message="antenna\n 2 " + "x" * 5000)))
    (condition,) = bench.take(ReaderCondition)
    assert condition.detail.startswith("antenna 2 xxx")
    assert len(condition.detail) <= 300


def test_the_readers_goodbye_ends_the_connection() -> None:
    with pytest.raises(DriverError, match="the reader closed the connection"):
        reading().hear(event(E("ConnectionCloseEvent")))


@pytest.mark.parametrize(("state", "is_fine"), [(2, True), (1, False), (None, False)])
def test_a_rospec_that_ended_is_looked_at(state: int | None, is_fine: bool) -> None:
    bench = reading()
    ours = bench.rospec["ROSpecID"]
    bench.hear(event(E("ROSpecEvent", EventType=1, ROSpecID=ours, PreemptingROSpecID=0)))
    assert bench.asked.name == "GET_ROSPECS"
    answer = [] if state is None else [our_rospec(state)]
    if is_fine:
        bench.answer(*answer)
    else:
        with pytest.raises(DriverError, match="the reader stopped reading by itself"):
            bench.answer(*answer)


def test_a_triggered_reader_says_when_it_waits() -> None:
    settings = {"start": {"input": 1}, "stop": {"after": 5.0}}
    bench = Bench(settings=settings)
    bench.set_up()
    assert bench.take(ReaderCondition) == [ReaderCondition("r1", bench.now, "waiting-for-trigger", True)]
    ours = bench.rospec["ROSpecID"]
    for kind, waits in ((0, False), (1, True)):
        bench.hear(event(E("ROSpecEvent", EventType=kind, ROSpecID=ours, PreemptingROSpecID=0)))
        assert [item.active for item in bench.take(ReaderCondition)] == [waits]
    again = Bench(settings=settings)
    again.set_up(found=[HOLDS], rospecs=[our_rospec(1, settings=settings)])
    assert again.take(ReaderUp)[0].held is True, "a triggered ROSpec that waits is in order"
    assert "START_ROSPEC" not in again.names()


# Inputs


def gpi(state: bool, at: int, port: int = 1) -> Message:
    return event(E("GPIEvent", GPIPortNumber=port, GPIEvent=state), utc=at)


def test_inputs_without_settling_are_told_at_once_with_the_readers_time() -> None:
    bench = reading(settings={"inputs": [{"port": 1}]})
    bench.hear(gpi(True, T0 + 3))
    bench.hear(gpi(False, T0 + 9))
    bench.hear(gpi(False, T0 + 10))
    bench.hear(gpi(True, T0 + 11, port=2))  # not in use
    assert bench.take() == [InputChange("r1", T0 + 3, 1, True), InputChange("r1", T0 + 9, 1, False)]


def test_an_input_that_bounces_counts_once_it_has_settled() -> None:
    bench = reading(settings={"inputs": [{"port": 1, "settle": 0.1}]})
    for state in (True, False, True, False, True):
        bench.hear(gpi(state, bench.now))
        bench.wait(0.02)
    assert bench.take() == []
    since = bench.now - 20_000
    bench.wait(0.1)
    assert bench.take() == [InputChange("r1", since, 1, True)]


def test_held_input_changes_that_come_together_all_count() -> None:
    bench = reading(settings={"inputs": [{"port": 1, "settle": 0.1}]})
    bench.hear(gpi(True, T0 - 9 * SECOND))
    bench.hear(gpi(False, T0 - 5 * SECOND))
    bench.wait(0.2)
    assert [(item.t, item.state) for item in bench.take()] == [(T0 - 9 * SECOND, True), (T0 - 5 * SECOND, False)]


def test_after_a_reconnect_only_changed_inputs_are_told() -> None:
    memory = Memory()
    ports = [E("GPIPortCurrentState", GPIPortNum=n, Config=1, State=n - 1) for n in (1, 2, 3)]
    for told in ([(1, False), (2, True)], []):
        bench = Bench(memory=memory, settings={"inputs": [{"port": n} for n in (1, 2, 3)]})
        bench.set_up(found=ports)
        assert [(item.port, item.state) for item in bench.take(InputChange)] == told


# Clock and link


def test_the_clock_is_told_when_up_and_when_it_changes() -> None:
    bench = Bench()
    bench.greet(utc=T0 - 3 * SECOND)
    bench.set_up()
    assert bench.take(ReaderClock) == [ReaderClock("r1", bench.now, ClockQuality.CORRECTED, 3 * SECOND)]
    assert bench.session.reported(Stamps.UTC, bench.now, bench.now, bench.at) == 0
    assert bench.take(ReaderClock) == [ReaderClock("r1", bench.now, ClockQuality.SYNCED, 0)]


def test_held_reads_do_not_count_for_the_clock() -> None:
    bench = Bench()
    bench.greet()
    bench.session.reported(Stamps.UTC, T0 + 60 * SECOND, bench.now, bench.at)
    bench.set_up()
    assert bench.take(ReaderClock) == [ReaderClock("r1", bench.now, ClockQuality.SYNCED, 0)]


@pytest.mark.parametrize("orderly", [True, False])
def test_a_link_that_broke_may_have_swallowed_reads(orderly: bool) -> None:
    memory = Memory()
    bench = Bench(memory=memory)
    bench.set_up()
    bench.hear(KEEPALIVE)
    heard = bench.now
    bench.wait(4)
    bench.session.link_lost(bench.now, orderly=orderly)
    lost = bench.now
    again = Bench(memory=memory)
    again.set_up(found=[HOLDS], rospecs=[our_rospec(2)])
    losses = again.take(ReaderLoss)
    start = heard - STRAGGLING  # reads come out of time order
    assert losses == ([] if orderly else [ReaderLoss("r1", again.now, start, lost, "link-cut", certain=False)])


def test_a_link_that_breaks_while_held_reads_come_may_have_swallowed_old_ones() -> None:
    memory = Memory()
    bench = Bench(memory=memory)
    bench.set_up(until=State.RELEASE)
    newest = bench.now - 3600 * SECOND
    bench.session.reported(Stamps.UTC, newest, bench.now, bench.at)
    bench.session.link_lost(bench.now, orderly=False)
    lost = bench.now
    again = Bench(memory=memory)
    again.set_up(found=[HOLDS], rospecs=[our_rospec(2)])
    (loss,) = again.take(ReaderLoss)
    assert (loss.start, loss.end) == (newest - STRAGGLING, lost)


# Outputs and closing


def test_outputs() -> None:
    bench = reading()
    results: list[DriverError | None] = []
    with pytest.raises(DriverError, match="output 9 is not possible: this reader has 4"):
        bench.session.set_output(9, True, results.append, bench.at)
    bench.session.set_output(2, True, results.append, bench.at)
    bench._collect()
    bench.answer(status=failed(401, "relay stuck"))
    assert "output 2 was not switched: R_DeviceError: relay stuck" in str(results[0])
    with pytest.raises(DriverError, match="the reader is not connected"):
        Bench().session.set_output(1, True, results.append, 0.0)


def test_outputs_do_not_pile_up_without_bound() -> None:
    bench = reading()
    for _ in range(1 + MAX_WAITING):
        bench.session.set_output(1, True, lambda _error: None, bench.at)
    with pytest.raises(DriverError, match="behind with its commands"):
        bench.session.set_output(1, True, lambda _error: None, bench.at)


def test_closing_asks_the_reader_and_forgets_what_was_waiting() -> None:
    bench = reading()
    results: list[DriverError | None] = []
    bench.session.set_output(1, True, results.append, bench.at)
    bench._collect()
    output = bench.asked
    assert bench.session.close(bench.at)
    bench._collect()
    assert bench.asked.name == "CLOSE_CONNECTION"
    bench.hear(Message("SET_READER_CONFIG_RESPONSE", output.id, E("SET_READER_CONFIG_RESPONSE", failed(0))))
    assert bench.state is State.CLOSING
    bench.answer()
    assert bench.state is State.CLOSED
    assert not bench.session.close(bench.at)


@pytest.mark.parametrize(("report_every", "asked"), [(1, []), (10, ["GET_REPORT"])])
def test_a_reader_that_sits_on_reads_is_asked_for_them_before_it_is_told_to_close(
    report_every: int, asked: list[str]
) -> None:
    bench = reading(settings={"report_every": report_every})
    before = len(bench.names())
    bench.session.close(bench.at)
    bench._collect()
    assert bench.names()[before:] == [*asked, "CLOSE_CONNECTION"]


def test_before_the_greeting_there_is_nobody_to_say_goodbye_to() -> None:
    bench = Bench()
    assert not bench.session.close(bench.at)
    assert bench.sent == []


def test_what_the_reader_cannot_do_is_permanent() -> None:
    for settings, antennas, message in [
        ({}, (Antenna(1, 31.5),), r"power 31.5 dBm is not possible: this reader does 10 to 30 dBm"),
        ({}, (Antenna(9),), r"antenna 9 is not possible: this reader has 4 ports"),
        ({"mode": 1}, (Antenna(1),), r"mode 1 is not possible: this reader knows the modes 0, 2"),
        ({"inputs": [{"port": 5}]}, (Antenna(1),), r"input 5 is not possible: this reader has 4"),
    ]:
        with pytest.raises(DriverError, match=message) as caught:
            Bench(settings=settings, antennas=antennas).set_up()  # type: ignore[arg-type]
        assert caught.value.permanent
