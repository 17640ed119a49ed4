"""Decoding tag reports: ours, sllurp and llrpkit on the same bytes, at 100, 10 and 1 reads a message.

A report has EPC-96, ROSpecID, AntennaID, PeakRSSI, ChannelIndex, first and last time in UTC, and the count. A figure is
reads per second of CPU time, the best of several turns, from the bytes of a chunk to all its reads. A chunk at once is
how the gateway reads a connection that chatters; a message at a time is one that says something now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from llrpkit.protocol import decode_message
from llrpkit.protocol.messages import RO_ACCESS_REPORT as LLRPKIT_REPORT
from sllurp.llrp import LLRPMessage

from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.framing import Frames
from drivers.llrp.reports.decoder import ReportDecoder
from drivers.llrp.transport import RO_ACCESS_REPORT

READS = 1000
"""Reads in a chunk: 50 to 60 kB, what a busy connection hands over at once."""

SIZES = (100, 10, 1)
TURNS = 5
TURN = 0.05
"""Seconds of each decoder's turn."""

_BODY = 10  # where a frame's body begins
_TIME = 1_700_000_000_000_000


def chunk(size: int) -> bytes:
    """READS reads in messages of `size` reads each."""
    return b"".join(_frame(range(start, start + size)) for start in range(0, READS, size))


def measure() -> Iterator[str]:
    """Rows for printing: reads per second of each decoder, and how many times sllurp's that is."""
    yield f"{'decoder (reads/s)':<34}" + "".join(f"{f'{size} a message':>22}" for size in SIZES)
    columns = [_best_rates(chunk(size)) for size in SIZES]
    for name in DECODERS:
        cells = (f"{column[name]:,.0f} ({column[name] / column['sllurp']:5.1f}x)" for column in columns)
        yield f"{name:<34}" + "".join(f"{cell:>22}" for cell in cells)


def _best_rates(data: bytes) -> dict[str, float]:
    """Decoders take turns, so that whatever else the machine does hits all of them."""
    rates = dict.fromkeys(DECODERS, 0.0)
    for _ in range(TURNS):
        for name, run in DECODERS.items():
            rates[name] = max(rates[name], _rate(run, data))
    return rates


def _rate(run: Callable[[bytes], int], data: bytes) -> float:
    start = time.process_time()
    repeats = 0
    while (spent := time.process_time() - start) < TURN:
        assert run(data) == READS
        repeats += 1
    return repeats * READS / spent


def _frame(numbers: range) -> bytes:
    return encode(Message("RO_ACCESS_REPORT", 1, E("RO_ACCESS_REPORT", *map(_record, numbers))))


def _record(number: int) -> Element:
    return E(
        "TagReportData",
        E("EPC_96", EPC=bytes.fromhex(f"1A4060300048D3D0{number:08X}")),
        E("ROSpecID", ROSpecID=1),
        E("AntennaID", AntennaID=1 + number % 4),
        E("PeakRSSI", PeakRSSI=-45 - number % 30),
        E("ChannelIndex", ChannelIndex=1 + number % 50),
        E("FirstSeenTimestampUTC", Microseconds=_TIME + number),
        E("LastSeenTimestampUTC", Microseconds=_TIME + number),
        E("TagSeenCount", TagCount=1),
    )


def _ours(*, rows: bool) -> Callable[[bytes], int]:
    """With `rows` a tuple for each read; otherwise bytes that are checked, as the floor takes them."""
    frames, decoder = Frames(), ReportDecoder()

    def run(data: bytes) -> int:
        bodies: list[bytes] = []
        frames.take(data, RO_ACCESS_REPORT, bodies, [])
        report = decoder.decode_frames(bodies)
        return len(list(report.rows) if rows else report.rows)

    return run


def _ours_apart(data: bytes) -> int:
    decode_one = _DECODER.decode
    return sum([len(decode_one(frame[_BODY:]).rows) for *_, frame in Frames().feed(data)])


def _ours_mixed() -> Callable[[bytes], int]:
    """Bodies that have something else in front, so that no report is unpacked at once."""
    frames, decoder = Frames(), ReportDecoder()
    other = bytes.fromhex("012c0004")

    def run(data: bytes) -> int:
        return sum([len(decoder.decode(other + frame[_BODY:]).rows) for *_, frame in frames.feed(data)])

    return run


def _ours_generic(data: bytes) -> int:
    return sum([len(decode(frame).body.children) for *_, frame in Frames().feed(data)])


def _sllurp(data: bytes) -> int:
    found = 0
    while data:
        length = int.from_bytes(data[2:6], "big")
        message = LLRPMessage(msgbytes=data[:length])
        found += len(message.msgdict["RO_ACCESS_REPORT"]["TagReportData"])
        data = data[length:]
    return found


def _llrpkit(data: bytes) -> int:
    view = memoryview(data)
    found = at = 0
    while at < len(data):
        end = at + int.from_bytes(data[at + 2 : at + 6], "big")
        message = decode_message(bytes(view[at:end]))
        assert isinstance(message, LLRPKIT_REPORT)
        found += len(message.tag_report_datas)
        at = end
    return found


_DECODER = ReportDecoder()

DECODERS: dict[str, Callable[[bytes], int]] = {
    "ours, a chunk at once, as bytes": _ours(rows=False),
    "ours, a chunk at once, as rows": _ours(rows=True),
    "ours, a message at a time": _ours_apart,
    "ours, reports mixed with others": _ours_mixed(),
    "ours, generic codec": _ours_generic,
    "sllurp": _sllurp,
    "llrpkit": _llrpkit,
}


if __name__ == "__main__":
    print("\n".join(measure()))
