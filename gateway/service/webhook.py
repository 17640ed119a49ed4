"""Alarms sent to where people are woken: Alertmanager, or ntfy. In order, none left out, across restarts.

The queue is the history itself: a small file beside it says up to where everything has been sent. What cannot be
delivered is tried again with growing pauses and holds up nothing but itself; what the other side refuses for good is
logged and passed over.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from gateway.clock import SECOND, rfc3339
from gateway.config import Config
from gateway.config.alarms import WebhookConfig
from gateway.errors import Refused
from gateway.events.envelope import source_of
from gateway.history.answers import Notice, Source
from gateway.history.history import History
from gateway.history.questions import Questions
from gateway.ops.logs import Logger
from gateway.service.outgoing import Answered, post

TIMEOUT = 10.0
"""Seconds for one request."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds before the next attempt."""

STANDS = 7 * 86_400 * SECOND
"""Microseconds for which an alarm that is not cleared stands in Alertmanager, which forgets it otherwise."""

_LATER = frozenset({408, 425, 429})
"""Refusals that another time may not meet."""


class Webhook:
    """Sends what the history says of alarms to one address. `run` until cancelled."""

    def __init__(self, config: WebhookConfig, history: History, path: Path, source: str, log: Logger) -> None:
        self._config = config
        self._history = history
        self._mark = path.with_name(f"{path.name}-webhook-{config.name}")
        self._source = source
        self._log = log

    async def run(self) -> None:
        """Follows the history. The first time it begins with what comes: what was before, nobody waits for."""
        await self._history.until(0)
        sent = await asyncio.to_thread(self._read)
        while True:
            noticed = self._history.noticed
            try:
                if sent is None:
                    sent = await self._history.ask(Questions.newest) or Source(epoch="", sequence=0)
                    await asyncio.to_thread(self._write, sent)
                while notices := await self._history.ask(partial(Questions.notices, after=sent, limit=20)):
                    for notice in notices:
                        await self._deliver(notice)
                        sent = notice.event
                        await asyncio.to_thread(self._write, sent)
                await self._history.until_noticed(noticed)
            except Exception as error:  # whatever it is, events are worth more than answers
                reason = str(error) if isinstance(error, Refused | OSError) else repr(error)
                self._log.error(
                    "alarms cannot be sent now; it is tried again", webhook=self._config.name, reason=reason
                )
                await asyncio.sleep(LONGEST_PAUSE / 10)

    async def _deliver(self, notice: Notice) -> None:
        body = FORMS[self._config.form](notice, self._source, self._config.url)
        if body is None:
            return
        url, content = body
        pause = FIRST_PAUSE
        while True:
            why, again = await asyncio.to_thread(self._post, url, orjson.dumps(content))
            if not why:
                return
            detail = {"webhook": self._config.name, "alarm": notice.kind, "about": notice.subject, "reason": why}
            if not again:
                self._log.error("an alarm was refused where it was sent, and is passed over", **detail)
                return
            self._log.warning("an alarm could not be sent; it is tried again", seconds=pause, **detail)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _post(self, url: str, content: bytes) -> tuple[str, bool]:
        """Why it was not taken, and whether another time may help; nothing where it was taken."""
        try:
            post(url, content, self._config.token_file, TIMEOUT)
        except Answered as error:
            return str(error), error.status >= 500 or error.status in _LATER
        except OSError as error:  # of the socket, of TLS, of the file
            return str(error), True
        return "", False

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


def webhooks(config: Config, history: History, log: Logger) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """The webhooks that are configured, each with its name, ready to run."""
    source = source_of(config.site, config.gateway)
    for webhook in config.alarms.webhooks:
        yield f"webhook {webhook.name}", Webhook(webhook, history, config.history_file, source, log).run()
