"""The start: what the last run left behind becomes the state to go on from.

The ledger gives the last checkpoint, the journal what the floor was given since. Because the floor is deterministic,
giving it the same again is the whole recovery: it states the same facts, and the ledger recognises those that it
already holds. The tail is judged under the configuration that was in force when it was read.

Where the journal is gone (a reboot, a power cut), the events themselves tell where each tag was last, and what could
not be saved is stated as a loss.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config import Config
from gateway.events.envelope import event_time
from gateway.floor import Floor
from gateway.inputs import ClockStep, Restart, Tick
from gateway.ledger.journal import Journal, JournalState
from gateway.ledger.ledger import Ledger, Recovery
from gateway.ops.logs import Logger
from gateway.recording.recorder import Recorder
from gateway.service.event_clock import EventClock
from gateway.service.pipeline import Pipeline
from gateway.service.reload import carry_over


@dataclass(slots=True)
class _Tail:
    """What the journal still knows: inputs given again, and the time of the last of them."""

    lost: bool
    replayed: int
    last_tick: int


def recover(
    config: Config,
    found: Recovery,
    ledger: Ledger,
    journal: Journal,
    recorder: Recorder | None,
    clock: EventClock,
    log: Logger,
) -> Pipeline:
    """Builds the pipeline on what `found` and the journal hold, states what was lost, and checkpoints."""
    state = journal.open()
    if found.fresh:
        journal.begin(0)
        floor = Floor(config)
        tail = _Tail(lost=False, replayed=0, last_tick=0)
    else:
        floor, tail = _continue(config, found, state, ledger, journal)
    if recorder is not None:
        recorder.resume(journal)
    unreproduced = ledger.recovered()
    if unreproduced:
        log.error("events of the last run did not come again from its journal", events=unreproduced)

    pipeline = Pipeline(config, floor, ledger, journal, recorder, clock, log)
    if not found.fresh:
        pipeline.go_on_from(tail.last_tick)
        clean = found.meta["clean"] == "yes" and tail.replayed == 0
        pipeline.take(Restart(t=clock.now(), since=tail.last_tick, clean=clean, journal_lost=tail.lost and not clean))
        log.info("recovered", clean=clean, inputs_replayed=tail.replayed, journal_lost=tail.lost, epoch=found.epoch)
    pipeline.tick()
    pipeline.checkpoint()
    return pipeline


def _continue(
    config: Config, found: Recovery, state: JournalState, ledger: Ledger, journal: Journal
) -> tuple[Floor, _Tail]:
    """The floor as the last run left it, under the present configuration."""
    then = Config.from_floor_json(found.meta["floor_config"])
    floor = Floor(then)
    floor.restore(found.parts)
    tail = _Tail(
        lost=found.meta["journal"] != state.id or state.last < found.position,
        replayed=0,
        last_tick=int(found.meta["last_tick"]),
    )
    if tail.lost:
        floor.apply(found.newer)
        tail.last_tick = max([tail.last_tick, *map(event_time, found.newer)])
        journal.begin(found.position)
    else:
        for position, item in journal.read(after=found.position):
            ledger.append(floor.feed(item), position)
            tail.replayed += 1
            if isinstance(item, Tick | ClockStep | Restart):
                tail.last_tick = max(tail.last_tick, item.t)
    if then.floor_json() != config.floor_json():
        floor = carry_over(floor, found.parts, config)
    return floor, tail
