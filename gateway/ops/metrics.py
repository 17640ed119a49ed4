"""The gateway's metrics, as Prometheus reads them.

Nothing on the way of a read touches a metric: the parts count in plain attributes, and a scrape turns a `Snapshot` of
those into samples. `FAMILIES` is the whole list, and `docs/operations.md` shows it with what each one means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from drivers.api import ClockQuality
from gateway.clock import SECOND
from gateway.events.envelope import ALARM, COUNT, GATE, LOSS, MOVEMENT
from gateway.floor.stats import FloorStats
from gateway.ledger.ledger import LedgerStats
from gateway.mqtt.stats import MqttStats

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "rfid_gateway_"


@dataclass(slots=True, frozen=True)
class ReaderFigures:
    """A reader as it stands. `antennas` says which ports are connected, where the reader told; `clock_offset` is in
    microseconds; both clock fields are None until the reader has told."""

    reader: str
    up: bool
    attempts: int = 0
    antennas: Mapping[int, bool] = field(default_factory=dict)
    clock_quality: ClockQuality | None = None
    clock_offset: int | None = None


@dataclass(slots=True, frozen=True)
class Snapshot:
    """Everything that there is to tell at one moment.

    `info` are words that say which gateway this is. `zones` holds the tags present per zone, `journal_fill` the
    journal's share of its bound, `clock_lead` by how much the gateway's time is ahead of a wall clock that was set
    back, in microseconds.
    """

    info: Mapping[str, str]
    floor: FloorStats
    ledger: LedgerStats
    ledger_max_events: int
    mqtt: MqttStats
    readers: Sequence[ReaderFigures]
    zones: Mapping[str, int]
    journal_fill: float = 0.0
    held_back: bool = False
    clock_lead: int = 0
    checkpoints: int = 0
    log_lines_dropped: int = 0
    alarms_open: Mapping[str, int] = field(default_factory=dict)
    history_behind: int = 0
    differences: Mapping[str, int] = field(default_factory=dict)
    counts_overdue: Mapping[str, int] = field(default_factory=dict)


Values = Iterable[tuple[tuple[str, ...], float]]
"""Label values, in the order of the family's labels, and the value."""


@dataclass(slots=True, frozen=True)
class Family:
    """One metric. Counters get ``_total`` behind their name."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    values: Callable[[Snapshot], Values]
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as it is exposed."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


def _one(read: Callable[[Snapshot], float]) -> Callable[[Snapshot], Values]:
    return lambda snapshot: [((), float(read(snapshot)))]


def _each(read: Callable[[Snapshot], Mapping[str, int]]) -> Callable[[Snapshot], Values]:
    return lambda snapshot: [((key,), float(value)) for key, value in read(snapshot).items()]


def _antennas(snapshot: Snapshot) -> Values:
    for figures in snapshot.readers:
        for port, up in figures.antennas.items():
            yield (figures.reader, str(port)), float(up)


def _clock_quality(snapshot: Snapshot) -> Values:
    for figures in snapshot.readers:
        if figures.clock_quality is not None:
            for quality in ClockQuality:
                yield (figures.reader, quality.value), float(quality is figures.clock_quality)


def _clock_offset(snapshot: Snapshot) -> Values:
    for figures in snapshot.readers:
        if figures.clock_offset is not None:
            yield (figures.reader,), figures.clock_offset / SECOND


def _commands(snapshot: Snapshot) -> Values:
    mqtt = snapshot.mqtt
    yield ("done",), mqtt.commands_done
    yield ("refused",), mqtt.commands_refused
    yield ("failed",), mqtt.commands_failed
    yield ("repeated",), mqtt.commands_repeated
    yield ("held",), mqtt.commands_held


def _acks(snapshot: Snapshot) -> Values:
    yield ("taken",), snapshot.mqtt.acks
    yield ("refused",), snapshot.mqtt.acks_refused


_NO_EVENTS = dict.fromkeys((MOVEMENT, COUNT, GATE, ALARM, LOSS), 0)

FAMILIES: tuple[Family, ...] = (
    Family("reads", "counter", "Reads that readers reported.", _one(lambda s: s.floor.reads)),
    Family("reads_late", "counter", "Reads that came after their window had closed.", _one(lambda s: s.floor.late)),
    Family(
        "reads_misdated",
        "counter",
        "Reads whose time was impossible; they count as made when they arrived.",
        _one(lambda s: s.floor.misdated),
    ),
    Family(
        "reads_unmapped",
        "counter",
        "Reads by antennas that the configuration does not name.",
        _one(lambda s: s.floor.unmapped),
    ),
    Family(
        "reads_foreign", "counter", "Reads of tags that are not stock.", _each(lambda s: s.floor.foreign), ("kind",)
    ),
    Family(
        "reads_encoded_twice",
        "counter",
        "Reads of stock whose EPC looks like hex that was encoded as hex again.",
        _one(lambda s: s.floor.encoded_twice),
    ),
    Family("sightings", "counter", "Windows that closed with reads in them.", _one(lambda s: s.floor.sightings)),
    Family(
        "windows_forced",
        "counter",
        "Times that windows were closed early to stay within floor.max_windows.",
        _one(lambda s: s.floor.forced),
    ),
    Family(
        "sightings_untracked",
        "counter",
        "Sightings of new tags for which there was no room.",
        _one(lambda s: s.floor.untracked),
    ),
    Family(
        "commands_ignored", "counter", "Commands that the floor did not understand.", _one(lambda s: s.floor.ignored)
    ),
    # Those that have not happened are there as 0, so that the first one is seen as an increase.
    Family("events", "counter", "Events stated, by type.", _each(lambda s: _NO_EVENTS | s.floor.events), ("type",)),
    Family("windows_open", "gauge", "Windows that are open.", _one(lambda s: s.floor.windows)),
    Family("tags", "gauge", "Tags that are kept in mind.", _one(lambda s: s.floor.tags)),
    Family("zone_tags", "gauge", "Tags present in a zone.", _each(lambda s: s.zones), ("zone",)),
    Family(
        "count_overdue",
        "gauge",
        "1 while the cycle count of a zone is overdue.",
        _each(lambda s: s.counts_overdue),
        ("zone",),
    ),
    Family(
        "differences",
        "gauge",
        "Packages of which what is seen and what books say does not agree: waiting, open, explained, closed.",
        _each(lambda s: s.differences),
        ("state",),
    ),
    Family(
        "reader_up",
        "gauge",
        "1 while the reader is connected, configured and reading.",
        lambda s: [((figures.reader,), float(figures.up)) for figures in s.readers],
        ("reader",),
    ),
    Family(
        "reader_attempts",
        "counter",
        "Attempts to connect to a reader.",
        lambda s: [((figures.reader,), float(figures.attempts)) for figures in s.readers],
        ("reader",),
    ),
    Family("antenna_up", "gauge", "1 while the antenna is connected.", _antennas, ("reader", "antenna")),
    Family(
        "reader_clock_quality",
        "gauge",
        "1 for the source of the reader's times: synced, corrected, uptime or arrival.",
        _clock_quality,
        ("reader", "quality"),
    ),
    Family("reader_clock_offset_seconds", "gauge", "What is added to the reader's times.", _clock_offset, ("reader",)),
    Family(
        "readers_held_back",
        "gauge",
        "1 while no reader is read because there is no room for what it says.",
        _one(lambda s: s.held_back),
    ),
    Family("journal_fill_ratio", "gauge", "The journal's share of journal.max_bytes.", _one(lambda s: s.journal_fill)),
    Family(
        "ledger_sequence", "gauge", "Sequence number of the newest event on disk.", _one(lambda s: s.ledger.sequence)
    ),
    Family(
        "ledger_published_sequence",
        "gauge",
        "The broker has every event up to this one, but for those in quarantine.",
        _one(lambda s: s.ledger.published),
    ),
    Family(
        "ledger_acknowledged_sequence",
        "gauge",
        "The backend has every event up to this one, by its own word.",
        _one(lambda s: s.ledger.acknowledged),
    ),
    Family("ledger_pending_events", "gauge", "Events on disk and not yet published.", _one(lambda s: s.ledger.pending)),
    Family("ledger_queued_events", "gauge", "Events in memory, on their way to disk.", _one(lambda s: s.ledger.queued)),
    Family("ledger_stored_events", "gauge", "Events in the ledger.", _one(lambda s: s.ledger.stored)),
    Family("ledger_max_events", "gauge", "The bound ledger.max_events.", _one(lambda s: s.ledger_max_events)),
    Family(
        "ledger_quarantined_events",
        "gauge",
        "Events that the broker refused and that wait for a person.",
        _one(lambda s: s.ledger.quarantined),
    ),
    Family("ledger_bytes", "gauge", "Size of the ledger on disk.", _one(lambda s: s.ledger.bytes_on_disk)),
    Family(
        "ledger_commit_seconds",
        "gauge",
        "How long the last commit with events took.",
        _one(lambda s: s.ledger.commit_seconds),
    ),
    Family("ledger_failing", "gauge", "1 while the last commit failed.", _one(lambda s: s.ledger.failing)),
    Family("mqtt_connected", "gauge", "1 while the broker is connected.", _one(lambda s: s.mqtt.connected)),
    Family("mqtt_connects", "counter", "Connections to the broker.", _one(lambda s: s.mqtt.connects)),
    Family("mqtt_connect_failures", "counter", "Failed attempts to connect.", _one(lambda s: s.mqtt.connect_failures)),
    Family("mqtt_events_published", "counter", "Events that the broker took.", _one(lambda s: s.mqtt.published)),
    Family(
        "mqtt_events_resent",
        "counter",
        "Events sent again because the connection ended before their PUBACK.",
        _one(lambda s: s.mqtt.resent),
    ),
    Family("mqtt_events_refused", "counter", "Events that the broker refused.", _one(lambda s: s.mqtt.refused)),
    Family("mqtt_events_outstanding", "gauge", "Events sent and not acknowledged.", _one(lambda s: s.mqtt.outstanding)),
    Family(
        "mqtt_last_published_timestamp_seconds",
        "gauge",
        "When the broker last took an event; 0 for never.",
        _one(lambda s: s.mqtt.last_published / SECOND),
    ),
    Family("mqtt_states_published", "counter", "Retained states published.", _one(lambda s: s.mqtt.states_published)),
    Family("mqtt_states_refused", "counter", "Retained states refused.", _one(lambda s: s.mqtt.states_refused)),
    Family("mqtt_commands", "counter", "Commands, by what became of them.", _commands, ("result",)),
    Family(
        "mqtt_answers_undelivered",
        "counter",
        "Answers to commands that could not be sent.",
        _one(lambda s: s.mqtt.answers_undelivered),
    ),
    Family("mqtt_acks", "counter", "High-water marks from the backend, by what became of them.", _acks, ("result",)),
    Family(
        "clock_lead_seconds",
        "gauge",
        "By how much the gateway's time is ahead of a wall clock that was set back.",
        _one(lambda s: s.clock_lead / SECOND),
    ),
    Family(
        "event_time_timestamp_seconds",
        "gauge",
        "Up to where everything that was read is judged; 0 before the first tick.",
        _one(lambda s: s.floor.event_time / SECOND),
    ),
    Family("ledger_commits", "counter", "Attempts to commit.", _one(lambda s: s.ledger.commits)),
    Family("checkpoints", "counter", "Checkpoints of the floor's state on disk.", _one(lambda s: s.checkpoints)),
    Family("start_refused", "gauge", "1 while the gateway cannot start.", _one(lambda s: 0)),
    Family(
        "alarms_open",
        "gauge",
        "Open alarms: raised, and of which somebody has taken note.",
        _each(lambda s: s.alarms_open),
        ("state",),
    ),
    Family(
        "history_behind_events",
        "gauge",
        "Events on disk that the history does not hold yet.",
        _one(lambda s: s.history_behind),
    ),
    Family(
        "log_lines_dropped",
        "counter",
        "Log lines that could not be written fast enough.",
        _one(lambda s: s.log_lines_dropped),
    ),
)


class Metrics:
    """The page ``/metrics``: `FAMILIES` from a snapshot taken at each scrape, and those of the process itself."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_FromSnapshot(snapshot))
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """The page in Prometheus' text format."""
        return generate_latest(self._registry)


class _FromSnapshot(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterator[Metric]:
        # Registering must not take a snapshot: the parts are not all there yet.
        return (_empty(family) for family in FAMILIES)

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot()
        info = GaugeMetricFamily(PREFIX + "info", "Which gateway this is.", labels=list(snapshot.info))
        info.add_metric(list(snapshot.info.values()), 1.0)
        yield info
        for family in FAMILIES:
            metric = _empty(family)
            for labels, value in family.values(snapshot):
                metric.add_metric(labels, value)
            yield metric


def _empty(family: Family) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    return kind(PREFIX + family.name, family.help, labels=family.labels)
