"""Alarms sent to where people are woken: Alertmanager, or ntfy. In order, none left out, across restarts.

The queue is the history itself: a small file beside it says up to where everything has been sent. What is not taken is
tried again with growing pauses, for as long as it takes: the other side is away, or somebody has to mend its address or
the token. Only where the content of one is refused and one that came later is taken, is it the alarm's own fault: it is
logged and passed over.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from drivers.sparse_log import SparseLog
from gateway.clock import SECOND, rfc3339
from gateway.config import Config
from gateway.config.alarms import WebhookConfig
from gateway.errors import Refused
from gateway.events.envelope import source_of
from gateway.history.answers import Notice, Source
from gateway.history.history import History
from gateway.history.questions import Questions
from gateway.ops.logs import Logger
from gateway.ops.troubles import Troubles
from gateway.service.outgoing import Answered, post

TIMEOUT = 10.0
"""Seconds for one request."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds before the next attempt."""

STANDS = 7 * 86_400 * SECOND
"""Microseconds for which an alarm that is not cleared stands in Alertmanager, which forgets it otherwise."""

_CONTENT = frozenset({400, 413, 422, 431})
"""Answers that may be about one alarm. Every other that is no success is about all of them."""

_REMEDIES: Mapping[int, str] = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308), ": it redirects, which is not followed: write the address it redirects to"
    ),
    **dict.fromkeys((401, 403), ": look at its token_file, and at what the token may do there"),
    **dict.fromkeys((404, 405, 410), ": look at its url"),
}

TOGETHER = 20
"""Notices that are read from the history at a time, and of which one is looked for that is taken."""


class Outcome(Enum):
    """What became of a notice."""

    TAKEN = auto()
    UNSAID = auto()  # the form has no words for it
    NOT_NOW = auto()  # nothing would be taken now
    CONTENT = auto()  # not as it is


class Webhook:
    """Sends what the history says of alarms to one address. `run` until cancelled. `troubles` hear why nothing is
    taken, until something is."""

    def __init__(
        self, config: WebhookConfig, history: History, path: Path, source: str, log: Logger, troubles: Troubles
    ) -> None:
        self._config = config
        self._history = history
        self._mark = path.with_name(f"{path.name}-webhook-{config.name}")
        self._source = source
        self._log = log
        self._sparse = SparseLog(log)
        self._troubles = troubles
        self._why = ""

    async def run(self) -> None:
        """Follows the history. The first time it begins with what comes: what was before, nobody waits for."""
        await self._history.until(0)
        sent = await asyncio.to_thread(self._read)
        pause = FIRST_PAUSE
        while True:
            noticed = self._history.noticed
            try:
                if sent is None:
                    sent = await self._history.ask(Questions.newest) or Source(epoch="", sequence=0)
                    await asyncio.to_thread(self._write, sent)
                while notices := await self._history.ask(partial(Questions.notices, after=sent, limit=TOGETHER)):
                    if (done := await self._first_taken(notices)) is None:
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, LONGEST_PAUSE)
                        continue
                    pause = FIRST_PAUSE
                    sent = done.event
                    await asyncio.to_thread(self._write, sent)
                await self._history.until_noticed(noticed)
            except Exception as error:  # whatever it is, events are worth more than answers
                reason = str(error) if isinstance(error, Refused | OSError) else repr(error)
                self._sparse.error(
                    "alarms cannot be sent now; it is tried again", webhook=self._config.name, reason=reason
                )
                await asyncio.sleep(LONGEST_PAUSE / 10)

    async def _first_taken(self, notices: Sequence[Notice]) -> Notice | None:
        """The first of `notices` that is taken, or needs not be; those before it are passed over for their content.
        None where none is."""
        refused: list[Notice] = []
        for notice in notices:
            match await self._send(notice):
                case Outcome.TAKEN:
                    self._pass_over(refused)
                    self._troubles.say(self._part, "")
                    return notice
                case Outcome.UNSAID if not refused:
                    return notice
                case Outcome.CONTENT:
                    refused.append(notice)
                case Outcome.NOT_NOW:
                    break
        self._sparse.warning(
            "alarms are not taken where they are sent; they are kept, and sent again later",
            webhook=self._config.name,
            reason=self._why,
        )
        self._troubles.say(self._part, f"alarms are kept and not sent: {self._why}")
        return None

    @property
    def _part(self) -> str:
        return f"webhook {self._config.name}"

    def _pass_over(self, refused: Sequence[Notice]) -> None:
        for notice in refused:
            self._log.error(
                "an alarm was refused where a later one was taken, and is passed over",
                webhook=self._config.name, alarm=notice.kind, about=notice.subject,
            )  # fmt: skip

    async def _send(self, notice: Notice) -> Outcome:
        body = FORMS[self._config.form](notice, self._source, self._config.url)
        if body is None:
            return Outcome.UNSAID
        url, content = body
        try:
            await asyncio.to_thread(post, url, orjson.dumps(content), self._config.token_file, TIMEOUT)
        except Answered as error:
            self._why = f"{error}{_REMEDIES.get(error.status, '')}"
            return Outcome.CONTENT if error.status in _CONTENT else Outcome.NOT_NOW
        except OSError as error:  # of the socket, of TLS, of the file
            self._why = str(error)
            return Outcome.NOT_NOW
        return Outcome.TAKEN

    def _read(self) -> Source | None:
        try:
            return Source.model_validate_json(self._mark.read_bytes())
        except (OSError, ValueError):
            return None

    def _write(self, sent: Source) -> None:
        fresh = self._mark.with_name(self._mark.name + ".new")
        fresh.write_text(sent.model_dump_json())
        os.replace(fresh, self._mark)


def alertmanager(notice: Notice, source: str, url: str) -> tuple[str, Any] | None:
    """Alertmanager's API v2, ``POST /alerts``: one alert. It knows of no acknowledgements."""
    if notice.state == "acknowledged":
        return None
    ends = notice.time if notice.state == "cleared" else notice.time + STANDS
    labels = {
        "alertname": f"rfid-{notice.kind}",
        "subject": notice.subject,
        "place": notice.place,
        "gateway": source,
        "severity": "page",
    }
    alert = {
        "labels": labels,
        "annotations": {"summary": _words(notice), "description": notice.reason},
        "startsAt": rfc3339(notice.since),
        "endsAt": rfc3339(ends),
    }
    return url, [alert]


def ntfy(notice: Notice, source: str, url: str) -> tuple[str, Any] | None:
    """ntfy's JSON form, which is posted to the server's root and names the topic."""
    root, _, topic = url.rstrip("/").rpartition("/")
    priority, tag = _NTFY[notice.state]
    content = {
        "topic": topic,
        "title": _words(notice),
        "message": f"{notice.reason}\n{notice.subject}\n{source}",
        "priority": priority,
        "tags": [tag],
    }
    return root + "/", content


_NTFY: Mapping[str, tuple[int, str]] = {
    "raised": (5, "rotating_light"),
    "acknowledged": (2, "eyes"),
    "cleared": (2, "white_check_mark"),
}


def _words(notice: Notice) -> str:
    state = {"raised": "", "acknowledged": f", noted by {notice.by}", "cleared": ", cleared"}[notice.state]
    return f"{notice.kind} at {notice.place}{state}"


FORMS = {"alertmanager": alertmanager, "ntfy": ntfy}
"""A form makes the address and the content of a request, or nothing where it has no words for a notice."""


def webhooks(
    config: Config, history: History, log: Logger, troubles: Troubles
) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """The webhooks that are configured, each with its name, ready to run. `troubles` hear what is wrong with them."""
    source = source_of(config.site, config.gateway)
    for webhook in config.alarms.webhooks:
        yield f"webhook {webhook.name}", Webhook(webhook, history, config.history_file, source, log, troubles).run()
