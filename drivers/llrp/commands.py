"""Requests and their answers: one command in flight, the others wait; an answer is known by its message id."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from drivers.api import Log
from drivers.llrp.protocol.codec import Message
from drivers.llrp.protocol.element import Element
from drivers.llrp.protocol.tables import enum_name
from drivers.sparse_log import SparseLog

MAX_WAITING = 64
"""Commands that may wait. More means that somebody switches outputs faster than the reader answers."""

MAX_ABANDONED = 16
"""Commands given up on whose late answers are known: one that comes after so many others is taken for an odd one."""


@dataclass(slots=True)
class Command:
    """A request; what to do with its answer, or with its refusal; and how long to wait for either, in seconds."""

    body: Element
    answered: Callable[[Element], None]
    refused: Callable[[Refusal], None]
    timeout: float
    version: int | None = None  # of the message header; None is the version agreed on


@dataclass(slots=True)
class InFlight:
    """The command that waits for its answer until `deadline` (monotonic seconds)."""

    command: Command
    id: int
    deadline: float

    @property
    def answer_name(self) -> str:
        """The name of the message that answers the command."""
        return f"{self.command.body.name}_RESPONSE"


class Commands:
    """The commands of one connection. `send` takes a body, a message id and a version (None: the one agreed on)."""

    def __init__(self, send: Callable[[Element, int, int | None], None], peer: str, log: Log) -> None:
        self._send = send
        self._peer = peer
        self._log = SparseLog(log)
        self._ids = count(1)
        self._waiting: deque[Command] = deque()
        self._abandoned: dict[int, str] = {}  # given up on while the connection lives: what would answer each
        self._stray_error = ""
        self.in_flight: InFlight | None = None

    def next_id(self) -> int:
        """A message id that was not used before."""
        return next(self._ids)

    @property
    def is_full(self) -> bool:
        """Whether no more commands may wait."""
        return len(self._waiting) >= MAX_WAITING

    def submit(self, command: Command, at: float) -> None:
        """Sends the command as soon as those before it are answered."""
        self._waiting.append(command)
        self._send_next(at)

    def answer(self, message: Message, at: float) -> None:
        """An answer came. One that nobody waits for is set aside with a warning: the one that is due has a deadline."""
        if self._abandoned.get(message.id) == message.name:
            return
        waiting = self.in_flight
        if waiting is None:
            self._log.warning("an answer for which nobody waits", message=message.name, id=message.id)
            return
        if message.name != waiting.answer_name:
            self._stray_error = (
                f"; before that it sent {message.name} with message id {message.id}: the reader mixes up its answers"
            )
            self._log.warning(
                "an answer to something else than was asked",
                message=message.name,
                id=message.id,
                due=waiting.answer_name,
            )
            return
        if message.id != waiting.id:
            self._log.warning("an answer with another message id", message=message.name, id=message.id, due=waiting.id)
        refusal = refusal_of(message.body)
        if refusal is None and not message.readable:
            refusal = Refusal(f"its answer cannot be read ({'; '.join(message.odd)})")
        self._settle(waiting, refusal, message.body, at)

    def error(self, message: Message, at: float, *, any_id: bool) -> None:
        """An ERROR_MESSAGE came. It answers the command of its message id, with `any_id` the one in flight."""
        refusal = refusal_of(message.body) or Refusal("ERROR_MESSAGE without a reason")
        waiting = self.in_flight
        if waiting is not None and (any_id or message.id == waiting.id):
            self._settle(waiting, refusal, message.body, at)
        elif message.id not in self._abandoned:
            self._stray_error = f"; before that it sent an ERROR_MESSAGE with message id {message.id}: {refusal}"
            self._log.warning("error message from the reader", about="", id=message.id, reason=str(refusal))

    def give_up(self, at: float) -> None:
        """No answer came to the command in flight and that counts as a refusal; a late one will be ignored."""
        waiting = self.in_flight
        if waiting is not None:
            self._abandon(waiting)
            self._settle(waiting, NO_ANSWER, waiting.command.body, at)

    def clear(self) -> None:
        """Forgets every command; answers that still come are ignored."""
        self._waiting.clear()
        if self.in_flight is not None:
            self._abandon(self.in_flight)
            self.in_flight = None

    def _abandon(self, waiting: InFlight) -> None:
        self._abandoned[waiting.id] = waiting.answer_name
        while len(self._abandoned) > MAX_ABANDONED:
            del self._abandoned[next(iter(self._abandoned))]

    def overdue(self, waiting: InFlight, what: str) -> str:
        """The sentence for a command whose deadline has passed."""
        return (
            f"{self._peer}: no answer to {waiting.command.body.name} (message id {waiting.id}) within "
            f"{waiting.command.timeout:g} s while {what}{self._stray_error}"
        )

    def _settle(self, waiting: InFlight, refusal: Refusal | None, answer: Element, at: float) -> None:
        self.in_flight = None
        if refusal is None:
            waiting.command.answered(answer)
        else:
            waiting.command.refused(refusal)
        self._send_next(at)

    def _send_next(self, at: float) -> None:
        if self.in_flight is None and self._waiting:
            command = self._waiting.popleft()
            self.in_flight = InFlight(command, self.next_id(), at + command.timeout)
            self._send(command.body, self.in_flight.id, command.version)


_SUCCESS = 0
_LONGEST_TEXT = 300


@dataclass(slots=True, frozen=True)
class Refusal:
    """Why a reader did not do what it was asked."""

    reason: str

    def __str__(self) -> str:
        return self.reason


NO_ANSWER = Refusal("no answer")


def text(value: str) -> str:
    """A reader's own words on one line, cut to a length that a log line can take: they are not under our control."""
    return " ".join(value.split())[:_LONGEST_TEXT]


def ignored(_answer: Element | Refusal) -> None:
    """Takes an answer of which nothing depends."""


def refusal_of(answer: Element) -> Refusal | None:
    """None when the answer's LLRPStatus says success, or when it has none."""
    status = answer.find("LLRPStatus")
    if status is None or status["StatusCode"] == _SUCCESS:
        return None
    reason = enum_name("StatusCode", status["StatusCode"])
    description = text(status["ErrorDescription"])
    return Refusal(f"{reason}: {description}" if description else reason)
