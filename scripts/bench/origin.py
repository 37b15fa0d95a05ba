"""A Messages API that costs next to nothing: raw protocols over HTTP/1.1, and HTTP/2 under TLS.

Run as a process of its own; it prints a line of JSON with its ports and ends with its standard
input. Only what the load generator sends is understood: anything else ends the connection.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import Iterator
from typing import override

import wire
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

PAUSE = 0.01  # seconds between the first text and the rest of an `sse` answer
_BACKLOG = 4096  # a proxy may open thousands of connections at once
_HIGH = 256 * 1024  # bytes waiting to be sent at which a huge answer pauses


class Http1(asyncio.Protocol):
    """One HTTP/1.1 connection, requests one after the other."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._size = -1
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._stream: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a stream")
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._stream:
            self._stream.cancel()

    @override
    def pause_writing(self) -> None:
        self._may_write.clear()

    @override
    def resume_writing(self) -> None:
        self._may_write.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._size < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._size = _content_length(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        if len(self._buffer) < self._size:
            return
        body = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        self._size = -1
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        if not body:  # a probe by someone who wants to know that we are here
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            return
        kind, number, nonce = wire.asked(body)
        pieces = wire.answer(kind, number, nonce)
        if kind == "json":
            data = next(pieces)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_%s\r\n"
                b"content-length: %d\r\n\r\n%s" % (nonce.encode(), len(data), data)
            )
            return
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_%s\r\n"
            b"transfer-encoding: chunked\r\n\r\n%s" % (nonce.encode(), _chunk(next(pieces)))
        )
        if kind in wire.CALLS:
            self._transport.write(b"".join(map(_chunk, pieces)) + _chunk(b""))
        else:
            work = self._go_on(pieces, PAUSE if kind == "sse" else 0)
            self._stream = asyncio.ensure_future(work)

    async def _go_on(self, pieces: Iterator[bytes], pause: float) -> None:
        await asyncio.sleep(pause)
        for piece in pieces:
            await self._may_write.wait()
            self._transport.write(_chunk(piece))
        self._transport.write(_chunk(b""))


class Http2(asyncio.Protocol):
    """One HTTP/2 connection; `json` answers only, which fit any window."""

    def __init__(self) -> None:
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._bodies: dict[int, bytearray] = {}
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a stream")
        self._transport = transport
        self._h2.initiate_connection()
        transport.write(self._h2.data_to_send())

    @override
    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, RequestReceived):
                self._bodies[event.stream_id] = bytearray()
            elif isinstance(event, DataReceived):
                self._bodies[event.stream_id] += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self._answer(event.stream_id)
        self._transport.write(self._h2.data_to_send())

    def _answer(self, stream: int) -> None:
        data = next(wire.answer(*wire.asked(bytes(self._bodies.pop(stream)))))
        self._h2.send_headers(
            stream,
            [
                (b":status", b"200"),
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(data)),
            ],
        )
        self._h2.send_data(stream, data, end_stream=True)


class Negotiated(asyncio.Protocol):
    """Under TLS: what the other side has chosen (RFC 7301)."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a stream")
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        protocol = Http2() if chosen == "h2" else Http1()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def _main(cert: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = await loop.create_server(Http1, "127.0.0.1", 0, backlog=_BACKLOG)
    tls = await loop.create_server(Negotiated, "127.0.0.1", 0, ssl=context, backlog=_BACKLOG)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, tls)]
    print(json.dumps({"plain": ports[0], "tls": ports[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
