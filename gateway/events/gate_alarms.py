"""The dock gate's part of the type `rfid.alarm.v1`, and that of the watch lists, told apart by `alarm`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config.base import Identifier
from gateway.events.base import Count, Time, Uid, strict
from gateway.events.gate_parts import GateEvidence


@strict
class Stay(TypedDict):
    """When a tag was in a zone."""

    zone: Identifier
    first: Time
    last: Time


@strict
class WatchAlarm(TypedDict):
    """A tag on a watch list is where it may not be, or no longer is. `custody`: where it has been, newest last."""

    alarm: Literal["watch-list"]
    state: Literal["raised", "cleared"]
    list: Identifier
    uid: Uid
    zone: Identifier
    since: Time
    sightings: Count
    reason: str
    list_as_of: Time
    custody: Annotated[list[Stay], Field(max_length=8)]
    evidence: GateEvidence


@strict
class ManifestRefusedAlarm(TypedDict):
    """A manifest could not be taken from its source. `unsaid`: how often that was so since it was last said."""

    alarm: Literal["manifest-refused"]
    state: Literal["raised"]
    since: Time
    source: Identifier
    name: str
    reason: str
    unsaid: Count
    evidence: GateEvidence


@strict
class NoSessionAlarm(TypedDict):
    """A package left through a dock that has no session, and that a first pass does not open; or one that has a session
    of a delivery that comes in."""

    alarm: Literal["no-session"]
    state: Literal["raised"]
    since: Time
    dock: Identifier
    uid: Uid
    reason: str
    unsaid: Count
    evidence: GateEvidence


@strict
class UnreadCrossingAlarm(TypedDict):
    """Something went through the photo-eyes of a portal and no tag was read there: a tag may have been shielded."""

    alarm: Literal["unread-crossing"]
    state: Literal["raised"]
    since: Time
    portal: Identifier
    reason: str
    unsaid: Count
    evidence: GateEvidence


@strict
class ClosedHoursAlarm(TypedDict):
    """The package `uid` moved while the site was closed. `name`: the zone or portal."""

    alarm: Literal["closed-hours"]
    state: Literal["raised"]
    since: Time
    name: Identifier
    uid: Uid
    reason: str
    unsaid: Count
    evidence: GateEvidence


GateAlarm: TypeAlias = Annotated[
    WatchAlarm | ManifestRefusedAlarm | NoSessionAlarm | UnreadCrossingAlarm | ClosedHoursAlarm,
    Field(discriminator="alarm"),
]
"""An alarm of the dock gate or of the watch lists."""
