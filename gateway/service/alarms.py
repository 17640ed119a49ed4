"""The alarms that are open now, and what was lost lately, kept from the history: for pages, the retained topic, health,
metrics and the log.

The history follows what is on disk, so what is open here survives a restart, and comes a moment after the event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from gateway.clock import SECOND, rfc3339, wall
from gateway.config import Config
from gateway.errors import Refused
from gateway.history.answers import Alarm, Notice, OpenAlarms, Source, Unwatched
from gateway.history.history import History
from gateway.history.questions import Questions
from gateway.ops.logs import Logger

SHOWN = 200
"""Open alarms that are kept to be shown; all are counted."""

RETAINED = 50
"""Open alarms in the retained topic: some 20 kB."""

LOSS_SHOWN = 86_400 * SECOND
"""Microseconds for which a loss is shown after its end."""

RETRY = 5.0
"""Seconds before a history that could not be asked is asked again."""


class Alarms:
    """`open` are the newest, `number` counts all. `run` until cancelled; `changed` is called after each change."""

    def __init__(self, history: History, changed: Callable[[], None], log: Logger) -> None:
        self.open: list[Alarm] = []
        self.number = 0
        self._losses: list[Unwatched] = []
        self.known = False
        """Whether the history has been asked at all: before that, nothing is known of alarms."""
        self._problem = ""  # why the history could not be asked
        self._history = history
        self._changed = changed
        self._log = log

    def problem(self) -> str:
        """Why it is not known which alarms are open; nothing where it is."""
        return self._history.problem or self._problem

    def by_state(self) -> dict[str, int]:
        """How many are raised, and of how many somebody has taken note. Those that are not kept count as raised."""
        noted = sum(1 for alarm in self.open if alarm.state == "acknowledged")
        return {"raised": self.number - noted, "acknowledged": noted}

    def losses(self, now: int, within: int = LOSS_SHOWN) -> list[str]:
        """What was lost, or may be, in times that ended `within` before `now`, in words for people, newest first: what
        was lost again and again for one reason is said once."""
        alike: dict[tuple[str, str, bool], list[Unwatched]] = {}
        for loss in self._losses:
            if (loss.until or now) >= now - within:
                alike.setdefault((loss.what, loss.reason, loss.certain), []).append(loss)
        return [_lost(losses) for losses in alike.values()]

    def find(self, kind: str, subject: str) -> Alarm:
        """The open alarm with these names. Raises `Refused` where there is none."""
        for alarm in self.open:
            if (alarm.kind, alarm.subject) == (kind, subject):
                return alarm
        raise Refused(f"no alarm {kind!r} about {subject!r} is open: `alarms` lists those that are")

    def state(self) -> bytes:
        """The retained topic ``state/alarms``."""
        state = OpenAlarms(open=self.number, alarms=self.open[:RETAINED], problem=self.problem())
        return orjson.dumps(state.model_dump(mode="json", exclude={"alarms": {"__all__": {"entry"}}}))

    async def run(self) -> None:
        """Follows the history until it is cancelled."""
        await self._history.until(0)
        said = noticed = None
        while True:
            try:
                if noticed is None:
                    said = await self._history.ask(Questions.newest)
                    await self._look()
                noticed = self._history.noticed
                while notices := await self._news(said):
                    said = notices[-1].event
                    for notice in notices:
                        self._say(notice)
                    await self._look()
                self._problem = ""
                await self._history.until_noticed(noticed)
            except Exception as error:  # whatever it is, events are worth more than answers
                self._problem = str(error) if isinstance(error, Refused) else repr(error)
                self._log.error("it is not known which alarms are open; it is tried again", reason=self._problem)
                await asyncio.sleep(RETRY)

    async def _news(self, after: Source | None) -> list[Notice]:
        """What was said of alarms `after` this event. What was lost lately is asked for with it."""

        def both(questions: Questions) -> tuple[list[Unwatched], list[Notice]]:
            return questions.losses(wall() - LOSS_SHOWN, SHOWN), questions.notices(after)

        self._losses, notices = await self._history.ask(both)
        return notices

    async def _look(self) -> None:
        answer = await self._history.ask(lambda questions: questions.alarms(limit=SHOWN))
        self.open, self.number, self.known = answer.alarms, answer.open, True
        self._changed()

    def _say(self, notice: Notice) -> None:
        detail: dict[str, Any] = {"alarm": notice.kind, "about": notice.subject, "reason": notice.reason}
        if notice.state == "raised":
            self._log.warning("alarm", **detail)
        elif notice.state == "acknowledged":
            self._log.info("an alarm was acknowledged", by=notice.by, **detail)
        else:
            self._log.info("an alarm was cleared", **detail)


def of_nothing(kind: str, subject: str, config: Config) -> bool:
    """Whether an alarm is about a reader, an antenna, a photo-eye or a watch list that `config` does not have."""
    match kind, subject.split("/"):
        case "reader-down", [reader]:
            return all(it.id != reader for it in config.readers)
        case "antenna-down" | "antenna-silent", [reader, port]:
            return all((it.id, str(antenna.port)) != (reader, port) for it, antenna in config.antennas())
        case "photo-eye-stuck", [reader, portal, port]:
            eyes = [(eye.reader, it.id, str(eye.port)) for it in config.portals for eye in it.photo_eyes]
            return (reader, portal, port) not in eyes
        case "watch-list", [watch, *_]:
            return all(it.name != watch for it in config.watch)
    return False


CAUSES = {
    "reader-unreachable": "the reader could not be reached",
    "link-cut": "the connection ended within a report",
    "reader-buffer-overflow": "the reader's memory was full",
    "reader-memory-full": "the reader's memory was full",
    "held-back": "the gateway had no room and stopped reading",
    "gateway-crash": "the gateway stopped without warning",
    "journal-lost": "the machine lost what it kept in memory",
    "ledger-full": "the ledger was full",
    "state-rebuilt": "not all that was saved could be used again",
    "tags-given-up": "there was no room for more tags",
    "event-unwritable": "a fault in the gateway kept it from being written",
    "input-unjudged": "a fault in the gateway kept it from being judged",
}
"""Causes of losses, in words. A driver that is not ours may have others."""


def _lost(losses: list[Unwatched]) -> str:
    newest, first = losses[0], min(loss.since for loss in losses)
    sure = "" if newest.certain else "perhaps "
    ends = [loss.until for loss in losses if loss.until is not None]
    until = f" to {rfc3339(max(ends))[11:19]}" if len(ends) == len(losses) else ""
    often = f" {len(losses)} times" if len(losses) > 1 else ""
    start = rfc3339(first)
    return (
        f"{sure}{newest.what}{often} from {start[:10]} {start[11:19]}{until} UTC: "
        f"{CAUSES.get(newest.reason, newest.reason)}"
    )
