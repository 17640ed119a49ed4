"""How the gateway is: gathers the figures of its parts for ``/metrics``, ``/healthz`` and the watchdog."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import orjson

from drivers.api import ClockQuality
from gateway import __version__
from gateway.clock import SECOND
from gateway.config import Config
from gateway.history.history import History
from gateway.ledger.ledger import Ledger
from gateway.mqtt.service import MqttService
from gateway.ops.health import Health, ReaderState, Standing
from gateway.ops.http import Answer, Server
from gateway.ops.logs import Logger, Logs
from gateway.ops.metrics import CONTENT_TYPE, Metrics, ReaderFigures, Snapshot
from gateway.readers.fleet import Readers
from gateway.readers.supervisor import ConnectionState
from gateway.service import memory
from gateway.service.alarms import Alarms
from gateway.service.dock_page import Page
from gateway.service.event_clock import EventClock
from gateway.service.pipeline import Pipeline

LOSS_HOUR = 3600 * SECOND
"""Microseconds for which a loss is a reason to look after its end."""

_SERVED = "metrics and health"


class Parts(Protocol):
    """What is looked at. A reload may replace any of it, so it is asked for every time."""

    config: Config
    clock: EventClock
    logs: Logs
    ledger: Ledger
    pipeline: Pipeline
    readers: Readers
    alarms: Alarms
    history: History
    page: Page

    @property
    def mqtt(self) -> MqttService:
        """The way to the broker."""
        ...


class Vitals:
    """Health, metrics and the small server that shows them."""

    def __init__(self, parts: Parts, log: Logger) -> None:
        self._parts = parts
        self._log = log
        self._memory = memory.worry(parts.config)
        self._trying: asyncio.Task[None] | None = None
        self.health = Health(
            standing=self._standing,
            window=parts.config.floor.window,
            readers=self._reader_states,
            broker=self._broker,
            held_back=lambda: parts.pipeline.congestion,
            worries=self._worries,
        )
        metrics = Metrics(self.snapshot)
        self._server = Server(
            parts.config.http.host,
            parts.config.http.port,
            {
                "/metrics": lambda: Answer(200, CONTENT_TYPE, metrics.page()),
                "/healthz": self._healthz,
            },
            log,
        )

    @property
    def port(self) -> int:
        """The port of the health and metrics page."""
        return self._server.port

    async def start(self) -> None:
        """Serves from now on. Where the address cannot be used, the gateway runs without, says so and tries again:
        being looked at is not worth losing reads for."""
        http = self._parts.config.http
        try:
            await self._server.start()
        except OSError as error:
            self._log.error("no metrics: the address cannot be used", host=http.host, port=http.port, reason=str(error))
            self._parts.page.trouble.say(_SERVED, f"not served at {http.host}:{http.port}: {error}")
            self._trying = asyncio.create_task(self._try_again(), name="metrics")

    async def _try_again(self) -> None:
        """Until whatever has the address has given it back."""
        await self._server.start_when_free()
        self._parts.page.trouble.say(_SERVED, "")

    async def stop(self) -> None:
        """Ends the health and metrics page."""
        if self._trying is not None:
            self._trying.cancel()
        await self._server.close()

    def snapshot(self) -> Snapshot:
        """Every figure as it is now."""
        parts = self._parts
        floor = parts.pipeline.floor
        config = parts.config
        return Snapshot(
            info={"version": __version__, "site": config.site, "gateway": config.gateway, "config": config.digest()},
            floor=floor.stats,
            ledger=parts.ledger.stats(),
            ledger_max_events=config.ledger.max_events,
            mqtt=parts.mqtt.stats,
            readers=list(self._reader_figures()),
            zones={zone.id: floor.zone_state(zone.id)["population"] for zone in config.zones},
            differences={} if config.books is None else floor.books.differences.by_state(),
            counts_overdue={zone: int(zone in floor.counts.plan.overdue_zones) for zone in floor.counts.plan.due},
            journal_fill=parts.pipeline.journal_pressure,
            held_back=bool(parts.pipeline.congestion),
            clock_lead=parts.clock.lead,
            checkpoints=parts.pipeline.checkpoints,
            log_lines_dropped=parts.logs.dropped,
            alarms_open=parts.alarms.by_state(),
            history_behind=max(0, parts.ledger.stats().sequence - max(0, parts.history.sequence)),
        )

    def _healthz(self) -> Answer:
        status, body = self.health.report()
        return Answer(status, "application/json", orjson.dumps(body))

    def _standing(self) -> Standing:
        pipeline, ledger, mqtt = self._parts.pipeline, self._parts.ledger.stats(), self._parts.mqtt.stats
        return Standing(
            event_time=pipeline.floor.stats.event_time,
            queued=ledger.queued,
            committed=ledger.sequence,
            commits=ledger.commits,
            pending=ledger.pending,
            published=ledger.published,
            connected=mqtt.connected,
            connects=mqtt.connects,
            answers=mqtt.published + mqtt.refused + mqtt.connects + mqtt.connect_failures,
            checkpoint_due=pipeline.checkpoint_missing,
            checkpoints=pipeline.checkpoints,
            checkpoint_attempts=pipeline.checkpoint_attempts,
            remembered=self._parts.history.sequence,
        )

    def _worries(self) -> Iterator[str]:
        if number := self._parts.alarms.number:
            are_open = "alarm is open" if number == 1 else "alarms are open"
            yield f"{number} {are_open}: see the page Alarms, or ask `alarms`"
        if why := self._parts.alarms.problem():
            yield f"the history is behind, and what is known of alarms with it: {why}"
        if number := self._parts.ledger.stats().quarantined:
            events = "1 event, which is" if number == 1 else f"{number} events, which are"
            yield f"the broker has not taken {events} kept: `rfid-gateway quarantine list`"
        yield from self._parts.mqtt.worries()
        for config in self._parts.config.readers:
            yield from deaf(self._parts.pipeline.floor.reader_state(config.id))
        yield from self._parts.alarms.losses(self._parts.clock.now(), LOSS_HOUR)
        yield from self._parts.page.trouble.words()
        if problem := self._parts.pipeline.faults.unjudged.words():
            yield problem
        if problem := self._parts.pipeline.recording_problem:
            yield f"the recording has a gap: {problem}"
        if problem := self._memory:
            yield problem
        if finding := self._parts.ledger.finding:
            yield finding
        lead = self._parts.clock.lead
        if lead > SECOND:
            yield (
                f"the machine's clock is {lead / SECOND:.0f} s behind event time, which goes on by itself: "
                f"look at `timedatectl`"
            )

    def _broker(self) -> str:
        mqtt = self._parts.mqtt
        return "" if mqtt.connected else mqtt.stats.why_not or "not connected"

    def _reader_states(self) -> Iterator[ReaderState]:
        for supervisor in self._parts.readers:
            yield ReaderState(supervisor.reader, supervisor.connection is ConnectionState.UP, supervisor.last_error)

    def _reader_figures(self) -> Iterator[ReaderFigures]:
        for config in self._parts.config.readers:
            supervisor = self._parts.readers.get(config.id)
            state = self._parts.pipeline.floor.reader_state(config.id)
            quality = state["clock"]["quality"]
            known = quality in set(ClockQuality)
            yield ReaderFigures(
                reader=config.id,
                up=supervisor.connection is ConnectionState.UP,
                attempts=supervisor.attempts,
                antennas={antenna.port: str(antenna.port) not in state["antennas_down"] for antenna in config.antennas},
                clock_quality=ClockQuality(quality) if known else None,
                clock_offset=state["clock"]["offset_us"] if known else None,
            )


def deaf(reader: Mapping[str, Any]) -> Iterator[str]:
    """The antennas of a reader that do not watch, or read nothing, in words."""
    for port, why in reader["antennas_down"].items():
        yield f"antenna {reader['reader']}/{port} is down: {why or 'the reader does not say why'}"
    for port, since in reader["antennas_silent"].items():
        yield f"antenna {reader['reader']}/{port} has read nothing since {since[11:16]} UTC, which is not its habit"
