"""The front door of a listening socket: connections are counted by address before any work is done for them.

A connection is a *stranger* until whoever serves it says that it has proved itself (a reader that is known, a browser
that is logged in). Strangers have little room and little time: `each` of one address, `strangers` of all together. Who
comes when there is no room is closed at once, before a TLS handshake and without a log line each; but a stranger that
has had its `CHANCE` gives way, the oldest of the address that has most, so that strangers who only stand there keep
nobody out. Those who have proved themselves are not counted here.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from drivers.api import Log
from drivers.sparse_log import SparseLog

HANDSHAKE = 5.0
"""Seconds that a TLS handshake may take. Readers and browsers on a site's network take a tenth of one."""

CHANCE = 1.0
"""Seconds after which a stranger that has not proved itself gives way to one that comes."""

ACCEPTED_AT_ONCE = 64
"""Connections that are taken from the kernel before the event loop sees to something else."""

OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
REST = 1.0
"""Seconds for which nothing is accepted once the system has no descriptors left."""


def same_place(address: str) -> str:
    """The address that a peer is counted under: IPv4 as it is, IPv6 by its /64, of which one host has all."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


@dataclass(eq=False, slots=True)
class Place:
    """What a stranger takes up: its address, since when (event loop seconds), and how to be rid of it."""

    address: str
    since: float
    transport: asyncio.Transport | None = None
    handshake: asyncio.Task[None] | None = None
    proved: Callable[[], None] = field(default=lambda: None)
    """Says that the connection has proved itself: it is no stranger any more."""

    @property
    def over(self) -> bool:
        """Whether the connection has ended."""
        if self.transport is not None:
            return self.transport.is_closing()
        return self.handshake is not None and self.handshake.done()

    def end(self) -> None:
        """Cuts the connection off."""
        if self.transport is not None:
            self.transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()


class FrontDoor:
    """Accepts connections from listening sockets. `build` makes the protocol for a place; it is called once TLS is up.

    The sockets are the front door's from `open` to `close`, which closes them.
    """

    def __init__(
        self,
        build: Callable[[Place], asyncio.BaseProtocol],
        log: Log,
        *,
        each: int,
        strangers: int,
        tls: ssl.SSLContext | None = None,
        shutdown: float | None = None,
    ) -> None:
        self._build = build
        self._log = SparseLog(log)
        self._each = each
        self._most = strangers
        self._tls = tls
        self._shutdown = shutdown if tls is not None else None
        self._sockets: list[socket.socket] = []
        self._strangers: dict[str, list[Place]] = {}
        self._resting: asyncio.TimerHandle | None = None

    @property
    def strangers(self) -> int:
        """Connections that have not proved themselves."""
        self._forget_ended()
        return sum(map(len, self._strangers.values()))

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts from now on; the sockets listen already. Only in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._sockets = list(sockets)
        for sock in self._sockets:
            sock.setblocking(False)
        self._watch()

    def renew(self, tls: ssl.SSLContext | None) -> None:
        """Whoever comes from now on gets TLS as in `tls`: the files that it was loaded from may be new."""
        if self._tls is not None and tls is not None:
            self._tls = tls

    def close(self) -> None:
        """Closes the sockets and whatever has not proved itself."""
        self._rest()
        if self._resting is not None:
            self._resting.cancel()
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        for place in [place for places in self._strangers.values() for place in places]:
            place.end()
        self._strangers.clear()

    def _watch(self) -> None:
        for sock in self._sockets:
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _rest(self) -> None:
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_DESCRIPTORS:
                    raise
                self._log.warning("no connection is accepted for a moment", reason=error.strerror or str(error))
                self._rest()
                self._resting = self._loop.call_later(REST, self._watch)
                return
            self._arrived(sock, same_place(str(peer[0])))

    def _arrived(self, sock: socket.socket, address: str) -> None:
        if not self._has_room(address):
            sock.close()
            self._refuse(address)
            return
        sock.setblocking(False)
        place = Place(address, self._loop.time())
        self._strangers.setdefault(address, []).append(place)
        place.proved = lambda: self._leave(place)
        place.handshake = self._loop.create_task(self._let_in(sock, place), name=f"connection from {address}")

    async def _let_in(self, sock: socket.socket, place: Place) -> None:
        """The handshake, where there is one; then the connection is its protocol's."""
        try:
            place.transport, _ = await self._loop.connect_accepted_socket(
                lambda: self._build(place),
                sock,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE if self._tls is not None else None,
                ssl_shutdown_timeout=self._shutdown,
            )
        except (OSError, TimeoutError, asyncio.CancelledError):  # ssl.SSLError is an OSError
            self._leave(place)  # the socket was the transport's, which has closed it

    def _leave(self, place: Place) -> None:
        places = self._strangers.get(place.address, [])
        if place in places:
            places.remove(place)
        if not places:
            self._strangers.pop(place.address, None)

    def _has_room(self, address: str) -> bool:
        """Whether one more stranger of this address may come in; makes room where one has had its chance."""
        own = self._strangers.get(address, [])
        if len(own) < self._each and sum(map(len, self._strangers.values())) < self._most:
            return True
        self._forget_ended()
        own = self._strangers.get(address, [])
        if len(own) >= self._each:
            return self._make_room(own)
        if sum(map(len, self._strangers.values())) < self._most:
            return True
        return self._make_room(max(self._strangers.values(), key=len))

    def _make_room(self, places: list[Place]) -> bool:
        oldest = min(places, key=lambda place: place.since)
        if self._loop.time() - oldest.since < CHANCE:
            return False
        self._leave(oldest)
        oldest.end()
        return True

    def _forget_ended(self) -> None:
        for address, places in list(self._strangers.items()):
            places[:] = [place for place in places if not place.over]
            if not places:
                del self._strangers[address]

    def _refuse(self, address: str) -> None:
        self._log.warning("connections are refused: too many at once have not said who they are", address=address)


async def listening(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`; with port 0 on one, where the system likes. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError(f"{host!r} is the name of no host ({error})") from error
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            if sockets and port == 0:
                break  # each would get a port of its own
            sockets.append(socket.create_server(address[:2], family=family, backlog=backlog))
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets
