"""Checkpoints when they are due, and the last one of an orderly stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.errors import LedgerError
from gateway.ledger.ledger import Ledger
from gateway.service.pipeline import Pipeline


class Checkpoints:
    """Has the floor's state saved and lets the journal go. `failed` hears what the disk has against it."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger, failed: Callable[[LedgerError], None]) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._failed = failed
        self._wanted = asyncio.Event()

    def look(self) -> None:
        """Takes a checkpoint soon, where one is due. Called at every tick."""
        if self._pipeline.checkpoint_due:
            self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.take()

    async def take(self, *, clean: bool = False) -> bool:
        """One checkpoint, `clean` at the end of an orderly stop; whether it is saved. It is taken in slices, between
        which reads are heard."""
        refused = self._ledger.refused
        position = self._pipeline.begin_checkpoint(clean=clean)
        try:
            for _ in self._pipeline.slices():
                await asyncio.sleep(0)
        finally:
            self._pipeline.finish_checkpoint()
        try:
            await self._ledger.flush()
        except LedgerError as error:
            self._pipeline.not_saved()
            self._failed(error)
            return False
        if self._ledger.refused != refused:
            self._pipeline.not_saved(refused=True)
            return False
        self._pipeline.release(position)
        return True
