"""What people and other systems state, and the gateway passes on as events: it holds nothing of it and decides nothing.

``alarm.acknowledge``: somebody has taken note of an alarm. ``access``: an access-control system saw a door or a badge.
``output.switched``: somebody has switched an output of a reader.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from gateway.clock import CLOCK_AHEAD, rfc3339
from gateway.config.base import Identifier
from gateway.errors import Refused
from gateway.events.envelope import Fact, access, alarm, gate
from gateway.events.gate_models import OutputSwitched
from gateway.events.models import AlarmNoted
from gateway.floor.gate.commands import Arguments, Who, read
from gateway.floor.gate.manifest import Text, Time, Uid
from gateway.inputs import Command
from gateway.text import printable

COMMANDS = ("alarm.acknowledge", "alarm.over", "access", "output.switched")
OUTPUTS = "outputs"
"""The commands that become events and nothing else; and where those about outputs belong."""

ENDLESS = frozenset({"manifest-refused", "no-session", "unread-crossing", "closed-hours"})
"""Alarms about something that happened, which nothing but a person can end: taking note of one clears it."""

_Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(lambda text: printable(text, 200))]


class Acknowledge(Arguments):
    """`by` has taken note of the alarm `alarm` about `subject`, as the history names the two. `place` and `uid` are
    those of the alarm."""

    alarm: Identifier
    subject: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    by: Who
    note: Text = ""
    place: Identifier
    uid: Uid | None = None


class Over(Arguments):
    """What the alarm `alarm` is about is configured no more, for this `reason`: nothing else would end it."""

    alarm: Identifier
    subject: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    place: Identifier
    uid: Uid | None = None
    reason: Text


class Switched(Arguments):
    """`by` has switched the output `port` of a reader."""

    reader: Identifier
    port: Annotated[int, Field(ge=1, le=255)]
    state: bool


class Access(Arguments):
    """`person` did `action` at a door, such as ``granted``, ``denied``, ``forced`` or ``held open``; `source` is the
    system that says so."""

    door: Identifier
    person: _Line = ""
    action: Annotated[_Line, Field(min_length=1)]
    source: Annotated[_Line, Field(min_length=1)] = "access control"
    time: Time | None = None


def admit(command: Command) -> None:
    """Raises Refused, saying why, where the command cannot become an event."""
    _facts(command)


def facts(command: Command) -> list[Fact]:
    """The events that the command becomes; none where `admit` would refuse it."""
    try:
        return _facts(command)
    except Refused:
        return []


def _facts(command: Command) -> list[Fact]:
    if command.name == "access":
        return [_access(read(Access, command), command.t)]
    if command.name == "output.switched":
        return [_switched(read(Switched, command), command.t)]
    if command.name == "alarm.over":
        return [_over(read(Over, command), command.t)]
    return _acknowledged(read(Acknowledge, command), command.t)


def _access(said: Access, t: int) -> Fact:
    when = t if said.time is None else said.time
    if when > t + CLOCK_AHEAD:
        raise Refused("access: the time is in the future: set the clock of the access-control system")
    return access(
        said.door,
        when,
        {
            "door": said.door,
            "person": said.person,
            "action": said.action,
            "source": said.source,
            "received": rfc3339(t),
        },
    )


def _switched(said: Switched, t: int) -> Fact:
    data: OutputSwitched = {
        "gate": "output-switched",
        "reader": said.reader,
        "port": said.port,
        "state": said.state,
        "by": said.by,
    }
    return gate(OUTPUTS, t, data)


def _over(said: Over, t: int) -> Fact:
    data: AlarmNoted = {
        "alarm": said.alarm,
        "state": "cleared",
        "subject": said.subject,
        "uid": said.uid,
        "by": said.by,
        "reason": said.reason,
        "time": rfc3339(t),
    }
    return alarm(said.place, t, data)


def _acknowledged(said: Acknowledge, t: int) -> list[Fact]:
    data: AlarmNoted = {
        "alarm": said.alarm,
        "state": "acknowledged",
        "subject": said.subject,
        "uid": said.uid,
        "by": said.by,
        "reason": said.note,
        "time": rfc3339(t),
    }
    facts = [alarm(said.place, t, data)]
    if said.alarm in ENDLESS:
        ended: AlarmNoted = {**data, "state": "cleared", "reason": f"dealt with by {said.by}"}
        facts.append(alarm(said.place, t, ended))
    return facts
