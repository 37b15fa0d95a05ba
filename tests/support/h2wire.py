"""An HTTP/2 client that says what it likes, on a connection that speaks TLS already."""

import ssl

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

type Fields = list[tuple[str, str]]


class H2Wire:
    """One connection.

    Attributes:
        statuses: By stream.
        bodies: By stream.
        trailers: Of all streams.
    """

    def __init__(self, connection: ssl.SSLSocket) -> None:
        assert connection.selected_alpn_protocol() == "h2"
        self.statuses: dict[int, int] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: list[tuple[bytes, bytes]] = []
        self._socket = connection
        self._speaks = H2Connection(
            H2Configuration(
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._speaks.initiate_connection()

    def ask(
        self, fields: Fields, body: bytes | None = None, trailers: Fields | None = None
    ) -> int | None:
        """Send a request as it is; its status, or None where the other side gave up on it."""
        stream = self._speaks.get_next_available_stream_id()
        self._speaks.send_headers(stream, fields, end_stream=body is None and trailers is None)
        if body is not None:
            self._speaks.send_data(stream, body, end_stream=trailers is None)
        if trailers is not None:
            self._speaks.send_headers(stream, trailers, end_stream=True)
        self._socket.sendall(self._speaks.data_to_send())
        while self._more(stream):
            pass
        return self.statuses.get(stream)

    def _more(self, stream: int) -> bool:
        """Read a little; whether there is more to come on a stream."""
        try:
            data = self._socket.recv(65536)
        except OSError:
            return False
        goes_on = bool(data)
        for event in self._speaks.receive_data(data):
            match event:
                case ResponseReceived():
                    status = dict(event.headers)[b":status"]
                    self.statuses[event.stream_id] = int(status)
                    self.bodies[event.stream_id] = b""
                case DataReceived():
                    self.bodies[event.stream_id] += event.data
                case TrailersReceived():
                    self.trailers += [(bytes(name), bytes(value)) for name, value in event.headers]
                case StreamEnded() | StreamReset() if event.stream_id == stream:
                    goes_on = False
                case ConnectionTerminated():
                    goes_on = False
                case _:
                    pass
        self._socket.sendall(self._speaks.data_to_send())
        return goes_on
