"""An upstream that speaks HTTP/2 and answers each request with the same events, allowed or not."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

type Answer = Callable[[H2Connection, int], None]
"""Sends an answer on a stream."""


class H2Origin:
    """The server.

    Attributes:
        answer: What answers each request.
        headers: Of each request.
        bodies: Of each request, in the same order.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext) -> None:
        self.answer = answer
        self.headers: list[dict[bytes, bytes]] = []
        self.bodies: list[bytes] = []
        self._tls = tls
        tls.set_alpn_protocols(["h2"])
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection = self._tls.wrap_socket(raw, server_side=True)
            self._open.append(connection)
            # Not our validation: a hostile upstream has none.
            speaks = H2Connection(
                H2Configuration(
                    client_side=False,
                    header_encoding=None,
                    validate_outbound_headers=False,
                    normalize_outbound_headers=False,
                )
            )
            speaks.initiate_connection()
            connection.sendall(speaks.data_to_send())
            while data := connection.recv(65536):
                for event in speaks.receive_data(data):
                    match event:
                        case RequestReceived():
                            self.headers.append({bytes(n): bytes(v) for n, v in event.headers})
                            self.bodies.append(b"")
                        case DataReceived():
                            self.bodies[-1] += event.data
                            size = event.flow_controlled_length
                            speaks.acknowledge_received_data(size, event.stream_id)
                        case StreamEnded():
                            self.answer(speaks, event.stream_id)
                        case _:
                            pass
                connection.sendall(speaks.data_to_send())


def whole(
    *pieces: bytes,
    status: bytes = b"200",
    kind: bytes = b"application/json",
    more: tuple[tuple[bytes, bytes], ...] = (),
    trailers: tuple[tuple[bytes, bytes], ...] = (),
) -> Answer:
    """A head, these pieces of a body, and trailers."""

    def answer(speaks: H2Connection, stream: int) -> None:
        head = [(b":status", status), (b"content-type", kind), *more]
        speaks.send_headers(stream, head)
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1 and not trailers
            speaks.send_data(stream, piece, end_stream=last)
        if trailers or not pieces:
            if trailers:
                speaks.send_headers(stream, list(trailers), end_stream=True)
            else:
                speaks.end_stream(stream)

    return answer
