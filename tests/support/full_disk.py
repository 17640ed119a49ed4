"""A ledger whose disk is full for a while: ``python -m tests.support.full_disk FILE``."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

from gateway.errors import LedgerError
from tests.support.ledgers import TestLedger, facts, until


async def main(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 1000), 1)
    await ledger.flush()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.stats().bytes_on_disk, hard))
    ledger.append(facts(1001, 5000), 2)
    try:
        await ledger.flush()
    except LedgerError as error:
        print(error)
    assert not ledger.room
    assert await ledger.numbers() == list(range(1, 1001))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await until(lambda: ledger.stats().sequence == 5000)
    assert ledger.room
    await ledger.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
