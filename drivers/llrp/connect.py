"""Making the connection to a reader, plain or TLS, and saying what went wrong where."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable

from drivers.api import DriverError
from drivers.llrp.remains import keep_incoming
from drivers.llrp.settings import LlrpSettings, LlrpTls
from drivers.llrp.transport import LlrpProtocol
from drivers.plain_files import check_plain

SHUTDOWN = 2.0
"""How long TLS may take to say goodbye, in seconds."""


def client_tls(tls: LlrpTls) -> ssl.SSLContext:
    """The context for a reader that we call. Reads files: not for the event loop."""
    check_plain(tls.ca_file, tls.cert_file, tls.key_file)
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.ca_file)
    context.check_hostname = tls.check_hostname
    _load_own(context, tls)
    return keep_incoming(context)


def server_tls(tls: LlrpTls) -> ssl.SSLContext:
    """The context for readers that call us: they check us, and with a `ca_file` we check them. Reads files."""
    check_plain(tls.ca_file, tls.cert_file, tls.key_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca_file)
    if tls.ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    _load_own(context, tls)
    return keep_incoming(context)


def _load_own(context: ssl.SSLContext, tls: LlrpTls) -> None:
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)


async def load_tls(make: Callable[[LlrpTls], ssl.SSLContext], tls: LlrpTls | None) -> ssl.SSLContext | None:
    """The context, made outside the event loop and anew for each connection, so that renewed certificates count."""
    if tls is None:
        return None
    try:
        return await asyncio.to_thread(make, tls)
    except OSError as error:  # ssl.SSLError is one
        named = ", ".join(str(file) for file in (tls.ca_file, tls.cert_file, tls.key_file) if file)
        raise DriverError(f"the TLS files cannot be used ({named}): {reason(error)}") from error


async def connect(settings: LlrpSettings, peer: str, protocol: LlrpProtocol) -> None:
    """Connects the protocol to the reader. Raises DriverError within `command_timeout` seconds if that fails."""
    tls = await load_tls(client_tls, settings.tls)
    name = None if settings.tls is None else settings.tls.server_name or settings.host
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(settings.command_timeout):
            await loop.create_connection(
                lambda: protocol,
                settings.host or "",
                settings.tcp_port,
                ssl=tls,
                server_hostname=name,
                ssl_shutdown_timeout=SHUTDOWN if tls else None,
            )
    except TimeoutError:
        raise DriverError(
            f"{peer}: no connection within {settings.command_timeout:g} s: is the reader on, and reachable from here?"
        ) from None
    except socket.gaierror as error:
        raise DriverError(f"{peer}: no address is known for {settings.host}: {reason(error)}") from error
    except ssl.SSLCertVerificationError as error:
        raise DriverError(f"{peer}: the reader's certificate is not accepted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise DriverError(f"{peer}: TLS failed ({reason(error)}): does the reader speak TLS on this port?") from error
    except OSError as error:
        raise DriverError(f"{peer}: cannot connect: {reason(error)}") from error


def reason(error: OSError) -> str:
    """The error in the system's words: asyncio's own for a failed connect do not say why."""
    if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
