"""What no single key shows: names that must meet, things that cannot be in two places, files that must be there.

Works on the YAML tree, so that it can say its part even where the model has already found something wrong, and every
problem has a line. Values of the wrong type are left to the model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from drivers.api import DriverError, DriverSettings, FileUse
from gateway.config import drivers as driver_registry
from gateway.config.doubts import doubts, lacking
from gateway.config.files import SECRETS, credential, exposed, holds_no_secret, in_the_way, unusable
from gateway.config.gate import DockConfig, DoorConfig, OutputConfig
from gateway.config.messages import line_of, problems_of
from gateway.config.model import Config, ReaderConfig
from gateway.config.yaml import MAX_PROBLEMS, Mapping, Node, Problem, Scalar, Sequence, Where, path_text, plain
from gateway.text import closest, did_you_mean

_SIDES = ("inside", "outside")


class _Enough(Exception):
    """There are more than `MAX_PROBLEMS` problems."""


class Checker:
    """Collects the problems of one configuration, and stops soon after `MAX_PROBLEMS`."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self.problems: list[Problem] = []
        self.files: list[Problem] = []  # files that are named and cannot be used now
        self.doubtful: list[Problem] = []  # what an earlier release took: no pass, and no reason not to start
        self.notes: list[Problem] = []  # what is right and good to know: secrets that a reload does not read again

    def structure(self) -> None:
        """Names, antennas and drivers: everything that can be told from the tree alone."""
        with contextlib.suppress(_Enough):
            self._unique("zones", "zone")
            self._unique("portals", "portal")
            self._unique("readers", "reader")
            self._antennas()
            self._portals()
            self._counted()
            self._addresses(list(self._drivers()))

    def values(self, config: Config) -> None:
        """Values that are allowed each for itself and make no sense together."""
        with contextlib.suppress(_Enough):
            self._values(config)

    def _values(self, config: Config) -> None:
        for path, text in gate_problems(config):
            self._add(path, text)
        presence, tags = config.presence, config.tags
        if presence.shortest > presence.longest:
            self._add(
                ("presence", "shortest"),
                f"{presence.shortest:g} s is longer than presence.longest ({presence.longest:g} s): write at most "
                f"{presence.longest:g}",
            )
        for index, prefix in enumerate(tags.include):
            for excluded in tags.exclude:
                if prefix.startswith(excluded):
                    self._add(
                        ("tags", "include", index),
                        f"every tag with `{prefix}` is excluded by `{excluded}` in tags.exclude: remove one of them",
                    )
        self.doubtful += [Problem(line_of(self._root, path), path_text(path), text) for path, text in doubts(config)]
        self.notes += [Problem(line_of(self._root, path), path_text(path), text) for path, text in lacking(config)]
        if config.manifests.identifiers_file is not None:
            path = ("manifests", "identifiers_file")
            self._note(path, "is read when the gateway starts: restart it after a change")
        self._files(config, ())

    def _note(self, path: Where, text: str) -> None:
        self.notes.append(Problem(line_of(self._root, path), path_text(path), text))

    def _add(self, path: Where, text: str, line: int | None = None) -> None:
        self.problems.append(Problem(line or line_of(self._root, path), path_text(path), text))
        if len(self.problems) > MAX_PROBLEMS:
            raise _Enough

    def _at(self, *path: str | int) -> Node | None:
        node: Node | None = self._root
        for step in path:
            match node, step:
                case Mapping(), str():
                    node = node.values.get(step)
                case Sequence(), int():
                    node = node.items[step]
                case _:
                    return None
        return node

    def _entries(self, *path: str | int) -> Iterator[tuple[Where, Mapping]]:
        found = self._at(*path)
        if isinstance(found, Sequence):
            for index, item in enumerate(found.items):
                if isinstance(item, Mapping):
                    yield (*path, index), item

    def _unique(self, section: str, noun: str) -> None:
        first: dict[str, int] = {}
        for path, entry in self._entries(section):
            name, line = _text(entry, "id"), entry.key_lines.get("id", entry.line)
            if name is None:
                continue
            if name in first:
                self._add((*path, "id"), f"there is already a {noun} `{name}` in line {first[name]}: rename one", line)
            first.setdefault(name, line)

    def _antennas(self) -> None:
        zones = {name: path for path, entry in self._entries("zones") if (name := _text(entry, "id")) is not None}
        portals = [name for _, entry in self._entries("portals") if (name := _text(entry, "id")) is not None]
        seen = {zone for _, entry in self._entries("portals") for key in _SIDES if (zone := _text(entry, key))}
        for reader_path, _ in self._entries("readers"):
            ports: dict[object, int] = {}
            for path, antenna in self._entries(*reader_path, "antennas"):
                port = antenna.values.get("port")
                if isinstance(port, Scalar):
                    if port.value in ports:
                        text = f"port {port.text} is already used in line {ports[port.value]}: "
                        self._add((*path, "port"), text + "one antenna looks at one zone, remove or renumber one")
                    ports.setdefault(port.value, port.line)
                zone = _text(antenna, "zone")
                if zone is not None:
                    seen.add(zone)
                    if zone not in zones and zones:
                        self._add((*path, "zone"), f"there is no zone `{zone}`: {did_you_mean(zone, zones)}")
                        seen.add(closest(zone, zones, cutoff=0.5) or zone)  # one mistake is said once
                portal = _text(antenna, "portal")
                if portal is not None and portal not in portals:
                    words = did_you_mean(portal, portals) if portals else "describe it under `portals`"
                    self._add((*path, "portal"), f"there is no portal `{portal}`: {words}")
        by_hand = self._by_hand(zones)
        for name, path in zones.items():
            if name not in seen and name not in by_hand:
                self._add(
                    path,
                    f"no antenna looks at the zone `{name}`, so that nothing would ever be seen there: write "
                    f"`zone: {name}` at an antenna, or remove the zone",
                )

    def _portals(self) -> None:
        """A portal lies between two places, with an antenna on either side."""
        zones = [name for _, entry in self._entries("zones") if (name := _text(entry, "id")) is not None]
        readers = [name for _, entry in self._entries("readers") if (name := _text(entry, "id")) is not None]
        watched = {
            (_text(antenna, "portal"), _text(antenna, "side"))
            for path, _ in self._entries("readers")
            for _, antenna in self._entries(*path, "antennas")
        }
        for path, portal in self._entries("portals"):
            places = {key: zone for key in _SIDES if (zone := _text(portal, key)) is not None}
            for key, zone in places.items():
                if zone not in zones and zones:
                    self._add((*path, key), f"there is no zone `{zone}`: {did_you_mean(zone, zones)}")
            if not places:
                self._add(path, "the portal leads from nowhere to nowhere: write a zone as `inside` or `outside`")
            elif len(set(places.values())) < len(places):
                self._add((*path, "outside"), "both sides of the portal are the same zone: write two, or null for one")
            name = _text(portal, "id")
            photo_eyes = {_text(eye, "side") for _, eye in self._entries(*path, "photo_eyes")}
            blind = [side for side in _SIDES if (name, side) not in watched]
            for side in blind:
                if name is not None and (len(blind) == len(_SIDES) or not photo_eyes.issuperset(_SIDES)):
                    self._add(
                        path,
                        f"no antenna looks at the {side} of the portal `{name}`, so that no pass could have a "
                        f"direction: write `portal: {name}` and `side: {side}` at an antenna",
                    )
            for eye_path, eye in self._entries(*path, "photo_eyes"):
                reader = _text(eye, "reader")
                if reader is not None and reader not in readers and readers:
                    self._add((*eye_path, "reader"), f"there is no reader `{reader}`: {did_you_mean(reader, readers)}")

    def _by_hand(self, zones: Collection[str]) -> set[str]:
        """The zones that are counted with handhelds alone."""
        listed = self._at("handhelds", "zones")
        items = listed.items if isinstance(listed, Sequence) else []
        named = {str(item.value): index for index, item in enumerate(items) if isinstance(item, Scalar)}
        for zone, index in named.items():
            if zone not in zones and zones:
                self._add(("handhelds", "zones", index), f"there is no zone `{zone}`: {did_you_mean(zone, zones)}")
        return set(named)

    def _counted(self) -> None:
        """The zones of the cycle counts and of the expected sets."""
        zones = {name for _, entry in self._entries("zones") if (name := _text(entry, "id")) is not None}
        named = [(path, _text(entry, "zone")) for path, entry in self._entries("counts", "plan")]
        meant = self._at("expected", "zones")
        if isinstance(meant, Mapping):
            named += [(("expected", "zones", key), _text(meant, key)) for key in meant.values]
        for path, zone in named:
            if zone is not None and zone not in zones and zones:
                self._add(path, f"there is no zone `{zone}`: {did_you_mean(zone, zones)}")

    def _drivers(self) -> Iterator[tuple[Where, DriverSettings]]:
        """Checks the drivers' own keys; yields the settings of each reader where they are right."""
        for path, entry in self._entries("readers"):
            name = _text(entry, "driver")
            if name is None:
                continue
            try:
                model = driver_registry.factory(name).settings
            except DriverError as error:
                self._add((*path, "driver"), str(error))
                continue
            keys = {key: plain(node) for key, node in entry.values.items() if key not in ReaderConfig.model_fields}
            try:
                settings = driver_registry.validate(model, keys)
            except ValidationError as error:
                self.problems += problems_of(error, self._root, model, path, also=ReaderConfig.model_fields)
                if len(self.problems) > MAX_PROBLEMS:
                    raise _Enough from None
                continue
            for name, use in settings.files().items():
                self._file((*path, *name.split(".")), use)
            device = getattr(settings, "device", None)  # what drivers call a serial port
            if isinstance(device, str) and device.startswith("/") and not Path(device).exists():
                text = f"{device} is not there now, and the reader down until it is: ls /dev/rfid /dev/serial/by-id"
                self._note((*path, "device"), f"{text} shows the ports that are plugged in")
            yield path, settings

    def _addresses(self, readers: list[tuple[Where, DriverSettings]]) -> None:
        first: dict[str, Where] = {}
        for path, settings in readers:
            address = settings.endpoint()
            if address is None:
                continue
            if address in first:
                where = line_of(self._root, first[address])
                self._add(
                    path,
                    f"{address} is already the address of {path_text(first[address])} in line {where}: write all its "
                    "antennas under one reader, or correct the address",
                )
            first.setdefault(address, path)

    def _files(self, model: BaseModel, path: Where) -> None:
        """The files of the gateway's own settings: those that end in ``_file`` are there, ``file`` and ``directory`` it
        makes itself."""
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                self._files(value, (*path, name))
            elif isinstance(value, list | tuple):
                for index, item in enumerate(value):
                    if isinstance(item, BaseModel):
                        self._files(item, (*path, name, index))
            elif isinstance(value, Path) and name.endswith("_file"):
                self._file((*path, name), FileUse(value, name.endswith(SECRETS)))
            elif isinstance(value, Path) and (wrong := in_the_way(value, name == "directory")):
                self.files.append(Problem(line_of(self._root, (*path, name)), path_text((*path, name)), wrong))

    def _file(self, path: Where, use: FileUse) -> None:
        if wrong := unusable(use.path) or (holds_no_secret(use.path) if use.secret else ""):
            self.files.append(Problem(line_of(self._root, path), path_text(path), wrong))
        elif use.secret and (shown := exposed(use.path)):
            self.doubtful.append(Problem(line_of(self._root, path), path_text(path), shown))
        if use.secret and (copied := credential(use.path)):
            self._note(path, copied)


def _text(entry: Mapping, key: str) -> str | None:
    node = entry.values.get(key)
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def gate_problems(config: Config) -> Iterator[tuple[Where, str]]:
    """Each name in the sections of the dock gate that is nowhere in the configuration, with its path."""
    readers = {reader.id for reader in config.readers}
    portals = {portal.id for portal in config.portals}
    zones = {zone.id for zone in config.zones}
    for index, dock in enumerate(config.docks):
        here: Where = ("docks", index)
        yield from _named((*here, "portal"), "portal", dock.portal, portals)
        for name, wired in _wired(dock):
            yield from _named((*here, *name, "reader"), "reader", wired.reader, readers)
    metrc = config.manifests.metrc
    if metrc is not None and metrc.hold_list is not None:
        lists = {entry.name for entry in config.watch}
        yield from _named(("manifests", "metrc", "hold_list"), "watch list", metrc.hold_list, lists)
    for number, zone in enumerate(config.gate.staging):
        yield from _named(("gate", "staging", number), "zone", zone, zones)
    for index, entry in enumerate(config.watch):
        for key in ("allowed", "forbidden"):
            for number, place in enumerate(getattr(entry, key)):
                yield from _named(("watch", index, key, number), "zone or portal", place, zones | portals)


_SECTIONS = {"watch list": "watch", "zone or portal": "zones"}
"""The sections of what is not called like its section."""


def _named(path: Where, noun: str, name: str, known: Collection[str]) -> Iterator[tuple[Where, str]]:
    if name not in known:
        section = _SECTIONS.get(noun, f"{noun}s")
        hint = did_you_mean(name, known) if known else f"describe it under `{section}`"
        yield path, f"there is no {noun} `{name}`: {hint}"


def _wired(dock: DockConfig) -> Iterator[tuple[Where, DoorConfig | OutputConfig]]:
    """Everything of a dock that hangs on a reader, with its path below the dock."""
    lights = dock.lights
    lamps: dict[str, OutputConfig | None] = {
        "red": lights.red,
        "amber": lights.amber,
        "green": lights.green,
        "buzzer": lights.buzzer,
    }
    for name, output in lamps.items():
        if output is not None:
            yield ("lights", name), output
    if dock.interlock is not None:
        yield ("interlock",), dock.interlock
    if dock.door is not None:
        yield ("door",), dock.door
