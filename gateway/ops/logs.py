"""Logs: one line on stderr for each event, JSON for journald or columns for people.

What libraries log through the standard library ends in the same stream. Text in fields comes from readers, brokers
and files: it is cut to a length and its control characters are escaped, so that nobody writes into the log but us.
A thread does the writing, for the event loop must not wait for journald.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO, TypeAlias, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from gateway import clock
from gateway.config import LogConfig
from gateway.text import printable

Logger: TypeAlias = FilteringBoundLogger

_LONGEST = 500
"""Characters of one value: an EPC has at most 124, a broker's or a driver's reason a sentence or two."""

_LONGEST_TRACE = 8000
"""Characters of a traceback, of which the end says what happened: about a hundred frames."""

_MOST_ITEMS = 50
"""Items of a list or mapping that are shown."""

_DEEPEST = 3

_BACKLOG = 10_000
"""Lines that wait for the writer, about 3 MB; further ones are counted and dropped until it catches up."""

_FLUSH = 2.0
"""Seconds that `Logs.close` waits for the last lines to be written."""

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_SYSLOG = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class Logs:
    """The log of the process. `close` writes what is left and gives the standard library's logging back."""

    def __init__(self, config: LogConfig, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        self._stream = stream
        self._level = _LEVELS[config.level]
        self._renderer = _renderer(config, stream)
        self._writer = _Writer(stream)
        self.logger = cast(
            Logger,
            structlog.wrap_logger(
                self._writer,
                processors=[self._filter, structlog.processors.format_exc_info, _tame, _stamp, self._render],
                wrapper_class=structlog.make_filtering_bound_logger(0),
            ).bind(),
        )
        self._bridge = _Bridge(self.logger)
        root = logging.getLogger()
        root.addHandler(self._bridge)
        logging.captureWarnings(True)
        self._root_level = root.level
        self._follow()

    @property
    def dropped(self) -> int:
        """Lines that could not be written fast enough, since the start."""
        return self._writer.dropped

    def configure(self, config: LogConfig) -> None:
        """Level and format from now on, for loggers that already exist too."""
        self._level = _LEVELS[config.level]
        self._renderer = _renderer(config, self._stream)
        self._follow()

    def close(self) -> None:
        """Writes what is left and gives the standard library's logging back."""
        root = logging.getLogger()
        logging.captureWarnings(False)
        root.removeHandler(self._bridge)
        root.setLevel(self._root_level)
        self._writer.close()

    def _follow(self) -> None:
        # What libraries say below a warning is for whoever looks for a fault in them.
        logging.getLogger().setLevel(logging.DEBUG if self._level <= logging.DEBUG else logging.WARNING)

    def _render(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        return self._renderer(logger, method, event)

    def _filter(self, _: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["level"] = "error" if method == "exception" else method
        if _LEVELS[event["level"]] < self._level:
            raise structlog.DropEvent
        return event


class _Writer:
    """Takes finished lines and writes them in a thread. structlog calls the method named after the level."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_BACKLOG)
        self.dropped = 0
        self._confessed = 0
        self._thread = threading.Thread(target=self._write, name="log writer", daemon=True)
        self._thread.start()

    def msg(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    debug = info = warning = error = critical = exception = msg

    def close(self) -> None:
        try:
            self._lines.put(None, timeout=_FLUSH)
        except queue.Full:
            return
        self._thread.join(_FLUSH)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                if count := self.dropped - self._confessed:
                    self._confessed += count
                    self._stream.write(f"{count} log lines were dropped: the log could not be written fast enough\n")
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # stderr is gone or closed: there is nowhere left to say so.
                continue


class _Bridge(logging.Handler):
    """Passes the standard library's records on to our logger."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        level = "critical" if record.levelno >= 50 else record.levelname.lower()
        say = getattr(self._logger, level if level in _LEVELS else "info")
        try:
            message = record.getMessage()
        except Exception:  # a library's broken format string must not break us
            message = str(record.msg)
        say(message, logger=record.name, exc_info=record.exc_info)


class _Json:
    """One JSON object a line: time, level and event first. For journald with the priority that it understands."""

    def __init__(self, *, journal: bool) -> None:
        self._journal = journal

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> str:
        ordered = {key: event.pop(key) for key in ("time", "level", "event")} | dict(event)
        line = orjson.dumps(ordered).decode()
        return f"<{_SYSLOG[ordered['level']]}>{line}" if self._journal else line


_Renderer: TypeAlias = Callable[[Any, str, MutableMapping[str, Any]], str]


def _renderer(config: LogConfig, stream: TextIO) -> _Renderer:
    return _Json(journal=_is_journal(stream)) if config.format == "json" else _console(stream)


def _console(stream: TextIO) -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(
        timestamp_key="time",
        colors=stream.isatty(),
        pad_event_to=0,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["time"] = clock.rfc3339(clock.wall())
    return event


def _tame(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    tamed = {printable(str(key), _LONGEST): _tamed(value, 0) for key, value in event.items() if key != "exception"}
    if "exception" in event:
        lines = str(event["exception"])[-_LONGEST_TRACE:].splitlines()
        tamed["exception"] = "\n".join(printable(line, _LONGEST) for line in lines)
    return tamed


def _tamed(value: Any, depth: int) -> Any:
    match value:
        case bool() | float() | None:
            return value
        case int():
            return value if abs(value) < 1 << 63 else printable(hex(value), _LONGEST)
        case str():
            return printable(str(value), _LONGEST)
        case bytes():
            return value[: _LONGEST // 2].hex()
        case Mapping() if depth < _DEEPEST:
            items = list(value.items())[:_MOST_ITEMS]
            return {printable(str(key), _LONGEST): _tamed(inner, depth + 1) for key, inner in items}
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [_tamed(inner, depth + 1) for inner in list(value)[:_MOST_ITEMS]]
        case _:
            return printable(str(value), _LONGEST)


def _is_journal(stream: TextIO) -> bool:
    """systemd names the device and inode of the socket that leads to journald (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
