"""What the emulated LLRP reader has to send, in the right order: answers, events, keepalives and tag reports.

A report leaves the buffer only when it is about to be handed to the kernel, so that what a cut connection did not take
is still there. Everything else waits for the reports that were due before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.emulators.llrp.reports import Record, ReportBuffer
from drivers.llrp.protocol.codec import Message, encode
from drivers.llrp.protocol.element import E, Element

HELD_EVENTS = 1_000
"""Events kept while nobody takes them: days of a door's photo-eye, at 200 bytes each. The oldest go first."""


CROWDED = 100
"""Answers and keepalives that wait while a client does not read: beyond it no more requests are taken from that client
and no more keepalives added, so a client that only writes cannot fill the memory."""


@dataclass(slots=True, frozen=True)
class Control:
    """A message that is no report. It goes once `after` reads have left the buffer. `id` None: the reader counts.
    An event (`is_event`) waits while the reader holds and then outlives the connection; the others die with it."""

    body: Element
    after: int = 0
    id: int | None = None
    version: int | None = None
    is_event: bool = False


@dataclass(slots=True, frozen=True)
class Frame:
    """One whole message for the kernel, and what it was made of."""

    data: bytes
    records: list[Record] = field(default_factory=list)
    control: Control | None = None


class Outbox:
    """`holding`: no events or reports until the client says so. `closing`: nothing more after the last answer.
    `given_up`: not even that has to be waited for, the client is taken for dead."""

    def __init__(self, buffer: ReportBuffer, version: Callable[[], int]) -> None:
        self.buffer = buffer
        self.holding = False
        self.closing = False
        self.given_up = False
        self._version = version
        self._controls: deque[Control] = deque()
        self._events: deque[Control] = deque()
        self._last_id = 0

    def answer(self, body: Element, request: int, version: int) -> None:
        """Puts the answer to a request into line."""
        self._controls.append(Control(body, self._due, request, version))

    @property
    def _due(self) -> int:
        """How many of the reads have left once those are sent that are due now."""
        return 0 if self.holding else self.buffer.released_mark

    def announce(self, body: Element) -> None:
        """An event that is never held: of the connection itself."""
        if not self.crowded:
            self._controls.append(Control(body))

    @property
    def crowded(self) -> bool:
        """The client has not taken its answers for long."""
        return len(self._controls) >= CROWDED

    def last_answer(self, body: Element, request: int, version: int) -> None:
        """The answer after which the connection is closed; the reports that are due go before it."""
        self.answer(body, request, version)
        self.closing = True

    def last_event(self, body: Element) -> None:
        """The event after which the connection is closed. The client has not been listening: no reports before it."""
        self._controls = deque([Control(body)])
        self.closing = self.given_up = True

    def keepalive(self) -> None:
        """Puts a keepalive into line, unless too much waits already."""
        if not self.crowded:
            self._controls.append(Control(E("KEEPALIVE"), self._due))

    def event(self, body: Element) -> None:
        """An event that comes after the reads that are due now; while holding, after all that wait."""
        if len(self._events) >= HELD_EVENTS:
            self._events.popleft()
        after = self.buffer.appended if self.holding else self.buffer.released_mark
        self._events.append(Control(body, after, is_event=True))

    def empty_report(self) -> None:
        """The answer to GET_REPORT when there is nothing to report."""
        self._controls.append(Control(E("RO_ACCESS_REPORT")))

    def connection_lost(self, unsent: list[Frame], keep: bool) -> None:
        """Takes back what could not be sent, forgets what belonged to the connection and (unless `keep`) the events."""
        for frame in reversed(unsent):
            if frame.records:
                self.buffer.put_back(frame.records)
            if frame.control is not None and frame.control.is_event:
                self._events.appendleft(frame.control)
        self._controls.clear()
        if not keep:
            self._events.clear()
        self.buffer.withhold()
        self.closing = self.given_up = False

    def take(self) -> Frame | None:
        """Removes and returns what goes next, None when nothing does."""
        passed = self.buffer.passed
        if self._controls and self._controls[0].after <= passed:
            return self._frame(self._controls.popleft())
        if self.holding or (self.closing and not self._controls):
            return None
        if self._events and self._events[0].after <= passed:
            return self._frame(self._events.popleft())
        records = self.buffer.take()
        return self._report(records) if records else None

    def _frame(self, control: Control) -> Frame:
        identity = self._next_id() if control.id is None else control.id
        version = self._version() if control.version is None else control.version
        return Frame(encode(Message(control.body.name, identity, control.body, version)), control=control)

    def _report(self, records: list[Record]) -> Frame:
        body = b"".join(record.data for record in records)
        head = (self._version() << 10 | 61).to_bytes(2, "big") + (10 + len(body)).to_bytes(4, "big")
        return Frame(head + self._next_id().to_bytes(4, "big") + body, records)

    def _next_id(self) -> int:
        self._last_id = self._last_id % 0xFFFFFFFF + 1
        return self._last_id
