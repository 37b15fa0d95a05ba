"""The opening handshake (RFC 6455 4): what a client may ask for, and what an upstream may answer.

The key is exchanged for one of our own on the way out, since sixteen bytes of the client's choice
would else leave unread. Extensions are not passed on: messages then come as they are read, and
nothing has to be unpacked that could turn out to be larger than memory (RFC 7692 is one of them).
"""

import base64
import binascii
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Final

from proctor.errors import ClientError, UpstreamError

KEY: Final = b"sec-websocket-key"
EXTENSIONS: Final = b"sec-websocket-extensions"
PROTOCOL: Final = b"sec-websocket-protocol"
ACCEPT: Final = b"sec-websocket-accept"
VERSION: Final = b"sec-websocket-version"

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
_NONCE: Final = 16  # bytes, RFC 6455 4.1
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,2048}")  # token, RFC 9110 5.6.2

type Fields = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """A client asks for a WebSocket.

    Attributes:
        key: The client's.
        sent: Ours, which leaves in its place.
        protocols: Subprotocols that it offers.
    """

    key: bytes
    sent: bytes
    protocols: tuple[bytes, ...] = field(default=(), repr=False)


def asked(method: bytes, version: bytes, fields: Fields, upgrade: Sequence[bytes]) -> Upgrade:
    """What a client asks for.

    Args:
        method: Of its request.
        version: Of HTTP.
        fields: Headers of the request.
        upgrade: Values of `Upgrade`.

    Raises:
        ClientError: `websocket-handshake`.
    """
    found = _by_name(fields)
    keys = found.get(KEY, [])
    wrong = ""
    if method != b"GET" or version != b"HTTP/1.1":
        wrong = "a GET in HTTP/1.1"
    elif [value.strip().lower() for value in upgrade] != [b"websocket"]:
        wrong = "Upgrade: websocket and nothing else"
    elif found.get(VERSION) != [b"13"]:
        wrong = "Sec-WebSocket-Version: 13"
    elif len(keys) != 1 or not _is_key(keys[0]):
        wrong = "one Sec-WebSocket-Key of 16 bytes in base64"
    elif b"content-length" in found or b"transfer-encoding" in found:
        wrong = "no body"
    protocols = _listed(found.get(PROTOCOL, []))
    if not wrong and not all(_NAME.fullmatch(name) for name in protocols):
        wrong = "names of subprotocols in Sec-WebSocket-Protocol"
    if wrong:
        raise ClientError(
            "websocket-handshake",
            "The request for a WebSocket is not as RFC 6455 4.1 has it",
            expected=wrong,
        )
    sent = base64.b64encode(os.urandom(_NONCE))
    return Upgrade(key=keys[0], sent=sent, protocols=tuple(protocols))


def leaving(fields: Fields, upgrade: Upgrade) -> tuple[tuple[bytes, bytes], ...]:
    """Headers as they leave for the upstream.

    Args:
        fields: As they were judged, without those of this hop.
        upgrade: What the client asks for.
    """
    kept = [item for item in fields if item[0].lower() not in {KEY, EXTENSIONS}]
    return (
        *kept,
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Key", upgrade.sent),
    )


def answered(fields: Fields, upgrade: Upgrade) -> tuple[tuple[bytes, bytes], ...]:
    """Headers of the 101 that the client gets: those of RFC 6455 4.2.2, and no others.

    Args:
        fields: Of the upstream's 101.
        upgrade: What was asked.

    Raises:
        UpstreamError: `websocket-handshake`: it agreed to something else.
    """
    found = _by_name(fields)
    chosen = found.get(PROTOCOL, [])
    wrong = ""
    if [value.strip().lower() for value in found.get(b"upgrade", [])] != [b"websocket"]:
        wrong = "Upgrade: websocket"
    elif b"upgrade" not in (name.lower() for name in _listed(found.get(b"connection", []))):
        wrong = "Connection: Upgrade"
    elif [value.strip() for value in found.get(ACCEPT, [])] != [accept(upgrade.sent)]:
        wrong = "Sec-WebSocket-Accept for the key it was sent"
    elif found.get(EXTENSIONS):
        wrong = "no extensions, since none were offered"
    elif len(chosen) > 1 or not set(chosen) <= set(upgrade.protocols):
        wrong = "a subprotocol that was offered, or none"
    if wrong:
        raise UpstreamError(
            "websocket-handshake",
            "The upstream's answer to the request for a WebSocket is not as RFC 6455 4.2.2 has it",
            expected=wrong,
        )
    return (
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", accept(upgrade.key)),
        *((b"Sec-WebSocket-Protocol", name) for name in chosen),
    )


def accept(key: bytes) -> bytes:
    """What a server answers to a key (RFC 6455 4.2.2)."""
    return base64.b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _NONCE
    except binascii.Error:
        return False


def _by_name(fields: Fields) -> Mapping[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found


def _listed(values: Sequence[bytes]) -> list[bytes]:
    parts = b",".join(values).split(b",")
    return [part.strip() for part in parts if part.strip()]
