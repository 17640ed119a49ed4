"""How reads reach a gateway: late, out of order, in batches, with signs of life between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

from benchmarks.radio.inventory import RadioReader
from drivers.api import Batch, InputChange, Item, ReaderAlive, ReaderDown, ReaderUp, Row, RssiUnit
from drivers.emulators.scene import SECOND, Seen


@dataclass(slots=True, frozen=True)
class Delivery:
    """`late`: the share of reads held back, by up to `bound` seconds; real readers deliver a fifth to three quarters
    of their reads after newer ones. `report`: seconds between two messages. `alive`: seconds between two signs of
    life; None for a bare recording, which holds reads and nothing else."""

    late: float = 0.4
    bound: float = 0.3
    report: float = 0.05
    alive: float | None = 2.0

    def items(
        self, reader: RadioReader, reads: Sequence[Seen], epoch: int, start: float, end: float, random: Random
    ) -> list[tuple[int, Item]]:
        """What a driver would hand over, with when (microseconds UTC), in order."""
        items = list(self._batches(reader, reads, epoch, random))
        if self.alive is not None:
            items += self._signs(reader, epoch, start, end)
        items.sort(key=lambda item: item[0])
        return items

    def _batches(
        self, reader: RadioReader, reads: Sequence[Seen], epoch: int, random: Random
    ) -> Iterator[tuple[int, Item]]:
        bound, grid = round(self.bound * SECOND), round(self.report * SECOND)
        arriving = []
        for read in reads:
            held = random.randrange(bound) if bound and random.random() < self.late else 0
            arriving.append((read.time + held, read))
        arriving.sort(key=lambda arrival: arrival[0])
        whole_dbm = reader.step >= 1.0
        for message, group in groupby(arriving, key=lambda arrival: arrival[0] // grid):
            rows = [_row(read, epoch, whole_dbm, reader.phase) for _, read in group]
            unit = RssiUnit.DBM if whole_dbm else RssiUnit.CENTI_DBM
            at = epoch + (message + 1) * grid
            yield at, Batch(reader.name, at, rows, 0, unit, reader.phase)

    def _signs(self, reader: RadioReader, epoch: int, start: float, end: float) -> Iterator[tuple[int, Item]]:
        """The reader comes up, lives and goes down. A sign of life tells of a time all of whose reads are here."""
        assert self.alive is not None
        behind = self.bound + self.report
        yield epoch + round(start * SECOND), ReaderUp(reader.name, epoch + round(start * SECOND))
        t = start + self.alive
        while t < end + self.alive:
            if not reader.down_at(t) and not reader.down_at(t - behind):
                at = epoch + round(t * SECOND)
                yield at, ReaderAlive(reader.name, at - round(behind * SECOND))
            t += self.alive
        for low, high in reader.outages:
            down, up = epoch + round((low + behind) * SECOND), epoch + round((high + 0.001) * SECOND)
            yield down, ReaderDown(reader.name, epoch + round(low * SECOND), "the connection was lost")
            yield up, ReaderUp(reader.name, up)


def _row(read: Seen, epoch: int, whole_dbm: bool, phase: bool) -> Row:
    rssi = round(read.rssi / 100) if whole_dbm else read.rssi
    row = (read.epc, read.antenna, rssi, read.channel, epoch + read.time, 1)
    return (*row, read.phase, read.doppler) if phase else row


def photo_eye_items(reader: str, port: int, edges: Sequence[tuple[float, bool]], epoch: int) -> list[tuple[int, Item]]:
    """The changes of an input; they are told at once."""
    return [
        (t, InputChange(reader, t, port, state))
        for t, state in ((epoch + round(at * SECOND), state) for at, state in edges)
    ]
