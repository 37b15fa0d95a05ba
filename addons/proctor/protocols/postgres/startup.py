"""A client's first packets: TLS wanted, a cancel, or who it is (PostgreSQL, 54.2.1 and 54.7).

    SSLRequest ── S, TLS ──┐
        └─ N ──┐           │
    GSSENCRequest ── N ────┼── StartupMessage
    CancelRequest (alone)  │

They have no kind; a packet is its length and a code. What follows a request for encryption in the
same breath was not sent by who will speak encrypted, and is refused (CVE-2021-23222).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from proctor.errors import ClientError
from proctor.protocols.postgres.messages import message

MAX_PACKET: Final = 10_000
"""Bytes after the length (MAX_STARTUP_PACKET_LENGTH)."""

MAX_SECRET: Final = 256
"""Bytes of the longest secret of a CancelRequest (54.7, protocol 3.2)."""

SHORT_SECRET: Final = 4
"""Bytes of a secret before protocol 3.2."""

LATEST_MINOR: Final = 2

_HEAD: Final = Struct("!II")
_PAIR: Final = Struct("!II")
_MAJOR: Final = 3
_CODE: Final = 1234 << 16
_CANCEL: Final = _CODE | 5678
_SSL: Final = _CODE | 5679
_GSS: Final = _CODE | 5680
_EXTENSION: Final = "_pq_."
_NEGOTIATE: Final = ord("v")

SSL_REQUEST: Final = _HEAD.pack(8, _SSL)


@dataclass(frozen=True, slots=True)
class SslRequest:
    """TLS is wanted: `S` and a handshake, or `N`."""


@dataclass(frozen=True, slots=True)
class GssRequest:
    """Kerberos encryption is wanted: `N`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """What runs on another connection shall be cancelled."""

    pid: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """Who it is.

    Attributes:
        minor: Of the protocol's version, as asked for.
        parameters: By name; of one that came twice, the last, as in PostgreSQL.
        extensions: Names of `_pq_.` options, none of which is known here.
    """

    minor: int
    parameters: Mapping[str, str]
    extensions: tuple[str, ...] = ()

    @property
    def agreed(self) -> int:
        """The minor version that is spoken from here on."""
        return min(self.minor, LATEST_MINOR)


type First = SslRequest | GssRequest | CancelRequest | Startup


class Opening:
    """Reads first packets; nothing behind them."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._ssl = self._gss = True
        self._done = False

    @property
    def done(self) -> bool:
        """Whether a StartupMessage or a CancelRequest came."""
        return self._done

    def secured(self) -> None:
        """TLS is on: nobody may ask for encryption again."""
        self._ssl = self._gss = False

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._held += data

    def rest(self) -> bytes:
        """What came behind the last packet."""
        left = bytes(self._held)
        self._held.clear()
        return left

    def take(self) -> First | None:
        """The next packet, or None before it is there.

        Raises:
            ClientError: Codes `pg-protocol`, `pg-version`, `pg-parameter`.
        """
        held = self._held
        if self._done or len(held) < _HEAD.size - 4:
            return None
        size = int.from_bytes(held[:4], "big")
        if not _HEAD.size <= size <= MAX_PACKET + 4:
            raise _wrong(f"a first packet of {size} bytes", f"8 to {MAX_PACKET + 4}")
        if len(held) < size:
            return None
        packet = bytes(held[:size])
        del held[:size]
        return self._read(packet, _HEAD.unpack_from(packet)[1])

    def _read(self, packet: bytes, code: int) -> First:
        if code == _CANCEL:
            self._done = True
            return _cancel(packet)
        if code == _SSL and self._ssl:
            self._ssl = False
            self._alone(packet)
            return SslRequest()
        if code == _GSS and self._gss:
            self._gss = False
            self._alone(packet)
            return GssRequest()
        self._done = True
        return read_startup(packet)

    def _alone(self, packet: bytes) -> None:
        if len(packet) != _HEAD.size or self._held:
            raise _wrong("bytes behind a request for encryption", "nothing before the answer to it")


def _cancel(packet: bytes) -> CancelRequest:
    size = len(packet) - _HEAD.size - 4
    if not 1 <= size <= MAX_SECRET:
        raise _wrong("a cancel request of another length", f"a secret of 1 to {MAX_SECRET} bytes")
    pid = int.from_bytes(packet[_HEAD.size : _HEAD.size + 4], "big")
    return CancelRequest(pid=pid, secret=packet[_HEAD.size + 4 :])


def read_startup(packet: bytes) -> Startup:
    """Read a StartupMessage, whole.

    Raises:
        ClientError: Codes `pg-protocol`, `pg-version`, `pg-parameter`.
    """
    version = _HEAD.unpack_from(packet)[1]
    major, minor = version >> 16, version & 0xFFFF
    if major != _MAJOR:
        raise ClientError(
            "pg-version",
            "This version of PostgreSQL's protocol is not spoken here",
            got=f"{major}.{minor}",
            expected=f"3.0 to 3.{LATEST_MINOR}",
        )
    if packet[-1] or len(packet) == _HEAD.size:
        raise _layout()
    texts = packet[_HEAD.size : -1].split(b"\0")
    # Each text has an end of its own, so that the last of the parts is empty; a name, too, may
    # not be (ProcessStartupPacket takes that for the end).
    if texts.pop() or len(texts) % 2 or b"" in texts[::2]:
        raise _layout()
    parameters: dict[str, str] = {}
    extensions: list[str] = []
    for raw_name, raw_value in zip(texts[::2], texts[1::2], strict=True):
        name = _decoded(raw_name, "a name")
        if name.startswith(_EXTENSION):
            extensions.append(name)
        else:
            parameters[name] = _decoded(raw_value, "a value")
    return Startup(minor=minor, parameters=parameters, extensions=tuple(extensions))


def negotiate(startup: Startup) -> bytes:
    """The NegotiateProtocolVersion that this start needs, or nothing (54.7)."""
    if startup.minor <= LATEST_MINOR and not startup.extensions:
        return b""
    names = b"".join(name.encode() + b"\0" for name in startup.extensions)
    # The whole version, as servers send it, though 54.7 speaks of the minor one.
    version = _MAJOR << 16 | startup.agreed
    return message(_NEGOTIATE, _PAIR.pack(version, len(startup.extensions)) + names)


def write_startup(parameters: Mapping[str, str]) -> bytes:
    """A StartupMessage of protocol 3.0.

    Raises:
        ClientError: Code `pg-parameter`: a text holds a zero byte, or all is too long.
    """
    parts = [part for pair in parameters.items() for part in pair]
    body = b"".join(part.encode() + b"\0" for part in parts) + b"\0"
    if any("\0" in part for part in parts) or len(body) + 4 > MAX_PACKET:
        raise ClientError("pg-parameter", "These parameters cannot be sent to the server")
    return _HEAD.pack(len(body) + _HEAD.size, _MAJOR << 16) + body


def write_cancel(pid: int, secret: bytes) -> bytes:
    """A CancelRequest."""
    body = pid.to_bytes(4, "big") + secret
    return _HEAD.pack(len(body) + _HEAD.size, _CANCEL) + body


def _decoded(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ClientError(
            "pg-parameter",
            "A parameter of the start cannot be read",
            got=f"{what} that is not UTF-8",
            expected="UTF-8",
        ) from None


def _layout() -> ClientError:
    return _wrong("a start that does not end where its parameters do", "a zero byte as the last")


def _wrong(got: str, expected: str) -> ClientError:
    return ClientError(
        "pg-protocol",
        "This is no beginning of PostgreSQL's protocol",
        got=got,
        expected=expected,
    )
