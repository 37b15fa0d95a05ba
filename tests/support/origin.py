"""An upstream that is nothing but a socket: it knows every byte that reached it."""

import contextlib
import re
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Origin:
    """Answers each request, however it is framed, with the same bytes, and keeps what came.

    Attributes:
        connections: Connections accepted.
        received: All bytes, in the order in which they came.
        requests: Requests it believes it got, reading bodies as RFC 9112 6 says.
    """

    def __init__(self, answer: bytes = OK, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.connections = 0
        self.received = b""
        self.requests: list[bytes] = []
        self._tls = tls
        self._changed = threading.Condition()
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
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
        _shut(self._socket)
        self._thread.join(5)
        for each in self._open:
            _shut(each)

    def wait_requests(self, count: int, timeout: float = 30) -> bool:
        """Until so many requests have come; whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, timeout)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            pending = b""
            while data := connection.recv(65536):
                with self._changed:
                    self.received += data
                pending += data
                while (request := _request(pending)) is not None:
                    pending = pending[len(request) :]
                    with self._changed:
                        self.requests.append(request)
                        self._changed.notify_all()
                    connection.sendall(self.answer)
        except OSError:
            pass  # the other side is gone


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not connected, or gone already
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def _request(data: bytes) -> bytes | None:
    """The first whole request in `data`, or None."""
    head, mark, rest = data.partition(b"\r\n\r\n")
    if not mark:
        return None
    start = len(head) + 4
    if b"transfer-encoding: chunked" in head.lower():
        end = rest.find(b"0\r\n\r\n")
        return None if end < 0 else data[: start + end + 5]
    length = _LENGTH.search(head)
    size = int(length[1]) if length else 0
    return data[: start + size] if len(rest) >= size else None
