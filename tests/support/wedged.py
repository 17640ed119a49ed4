"""A gateway of which one part stands still for as long as a file is there.

``python -m tests.support.wedged PART FILE run --config …`` with PART one of `floor`, `publisher`, `checkpoint`,
`commit`, `history`. The part does not fail: it just does nothing, as code with a fault would.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from gateway.floor import Floor
from gateway.history.store import Store as HistoryStore
from gateway.inputs import Tick
from gateway.ledger.store import Store
from gateway.mqtt.publisher import Publisher
from gateway.service.checkpoints import Checkpoints


def program(part: str, file: Path) -> list[str]:
    """What to run instead of the gateway itself."""
    return ["-m", "tests.support.wedged", part, str(file)]


def _wedge(part: str, file: Path) -> None:
    match part:
        case "floor":
            feed = Floor.feed

            def fed(self: Floor, item: Any, *rest: Any) -> Any:
                return [] if isinstance(item, Tick) and file.exists() else feed(self, item, *rest)

            Floor.feed = fed  # type: ignore[method-assign]
        case "publisher":
            send = Publisher._send

            def sent(self: Publisher, *args: Any) -> None:
                if not file.exists():
                    send(self, *args)

            Publisher._send = sent  # type: ignore[method-assign]
        case "checkpoint":
            take = Checkpoints.take

            async def taken(self: Checkpoints, *, clean: bool = False) -> bool:
                await asyncio.to_thread(_until_gone, file)
                return await take(self, clean=clean)

            Checkpoints.take = taken  # type: ignore[method-assign]
        case "commit":
            write = Store.write

            def written(self: Store, *args: Any) -> bool:
                _until_gone(file)
                return write(self, *args)

            Store.write = written  # type: ignore[method-assign]
        case "history":
            take_in = HistoryStore.take

            def remembered(self: HistoryStore, *args: Any) -> int:
                _until_gone(file)
                return take_in(self, *args)

            HistoryStore.take = remembered  # type: ignore[method-assign]
        case _:
            raise SystemExit(f"no part {part!r}")


def _until_gone(file: Path) -> None:
    while file.exists():
        time.sleep(0.1)


if __name__ == "__main__":
    _wedge(sys.argv[1], Path(sys.argv[2]))
    from gateway.cli import main

    sys.exit(main(sys.argv[3:]))
