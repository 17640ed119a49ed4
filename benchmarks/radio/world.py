"""A whole scene, and its run: what a gateway would be given, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from benchmarks.radio.air import CLEAR, Air
from benchmarks.radio.delivery import Delivery, photo_eye_items
from benchmarks.radio.inventory import Inventory, RadioReader
from benchmarks.radio.medium import Medium, Reflector
from benchmarks.radio.photo_eyes import PhotoEye
from benchmarks.radio.shapes import Doorway, Place
from benchmarks.radio.standing import standing_reads
from benchmarks.radio.things import Body, RadioTag
from benchmarks.radio.truth import Truth
from benchmarks.radio.unrest import CALM, Unrest
from drivers.api import Item
from drivers.emulators.scene import SECOND, Seen

EPOCH = 1_700_000_000 * SECOND


@dataclass(slots=True)
class World:
    """Everything that decides a run, but for chance. `looks`: where set, the run takes the quick way of
    `standing_reads`, each antenna asking each tag so many times a second, and only then `cover` counts."""

    tags: list[RadioTag]
    readers: list[RadioReader]
    places: list[Place]
    end: float
    start: float = 0.0
    doorways: list[Doorway] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    reflectors: list[Reflector] = field(default_factory=list)
    air: Air = CLEAR
    photo_eyes: list[PhotoEye] = field(default_factory=list)
    delivery: Delivery = field(default_factory=Delivery)
    unrest: Unrest = CALM
    cover: Unrest = CALM
    looks: float | None = None


@dataclass(slots=True, frozen=True)
class Run:
    """`items` in order of arrival; `reads` of each reader in order of time, times from the beginning of the scene."""

    items: list[Item]
    reads: Mapping[str, list[Seen]]
    truth: Truth


def run(world: World, seed: str) -> Run:
    """Plays the scene. The same world and seed give the same run."""
    medium = Medium(world.reflectors, world.bodies, air=world.air)
    arriving: list[tuple[int, Item]] = []
    reads: dict[str, list[Seen]] = {}
    for reader in world.readers:
        found = reads[reader.name] = _reads(world, reader, medium, seed)
        random = Random(f"{seed}/{reader.name}/delivery")
        arriving += world.delivery.items(reader, found, EPOCH, world.start, world.end, random)
    extents = [(body.path, body.length) for body in world.bodies]
    for eye in world.photo_eyes:
        edges = eye.edges(extents, world.start, world.end)
        arriving += photo_eye_items(eye.reader, eye.port, edges, EPOCH)
    arriving.sort(key=lambda arrival: arrival[0])
    truth = Truth(world.tags, world.doorways, world.places, world.start, world.end)
    return Run([item for _, item in arriving], reads, truth)


def _reads(world: World, reader: RadioReader, medium: Medium, seed: str) -> list[Seen]:
    if world.looks is None:
        return Inventory(reader, world.tags, medium, world.unrest, seed).reads(world.start, world.end)
    return standing_reads(
        reader, world.tags, medium, world.unrest, world.cover, seed, world.start, world.end, world.looks
    )
