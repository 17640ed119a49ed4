"""What cannot work and does not keep a gateway from reading: `check` refuses it, a start says it and goes on.

An earlier release took such a configuration, and an upgrade has to start by itself. Libraries that are not installed
are less than that: `check` names them, for the file may be meant for another machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from gateway.config.books import CsvBook, MetrcBook
from gateway.config.model import Config
from gateway.config.yaml import Where, path_text
from gateway.text import did_you_mean

_HOSTS = ("host", "listen_host", "peer")
"""Keys of a reader that name a host, in the drivers that come with the gateway."""


def doubts(config: Config) -> Iterator[tuple[Where, str]]:
    """Each such thing: its path, and what is wrong and what to write instead."""
    if config.mqtt.password_file is not None and config.mqtt.username is None:
        yield ("mqtt", "password_file"), "goes with mqtt.username: write both, or neither"
    yield from _hosts(config)
    yield from _unknown_places(config)
    yield from _shared(config)
    yield from _inputs(config)


def lacking(config: Config) -> Iterator[tuple[Where, str]]:
    """Each section that needs libraries which are not installed here, with the extra that brings them."""
    books = config.books.sources if config.books is not None else []
    wanted: list[tuple[Where, str, str, tuple[str, ...]]] = []
    if config.web is not None:
        wanted.append((("web",), "no page is served", "web", ("jinja2", "starlette", "uvicorn")))
    if config.manifests.metrc is not None:
        wanted.append((("manifests", "metrc"), "Metrc is not asked", "metrc", ("httpx",)))
    for index, book in enumerate(books):
        if isinstance(book, MetrcBook):
            wanted.append((("books", "sources", index), "Metrc is not asked", "metrc", ("httpx",)))
    for path, without, extra, libraries in wanted:
        if not all(find_spec(library) for library in libraries):
            yield path, f"{without} until the extra `{extra}` is installed: pip install 'rfid-gateway[{extra}]'"


def _hosts(config: Config) -> Iterator[tuple[Where, str]]:
    """Each host that is more than a host."""
    named: list[tuple[Where, object]] = [(("mqtt", "host"), config.mqtt.host), (("http", "host"), config.http.host)]
    if config.web is not None:
        named.append((("web", "host"), config.web.host))
    for index, reader in enumerate(config.readers):
        extra = reader.model_extra or {}
        named += [(("readers", index, key), extra[key]) for key in _HOSTS if key in extra]
    for path, host in named:
        if isinstance(host, str) and (wrong := _more_than_a_host(host)):
            yield path, wrong


def _more_than_a_host(text: str) -> str:
    """What is wrong with the name or address of a host, or nothing. Its text may hold a password: it is not shown."""
    if "://" in text or "/" in text or "@" in text:
        return "is more than a host: write its name or address alone, such as 10.20.0.11"
    if not text or any(character.isspace() for character in text):
        return "must be the name or address of a host, without spaces"
    bare = text.strip("[]")
    try:
        ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        if ":" in text:
            return "is a host with a port: write the host alone, and the port under its own key"
        if not all(0 < len(part) < 64 for part in text.removesuffix(".").split(".")):
            return "is the name of no host: between its dots are 1 to 63 characters"
        return ""
    return "" if bare == text else f"is an address in brackets: write {bare}"


def _unknown_places(config: Config) -> Iterator[tuple[Where, str]]:
    """Each zone or portal that a book or a camera names and that is nowhere in the configuration, with its path."""
    zones = {zone.id for zone in config.zones}
    for index, book in enumerate(config.books.sources if config.books is not None else ()):
        for place, zone in book.zones.items():
            if zone not in zones:
                path = ("books", "sources", index, "zones", place)
                yield path, f"there is no zone `{zone}`: {did_you_mean(zone, zones)}"
    places = zones | {portal.id for portal in config.portals}
    for index, camera in enumerate(config.cameras):
        for number, place in enumerate(camera.places):
            if place not in places:
                text = f"there is no zone and no portal `{place}`: {did_you_mean(place, places)}"
                yield ("cameras", index, "places", number), text


def _shared(config: Config) -> Iterator[tuple[Where, str]]:
    """Each port, file and folder that two sections cannot have at once, with the path of the later one."""
    http, web, history = config.http, config.web, config.history.file
    if web is not None and (web.host, web.port) == (http.host, http.port) and web.port:
        yield ("web", "port"), f"port {web.port} is already that of `http`: write another one"
    if history is not None and history == config.ledger.file:
        yield ("history", "file"), "is the file of the ledger: write another one, or remove the key"
    folders: dict[Path, str] = {}
    for path, directory in _folders(config):
        first = folders.setdefault(directory, path_text(path))
        if first != path_text(path):
            yield path, f"{directory} is already {first}: give each its own folder, or files would go to both"


def _inputs(config: Config) -> Iterator[tuple[Where, str]]:
    """Each input of a reader that is a photo-eye and a door contact, or either of them twice."""
    wired: list[tuple[Where, tuple[str, int]]] = []
    for index, portal in enumerate(config.portals):
        wired += [
            (("portals", index, "photo_eyes", at), (eye.reader, eye.port)) for at, eye in enumerate(portal.photo_eyes)
        ]
    for index, dock in enumerate(config.docks):
        if dock.door is not None:
            wired.append((("docks", index, "door", "port"), (dock.door.reader, dock.door.port)))
    first: dict[tuple[str, int], str] = {}
    for path, place in wired:
        known = first.setdefault(place, path_text(path))
        if known != path_text(path):
            yield path, f"input {place[1]} of reader `{place[0]}` is already {known}: one of the two has another port"


def _folders(config: Config) -> Iterator[tuple[Where, Path]]:
    """The watched folders."""
    if config.manifests.folder is not None:
        yield ("manifests", "folder", "directory"), config.manifests.folder.directory
    if config.expected is not None:
        yield ("expected", "directory"), config.expected.directory
    if config.handhelds.folder is not None:
        yield ("handhelds", "folder", "directory"), config.handhelds.folder.directory
    if config.access is not None:
        yield ("access", "directory"), config.access.directory
    for index, book in enumerate(config.books.sources if config.books is not None else ()):
        if isinstance(book, CsvBook):
            yield ("books", "sources", index, "directory"), book.directory
