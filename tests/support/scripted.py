"""An upstream of which a test says every byte: what it sends, when, and when it hangs up."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.origin import OK

type Script = Callable[["Conversation"], None]
"""Called for each connection; returning closes it."""


class Conversation:
    """One connection, from the upstream's side."""

    def __init__(self, connection: socket.socket, number: int, seen: "Scripted") -> None:
        self.connection = connection
        self.number = number
        self._seen = seen
        self._pending = b""

    def head(self) -> bytes:
        """The next request's head; EOFError where none comes."""
        return self._until(b"\r\n\r\n")

    def request(self) -> bytes:
        """The next request, of known length, counted; EOFError where none comes."""
        head = self.head()
        size = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        while len(self._pending) < size:
            self._more()
        body, self._pending = self._pending[:size], self._pending[size:]
        self._seen.count(head + body)
        return head + body

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.connection.sendall(data)

    def wait_gone(self) -> bool:
        """Until the other side hangs up; whether it has within 10 seconds."""
        self.connection.settimeout(30)
        try:
            while self.connection.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._pending:
            self._more()
        head, _, self._pending = self._pending.partition(mark)
        return head + mark

    def _more(self) -> None:
        data = self.connection.recv(65536)
        if not data:
            raise EOFError
        self._pending += data


def answering(answer: bytes) -> Script:
    """The same answer to every request of a connection."""

    def script(conversation: Conversation) -> None:
        while True:
            conversation.request()
            conversation.send(answer)

    return script


class Scripted:
    """The server.

    Attributes:
        script: What connections accepted from now on get.
        connections: Accepted so far.
        requests: Read whole so far.
    """

    def __init__(self) -> None:
        self.script: Script = answering(OK)
        self.connections = 0
        self.requests: list[bytes] = []
        self._changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
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

    def reset(self, script: Script) -> None:
        """Hang up on everyone and begin anew with this script."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.script = script
        self.connections = 0
        self.requests = []

    def count(self, request: bytes) -> None:
        """Keep a request."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_requests(self, count: int) -> bool:
        """Until so many have come; whether they have within 30 seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, 30)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            conversation = Conversation(connection, self.connections, self)
            threading.Thread(target=self._serve, args=(conversation,), daemon=True).start()

    def _serve(self, conversation: Conversation) -> None:
        script = self.script
        with contextlib.suppress(OSError, EOFError):
            script(conversation)
        with contextlib.suppress(OSError):
            conversation.connection.shutdown(socket.SHUT_RDWR)
        conversation.connection.close()
