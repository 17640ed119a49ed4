"""Opens a ledger that another process may hold: ``python -m tests.support.second_ledger FILE``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.support.ledgers import TestLedger


async def main(path: Path) -> None:
    TestLedger(path).start()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
