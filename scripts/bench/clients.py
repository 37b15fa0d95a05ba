"""Clients that check what they get: HTTP/1.1 and HTTP/2, one request at a time each."""

import asyncio
import base64
import ssl
import time
from dataclasses import dataclass
from typing import override

import wire
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

_TOKEN = b"content_block_delta"  # an answer's first text
_SHOWN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go.

    Attributes:
        name: In errors.
        port: On loopback.
        token: For `Authorization`; where there is a proxy, for that.
        ca: Trusted authority, or None for plain HTTP.
        http2: Speak HTTP/2, which needs `ca`.
        path: What is asked for: the Messages API, or what else is behind a proxy.
        proxy: Port of a forward proxy on the way there, or 0.
    """

    name: str
    port: int
    token: str
    ca: str | None = None
    http2: bool = False
    path: str = wire.MESSAGES
    proxy: int = 0

    @property
    def host(self) -> str:
        """As it stands in a request."""
        return f"{'127.0.0.1' if self.path == wire.MESSAGES else 'localhost'}:{self.port}"

    @property
    def identity(self) -> str:
        """What a proxy is told, as curl and git do."""
        return "Basic " + base64.b64encode(f"bench:{self.token}".encode()).decode()

    def context(self) -> ssl.SSLContext | None:
        """TLS as this target wants it."""
        if self.ca is None:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(["h2" if self.http2 else "http/1.1"])
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer: milliseconds from the request's first byte to the first text and to the end."""

    first: float
    whole: float


class Client(asyncio.Protocol):
    """What both kinds share: the question, the clock, and the check of the answer."""

    def __init__(self, target: Target, session: str) -> None:
        self._target = target
        self._session = session
        self._transport: asyncio.Transport
        self._done: asyncio.Future[None]
        self._status = 0
        self._size = 0
        self._meaning = wire.Meaning("json")
        self._shown = b""
        self._first = 0.0
        self._tail = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a stream")
        self._transport = transport
        self._done = asyncio.get_running_loop().create_future()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            shown = self._shown.decode(errors="replace")
            text = f"{self._target.name} hung up: status {self._status} {shown}"
            self._done.set_exception(RuntimeError(text))

    def close(self) -> None:
        """Hang up."""
        self._done.cancel()
        self._transport.close()

    async def ask(self, body: bytes, *, wanted: bytes) -> Sample:
        """Send one request and wait for its answer.

        Args:
            body: A request of `wire`'s.
            wanted: What `wire.expected` says of it.

        Raises:
            RuntimeError: The answer is not the one that belongs to the request.
        """
        if self._done.done():
            self._done = asyncio.get_running_loop().create_future()
        kind, _, _ = wire.asked(body)
        self._size, self._meaning, self._shown = 0, wire.Meaning(kind), b""
        self._first, self._tail, self._status = 0.0, b"", 0
        fields = self._head(len(body))
        start = time.perf_counter()
        self._send(fields, body)
        await self._done
        end = time.perf_counter()
        if self._status != 200 or self._meaning.digest() != wanted:
            raise RuntimeError(
                f"{self._target.name} gave a wrong answer: status {self._status}, {self._size} "
                f"bytes: {self._shown.decode(errors='replace')}"
            )
        return Sample(first=(self._first - start) * 1e3, whole=(end - start) * 1e3)

    def _head(self, size: int) -> list[tuple[str, str]]:
        target = self._target
        if target.path == wire.MESSAGES:
            return wire.head(token=target.token, session=self._session, host=target.host, size=size)
        fields = wire.plain_head(host=target.host, size=size)
        if target.proxy and target.ca is None:
            fields.append(("proxy-authorization", target.identity))
        return fields

    def _send(self, fields: list[tuple[str, str]], body: bytes) -> None:
        raise NotImplementedError

    def _look(self, data: bytes) -> None:
        """Note when the first text came."""
        if not self._first:
            self._tail = self._tail[-len(_TOKEN) :] + data
            if _TOKEN in self._tail:
                self._first, self._tail = time.perf_counter(), b""

    def _take(self, data: bytes | bytearray) -> None:
        if self._size < _SHOWN:
            self._shown += data[: _SHOWN - len(self._shown)]
        self._size += len(data)
        self._meaning.update(data)

    def _end(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


class Http1Client(Client):
    """HTTP/1.1, keep-alive."""

    def __init__(self, target: Target, session: str) -> None:
        super().__init__(target, session)
        self._buffer = bytearray()
        self._in_head = True
        self._left = 0
        self._chunked = False

    @override
    def _send(self, fields: list[tuple[str, str]], body: bytes) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        target = self._target
        plain = target.proxy and target.ca is None  # in absolute form (RFC 9112 3.2.2)
        where = f"http://{target.host}{target.path}" if plain else target.path
        self._transport.write(f"POST {where} HTTP/1.1\r\n{lines}\r\n".encode() + body)

    @override
    def data_received(self, data: bytes) -> None:
        self._look(data)
        self._buffer += data
        if self._in_head:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._read_head(bytes(self._buffer[:end]).lower())
            del self._buffer[: end + 4]
        if self._chunked:
            self._read_chunks()
            return
        self._take(self._buffer)
        self._left -= len(self._buffer)
        self._buffer.clear()
        if self._left <= 0:
            self._next()

    def _read_head(self, head: bytes) -> None:
        self._in_head = False
        lines = head.split(b"\r\n")
        self._status = int(lines[0].split(b" ")[1])
        self._chunked = b"transfer-encoding: chunked" in lines
        sizes = (line[16:] for line in lines if line.startswith(b"content-length: "))
        self._left = int(next(sizes, b"0"))

    def _read_chunks(self) -> None:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            size = int(self._buffer[:end], 16)
            if len(self._buffer) < end + size + 4:
                return
            self._take(self._buffer[end + 2 : end + 2 + size])
            del self._buffer[: end + size + 4]
            if not size:
                self._next()
                return

    def _next(self) -> None:
        self._in_head = True
        self._end()


class Http2Client(Client):
    """HTTP/2 over TLS, one stream after the other."""

    def __init__(self, target: Target, session: str) -> None:
        super().__init__(target, session)
        self._h2 = H2Connection(H2Configuration(header_encoding=None))

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._h2.initiate_connection()
        self._transport.write(self._h2.data_to_send())

    @override
    def _send(self, fields: list[tuple[str, str]], body: bytes) -> None:
        host = fields[0][1]
        stream = self._h2.get_next_available_stream_id()
        own = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", host),
            (":path", self._target.path),
        ]
        self._h2.send_headers(stream, own + fields[1:])
        self._h2.send_data(stream, body, end_stream=True)
        self._transport.write(self._h2.data_to_send())

    @override
    def data_received(self, data: bytes) -> None:
        ended = False
        for event in self._h2.receive_data(data):
            if isinstance(event, ResponseReceived):
                self._status = int(dict(event.headers)[b":status"])
            elif isinstance(event, DataReceived):
                self._look(event.data)
                self._take(event.data)
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded | StreamReset):
                ended = True
        self._transport.write(self._h2.data_to_send())
        if ended:
            self._end()


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel (RFC 9110 9.3.6)."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._seen = b""
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a stream")
        host, identity = self._target.host, self._target.identity
        head = f"CONNECT {host} HTTP/1.1\r\nhost: {host}\r\nproxy-authorization: {identity}\r\n"
        transport.write(f"{head}\r\n".encode())

    @override
    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"\r\n\r\n" not in self._seen or self.open.done():
            return
        if self._seen.startswith(b"HTTP/1.1 200"):
            self.open.set_result(None)
        else:
            self._refused()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.open.done():
            self._refused()

    def _refused(self) -> None:
        shown = self._seen[:_SHOWN].decode(errors="replace")
        self.open.set_exception(RuntimeError(f"{self._target.name}: no tunnel: {shown}"))


async def connect(target: Target, session: str) -> Client:
    """One connection to a target."""
    kind = Http2Client if target.http2 else Http1Client
    context = target.context()
    loop = asyncio.get_running_loop()
    if target.proxy and context:
        transport, tunnel = await loop.create_connection(
            lambda: _Tunnel(target), "127.0.0.1", target.proxy
        )
        await tunnel.open
        client = kind(target, session)
        inside = await loop.start_tls(transport, client, context, server_hostname="localhost")
        if inside is None:
            raise RuntimeError(f"{target.name} hung up")
        client.connection_made(inside)
        return client
    _, client = await loop.create_connection(
        lambda: kind(target, session),
        "127.0.0.1",
        target.proxy or target.port,
        ssl=context,
        server_hostname="localhost" if context else None,
    )
    return client
