"""The LLRP driver: one reader, one connection for each `run`."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from drivers.api import DriverContext, DriverError
from drivers.llrp.connect import connect, load_tls, server_tls
from drivers.llrp.listen import Caller, Expected
from drivers.llrp.memory import Memory
from drivers.llrp.session import Session
from drivers.llrp.settings import LlrpSettings
from drivers.llrp.transport import LlrpProtocol

CLOSE_WITHIN = 2.0
"""How long the reader may take to close when we stop, in seconds: a service manager does not wait for ever."""


class LlrpDriver:
    """See `drivers.api.Driver`."""

    def __init__(self, context: DriverContext, settings: LlrpSettings) -> None:
        self._context = context
        self._settings = settings
        self._memory = Memory()
        self._protocol: LlrpProtocol | None = None
        self._is_paused = False

    async def run(self) -> NoReturn:
        """Reads until the connection ends. Raises DriverError."""
        if self._settings.connect == "out":
            await self._call()
        else:
            await self._be_called()
        raise DriverError(f"{self._context.reader}: the connection was closed")

    async def set_output(self, port: int, state: bool) -> None:
        """Switches an output. Raises DriverError."""
        if self._protocol is None:
            raise DriverError(f"{self._context.reader}: output {port} was not switched: the reader is not connected")
        done = self._protocol.set_output(port, state)
        try:
            # Twice, because the command may have to wait for the one before it.
            async with asyncio.timeout(2 * self._settings.command_timeout):
                await done
        except TimeoutError:
            raise DriverError(
                f"{self._context.reader}: output {port}: no answer from the reader; it may or may not have switched"
            ) from None

    def pause(self) -> None:
        """Takes nothing from the reader until `resume`."""
        self._is_paused = True
        if self._protocol is not None:
            self._protocol.pause()

    def resume(self) -> None:
        """Takes what the reader has again."""
        self._is_paused = False
        if self._protocol is not None:
            self._protocol.resume()

    async def _call(self) -> None:
        peer = f"{self._settings.host}:{self._settings.tcp_port}"
        protocol = self._build(peer)
        await connect(self._settings, peer, protocol)
        await self._stream(protocol)

    async def _be_called(self) -> None:
        settings = self._settings
        tls = await load_tls(server_tls, settings.tls)
        arrived: asyncio.Future[LlrpProtocol] = asyncio.get_running_loop().create_future()
        caller = Caller(settings.peer, settings.identification, settings.command_timeout, self._build, arrived)
        async with Expected(caller, settings.listen_host, settings.listen_port, tls, self._context.log):
            try:
                await asyncio.wait([arrived], timeout=settings.call_timeout)
            except asyncio.CancelledError:
                if arrived.done():  # it called in the very moment in which nobody wants it any more
                    await arrived.result().close(CLOSE_WITHIN)
                raise
            if not arrived.done():
                raise DriverError(
                    f"{self._context.reader}: the reader ({settings.peer or settings.identification}) has not called "
                    f"{settings.listen_host}:{settings.listen_port} for {settings.call_timeout:g} s"
                )
            await self._stream(arrived.result())

    def _build(self, peer: str) -> LlrpProtocol:
        session = Session(self._context, self._settings, self._memory, peer)
        return LlrpProtocol(self._context, self._settings, session, peer)

    async def _stream(self, protocol: LlrpProtocol) -> None:
        """Until the connection ends. Cancelled, it closes in order: a reader that can hold then holds its reads."""
        self._protocol = protocol
        if self._is_paused:
            protocol.pause()
        try:
            await asyncio.wait([protocol.ended])
        finally:
            await protocol.close(CLOSE_WITHIN)
            self._protocol = None
        protocol.ended.result()
