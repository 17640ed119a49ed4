"""The way to the broker before MQTT is spoken: its name, TCP and TLS, at the first of its addresses where both work.

Each address has its share of the time: one at which nothing answers, as of an IPv6 that leads nowhere, must not keep
the others from being tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from ipaddress import ip_address

from gateway.errors import LinkError
from gateway.mqtt.reasons import connect_problem
from gateway.mqtt.settings import Settings

SECONDS, NAME_SECONDS = 10.0, 8.0
"""For all of it, and for the name."""


async def dial(settings: Settings, protocol: asyncio.Protocol) -> None:
    """Connects `protocol` to the broker. Raises `LinkError`, which says what is wrong."""
    try:
        async with asyncio.timeout(SECONDS):
            await _dial(settings, protocol)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        words = connect_problem(error, settings.tls is not None)
        raise LinkError(f"MQTT broker {settings.address}: {words}") from error


async def _dial(settings: Settings, protocol: asyncio.Protocol) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + SECONDS
    problem: OSError | ValueError = OSError("the name has no address")
    addresses = await _resolve(settings)
    for tried, address in enumerate(addresses):
        share = (end - loop.time()) / (len(addresses) - tried)
        try:
            async with asyncio.timeout(share):
                await loop.create_connection(
                    lambda: protocol,
                    address,
                    settings.port,
                    ssl=settings.tls,
                    server_hostname=settings.host if settings.tls is not None else None,
                )
            return
        except (OSError, ValueError) as error:
            problem = error
    raise problem


async def _resolve(settings: Settings) -> list[str]:
    """The addresses of the broker; one that is given as such waits for no thread in which names are resolved. Raises
    `socket.gaierror` where no name server answers in time, too."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ValueError):
        return [str(ip_address(settings.host))]
    try:
        async with asyncio.timeout(NAME_SECONDS):
            found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answers") from None
    return [str(address[0]) for _, _, _, _, address in found]
