"""What a Connection and the Session inside it know of each other, and nothing more."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from proctor.errors import ProctorError
from proctor.model import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Who came.

    Attributes:
        principal: As its token proved.
        user: As the client calls itself; proves nothing.
        database: That it gets.
        application: As it calls its program; "" where it does not.
        parameters: Settings for the server, by lower-case name.
        address: Where it comes from, such as `127.0.0.1:50000`.
        started_at: When it connected.
        flow_id: Of this connection.
        tls: Whether it speaks TLS.
    """

    principal: Principal
    user: str
    database: str
    application: str
    parameters: Mapping[str, str]
    address: str
    started_at: datetime
    flow_id: str
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How proctor signs in at the server.

    Attributes:
        user: The role.
        password: Its secret; None where it needs none.
        expires_at: When the secret ends, seconds since the epoch; None: it does not.
        done: Called once what signed in is over, or could not; None: nobody wants to know.
    """

    user: str
    password: str | None = field(repr=False)
    expires_at: float | None = None
    done: Callable[[], None] | None = field(default=None, repr=False, compare=False)


class Handle(Protocol):
    """A callback that is to come."""

    def cancel(self) -> None:
        """It is not to come."""
        ...


class Wires(Protocol):
    """What a Session is given by its Connection. Nothing here raises or blocks."""

    def to_client(self, data: bytes) -> None:
        """Send this to the client."""
        ...

    def to_server(self, data: bytes) -> None:
        """Send this to the server."""
        ...

    def pause_client(self) -> None:
        """Hand on nothing more of the client's; that it goes away is still noticed."""
        ...

    def resume_client(self) -> None:
        """Hand on what the client says again, first what came meanwhile."""
        ...

    def pause_server(self) -> None:
        """Read no more of the server's; what was read is still handed on, its end is not yet."""
        ...

    def resume_server(self) -> None:
        """Read what the server says again."""
        ...

    def finish(self, last: bytes = b"") -> None:
        """Send this to the client, flush, and close both sides."""
        ...

    def fail(self, error: ProctorError) -> None:
        """Send a FATAL to the client, flush, and close both sides; `end` is told of it."""
        ...

    def later(self, seconds: float, callback: Callable[[], None]) -> Handle:
        """Call back; what it raises ends the connection as an error of `client_data` does."""
        ...


class Session(Protocol):
    """What passes between client and server once both are signed in."""

    @property
    def running(self) -> bool:
        """Whether a statement runs, is being judged or waits for humans."""
        ...

    @property
    def status(self) -> bytes:
        """As the last ReadyForQuery said it: `I`, `T` or `E`."""
        ...

    async def begin(self) -> None:
        """Make the record of the connection durable.

        Raises:
            ProctorError: There is no connection: the client gets a FATAL.
        """
        ...

    def ready(self, parameters: Mapping[str, str], status: bytes) -> None:
        """The server is ready: what its ParameterStatus messages said, and ReadyForQuery."""
        ...

    def client_data(self, data: bytes) -> None:
        """Bytes of the client's, after sign-in and without TLS."""
        ...

    def server_data(self, data: bytes) -> None:
        """Bytes of the server's."""
        ...

    def cancel(self) -> bool:
        """The client wants what runs cancelled; whether the server is to be told."""
        ...

    async def end(self, error: ProctorError | None) -> None:
        """Both sides are gone. None where the client said so, or the session itself."""
        ...


class Sessions(Protocol):
    """Makes them, for one listener."""

    def open(self, arrival: Arrival, wires: Wires) -> Session:
        """One for who has just been admitted."""
        ...


type Sign = Callable[[Arrival], Coroutine[Any, Any, Login]]
"""Finds the credential for a caller; ProctorError where there is none."""
