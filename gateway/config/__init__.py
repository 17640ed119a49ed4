"""The configuration: what can be set, how it is read from YAML, and what is wrong with it, by file and line.

`model` is the whole, with its sections in `counts`, `gate`, `sources` and `web`; `file` reads it, `checks` holds it
against itself and against the drivers, `messages` says what is wrong. This package is the one address for the models;
reading a file is `gateway.config.file.load`.
"""

from gateway.config.base import FilePath, Identifier, Port
from gateway.config.model import (
    AntennaConfig,
    Config,
    HistoryConfig,
    JournalConfig,
    LedgerConfig,
    LogConfig,
    MqttConfig,
    PortalConfig,
    PresenceConfig,
    ReaderConfig,
    RecordingConfig,
    TagsConfig,
    TlsConfig,
    ZoneConfig,
)

__all__ = [
    "AntennaConfig",
    "Config",
    "FilePath",
    "HistoryConfig",
    "Identifier",
    "JournalConfig",
    "LedgerConfig",
    "LogConfig",
    "MqttConfig",
    "Port",
    "PortalConfig",
    "PresenceConfig",
    "ReaderConfig",
    "RecordingConfig",
    "TagsConfig",
    "TlsConfig",
    "ZoneConfig",
]
