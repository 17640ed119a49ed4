"""Every read that an emulated reader made, as recorded reads (JSON lines): the truth against which loss is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from drivers.emulators.scene import Seen, recorded


class ReadLog:
    """Writes reads to a file, off the event loop. Call `flush` now and then, and `close` at the end.

    Several readers may share one file: a whole number of lines is written each time.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._lines: list[bytes] = []
        self._writing: asyncio.Future[int] | None = None

    def add(self, reads: Sequence[Seen], reader: str, origin: int) -> None:
        """`origin`: the beginning of the scene, microseconds UTC."""
        self._lines += [orjson.dumps(recorded(seen, reader, origin)) for seen in reads]

    def flush(self) -> None:
        """Begins to write what is there, unless the last writing is still going on."""
        if self._lines and (self._writing is None or self._writing.done()):
            content, self._lines = b"\n".join(self._lines) + b"\n", []
            self._writing = asyncio.get_running_loop().run_in_executor(None, self._file.write, content)

    async def close(self) -> None:
        """Writes the rest. The file is complete when this returns."""
        if self._writing is not None:
            await self._writing
        self.flush()
        if self._writing is not None:
            await self._writing
        self._file.close()
