"""The configuration as a model. `gateway.config.file` reads it from YAML and says what is wrong with file and line.

Times are seconds, powers dBm. Identifiers become MQTT topic levels and file names, hence their narrow alphabet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field, model_validator

from gateway.config.alarms import AlarmsConfig
from gateway.config.base import HEX_PATTERN as HEX_PATTERN
from gateway.config.base import IDENTIFIER_PATTERN as IDENTIFIER_PATTERN
from gateway.config.base import FilePath as FilePath
from gateway.config.base import HexPrefix as HexPrefix
from gateway.config.base import Identifier as Identifier
from gateway.config.base import Port as Port
from gateway.config.base import Seconds as Seconds
from gateway.config.base import Section as Section
from gateway.config.books import BooksConfig
from gateway.config.cameras import Cameras
from gateway.config.counts import CountsConfig
from gateway.config.drops import AccessConfig, HandheldsConfig
from gateway.config.former import saved_in_todays_words
from gateway.config.gate import Docks, GateConfig, WatchLists
from gateway.config.sources import ExpectedConfig, ManifestsConfig
from gateway.config.web import WebConfig


class TlsConfig(Section):
    """TLS with the system's trust store or `ca_file`; a client certificate where both files are given."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> TlsConfig:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both or neither")
        return self


class MqttConfig(Section):
    """The broker. The password is read from `password_file` at every connection, never from the configuration.

    `session_expiry`: seconds for which the broker keeps commands for a gateway that is away; 0: it keeps none.
    `max_packet_size`: bytes that the broker takes, where it does not say so itself (MQTT 3.1.1): larger events go in
    parts.
    """

    host: str = "localhost"
    port: Port = 1883
    version: Literal["5", "3.1.1"] = "5"
    root: Identifier = "rfid"
    client_id: Identifier | None = None
    username: str | None = None
    password_file: FilePath | None = None
    keepalive: Annotated[int, Field(ge=5, le=3600)] = 30
    window: Annotated[int, Field(ge=1, le=1000)] = 100
    session_expiry: Annotated[float, Field(ge=0, le=604_800, allow_inf_nan=False)] = 3600.0
    max_packet_size: Annotated[int, Field(ge=1024, le=268_435_455)] | None = None
    tls: TlsConfig | None = None


class TagsConfig(Section):
    """Which tags are stock, by prefixes of the EPC in hex. Others are foreign: counted, never published as stock."""

    include: list[HexPrefix] = []
    exclude: list[HexPrefix] = []


class FloorConfig(Section):
    """The first stage. `lateness` is how late a read may come and still be counted in its place. A running gateway
    waits less than that where its readers have shown for a while that they need less. `tick`: how often a dock that
    loads looks at what is near its door; otherwise time moves whenever a window has waited long enough."""

    window: Annotated[float, Field(ge=0.02, le=10)] = 0.25
    lateness: Annotated[float, Field(ge=0, le=60)] = 1.0
    tick: Annotated[float, Field(ge=0.02, le=5)] = 0.1
    max_windows: Annotated[int, Field(ge=1000)] = 500_000


class PresenceConfig(Section):
    """When a tag is somewhere, and when it no longer is.

    `smoothing` is the time over which signal strength is averaged. A tag changes zone when another zone has seen it for
    `dwell`, is stronger by `hysteresis`, and its lead, summed over time as far as it exceeds half of `hysteresis`, has
    reached a threshold: after seconds for a tag that came just now, later the longer it has stood. It is not seen any
    more after `shortest`, the silence that its own read rate makes as rare as `miss_odds`, and three quarters of its
    widest gap together, but not later than after `longest`.
    """

    smoothing: Seconds = 2.0
    hysteresis: Annotated[float, Field(ge=0, le=30)] = 6.0
    dwell: Annotated[float, Field(ge=0, le=600)] = 2.0
    miss_odds: Annotated[float, Field(gt=0, lt=0.5)] = 1e-6
    shortest: Seconds = 20.0
    longest: Seconds = 1800.0


class ZoneConfig(Section):
    """A place. `departs_after`: silence for so long after a tag was found not seen counts as departed (an open place
    such as a dock); without it, silence is never taken for departure. `count_every`: a periodic count."""

    id: Identifier
    name: str = ""
    departs_after: Seconds | None = None
    count_every: Seconds | None = None


Side = Literal["inside", "outside"]


class PhotoEyeConfig(Section):
    """A photo-eye at an input of a reader, on one side of a portal. Its input is `true` while it is broken."""

    reader: Identifier
    port: Annotated[int, Field(ge=1, le=255)]
    side: Side


class PortalConfig(Section):
    """A passage from the zone `outside` to the zone `inside`. One of the two may be null: the world beyond the site.

    A pass ends after `silence` without a read, or after `longest`. It has a direction where that is right with a
    probability of at least `certainty`; otherwise it is undetermined.
    """

    id: Identifier
    inside: Identifier | None = None
    outside: Identifier | None = None
    photo_eyes: Annotated[list[PhotoEyeConfig], Field(max_length=8)] = []
    silence: Annotated[float, Field(ge=0.5, le=30)] = 2.0
    longest: Annotated[float, Field(ge=5, le=300)] = 30.0
    certainty: Annotated[float, Field(ge=0.5, lt=1)] = 0.9


class AntennaConfig(Section):
    """An antenna port of a reader, and the zone or the side of a portal that it looks at."""

    port: Annotated[int, Field(ge=1, le=255)]
    zone: Identifier | None = None
    portal: Identifier | None = None
    side: Side | None = None
    power: Annotated[float, Field(ge=-10, le=36)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> AntennaConfig:
        if (self.zone is None) == (self.portal is None):
            raise ValueError("an antenna looks at a zone or at a portal: write `zone`, or `portal` and `side`")
        if (self.portal is None) != (self.side is None):
            raise ValueError("portal and side go together: write on which side of the portal the antenna is")
        return self


class ReaderConfig(Section):
    """A reader. Keys other than these are the driver's own and are checked by the driver's model."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    id: Identifier
    driver: Identifier
    antennas: Annotated[list[AntennaConfig], Field(min_length=1)]

    def driver_keys(self) -> dict[str, Any]:
        """What the entry says besides: the settings of its driver."""
        return dict(self.model_extra or {})


class LedgerConfig(Section):
    """The ledger on disk. `on_full`: stop reading, or give up the oldest unpublished events and say so. `keep_until`:
    published events stay until the broker has them, or until the backend's own `ack`. `on_damage`: come up failing and
    wait for a person, or set the file aside, begin a new epoch and publish first what can be read of the old one.
    `checkpoint_every`: the floor's state is saved in memory beside the journal. `disk_every`: and on disk, which is
    where a power cut puts it back to."""

    file: FilePath = Path("/var/lib/rfid-gateway/ledger.db")
    max_events: Annotated[int, Field(ge=1000)] = 2_000_000
    max_age: Seconds = 90 * 86_400.0
    on_full: Literal["stop", "drop-oldest"] = "stop"
    keep_until: Literal["puback", "ack"] = "puback"
    on_damage: Literal["stop", "set-aside"] = "stop"
    checkpoint_every: Seconds = 10.0
    disk_every: Seconds = 300.0


class HistoryConfig(Section):
    """The history, which answers where things are and were. `file`: beside the ledger unless it is said. It can be
    deleted: it is made again from what the ledger still has. What ended longer than `keep` ago goes; the default is
    seven years, for which records of this trade are kept."""

    file: FilePath | None = None
    keep: Annotated[float, Field(ge=86_400, le=100 * 365 * 86_400)] = 7 * 365 * 86_400.0


class JournalConfig(Section):
    """The ring of what the floor was given, in memory-backed storage that outlives the process."""

    directory: FilePath = Path("/run/rfid-gateway/journal")
    max_bytes: Annotated[int, Field(ge=1 << 20)] = 64 << 20


class RecordingConfig(Section):
    """Reads kept as files for `replay`: ``raw``, packed as the readers sent them, or as JSON ``lines``, ten times as
    large. The oldest files go when `max_bytes` is reached."""

    directory: FilePath
    format: Literal["raw", "lines"] = "raw"
    max_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 30


class HttpConfig(Section):
    """Where ``/metrics`` and ``/healthz`` are served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9464


class LogConfig(Section):
    """How much is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


_FLOOR_SECTIONS = {
    "books", "site", "gateway", "tags", "floor", "presence", "zones", "portals", "counts", "docks", "gate", "watch",
}  # fmt: skip
"""What can change what the floor says, beside the readers' antennas."""


class Config(Section):
    """The whole configuration."""

    site: Identifier
    gateway: Identifier
    mqtt: MqttConfig = MqttConfig()
    tags: TagsConfig = TagsConfig()
    floor: FloorConfig = FloorConfig()
    presence: PresenceConfig = PresenceConfig()
    zones: Annotated[list[ZoneConfig], Field(min_length=1)]
    portals: list[PortalConfig] = []
    readers: Annotated[list[ReaderConfig], Field(min_length=1)]
    docks: Docks = []
    gate: GateConfig = GateConfig()
    watch: WatchLists = []
    manifests: ManifestsConfig = ManifestsConfig()
    counts: CountsConfig = CountsConfig()
    expected: ExpectedConfig | None = None
    handhelds: HandheldsConfig = HandheldsConfig()
    access: AccessConfig | None = None
    books: BooksConfig | None = None
    ledger: LedgerConfig = LedgerConfig()
    history: HistoryConfig = HistoryConfig()
    journal: JournalConfig = JournalConfig()
    recording: RecordingConfig | None = None
    http: HttpConfig = HttpConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    cameras: Cameras = []
    web: WebConfig | None = None
    log: LogConfig = LogConfig()

    @property
    def history_file(self) -> Path:
        """Where the history is: ``ledger-history.db`` beside ``ledger.db`` unless `history.file` says otherwise."""
        ledger = self.ledger.file
        return self.history.file or ledger.with_name(f"{ledger.stem}-history{ledger.suffix}")

    def floor_json(self) -> str:
        """Everything that can change what the floor says, as JSON that `from_floor_json` reads."""
        content = self.model_dump(mode="json", include=_FLOOR_SECTIONS - ({"books"} if self.books is None else set()))
        content["readers"] = [
            reader.model_dump(mode="json", include={"id", "driver", "antennas"}) for reader in self.readers
        ]
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def from_floor_json(cls, content: str) -> Config:
        """The configuration that a floor ran with, in whichever release; good for a floor, not for readers or links."""
        return cls.model_validate_json(orjson.dumps(saved_in_todays_words(orjson.loads(content))))

    def digest(self) -> str:
        """Short hash of everything that can change what the floor says; part of every event's evidence."""
        return hashlib.sha256(self.floor_json().encode()).hexdigest()[:16]

    def whole_digest(self) -> str:
        """Short hash of the whole configuration: it changes with every setting, also those of brokers and readers."""
        content = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:16]

    def watched_zones(self) -> dict[str, bool]:
        """Every zone, and whether an antenna looks at it."""
        watched = {antenna.zone for _, antenna in self.antennas()}
        return {zone.id: zone.id in watched for zone in self.zones}

    def antennas(self) -> Iterator[tuple[ReaderConfig, AntennaConfig]]:
        """Every antenna, with its reader."""
        for reader in self.readers:
            for antenna in reader.antennas:
                yield reader, antenna
