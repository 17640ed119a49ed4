"""Readers that call us: one server for each address and port, shared by the readers that call it.

A caller is known by its address, or by the identification that it gives when asked. The connection first waits in a
`Lobby`, which takes the greeting, asks where it has to, and then hands connection and bytes on, so that the session
sees the connection from its beginning. Who does not greet as a reader does takes nobody's place, whatever its address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from drivers.api import DriverError, Log
from drivers.front_door import FrontDoor, Place, listening
from drivers.llrp.connect import SHUTDOWN, reason
from drivers.llrp.protocol.codec import Message, decode_tolerant, encode
from drivers.llrp.protocol.framing import Frames
from drivers.llrp.protocol.tables import MESSAGES_BY_NAME
from drivers.llrp.rospec import build_config_request
from drivers.llrp.transport import LlrpProtocol
from drivers.sparse_log import SparseLog

MAX_IN_LOBBY = 64
"""Connections that are not yet known to be a reader's: more than readers behind one gateway, fewer than would hurt."""

MAX_OF_ADDRESS = 16
"""The same of one address: readers behind one router that come back together."""

BACKLOG = 128
"""Calls that the kernel keeps until they are accepted."""

MAX_KEPT = 12 * 1024 * 1024
"""Bytes that a reader may send before it has answered who it is: 100,000 reads and more that it kept."""

MOST_KEPT = 2 * MAX_KEPT
"""The same of all that call one port together."""

_IDENTIFICATION = 1
_QUESTION_ID = 0xFFFFFFFF  # never reached by the session's own ids
_ANSWERS = {MESSAGES_BY_NAME[name].number for name in ("GET_READER_CONFIG_RESPONSE", "ERROR_MESSAGE")}
_GREETING = MESSAGES_BY_NAME["READER_EVENT_NOTIFICATION"].number


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; an IPv4 address that comes in IPv6 clothes, as on a socket that takes both, without them."""
    parsed = ipaddress.ip_address(address)
    return (parsed.version == 6 and parsed.ipv4_mapped) or parsed


@dataclass(eq=False, slots=True)
class Caller:
    """A reader that is expected to call. `build` makes its protocol for a peer's address."""

    peer: str | None
    identification: str | None
    timeout: float
    build: Callable[[str], LlrpProtocol]
    arrived: asyncio.Future[LlrpProtocol]

    def may_be(self, address: str) -> bool:
        """Whether a call from this address can be this reader's."""
        return self.peer is None or _plain(self.peer) == _plain(address)


@dataclass(eq=False)
class Listener:
    """One listening socket and the readers that are expected to call it."""

    host: str
    port: int
    log: Log
    callers: list[Caller] = field(default_factory=list)
    kept: int = 0  # bytes of those who have not said yet who they are
    _door: FrontDoor | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.refusals = SparseLog(self.log)

    async def open(self, tls: ssl.SSLContext | None) -> None:
        """Listens; where it does already, with `tls` as it is now. Raises DriverError where it cannot."""
        async with self._opening:
            if self._door is not None:
                self._door.renew(tls)
                return
            try:
                sockets = await listening(self.host, self.port, BACKLOG)
            except OSError as error:
                raise DriverError(f"cannot listen on {self.host}:{self.port}: {reason(error)}") from error
            self._door = FrontDoor(
                lambda place: Lobby(self, place),
                self.log,
                each=MAX_OF_ADDRESS,
                strangers=MAX_IN_LOBBY,
                tls=tls,
                shutdown=SHUTDOWN,
            )
            self._door.open(sockets)

    def close(self) -> None:
        """Takes no more calls."""
        if self._door is not None:
            self._door.close()

    def candidates(self, address: str) -> list[Caller]:
        """Who may be calling from this address."""
        return [caller for caller in self.callers if caller.may_be(address)]


_LISTENERS: dict[tuple[int, str, int], Listener] = {}
"""By event loop and address. A listener is here as long as a reader uses it."""


class Expected:
    """Async context: a reader is expected to call; gives its Caller. The last to leave closes the port."""

    def __init__(self, caller: Caller, host: str, port: int, tls: ssl.SSLContext | None, log: Log) -> None:
        self._caller = caller
        self._key = (id(asyncio.get_running_loop()), host, port)
        self._tls = tls
        self._log = log

    async def __aenter__(self) -> Caller:
        _loop, host, port = self._key
        listener = _LISTENERS.setdefault(self._key, Listener(host, port, self._log))
        listener.callers.append(self._caller)
        try:
            await listener.open(self._tls)
        except BaseException:
            self._leave()
            raise
        return self._caller

    async def __aexit__(self, *_error: object) -> None:
        self._leave()

    def _leave(self) -> None:
        listener = _LISTENERS[self._key]
        listener.callers.remove(self._caller)
        if not listener.callers:
            del _LISTENERS[self._key]
            listener.close()


class Lobby(asyncio.Protocol):
    """A call that is not yet known to be a certain reader's."""

    def __init__(self, listener: Listener, place: Place) -> None:
        self._listener = listener
        self._place = place
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._kept = bytearray()  # whole messages for the session, at most MAX_KEPT and one message
        self._counted = 0  # bytes of them in what the listener counts
        self._rest = bytearray()  # bytes behind them
        self._candidates: list[Caller] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""
        self._has_asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        peer = transport.get_extra_info("peername")
        if peer is None:  # it has gone again, as a port scanner does
            self._transport.abort()
            return
        self._address = peer[0]
        self._candidates = self._listener.candidates(self._address)
        if not self._candidates:
            self._refuse("no reader is expected from this address: correct `peer` in the configuration")
        else:
            timeout = max(caller.timeout for caller in self._candidates)
            self._timer = self._loop.call_later(timeout, self._refuse, "it did not say who it is in time")

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._transport is None or self._transport.is_closing():
            return
        self._rest += data
        try:
            for _version, kind, _id, frame in self._frames.feed(data):
                del self._rest[: len(frame)]
                caller = self._take(kind, frame)
                if caller is not None:
                    self._hand_over(caller)
                    return
        except DriverError as error:
            self._refuse(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._leave()

    def _take(self, kind: int, frame: bytes) -> Caller | None:
        """A message of the reader's; gives the reader once it is known. What else is in it is for the session."""
        if self._has_asked and kind in _ANSWERS:
            return self._identified(decode_tolerant(frame))
        self._keep(frame)
        if len(self._kept) > MAX_KEPT or self._listener.kept > MOST_KEPT:
            self._refuse("it talks a lot and does not say who it is")
        elif kind == _GREETING and not self._has_asked and self._transport is not None:
            if len(self._candidates) == 1 and self._candidates[0].identification is None:
                return self._candidates[0]
            self._has_asked = True
            question = Message("GET_READER_CONFIG", _QUESTION_ID, build_config_request(_IDENTIFICATION))
            self._transport.write(encode(question))
        return None

    def _keep(self, frame: bytes) -> None:
        self._kept += frame
        self._listener.kept += len(frame)
        self._counted += len(frame)

    def _identified(self, message: Message) -> Caller | None:
        identification = message.body.find("Identification")
        found = "" if identification is None else bytes(identification["ReaderID"]).hex().upper()
        for caller in self._candidates:
            if caller.identification is not None and caller.identification.upper() == found:
                return caller
        self._refuse(f"it says that it is {found or 'nobody'}, and no reader has that `identification`")
        return None

    def _hand_over(self, caller: Caller) -> None:
        """Gives connection and bytes to the reader's own protocol, unless the reader has a connection already."""
        transport = self._transport
        assert transport is not None
        if caller.arrived.done():
            if not caller.arrived.cancelled():
                dead = DriverError(f"{self._address}: the reader called again, so its old connection is dead")
                caller.arrived.result().fail(dead)
            self._refuse("its old connection is being closed: it may call again")
            return
        self._leave()
        self._place.proved()
        protocol = caller.build(self._address)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        caller.arrived.set_result(protocol)
        if self._kept or self._rest:
            protocol.data_received(bytes(self._kept + self._rest))

    def _refuse(self, why: str) -> None:
        self._listener.refusals.warning("a reader's call is refused", address=self._address, reason=why)
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self._transport = None
        self._listener.kept -= self._counted
        self._counted = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
