"""``python -m benchmarks.recordings``: judges the recordings and prints the tables. Exit status 0 whatever they say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, median

from benchmarks.accuracy.figures import calibration_error, quantile, reliability
from benchmarks.recordings import ceiling, counts, pass_picture, passes, silence, trials, weighed, zones
from benchmarks.recordings.files import FOLDER, Trial
from benchmarks.recordings.floor import movements
from benchmarks.recordings.picture import timeline

Zones = dict[int, str]

Row = tuple[str, str, str]
"""A line of the last table: what is measured, what it must be, and what it is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one table for each question; `--pictures DIR` draws a chain, a room and a walk, a circle and a tag that
    stands as SVG."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recordings", description="The floor on recordings.")
    parser.add_argument("--pictures", type=Path, help="draw timelines into this directory")
    options = parser.parse_args(arguments)
    if not (FOLDER / "truth.json").exists():
        print(f"SKIPPED: no recordings of real readers in {FOLDER}: nothing is measured", file=sys.stderr)
        return 0
    table: list[Row] = through_portals()
    recordings = trials.quadrants()
    chains = [(trial, trials.QUADRANTS) for trial in trials.chains(recordings)]
    one = [(trials.chain(recordings, [name]), trials.QUADRANTS) for name in recordings]
    short = [(trial, trials.QUADRANTS) for trial in trials.walkers(recordings, 10)]
    rooms = trials.rooms()
    table += moves(
        {
            "zones, two minutes each": chains,
            "- folds: in the plane only": _fold(recordings, "quad", exclude="quadz"),
            "- folds: at any height only": _fold(recordings, "quadz"),
            "one zone": one,
            "zones, ten seconds each": short,
            "a room of two zones": rooms,
            "- folds: first person": [room for room in rooms if room[0].name.endswith("M.jsonl.gz")],
            "- folds: second person": [room for room in rooms if room[0].name.endswith("F.jsonl.gz")],
        }
    )
    table += silences([(trial, dict.fromkeys(ports, "room")) for trial, ports in rooms])
    table += walks()
    print("\n| what | must be | is |\n|---|---|---|")
    print("\n".join(f"| {what} | {must} | {found} |" for what, must, found in table))
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
        for name, (trial, ports) in (("chain", chains[0]), ("room", rooms[0])):
            picture = timeline(trial, movements(trial.reads, ports), zones.six_db(trial.reads, ports))
            (options.pictures / f"{name}.svg").write_text(picture)
        firsts: dict[str, passes.Recording] = {}
        for recording in passes.recordings():
            if recording.kind != "piece":
                firsts.setdefault(recording.kind, recording)
        for kind, recording in firsts.items():
            answer, looks = weighed.looks(recording, whole_only=False)
            (options.pictures / f"{kind}.svg").write_text(pass_picture.picture(recording, answer, looks))
    return 0


def _fold(recordings: trials.Recordings, prefix: str, exclude: str = "-") -> list[tuple[Trial, Zones]]:
    own = {name: reads for name, reads in recordings.items() if name.startswith(prefix) and exclude not in name}
    return [(trial, trials.QUADRANTS) for trial in trials.chains(own)]


def through_portals() -> list[Row]:
    """Which way tags went between the sides of a portal, by speed, axis and orientation; and the ceiling."""
    recordings = list(passes.recordings())
    table = passes.scores([(recording, passes.answer(recording)) for recording in recordings])
    print("\n".join(passes.lines(table)))
    claims = _reliability("passes", passes.claims(table))
    print("\n".join(ceiling.lines(ceiling.seen(recordings))))
    musts = {
        "walk": ("walks of two antennas a side", "8 of 16, none wrong"),
        "diagonal": ("diagonals", "15 of 16"),
        "circle": ("circles: said to pass", "at most 1"),
        "standing": ("tags that stand: said to pass", "at most 0.5 %"),
        "piece": ("pieces of these", "at most 0.5 %"),
    }
    rows: list[Row] = []
    for kind, (what, must) in musts.items():
        said = table[kind, ""].said
        right = f"{said['right']} right, " if kind in ("walk", "diagonal") else ""
        rows.append((what, must, f"{right}{said['wrong']} wrong of {sum(said.values())}"))
    return [*rows, claims]


def moves(sets: dict[str, list[tuple[Trial, Zones]]]) -> list[Row]:
    """Who is in the right zone, live, and what was said of the true moves."""
    print("\nMoves between zones (live: a statement holds from when it is published)")
    print(f"  {'':<30}{'judge':>8}{'right zone':>12}{'moves/h':>9}{'true/h':>8}{'said':>9}{'delay s':>9}{'90 %':>7}")
    claims: list[tuple[float, bool]] = []
    scores: dict[str, zones.Score] = {}
    for name, those in sets.items():
        floor, rule = zones.Score(), zones.Score()
        for trial, ports in those:
            floor.add(zones.score(trial, movements(trial.reads, ports)))
            rule.add(zones.score(trial, zones.six_db(trial.reads, ports)))
        scores[name] = floor
        if not name.startswith("-"):
            claims += floor.claims
        for judge, found in (("floor", floor), ("6 dB", rule)):
            said = f"{found.said}/{found.true}"
            print(
                f"  {name:<30}{judge:>8}{found.share:>12.3f}{found.moves_an_hour:>9.1f}"
                f"{found.true / found.hours:>8.1f}{said:>9}{quantile(found.delays, 0.5):>9.1f}"
                f"{quantile(found.delays, 0.9):>7.1f}"
            )
    chain, one, room = (scores[name] for name in ("zones, two minutes each", "one zone", "a room of two zones"))
    return [
        ("chains of zones: true moves said", "95 %", f"{100 * chain.said / chain.true:.0f} %"),
        ("- in the right zone, live", "78 %", f"{100 * chain.share:.0f} %"),
        ("- moves an hour", "at most 60", f"{chain.moves_an_hour:.0f}"),
        ("one quadrant: in it, live", "88 %", f"{100 * one.share:.0f} %"),
        ("a room: in the right zone, live", "88 %", f"{100 * room.share:.0f} %"),
        (
            "- moves an hour",
            f"at most {2 * room.true / room.hours:.0f}",
            f"{room.moves_an_hour:.0f}",
        ),
        _reliability("moves", claims),
    ]


def silences(those: list[tuple[Trial, Zones]]) -> list[Row]:
    """False statements of silence, beside the fixed timeout that is as late."""
    total = silence.Silence()
    fixed = [silence.Silence() for _ in silence.TIMEOUTS]
    for trial, ports in those:
        total.add(silence.of_floor(trial, ports))
        for sums, timeout in zip(fixed, silence.TIMEOUTS, strict=True):
            sums.add(silence.of_timeout(trial, timeout))
    print("\nSilence of a worn tag that never leaves its room")
    print(f"  {'':<22}{'false':>6}{'an hour':>9}{'mean delay s':>14}{'median':>8}")
    rows = [("floor", total), *((f"timeout {t} s", sums) for t, sums in zip(silence.TIMEOUTS, fixed, strict=True))]
    for name, one in rows:
        late, middle = mean(one.delays), median(one.delays)
        print(f"  {name:<22}{one.false:>6}{one.false / one.hours:>9.2f}{late:>14.1f}{middle:>8.1f}")
    for how in ("mean", "median"):
        as_late = silence.false_at_equal_delay(total, fixed, how)
        print(f"  at equal {how} delay: {total.false} against {as_late:.1f}, {total.false / as_late:.2f} of it")
    share = total.false / silence.false_at_equal_delay(total, fixed, "mean")
    must = ("false *not seen*, of a fixed timeout as late on average", "0.75", f"{share:.2f}")
    return [must, _reliability("silence", total.claims)]


def walks() -> list[Row]:
    """Counts by hand: is anything missing that was read, does the interval hold, is a half-done walk said to be one."""
    print("\nCounts by a handheld that is carried past the tags")
    print(f"  {'':<12}{'walks':>6}{'read, missing':>15}{'interval holds':>16}{'mean width':>12}{'covered':>9}")
    rows: list[Row] = []
    whole = {walk.name: walk.read for walk in counts.walks(1.0)}
    for name, share in (("whole", 1.0), ("half", 0.5)):
        found = counts.walks(share)
        width = mean(walk.interval[1] - walk.interval[0] for walk in found if walk.interval)
        missing, holds = sum(walk.missing for walk in found), sum(walk.holds for walk in found)
        covered = sum(bool(walk.covered) for walk in found)
        print(f"  {name:<12}{len(found):>6}{missing:>15}{holds:>16}{width:>12.1f}{covered:>9}")
        rows.append((f"counts, {name} walks: read and said to be missing", "0", f"{missing}"))
        if share == 1.0:
            rows.append(("- the interval of 95 % holds", "93 %", f"{holds} of {len(found)}"))
        else:
            begun = [walk for walk in found if walk.read < HALF_DONE * whole[walk.name]]
            said = sum(walk.covered is False for walk in begun)
            must = f"all that read less than {HALF_DONE:.0%} of what was read in the end"
            rows.append(("- said not to have been everywhere", must, f"{said} of {len(begun)}"))
    return rows


HALF_DONE = 0.8
"""Share of what a walk reads in the end. Somebody who walks to and fro has been everywhere after half of the time."""


def _reliability(what: str, claims: Iterable[tuple[float, bool]]) -> Row:
    """Prints what held of what was claimed, by confidence. Returns both for all."""
    bins = reliability(claims)
    print(f"\n  confidence of {what}: {'number':>8}{'claimed':>9}{'held':>7}")
    for one in bins:
        print(f"    {one.low:.3f}-{one.high:.3f} {one.number:>16}{one.confidence:>9.3f}{one.right / one.number:>7.3f}")
    number = sum(one.number for one in bins)
    claimed = sum(one.confidence * one.number for one in bins) / max(number, 1)
    held = sum(one.right for one in bins) / max(number, 1)
    print(f"    all {number:>23}{claimed:>9.3f}{held:>7.3f}   calibration error {calibration_error(bins):.3f}")
    return f"confidence of {what}: claimed and held", "within 0.03", f"{claimed:.3f}, {held:.3f} of {number}"


if __name__ == "__main__":
    sys.exit(main())
