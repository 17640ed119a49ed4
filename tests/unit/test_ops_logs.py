"""Log lines as journald and people get them."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import LogConfig
from gateway.ops import logs as module
from gateway.ops.logs import Logs
from tests.support.claims import some


@pytest.fixture
def stream():
    return io.StringIO()


def lines(logs: Logs, stream: io.StringIO) -> list[dict]:
    logs.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_event_first(stream):
    logs = Logs(LogConfig(), stream)
    logs.logger.bind(reader="dock-a").info("reader is up", model="R700")
    (line,) = lines(logs, stream)
    assert list(line)[:3] == ["time", "level", "event"]
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "event": "reader is up", "reader": "dock-a", "model": "R700"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\x1b[2J\nforged", "\\x1b[2J\\nforged"),
        ("x" * 600, "x" * 499 + "…"),
        ("\u202eevil\ud800", "\\u202eevil\\ud800"),
        (b"\x00\xff", "00ff"),
        (b"\x01" * 10_000, "01" * 250),
        (1 << 70, "0x400000000000000000"),
        ({"a": ["\x07"] * 60}, {"a": ["\\x07"] * 50}),
        ({1: (2, 3)}, {"1": [2, 3]}),
        ([[[["deep"]]]], [[["['deep']"]]]),
        (ValueError("bad\r"), "bad\\r"),
        (None, None),
        (True, True),
        (float("nan"), None),
    ],
)
def test_values_from_outside_are_cut_and_escaped(stream, value, shown):
    logs = Logs(LogConfig(), stream)
    logs.logger.warning("odd", value=value)
    (line,) = lines(logs, stream)
    assert line["value"] == shown


@pytest.mark.slow
@given(st.recursive(st.text() | st.binary() | st.integers() | st.floats(), lambda inner: st.lists(inner)))
def test_whatever_is_logged_is_one_line_of_json(value):
    stream = io.StringIO()
    logs = Logs(LogConfig(), stream)
    logs.logger.info("odd", value=value)
    assert len(lines(logs, stream)) == 1


def test_the_standard_librarys_logging_ends_in_the_same_stream(stream, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own do not bear broken format strings
    logs = Logs(LogConfig(), stream)
    logging.getLogger("aiomqtt").warning("lost %s", "it")
    logging.getLogger("asyncio").info("chatter")
    logging.getLogger("broken").error("%d", "no number")
    first, second = lines(logs, stream)
    assert (first["event"], first["level"], first["logger"]) == ("lost it", "warning", "aiomqtt")
    assert (second["event"], second["level"]) == ("%d", "error")
    logging.getLogger("aiomqtt").warning("after the end")
    assert "after the end" not in stream.getvalue()


def test_a_traceback_is_kept_and_tamed(stream):
    logs = Logs(LogConfig(), stream)
    try:
        raise RuntimeError("first\nsecond \x1b[1m")
    except RuntimeError as error:
        logs.logger.error("failed", exc_info=error)
    (line,) = lines(logs, stream)
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("RuntimeError: first\nsecond \\x1b[1m")


def test_levels_follow_the_configuration_for_loggers_that_exist(stream):
    logs = Logs(LogConfig(level="warning"), stream)
    bound = logs.logger.bind(reader="dock-a")
    bound.info("one")
    bound.warning("two")
    logs.configure(LogConfig(level="debug"))
    bound.debug("three")
    logging.getLogger("aiomqtt").debug("four")
    logs.configure(LogConfig(level="error"))
    bound.warning("five")
    bound.error("six")
    assert [line["event"] for line in lines(logs, stream)] == ["two", "three", "four", "six"]


def test_journald_gets_the_priority(tmp_path, monkeypatch):
    with (tmp_path / "journal").open("w+") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        logs = Logs(LogConfig(level="debug"), stream)
        logs.logger.debug("a")
        logs.logger.info("b")
        logs.logger.warning("c")
        logs.logger.error("d")
        logs.close()
        stream.seek(0)
        assert [line[:4] for line in stream.read().splitlines()] == ["<7>{", "<6>{", "<4>{", "<3>{"]


def test_people_get_columns(stream):
    logs = Logs(LogConfig(format="console"), stream)
    logs.logger.info("reader is up", model="R700\x07")
    logs.close()
    assert "[info     ] reader is up" in stream.getvalue()
    assert "\x07" not in stream.getvalue()
    assert "\\x07" in stream.getvalue()


def test_a_stuck_stream_costs_lines_and_never_time(monkeypatch):
    monkeypatch.setattr(module, "_BACKLOG", 10)
    held = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text):
            held.wait(5)
            return super().write(text)

    stream = Stuck()
    logs = Logs(LogConfig(), stream)
    for number in range(50):
        logs.logger.info("line", number=number)
    held.set()
    logs.close()
    written = stream.getvalue().splitlines()
    said = [int(line.split()[0]) for line in written if "dropped" in line]  # twice, where the writer began late
    assert sum(said) + len(written) - len(said) == 50
    assert logs.dropped == sum(said)
    assert 38 <= sum(said) <= 40


def test_a_closed_stream_is_survived():
    stream = io.StringIO()
    logs = Logs(LogConfig(), stream)
    stream.close()
    logs.logger.info("to nobody")
    logs.close()
    assert not any(thread.name == "log writer" and thread.is_alive() for thread in some(threading.enumerate()))


def test_warnings_of_python_are_logged_too(stream):
    logs = Logs(LogConfig(), stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    logged = lines(logs, stream)
    assert [line["logger"] for line in logged] == ["py.warnings"]
