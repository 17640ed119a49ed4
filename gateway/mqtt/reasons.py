"""Why the broker cannot be reached or refuses us, in words for the operator."""

from __future__ import annotations

import socket
import ssl

from gateway.mqtt import properties
from gateway.mqtt.answers import name
from gateway.mqtt.wire import WireError, read_variable_integer
from gateway.text import printable

_LONGEST = 200
"""Characters of the broker's own words that are passed on."""

QUOTED = "; it says "
"""What stands before the broker's reason string, which may be another one each time."""


def connect_problem(error: OSError | ValueError, tls: bool) -> str:
    """What went wrong before MQTT was spoken, and what to do about it."""
    match error:
        case socket.gaierror():
            return f"the name cannot be resolved ({error.strerror}); check mqtt.host and the DNS server"
        case ssl.SSLCertVerificationError(verify_code=9 | 10):  # X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED
            return (
                f"its certificate is not trusted ({error.verify_message}): renew it at the broker, or set this "
                "machine's clock where `timedatectl` shows a wrong one"
            )
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}); check mqtt.tls.ca_file, "
                "and that mqtt.host is a name in the certificate"
            )
        case ssl.SSLError():
            return f"the TLS handshake failed ({error.reason or error}); check that the port expects TLS"
        case ConnectionRefusedError():
            return "the connection is refused; check that the broker runs and that mqtt.port is right"
        case TimeoutError():
            step = "the connection or the TLS handshake" if tls else "the connection"
            return f"{step} timed out; check the network, the firewall and mqtt.host"
        case ConnectionResetError() if tls:
            return "the connection was reset during the TLS handshake; check that the port expects TLS"
        case _:
            return f"it cannot be reached ({error})"


_REMEDIES = {
    0x84: "it does not speak this version of MQTT: set mqtt.version to the other one, '3.1.1' or '5'",
    0x85: "it does not take the client id: set mqtt.client_id",
    0x86: "it does not accept the user name or password: check mqtt.username and mqtt.password_file",
    0x87: "it does not authorise this client: check mqtt.username, mqtt.password_file and the broker's access rules",
    0x88: "it is not available now",
    0x8A: "it has banned this client: see the broker's log",
    0x97: "its quota is exceeded: see the broker's log",
    0x9A: "it has no retained messages",
    0x9B: "it takes no QoS 1",
    0x9C: "it does not take this client and names another server: set mqtt.host",
    0x9D: "it has moved: set mqtt.host",
    0x9F: "it limits the rate of connections",
}


_OF_3_1_1 = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}
"""The return codes of a CONNACK of MQTT 3.1.1 (section 3.2.2.3) as reason codes of MQTT 5."""


def connack_code(code: int) -> int:
    """The reason code of a refusal in a CONNACK, in the numbers of MQTT 5."""
    return _OF_3_1_1.get(code, code)


def refused_connect(code: int) -> str:
    """A refusal in the broker's CONNACK (MQTT 5, section 3.2.2.2), in words."""
    return _REMEDIES.get(code, f"it refuses the connection: {name(code)} (0x{code:02x})")


def said(data: bytes) -> str:
    """What the broker of MQTT 5 says beside a reason code, to be put behind it: its reason string, and the other server
    that it names. `data`: its properties with their length before them, whatever they are; never raises."""
    try:
        length, at = read_variable_integer(data, 0)
    except WireError:
        return ""
    found = properties.read(data[at : at + length])
    words = {
        "; the other server is ": found.get(properties.SERVER_REFERENCE),
        QUOTED: found.get(properties.REASON_STRING),
    }
    return "".join(
        f"{what}'{printable(text.decode(errors='replace'), _LONGEST)}'" for what, text in words.items() if text
    )


def ended(code: int | None, words: str = "") -> str:
    """Why a connection has ended: the code of the broker's DISCONNECT (3.14.2), None where it said nothing. `words`:
    what it `said` beside it."""
    match code:
        case None:
            return (
                "the broker or the network closed it; if this repeats, look for another client with the same client id"
            )
        case 0x8D:
            return "nothing came for the keep-alive time"
        case 0x8E:
            return f"another client has connected with the same client id: check mqtt.client_id of both{words}"
        case 0x00:
            return f"the broker ended it in order{words}"
        case _:
            return f"the broker ended it: {name(code).lower()} (0x{code:02x}){words}"
