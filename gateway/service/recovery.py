"""The start: what the last run left behind becomes the state to go on from.

The ledger gives the last checkpoint, the journal what the floor was given since. Because the floor is deterministic,
giving it the same again is the whole recovery: it states the same facts, and the ledger recognises those that it
already holds. The tail is judged under the configuration that was in force when it was read.

Where the journal is gone (a reboot, a power cut), so is the newest checkpoint, which is kept beside it: the one on disk
and the events behind it tell where each tag was last, and what could not be saved is stated as a loss. The events also
tell what is in sections of a checkpoint that cannot be read, as after an upgrade.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from functools import partial
from traceback import format_exc
from typing import NoReturn

from drivers.api import ReaderLoss
from drivers.sparse_log import SparseLog
from gateway.clock import SECOND, wall
from gateway.config import Config
from gateway.errors import LedgerError
from gateway.events.envelope import Fact, event_time
from gateway.floor import Floor
from gateway.floor.migrations import STEPS
from gateway.floor.presence.strays import MAX_TAGS
from gateway.floor.snapshot import Unreadable
from gateway.floor.state import OnOdd
from gateway.floor.unjudged import lost, together
from gateway.inputs import ClockStep, Command, Dropped, Restart, Room, Tick
from gateway.ledger.journal import Journal, JournalState
from gateway.ledger.ledger import Ledger, OpenedLedger
from gateway.ledger.start_note import WITHIN, StartNote
from gateway.ledger.unjudged import Unjudged
from gateway.ops.logs import Logger
from gateway.recording.recorder import Recorder
from gateway.service.event_clock import EventClock
from gateway.service.leaving_out import NothingFound, Search
from gateway.service.pipeline import Pipeline
from gateway.service.retained_names import RetainedNames
from gateway.service.state_topics import topics

_PAGE = 1_000
_PAGE_BYTES = 16 << 20
"""Events read at a time where sections of the state are built again from all of them."""


@dataclass(slots=True)
class _Tail:
    """What the journal still knows: inputs given again, the commands among them, and the time of the last of them.
    `kept` is the time of the checkpoint, where nothing but events is known of what came behind it. `left_out` has
    a statement for each reader of which inputs were not given again, `stated` those statements that were made already;
    `failed` says in words how the floor has failed."""

    lost: bool
    replayed: int
    last_tick: int
    kept: int = 0
    commands: list[Command] = field(default_factory=list)
    left_out: dict[str, ReaderLoss] = field(default_factory=dict)
    stated: set[ReaderLoss] = field(default_factory=set)
    failed: str = ""


async def recover(
    config: Config,
    found: OpenedLedger,
    ledger: Ledger,
    journal: Journal,
    recorder: Recorder | None,
    clock: EventClock,
    log: Logger,
    room: int,
) -> Pipeline:
    """Builds the pipeline on what `found` and the journal hold, states what was lost, and checkpoints.

    `room`: for so many tags there is memory. Raises `LedgerError` where the checkpoint was written by a newer release.
    """
    note, unjudged = StartNote(config.journal.directory), Unjudged(config.ledger.file.parent / "unjudged")
    state = journal.open()
    if state.lost:
        log.error(
            "the journal of the last run cannot be used", directory=str(config.journal.directory), reason=state.lost
        )
    if state.torn:
        log.info("the last run was killed while it wrote to its journal", torn_bytes=state.torn)
    if found.damage:
        log.error("the ledger was damaged; a new epoch begins", reason=found.damage)
    then, rebuilt = config, list[str]()
    if found.fresh:
        ledger.recognised()
        tail = _left_behind(journal)
        journal.begin(0)
        floor = Floor(config)
    else:
        then = _last_configuration(config, found, log)
        note.open(state.id, found.position)
        if note.given_up:
            log.error("the journal of the last run is given up", reason=note.given_up, kept=str(unjudged.directory))
            unjudged.keep_journal(config.journal.directory, state.id, note.given_up)
        make = partial(restored, then, found, ledger, log, room, list(STEPS) if note.rebuild else ())
        floor, rebuilt = await make()
        tail = await _replay(floor, found, state, ledger, journal, note, _passing_over(log))
        note.close()
        if tail.failed:
            del floor
            await _leave_out(tail.failed, Search(make, journal, found.position), note, journal, unjudged)
        await _compare(floor, rebuilt, tail, ledger, log)
        if then.floor_json() != config.floor_json():
            floor = floor.successor(config)
    if recorder is not None:
        recorder.resume(journal)
    pipeline = Pipeline(config, floor, ledger, journal, recorder, clock, log, unjudged)
    pipeline.requests.load(found.meta.get("requests", "[]"))
    for command in tail.commands:
        pipeline.requests.note(command)
    clock.seed_age(int(found.meta.get("age", tail.last_tick)) or clock.now())
    if not found.fresh or tail.lost:
        retained = found.meta.get("retained")
        pipeline.retained = RetainedNames(topics(then)) if retained is None else RetainedNames.load(retained)
        pipeline.go_on_from(tail.last_tick)
        clean = found.meta.get("clean") == "yes" and tail.replayed == 0 and not note.given_up
        lost = tail.lost and not clean
        kept = tail.kept if lost and tail.kept < tail.last_tick else 0
        pipeline.take(Restart(clock.now(), tail.last_tick, clean, lost, tuple(rebuilt), kept))
        for statement in tail.left_out.values():
            if statement not in tail.stated:
                pipeline.take(statement)
        pipeline.faults.shut_out(note.shut_out(wall()), WITHIN / SECOND)
        log.info("recovered", clean=clean, inputs_replayed=tail.replayed, journal_lost=lost, epoch=found.epoch)
    pipeline.tick()
    pipeline.take(Room(pipeline.last_tick, room))
    pipeline.checkpoint()
    return pipeline


def _left_behind(journal: Journal) -> _Tail:
    """What a journal holds whose ledger is gone: nothing that could be gone on from, and until when there was a run."""
    times = [item.t for _, item in journal.read(after=0) if isinstance(item, Tick)]
    return _Tail(lost=bool(times), replayed=0, last_tick=max(times, default=0))


async def restored(
    config: Config,
    found: OpenedLedger,
    ledger: Ledger,
    log: Logger,
    room: int = MAX_TAGS,
    sections: Collection[str] = (),
) -> tuple[Floor, list[str]]:
    """A floor in the state of the checkpoint in `found`, and the sections of it that had to be built from events:
    `sections`, and those that cannot be read."""
    without = list(sections)
    while True:
        floor = Floor(config, room)
        try:
            floor.restore(found.parts, without)
            break
        except Unreadable as unreadable:
            log.error("a part of the saved state is built again from the ledger's events", reason=str(unreadable))
            without = list(STEPS) if unreadable.section == "time" else [*without, unreadable.section]
    if without:
        await _rebuild(floor, without, found.checkpoint_sequence, ledger, _passing_over(log))
    return floor, without


async def _rebuild(floor: Floor, sections: list[str], upto: int, ledger: Ledger, on_odd: OnOdd) -> None:
    """Every event that is still in the ledger, up to the checkpoint's last, tells what it can of `sections`."""
    async for events in _committed(ledger, 0):
        floor.rebuild((payload for sequence, payload in events if sequence <= upto), sections, on_odd)
        if events[-1][0] >= upto:
            return


def _passing_over(log: Logger) -> OnOdd:
    """Says that an event of the ledger cannot be understood: a start must not be stuck at one. What is not known of
    that time is stated with what was lost, or built again."""
    sparse = SparseLog(log)

    def pass_over(payload: bytes, error: Exception) -> None:
        sparse.error("an event in the ledger cannot be understood; it is passed over", reason=repr(error))

    return pass_over


async def _committed(ledger: Ledger, after: int) -> AsyncIterator[list[tuple[int, bytes]]]:
    """The events behind `after` in order, with their sequence numbers, a page at a time."""
    while events := await ledger.committed(after, _PAGE, _PAGE_BYTES):
        yield events
        after = events[-1][0]


def _last_configuration(config: Config, found: OpenedLedger, log: Logger) -> Config:
    """The configuration that was in force when the journal was written; the present one where it cannot be read."""
    try:
        return Config.from_floor_json(found.meta["floor_config"])
    except (KeyError, ValueError) as error:
        log.error(
            "the configuration of the last run cannot be read; the present one judges what it left", reason=str(error)
        )
        return config


async def _replay(
    floor: Floor,
    found: OpenedLedger,
    state: JournalState,
    ledger: Ledger,
    journal: Journal,
    note: StartNote,
    on_odd: OnOdd,
) -> _Tail:
    """Gives the floor what it was given since the checkpoint but for what is left out, or what events say where the
    journal is lost or given up."""
    complete = (
        not note.given_up and state.first - 1 <= found.position <= state.last and found.meta.get("journal") == state.id
    )
    tail = _Tail(lost=not complete, replayed=0, last_tick=int(found.meta.get("last_tick", "0")))
    if tail.lost:
        tail.kept = tail.last_tick
        async for events in _committed(ledger, found.checkpoint_sequence):
            tail.kept += floor.apply([payload for _, payload in events], on_odd)
            tail.last_tick = max([tail.last_tick, *(_time_of(payload) for _, payload in events)])
        journal.begin(found.position)
        return tail
    same_numbers = found.meta.get("epoch") == found.epoch
    floor.on_fault = lambda item, error: None  # which the run said that met it
    for position, item in journal.read(after=found.position):
        tail.replayed += 1
        if position in note.left_out:
            statement = lost(item, floor.config.gateway, certain=True)
            tail.left_out[statement.reader] = together(statement, tail.left_out.get(statement.reader, statement))
        else:
            say = partial(_say, ledger, position)
            note.feeds(position)
            try:
                say(floor.feed(item, say))
            except Exception:  # a fault in the floor, which no start may be stuck at
                tail.failed = format_exc()
                return tail
        if isinstance(item, ReaderLoss):
            tail.stated.add(item)
        if isinstance(item, Dropped) and same_numbers:  # whose loss is stated, now or before
            ledger.give_up(item.first, item.last)
        if isinstance(item, Command):
            tail.commands.append(item)
        if isinstance(item, Tick | ClockStep | Restart):
            tail.last_tick = max(tail.last_tick, item.t)
    return tail


async def _leave_out(why: str, search: Search, note: StartNote, journal: Journal, unjudged: Unjudged) -> NoReturn:
    """The floor has failed, as `why` says: notes what the next start does otherwise. Raises `LedgerError`, with which
    this one ends."""
    words = why.strip().splitlines()[-1]
    try:
        found = await search.look(note.left_out)
    except NothingFound as nothing:
        done = f"{nothing} ({words})"
        if nothing.state and not note.rebuild:
            note.rebuild = True
            done += ": the state is built again from the events"
        else:
            note.given_up = done
            done += ": the journal is given up, and what was in it is stated as a loss"
    else:
        if not found.fault:
            raise RuntimeError(f"the floor has failed, and not on trial:\n{why}")
        note.left_out |= dict.fromkeys(found.left_out, words)
        for reader in set(found.fault.values()) - {""}:
            note.blamed.setdefault(reader, []).append(wall())
        for position, item in journal.read(after=min(found.fault) - 1):
            if position in found.fault:
                unjudged.keep(journal.id, position, item, why)
        done = f"{len(found.left_out)} inputs that could not be judged are left out, see {unjudged.directory} ({words})"
    note.save()
    raise LedgerError(f"a fault in the gateway: {done}; starting again")


def _time_of(payload: bytes) -> int:
    """The time of an event, 0 where it cannot be read."""
    try:
        return event_time(payload)
    except (ValueError, KeyError, TypeError):
        return 0


def _say(ledger: Ledger, position: int, facts: list[Fact]) -> None:
    ledger.append(facts, position)


async def _compare(floor: Floor, rebuilt: list[str], tail: _Tail, ledger: Ledger, log: Logger) -> None:
    """Says where the replay and the events of the last run differ; sections that were rebuilt believe the events. There
    is nothing to compare where the journal is lost: the floor has been told all events."""
    recognition = ledger.recognised()
    if tail.lost:
        return
    missing = recognition.missing
    if missing and rebuilt:
        chosen = set(missing)
        async for events in _committed(ledger, missing[0] - 1):
            floor.rebuild((payload for sequence, payload in events if sequence in chosen), rebuilt, _passing_over(log))
    if missing or recognition.restated:
        log.error(
            "the journal of the last run was judged otherwise this time",
            not_said_again=len(missing),
            restated=recognition.restated,
        )
