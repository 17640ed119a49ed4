"""What the reader owes us and by when: the answer to the command in flight, its greeting, its keepalives.

Each deadline is looked at twice (`drivers.deadlines`). While the link is not read, nothing is owed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from drivers.deadlines import SecondLook
from drivers.llrp.commands import Commands, InFlight
from drivers.llrp.heartbeat import Heartbeat
from drivers.llrp.protocol.element import Element
from drivers.llrp.settings import LlrpSettings
from drivers.llrp.setup import STEPS, State

FAIRNESS = 0.1
"""Seconds between the two looks at a deadline. What held up the gateway may have held up a reader on the same machine
or behind the same switch."""

LONGEST_RELEASE = 12
"""Times the deadline of a command for which reads put off the end of the release: a reader that does not answer the
question behind what it held has said everything by then."""


class Owed:
    """The deadlines of one connection. Times in monotonic seconds. `optional` takes the answers of the commands that
    may stay without one: they only ask how the reader fares."""

    def __init__(
        self,
        settings: LlrpSettings,
        peer: str,
        commands: Commands,
        optional: Collection[Callable[[Element], None]],
    ) -> None:
        self._settings = settings
        self._commands = commands
        self._optional = optional
        self._second_look = SecondLook(FAIRNESS)
        self._silent_steps = 0  # questions of the setup in a row that had no answer
        self._release_ends: float | None = None
        self._poll_at: float | None = None  # when to ask the next time, where keepalives do not come
        self.heartbeat = Heartbeat(settings, peer)

    def answered(self) -> None:
        """An answer came."""
        self._silent_steps = 0

    def put_off_release(self, at: float) -> None:
        """Reads came before the answer to the last question of the setup: held ones may take their time."""
        waiting = self._commands.in_flight
        if waiting is not None:
            if self._release_ends is None:
                self._release_ends = waiting.deadline + (LONGEST_RELEASE - 1) * self._settings.command_timeout
            waiting.deadline = min(at + self._settings.command_timeout, self._release_ends)

    def kept_alive(self) -> None:
        """A keepalive came: while they do, nobody need ask for a sign of life."""
        self._poll_at = None

    def polled(self, at: float) -> None:
        """The reader was asked for a sign of life, and has answered or not."""
        self._poll_at = at + self._settings.keepalive

    def pause(self, at: float) -> None:
        """Nothing is read from the link from now on: nothing can be overdue."""
        self.heartbeat.pause(at)

    def resume(self, at: float) -> float:
        """The link is read again: deadlines are later by the length of the pause, which is returned."""
        length = self.heartbeat.resume(at)
        if self._commands.in_flight is not None:
            self._commands.in_flight.deadline += length
        return length

    def poll_due(self, state: State) -> float | None:
        """When to ask for the sign of life that no keepalive gives: a reader may refuse them, or forget them."""
        if state is not State.READING or self.heartbeat.is_paused or self._commands.in_flight is not None:
            return None
        return self.heartbeat.quiet_until if self._poll_at is None else self._poll_at

    def looks(self, state: State) -> list[float]:
        """When `overdue` and `poll_due` have to be looked at."""
        due, poll = self._due(state), self.poll_due(state)
        return [look for look in (None if due is None else self._second_look.due(due), poll) if look is not None]

    def overdue(self, state: State, at: float) -> str | None:
        """What is overdue, as a sentence. Where silence is an answer, such as about versions, it is taken as one."""
        due = self._due(state)
        if due is None or not self._second_look.confirms(due, at):
            return None
        waiting = self._commands.in_flight
        if waiting is not None and at >= waiting.deadline:
            if not self._may_stay_silent(waiting, state):
                return self._commands.overdue(waiting, state)
            self._commands.give_up(at)
        return self.heartbeat.overdue(state, at)

    def _due(self, state: State) -> float | None:
        if self.heartbeat.is_paused:
            return None
        waiting = self._commands.in_flight
        times = [self.heartbeat.ends(state), None if waiting is None else waiting.deadline]
        return min((time for time in times if time is not None), default=None)

    def _may_stay_silent(self, waiting: InFlight, state: State) -> bool:
        """Whether no answer is an answer: about versions, when only a sign of life is wanted, once in the setup, and
        to errands beside the reading, such as an output: whether the reader lives is for its heartbeat to say."""
        if state is State.VERSION or waiting.command.answered in self._optional:
            return True
        if state is State.READING:  # but not to whether it reads
            return waiting.command.body.name != "GET_ROSPECS"
        if state is State.RELEASE:  # a reader that is alive has not understood the question
            return self.heartbeat.heard_since(waiting.deadline - self._settings.command_timeout)
        self._silent_steps += 1
        return state in STEPS and self._silent_steps == 1
