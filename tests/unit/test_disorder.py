"""How long windows wait: as long as the readers have lately needed, between bounds."""

from __future__ import annotations

from drivers.api import Batch, ReaderAlive, ReaderDown, ReaderUp
from drivers.records import RecordFormat, Records
from gateway.clock import MILLISECOND, SECOND
from gateway.floor import Floor
from gateway.inputs import Lateness, Tick
from gateway.service.disorder import LEAST, SPAN, SPANS, Disorder
from tests.support.floor_scene import config

T = 1_700_000_000 * SECOND
UPPER = SECOND


def batch(reader: str, at: int, *delays: int, offset: int = 0) -> Batch:
    return Batch(reader, at, [(b"a", 1, -60, 0, at - delay - offset, 1) for delay in delays], offset)


def reading(disorder: Disorder, reader: str, delay: int, begin: int, seconds: int) -> int:
    """The reader reads for some time, as much as `delay` late. Returns when that ends."""
    for at in range(begin, begin + seconds * SECOND, SECOND // 10):
        disorder.ticked(at)
        disorder.observe(batch(reader, at, delay // 2, delay))
    disorder.ticked(begin + seconds * SECOND)
    return begin + seconds * SECOND


def test_without_evidence_windows_wait_as_long_as_the_configuration_says() -> None:
    disorder = Disorder(UPPER)
    assert disorder.look(T, UPPER) is None
    disorder.observe(batch("a", T, 0))
    assert disorder.look(T + SECOND, UPPER) is None
    assert Disorder(UPPER).look(T, LEAST) == UPPER, "a run that has seen nothing yet does not trust the one before"


def test_they_wait_as_long_as_the_slowest_reader_needs_and_some_more() -> None:
    disorder = Disorder(UPPER)
    reading(disorder, "a", 40 * MILLISECOND, T, 12)
    now = reading(disorder, "b", 200 * MILLISECOND, T, 12)
    wanted = disorder.look(now, UPPER)
    assert wanted is not None
    assert 200 * MILLISECOND * 5 // 4 < wanted < 300 * MILLISECOND
    assert disorder.look(now + SECOND, wanted) is None


def test_a_later_read_makes_them_wait_longer_at_once_and_is_forgotten_after_a_while() -> None:
    disorder = Disorder(UPPER)
    now = reading(disorder, "a", 10 * MILLISECOND, T, 12)
    assert disorder.look(now, UPPER) == LEAST
    disorder.observe(batch("a", now, 500 * MILLISECOND))
    disorder.ticked(now + SECOND)
    longer = disorder.look(now + SECOND, LEAST)
    assert longer is not None
    assert longer > 600 * MILLISECOND
    now = reading(disorder, "a", 10 * MILLISECOND, now, SPAN * SPANS // SECOND + 10)
    assert disorder.look(now, longer) == LEAST


def test_held_reads_and_a_new_connection_are_no_evidence() -> None:
    disorder = Disorder(UPPER)
    disorder.observe(ReaderUp("a", T, held=True))
    reading(disorder, "a", 900 * MILLISECOND, T, 12)
    disorder.observe(ReaderAlive("a", T + 12 * SECOND))
    now = reading(disorder, "a", 10 * MILLISECOND, T + 12 * SECOND, 12)
    assert disorder.look(now, UPPER) == LEAST
    disorder.observe(ReaderDown("a", now, "cut"))
    disorder.observe(ReaderUp("a", now))
    disorder.observe(batch("a", now, 0))
    assert disorder.look(now + SECOND, LEAST) == UPPER


def test_nothing_asks_for_more_than_the_configuration_allows() -> None:
    disorder = Disorder(UPPER)
    now = reading(disorder, "a", 100 * SECOND, T, 12)
    assert disorder.look(now, LEAST) == UPPER


def test_offsets_count_and_bytes_are_as_good_as_rows() -> None:
    format = RecordFormat(23, [("epc", 0, "12s"), ("antenna", 12, "H"), ("rssi", 14, "b"), ("time", 15, "Q")])
    disorder = Disorder(UPPER)
    for at in range(T, T + 12 * SECOND, SECOND):
        body = b"".join(bytes(15) + (at - delay - 77).to_bytes(8, "big") for delay in (0, 400 * MILLISECOND))
        disorder.ticked(at)
        disorder.observe(Batch("a", at, Records(format, body), 77))
    disorder.ticked(T + 12 * SECOND)
    wanted = disorder.look(T + 12 * SECOND, UPPER)
    assert wanted is not None
    assert 500 * MILLISECOND < wanted < 600 * MILLISECOND


def test_a_floor_closes_windows_as_it_is_told_and_never_later_than_configured() -> None:
    floor = Floor(config())
    upper = floor.lateness
    floor.feed(Lateness(T, 150 * MILLISECOND))
    assert floor.lateness == 150 * MILLISECOND
    floor.feed(Tick(T))
    successor = Floor(config())
    successor.restore(floor.checkpoint())
    assert successor.lateness == 150 * MILLISECOND
    floor.feed(Lateness(T, 100 * upper + SECOND))
    assert floor.lateness == upper
