"""Parts of the sessions that are plain functions of time."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from pydantic import ValidationError

from drivers.api import Antenna, DriverContext
from drivers.serial.family import families
from drivers.serial.link import Link
from drivers.serial.m100.frames import frame_of as m100_frame
from drivers.serial.m100.settings import M100Settings
from drivers.serial.mercury.frames import Anchor, Layout, channel_of, read_tag, reply
from drivers.serial.mercury.frames import reply as mercury_reply
from drivers.serial.mercury.settings import MercurySettings
from drivers.serial.r2000.frames import frame_of as r2000_frame
from drivers.serial.r2000.settings import R2000Settings
from drivers.serial.recognise import recognise
from drivers.serial.signs import Conditions, Heartbeat, LineQuality
from drivers.serial.uhf288.frames import Uhf288Framing, command, read_info, read_realtime, read_tags, without_pc
from drivers.serial.uhf288.frames import reply as uhf288_reply
from drivers.serial.uhf288.settings import Uhf288Settings

SECOND = 1_000_000
CYCLE = 250_000


def test_an_anchor_dates_reads_from_the_beginning_of_their_cycle():
    anchor = Anchor(CYCLE)
    anchor.set(10 * SECOND)
    assert anchor.date(100, 10 * SECOND + 110_000) == 10 * SECOND + 100_000
    anchor.set(10 * SECOND + CYCLE)
    assert anchor.date(5, 10 * SECOND + CYCLE + 20_000) == 10 * SECOND + CYCLE + 5_000


def test_an_anchor_that_came_late_is_pulled_back_by_a_read_from_the_future():
    anchor = Anchor(CYCLE)
    anchor.set(10 * SECOND + 40_000)  # the cycle began at 10 s
    assert anchor.date(50, 10 * SECOND + 52_000) == 10 * SECOND + 52_000
    assert anchor.date(90, 10 * SECOND + 95_000) == 10 * SECOND + 92_000


def test_a_lost_end_of_cycle_does_not_date_reads_a_cycle_early():
    anchor = Anchor(CYCLE)
    anchor.set(10 * SECOND)
    arrival = 10 * SECOND + CYCLE + 10_000
    assert anchor.date(8, arrival) == arrival
    assert anchor.date(20, arrival + 12_000) == arrival + 12_000


def test_a_watch_that_hears_nothing_is_overdue():
    heartbeat = Heartbeat(2 * SECOND, 0)
    assert not heartbeat.overdue(2 * SECOND)
    assert heartbeat.overdue(2 * SECOND + 1)
    heartbeat.beat(3 * SECOND)
    assert not heartbeat.overdue(4 * SECOND)


def test_a_condition_lasts_until_it_is_not_repeated():
    conditions = Conditions("r")
    assert [item.active for item in conditions.seen("throttled", 0, "hot")] == [True]
    assert conditions.seen("throttled", 9 * SECOND, "hot") == []
    assert conditions.lapse(18 * SECOND) == []
    assert [(item.condition, item.active, item.t) for item in conditions.lapse(19 * SECOND)] == [
        ("throttled", False, 19 * SECOND)
    ]
    assert conditions.clear(20 * SECOND) == []


def test_a_noisy_line_is_told_by_its_share_of_lost_bytes():
    quality = LineQuality(0)
    assert quality.noise(100_000, 400, 10 * SECOND) is None
    assert quality.noise(200_000, 1_400, 20 * SECOND - 1) is None
    assert "1000 of 100000 bytes" in str(quality.noise(200_000, 1_400, 20 * SECOND))
    assert quality.noise(300_000, 1_400, 30 * SECOND) is None


def test_frequencies_have_a_number_each():
    hops = [902_750 + 500 * index for index in range(50)] + [865_700, 866_300, 866_900, 867_500]
    assert len({channel_of(frequency) for frequency in hops}) == 54
    assert min(channel_of(frequency) for frequency in hops) > 0


def test_every_meta_has_a_layout_and_short_records_are_refused():
    for meta in range(0, 0x4000, 7):
        with pytest.raises(ValueError, match="record"):
            Layout(meta).read(b"\xff\x00\x22\x00\x00", 5)


_FIELDS = "01CC110DF73200000000"
BAD_RECORDS = ["", "01", f"{_FIELDS}0080", f"{_FIELDS}FFFF3000E2", f"{_FIELDS}00813000{'E2' * 14}"]


@pytest.mark.parametrize("record", BAD_RECORDS)
def test_a_tag_record_that_does_not_fit_is_refused(record):
    with pytest.raises(ValueError, match="record"):
        read_tag(reply(0x22, 0, bytes.fromhex("10001B001F01" + record)))


def test_an_xpc_is_no_part_of_the_epc():
    epc = bytes.fromhex("E2801160600002094C4C8B1A")
    for xpc, pc in ((b"\x01\x02", b"\x32\x00"), (b"\x81\x02\x03\x04", b"\x32\x00"), (b"", b"\x30\x00")):
        bits = 8 * (len(xpc) + len(epc) + 4)
        record = bytes.fromhex("10001B001F01" + _FIELDS) + bits.to_bytes(2, "big") + pc + xpc + epc + b"\0\0"
        tag = read_tag(reply(0x22, 0, record))
        assert tag is not None
        assert tag.epc == epc


BAD_TAGS = [b"", b"\x01", b"\x01\x01", b"\x01\x01\x0c\xe2", b"\x01\x00\x00", b"\x01\x02\x02\xe2\x00\x40"]


@pytest.mark.parametrize("data", BAD_TAGS)
def test_uhf288_tags_that_do_not_fill_their_reply_are_refused(data):
    with pytest.raises(ValueError, match="inventory reply"):
        list(read_tags(data, antenna=True, rssi=True))


def test_uhf288_reports_and_information_that_are_too_short_are_refused():
    for data in (b"", b"\x01\x0c\xe2", b"\x01\x02\xe2\x00"):
        with pytest.raises(ValueError, match="report"):
            read_realtime(data, bare=False)
    with pytest.raises(ValueError, match="without EPC"):
        read_realtime(b"", bare=True)
    short = read_info(bytes([2, 11, 0x86]))
    assert (short.firmware, short.kind, short.power, short.has_antennas) == ("2.11", 0x86, None, False)


def test_a_pc_before_the_epc_is_taken_off_where_it_counts_the_words():
    epc = bytes.fromhex("E2801160600002094C4C8B1A")
    assert without_pc(b"\x30\x00" + epc) == epc
    assert without_pc(epc) == epc


RECOGNISED = [
    (b"", "Nothing was received"),
    (bytes.fromhex("043F0000002000000001") + bytes(22), "LLRP reader, configure it with driver: llrp"),
    (b"$GPGGA,123519,4807.038,N,01131.000,E,1,08*47\r\n$GPGSA,A,3*39\r\n", "GPS receiver"),
    (b"Debian GNU/Linux 12 gw ttyS0\r\n\r\ngw login: ", "login prompt"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", "It sends text"),
    (bytes.fromhex("A00A018900001100000005B6") * 2, "driver: r2000"),
    (bytes.fromhex("FF0022040084E0") * 2, "driver: mercury"),
    (bytes.fromhex("1400EE00010CE2801160600002094C4C8B1A5A828E"), "driver: uhf288"),
    (bytes.fromhex("BB01FF000115167E"), "driver: m100"),
    (bytes(range(128, 160)), "no known protocol (80 81 82"),
]


WHOLE = [
    ("mercury, no tags", "FF0022040084E0", "driver: mercury"),
    ("mercury, the host's side", "FF00031D0C", "driver: mercury"),
    ("mercury, an opcode that we never send", mercury_reply(0x72, 0, b"\x1f").hex(), "driver: mercury"),
    ("uhf288, a buffered inventory", uhf288_reply(0, 0x18, 0, b"\x00\x01\x00\x01").hex(), "driver: uhf288"),
    ("uhf288, single tag", uhf288_reply(3, 0x0F, 1, b"\x01\x01\x0c" + bytes(12) + b"\x40").hex(), "driver: uhf288"),
    ("r2000, buffer", r2000_frame(1, 0x81, bytes(9)).hex(), "driver: r2000"),
    ("m100, hopping", m100_frame(1, 0xAD, b"\x00").hex(), "driver: m100"),
    (
        "silion",
        "FF0EAA4D6F64756C6574656368AA49F3BB0391",
        "Silion modules: the gateway has no driver",
    ),
]


@pytest.mark.parametrize("noise", [b"", b"\x00\x81", b"\x93" * 9], ids=["clean", "a little noise", "more noise"])
@pytest.mark.parametrize(("seen", "says"), [pair[1:] for pair in WHOLE], ids=[pair[0] for pair in WHOLE])
def test_whole_frames_of_a_known_family_never_blame_the_baud_rate(seen, says, noise):
    said = recognise(noise + bytes.fromhex(seen) * 3, "other")
    assert says in said
    assert "baud" not in said


def test_frames_of_the_family_that_is_configured_are_no_advice_to_configure_it():
    said = recognise(bytes.fromhex("1400EE00010CE2801160600002094C4C8B1A5A828E"), "uhf288")
    assert "configure it" not in said
    assert "is its address right" in said


@pytest.mark.parametrize(("seen", "says"), RECOGNISED)
def test_what_sits_on_a_port_is_said(seen, says):
    assert says in recognise(seen)


def test_foreign_text_is_cut_and_escaped():
    said = recognise(b"\x1b[2J" + b"A" * 500)
    assert len(said) < 150
    assert "\x1b" not in said


BAD_DEVICES = [
    ("rfc2217://10.0.0.5:4001", "raw TCP mode"),
    ("socket://10.0.0.5", "write socket://HOST:PORT"),
    ("socket://10.0.0.5:99999", "write socket://HOST:PORT"),
    ("spy:///dev/ttyUSB0", "not supported"),
    ("COM3", "is no port"),
]


@pytest.mark.parametrize(("device", "says"), BAD_DEVICES)
@pytest.mark.parametrize("model", [MercurySettings, Uhf288Settings, R2000Settings, M100Settings])
def test_a_device_that_cannot_be_opened_is_refused_with_what_to_write(model, device, says):
    with pytest.raises(ValidationError, match=says):
        model(device=device)


BAD_SETTINGS = [
    (MercurySettings, {"baud": 115201}),
    (MercurySettings, {"region": "MARS"}),
    (MercurySettings, {"on": 0}),
    (MercurySettings, {"sesion": 1}),
    (Uhf288Settings, {"address": 256}),
    (Uhf288Settings, {"address": "1"}),
    (Uhf288Settings, {"channels": [1]}),
    (R2000Settings, {"session": 4}),
    (M100Settings, {"inputs": [9]}),
]


@pytest.mark.parametrize(("model", "settings"), BAD_SETTINGS)
def test_settings_are_strict(model, settings):
    with pytest.raises(ValidationError):
        model.model_validate({"device": "/dev/ttyUSB0", **settings})


class Silent:
    """A transport that sends to nobody."""

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("size", [1, 3, 100], ids=["bytewise", "in threes", "at once"])
@pytest.mark.parametrize("glitch", [b"", b"\x00", b"\xff\x00\x80"], ids=["clean", "a byte", "three bytes"])
async def test_what_was_sent_is_no_answer_whatever_the_line_says_before_it(glitch, size):
    """A transceiver that is switched over puts a byte or two on the line, before it hears the host."""
    request, answer = command(0, 0x2F, b"\x1e"), uhf288_reply(0, 0x2F, 0)
    link = Link("the bus", Uhf288Framing(), echo=True)
    link._transport = Silent()
    heard: list[bytes] = []
    async with link.turn(heard.extend):
        for _ in range(3):
            link.expect_no_echo()
            link.send(request)
            data = glitch + request + answer
            for at in range(0, len(data), size):
                link.feed(data[at : at + size])
            heard += link.framer.expire(1 << 60)
    assert heard == [answer] * 3
    link.close()


async def test_a_transceiver_that_does_not_hear_the_host_costs_no_answers():
    request, answer = command(0, 0x2F, b"\x1e"), uhf288_reply(0, 0x2F, 0)
    link = Link("the bus", Uhf288Framing(), echo=True)
    link._transport = Silent()
    heard: list[bytes] = []
    async with link.turn(heard.extend):
        link.send(request)
        for byte in answer:
            link.feed(bytes([byte]))
    assert heard == [answer]
    link.close()


@pytest.mark.parametrize("family", families().values(), ids=lambda family: family.name)
async def test_a_reader_far_away_may_leave_an_answer_out(family):
    """One answer that is lost is no reason to take the reader for dead, however long it is waited for."""
    context = DriverContext("r", (Antenna(1),), lambda item: None, lambda: 0, structlog.get_logger())
    for reply_timeout in (0.5, 5.0):
        settings = family.settings(device="socket://far-away:4001", reply_timeout=reply_timeout)
        session = family.session(Link("far away", family.framing()), context, settings, asyncio.Event())
        assert session.heartbeat.limit >= max(2, 2 * reply_timeout) * SECOND
