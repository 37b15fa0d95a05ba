"""A proxy that reads nothing: it asks who is there, joins both sides, and keeps what was said."""

import base64
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_WHO = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b'Proxy-Authenticate: Basic realm="tunnel"\r\ncontent-length: 0\r\n\r\n'
)


class Tunnel:
    """CONNECT and nothing else (RFC 9110, 9.3.6), on loopback until the block ends.

    Attributes:
        passed: Host and port asked for, and the credentials shown, of each tunnel.
        asked: How often it had to ask for credentials.
        port: Where it listens.
    """

    def __init__(self) -> None:
        self.passed: list[tuple[str, str]] = []
        self.asked = 0
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
            with suppress(OSError):  # gone already
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # one side is gone
            while (head := _head(client)) is not None:
                target, shown = head
                if not shown:
                    self.asked += 1
                    client.sendall(_WHO)
                    continue
                self.passed.append((target, shown))
                host, _, port = target.rpartition(":")
                server = socket.create_connection((host, int(port)), 30)
                self._open.append(server)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                threading.Thread(target=_pump, args=(server, client), daemon=True).start()
                _pump(client, server)
                return


def _head(client: socket.socket) -> tuple[str, str] | None:
    """What is asked for and `user:password`, or None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return None
        data += more
    first, *lines = data.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    assert method == "CONNECT", first
    fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    shown = fields.get("proxy-authorization", "").removeprefix("Basic ")
    return target, base64.b64decode(shown).decode()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
