"""The options and the lines of standard input that all emulated readers have in common."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import sys
from types import SimpleNamespace

import pytest

from drivers.emulators import stdin_lines
from drivers.emulators.scene import FOREIGN_PREFIX, PACKAGE_PREFIX, SECOND, serial_of
from drivers.emulators.scene_options import add_log, add_scene, address, build_scene
from drivers.emulators.stdin_lines import MAX_LINE, obeying_stdin


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_scene(parser, rate=40.0, antennas=2)
    add_log(parser, "is made")
    return parser.parse_args(arguments)


def epcs(*arguments: str, index: int = 0) -> set[str]:
    """The EPCs that are read in ten seconds."""
    return {seen.epc.hex().upper() for seen in build_scene(parse(*arguments), index).reads(0, 10 * SECOND)}


def test_the_options_make_the_scene():
    scene = build_scene(parse("--scene", "population", "--tags", "7", "--rate", "30", "--antennas", "3"))
    assert {antenna: field.rate for antenna, field in scene.fields.items()} == {1: 30.0, 2: 30.0, 3: 30.0}
    assert len(scene.tags) == 7
    assert build_scene(parse()).fields[2].rate == 40.0
    assert build_scene(parse("--cycle", "20")).cycle == 20 * SECOND


def test_foreign_tags_stand_among_the_stock():
    prefixes = {epc[: len(FOREIGN_PREFIX)] for epc in epcs("--tags", "5", "--foreign", "2", "--cycle", "5")}
    assert prefixes == {FOREIGN_PREFIX, PACKAGE_PREFIX[: len(FOREIGN_PREFIX)]}


def test_of_several_readers_each_has_a_scene_of_its_own():
    runs = [{serial_of(bytes.fromhex(epc))[0] for epc in epcs("--scene", "serial", index=index)} for index in (0, 1)]
    assert runs == [{0}, {1}]
    first, again, second = (build_scene(parse("--scene", "population"), index) for index in (0, 0, 1))
    assert first.reads(0, SECOND) == again.reads(0, SECOND) != second.reads(0, SECOND)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--tags", "0"),
        ("--tags", "many"),
        ("--antennas", "-1"),
        ("--rate", "0"),
        ("--rate", "nan"),
        ("--rate", "inf"),
        ("--rate", "fast"),
        ("--cycle", "-1"),
        ("--scene", "opera"),
    ],
)
def test_options_that_make_no_sense_are_refused(option, value, capsys):
    with pytest.raises(SystemExit):
        parse(f"{option}={value}")
    said = capsys.readouterr().err
    assert option in said
    assert value in said


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("10.0.0.7:5084", ("10.0.0.7", 5084)), ("[::1]:0", ("::1", 0)), ("dock:65535", ("dock", 65535))],
)
def test_addresses(text, wanted):
    assert address(text) == wanted


@pytest.mark.parametrize("text", ["", "4001", ":4001", "dock:", "dock:http", "dock:65536", "dock:-1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not HOST:PORT"):
        address(text)


# ---- lines of standard input


@pytest.fixture
def pipe(monkeypatch):
    """The end at which to write what is then read from standard input."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream, os.fdopen(writing, "wb", buffering=0) as out:
        monkeypatch.setattr(sys, "stdin", stream)
        yield out


async def obeyed(count: int, *pieces: bytes, pipe) -> list[list[str]]:
    """What becomes of the pieces, once `count` lines have come of them."""
    heard: list[list[str]] = []
    enough = asyncio.Event()

    def obey(words: list[str]) -> None:
        heard.append(words)
        if len(heard) == count:
            enough.set()

    with obeying_stdin(obey):
        for piece in pieces:
            pipe.write(piece)
            await asyncio.sleep(0)
        await asyncio.wait_for(enough.wait(), 10)
    return heard


async def test_lines_come_as_words_however_they_are_cut(pipe):
    pieces = (b"gpi 1", b" on\ndr", b"op\n\n\xff?\n")
    assert await obeyed(4, *pieces, pipe=pipe) == [["gpi", "1", "on"], ["drop"], [], ["\N{REPLACEMENT CHARACTER}?"]]


async def test_a_line_without_an_end_is_not_kept(pipe):
    ((first,), second) = await obeyed(2, *[b"x" * MAX_LINE] * 5, b"\ncounters\n", pipe=pipe)
    assert len(first) <= 2 * MAX_LINE
    assert second == ["counters"]


async def test_an_end_of_standard_input_is_told_once(pipe, monkeypatch):
    told: list[bytes] = []
    ended = asyncio.Event()

    def read(number: int, size: int) -> bytes:
        told.append(os.read(number, size))
        ended.set()
        return told[-1]

    monkeypatch.setattr(stdin_lines, "os", SimpleNamespace(read=read))
    with obeying_stdin(lambda words: pytest.fail("obeyed")):
        pipe.close()
        await asyncio.wait_for(ended.wait(), 10)
        for _ in range(5):  # rounds of the event loop, each of which would tell it again
            await asyncio.sleep(0)
    assert told == [b""]


@pytest.mark.parametrize("stream", [None, io.StringIO("drop\n"), "file"])
async def test_standard_input_that_cannot_be_watched_is_left_alone(stream, monkeypatch, tmp_path):
    path = tmp_path / "lines"
    path.write_text("drop\n")
    with path.open() as file:
        monkeypatch.setattr(sys, "stdin", file if stream == "file" else stream)
        with obeying_stdin(lambda words: pytest.fail("obeyed")):
            await asyncio.sleep(0)
