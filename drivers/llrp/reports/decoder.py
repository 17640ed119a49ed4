"""Tag reports in bulk: the body of an RO_ACCESS_REPORT to rows, at the speed of one `struct` call.

A body whose records all have a layout that was seen before is verified and unpacked at once; any other is cut into runs
of records with one layout each, and new layouts are learned on the way. Both ways give the same rows.

LLRP lets a reader leave out a parameter that is the same as in the record before (LLRP 1.1, section 14.2.3), and some
do. A `ReportDecoder` therefore remembers the last row, and belongs to one connection.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from drivers.api import ProtocolError, Row, RssiUnit
from drivers.llrp.protocol.codec import decode_parameters
from drivers.llrp.protocol.element import Element
from drivers.llrp.reports.layout import NOTHING_SAID, START, TAG_REPORT_DATA, Clock, RecordLayout
from drivers.records import COLUMNS, Records

MAX_LAYOUTS = 256
"""Layouts remembered, a few kB each. A reader uses one for each ROSpec and EPC length; there are 32 lengths."""

MAX_LEARNED = 1024
"""Layouts learned in one report. Each costs as much time as thousands of rows, and no reader has so many."""

MAX_OTHERS = 10_000
"""Parameters beside tag reports in one report. An RF survey sends one; a hostile frame could hold two million."""

_TLV = struct.Struct(">HH")
_MESSAGE = "RO_ACCESS_REPORT"


@dataclass(slots=True)
class DecodedReport:
    """What a report says. `rows` are as in `drivers.api.Row`, in the order in which the reader sent them.

    Where all records have one layout the rows are `Records`: still the reader's bytes, decoded when asked for.
    `clock` says what the rows' times are: ``utc``, ``uptime``, or ``none`` when the reader gives none (all 0).
    `other` holds what is not tag reports: RFSurveyReportData, a vendor's parameters. `odd` is how many tag reports
    could not be read and were left out, and `example` what was wrong with one. `access` are the AccessSpecs whose
    results came along.
    """

    rows: Sequence[Row] = field(default_factory=list)
    rssi_unit: RssiUnit = RssiUnit.DBM
    phase: bool = False
    tids: dict[bytes, bytes] = field(default_factory=dict)
    clock: Clock = "none"
    other: list[Element] = field(default_factory=list)
    odd: int = 0
    example: str = ""
    access: set[int] = field(default_factory=set)

    @property
    def newest(self) -> int:
        """The time of the last row by the reader's clock; there must be one."""
        rows = self.rows
        time: int = rows.format.newest(rows.body) if type(rows) is Records else rows[-1][4]
        return time

    def leave_out(self, example: str) -> None:
        """A tag report, or the rest of a body, cannot be read."""
        self.odd += 1
        self.example = self.example or example


@dataclass(slots=True)
class _Run:
    """Rows that share a unit, a shape and a clock."""

    rows: list[Row]
    rssi_unit: RssiUnit
    phase: bool
    clock: Clock


class ReportDecoder:
    """Decodes the reports of one connection. With `inherit`, what a record leaves out is as in the record before it.
    `antenna` is that of reads whose reader names none, 0 where it is not known."""

    def __init__(self, *, inherit: bool = True, antenna: int = 0) -> None:
        self._inherit = inherit
        self._defaults: Row = (NOTHING_SAID[0], antenna, *NOTHING_SAID[2:])
        self._layouts: dict[bytes, list[RecordLayout]] = {}  # by a record's first bytes; the last used first
        self._count = 0
        self._learned = 0  # in the report that is being decoded
        self._last_raw: tuple[RecordLayout, bytes] | None = None  # where the last row is that nobody has asked for
        self._last_row = self._defaults
        self._last_unit = RssiUnit.DBM
        self._last_clock: Clock = "none"

    def decode(self, body: bytes | memoryview) -> DecodedReport:
        """The body of one RO_ACCESS_REPORT, without the message header. What cannot be read is left out and counted.
        Raises ProtocolError for a report that costs too much to look at."""
        return self._decode(bytes(body), (body,))

    def decode_frames(self, bodies: Sequence[bytes | memoryview]) -> DecodedReport:
        """Bodies that arrived together, as one report; otherwise as `decode`.

        Joining them first is what makes many small reports nearly as fast as one large one.
        """
        return self._decode(bytes(bodies[0]) if len(bodies) == 1 else b"".join(bodies), bodies)

    def _decode(self, joined: bytes, bodies: Sequence[bytes | memoryview]) -> DecodedReport:
        self._learned = 0
        layout = self._known(joined)
        if layout is not None and (len(bodies) == 1 or not any(size % layout.size for size in set(map(len, bodies)))):
            if layout.raw and layout.format.newest(joined) and self._says_all(layout):
                self._last_raw = (layout, joined)
                report = DecodedReport(Records(layout.format, joined), layout.rssi_unit, layout.phase)
                report.clock = layout.clock
            else:
                tids: dict[bytes, bytes] = {}
                rows, clock = self._rows(layout, joined, tids)
                report = DecodedReport(rows, layout.rssi_unit, layout.phase, tids, clock)
            if layout.access_spec is not None:
                report.access.add(layout.access_spec)
            return report
        report = DecodedReport()
        runs = [run for body in bodies for run in self._runs(bytes(body), report)]
        if runs:
            _merge(runs, report)
        return report

    def _says_all(self, layout: RecordLayout) -> bool:
        """Whether what records of this layout leave out is what no reader has said yet, and not as in the last one."""
        if not layout.absent or not self._inherit or (self._last_raw is not None and self._last_raw[0] is layout):
            return True
        said = dict(zip(COLUMNS, zip(self._previous()[:6], NOTHING_SAID, strict=True), strict=False))
        return all(column not in said or said[column][0] == said[column][1] for column in layout.absent)

    def _previous(self) -> Row:
        """The last row of the connection."""
        if self._last_raw is not None:
            layout, body = self._last_raw
            self._last_raw = None
            self._last_row = layout.format.rows(body[-layout.size :])[0]
            self._last_unit, self._last_clock = layout.rssi_unit, layout.clock
        return self._last_row

    def _known(self, body: bytes) -> RecordLayout | None:
        """A known layout that all records of `body` have."""
        for layout in self._layouts.get(body[:START], ()):
            if layout.fits(body):
                return layout
        return None

    def _runs(self, body: bytes, report: DecodedReport) -> list[_Run]:
        """Cuts a body into runs of one layout each; what is not a tag report goes to `report.other`."""
        runs = []
        others = []
        layout: RecordLayout | None = None
        start = 0  # where the run of `layout` began
        end = 0  # of the last parameter
        for at, end in _parameters(body, report):
            if layout is not None and layout.size == end - at and layout.fits_at(body, at):
                continue
            if layout is not None:
                runs.append(self._run(layout, body[start:at], report))
            start = at
            if _TLV.unpack_from(body, at)[0] & 0x3FF == TAG_REPORT_DATA:
                layout = self._layout(body, at, end, report)
            else:
                layout = None
                others.append((at, end))
                if len(others) > MAX_OTHERS:
                    raise ProtocolError(
                        f"bad LLRP message: {_MESSAGE} holds more than {MAX_OTHERS} parameters that are no tag reports"
                    )
        if layout is not None:
            runs.append(self._run(layout, body[start:end], report))
        self._take_others(body, others, report)
        return runs

    def _take_others(self, body: bytes, others: list[tuple[int, int]], report: DecodedReport) -> None:
        for span in others:
            try:
                report.other.extend(decode_parameters(body, [span], _MESSAGE))
            except ProtocolError as error:
                report.leave_out(str(error))

    def _layout(self, body: bytes, at: int, stop: int, report: DecodedReport) -> RecordLayout | None:
        """The layout of the record at `at`, learned if need be; None, and counted, for a record that cannot be read."""
        candidates = self._layouts.get(body[at : at + START], [])
        for place, layout in enumerate(candidates):
            if layout.fits_at(body, at):
                candidates.insert(0, candidates.pop(place))
                return layout
        self._learned += 1
        if self._learned > MAX_LEARNED:
            raise ProtocolError(f"bad LLRP message: {_MESSAGE} has tag reports of more than {MAX_LEARNED} layouts")
        try:
            layout = RecordLayout(body[at:stop])
        except ProtocolError as error:
            report.leave_out(f"{_MESSAGE} at byte {at} of the body: {error}")
            # What the next one leaves out is as in this one, and that is not known.
            self._last_raw = None
            self._last_row, self._last_unit, self._last_clock = self._defaults, RssiUnit.DBM, "none"
            return None
        if self._count == MAX_LAYOUTS:
            self._layouts.clear()
            self._count = 0
        self._count += 1
        self._layouts.setdefault(layout.start, []).insert(0, layout)
        return layout

    def _run(self, layout: RecordLayout, body: bytes, report: DecodedReport) -> _Run:
        rows, clock = self._rows(layout, body, report.tids)
        if layout.access_spec is not None:
            report.access.add(layout.access_spec)
        return _Run(rows, layout.rssi_unit, layout.phase, clock)

    def _rows(self, layout: RecordLayout, body: bytes, tids: dict[bytes, bytes]) -> tuple[list[Row], Clock]:
        """The rows of a body that fits, with what is left out filled in, and what their times are."""
        filler = self._defaults
        clock: Clock = layout.clock
        if layout.absent and self._inherit:
            filler = self._previous()
            if self._last_unit is RssiUnit.CENTI_DBM:
                filler = (*filler[:2], filler[2] // 100, *filler[3:])
            if clock == "none":
                clock = self._last_clock
        rows = layout.rows(body, filler, tids)
        if rows[0][4] == 0 and not any(row[4] for row in rows):
            clock = "none"
        self._last_raw = None
        self._last_row, self._last_unit, self._last_clock = rows[-1], layout.rssi_unit, clock
        return rows, clock


def _parameters(body: bytes, report: DecodedReport) -> Iterator[tuple[int, int]]:
    """Where each parameter of a body begins and ends. Ends where none begins, and counts the rest as one oddity."""
    at = 0
    while at < len(body):
        left = len(body) - at
        number, length = _TLV.unpack_from(body, at) if left >= _TLV.size else (0, 0)
        if not _TLV.size <= length <= left or number & 0x8000:
            report.leave_out(
                f"{_MESSAGE} at byte {at} of the body: a parameter with length should begin, there are {left} bytes: "
                f"{body[at : at + 8].hex(' ')}"
            )
            return
        yield at, at + length
        at += length


def _merge(runs: list[_Run], report: DecodedReport) -> None:
    """Puts runs into one report."""
    first = runs[0]
    if len(runs) > 1 and len({(run.rssi_unit, run.phase, run.clock) for run in runs}) > 1:
        _align(runs)
    report.rssi_unit, report.phase, report.clock = first.rssi_unit, first.phase, first.clock
    report.rows = first.rows if len(runs) == 1 else [row for run in runs for row in run.rows]


def _align(runs: list[_Run]) -> None:
    """Brings runs to one unit, one shape and one clock without making anything up.

    Phase is dropped unless every row has it. Rows of no clock, or another one, get the newest time of those that have
    the best clock: a guess as good as the report's arrival, and never the year 1970.
    """
    unit = RssiUnit.CENTI_DBM if any(run.rssi_unit is RssiUnit.CENTI_DBM for run in runs) else RssiUnit.DBM
    phase = all(run.phase for run in runs)
    clock = max((run.clock for run in runs), key=("none", "uptime", "utc").index)
    newest = max(row[4] for run in runs if run.clock == clock for row in run.rows)
    for run in runs:
        if run.rssi_unit is not unit:
            run.rows = [(*row[:2], row[2] * 100, *row[3:]) for row in run.rows]
        if run.phase and not phase:
            run.rows = [row[:6] for row in run.rows]
        if run.clock != clock:
            run.rows = [(*row[:4], newest, *row[5:]) for row in run.rows]
        run.rssi_unit, run.phase, run.clock = unit, phase, clock
