"""What all connections of a listener share, and what bounds each of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proctor.errors import ProctorError
from proctor.model import Principal
from proctor.postgres.reception import Reception
from proctor.postgres.tls import Context
from proctor.postgres.upstream import Target
from proctor.postgres.wires import Sessions, Sign
from proctor.protocols.postgres.signin import Discovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Of one connection; seconds and bytes.

    Attributes:
        head: Until a client has proved who it is.
        idle: Without anything said while nothing runs; 0 for no bound.
        drain: For what runs when proctor stops.
        ahead: Read of a client that the session has paused.
    """

    head: float = 30.0
    idle: float = 600.0
    drain: float = 30.0
    ahead: int = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Somebody who was not let in.

    Attributes:
        error: Why.
        principal: Where that was proved.
        user: As the client calls itself; "" where it has not said.
        database: The same.
        address: Where it came from.
        started_at: When.
        flow_id: Of its connection.
    """

    error: ProctorError
    principal: Principal | None
    user: str
    database: str
    address: str
    started_at: datetime
    flow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all connections of a listener share.

    Attributes:
        sessions: Makes the insides of connections.
        recall: Who a token was proved to be a moment ago, without waiting; or None.
        admit: Who a token proves to be, or AuthenticationError, or UpstreamError.
        sign: The credential for a caller.
        target: The server.
        reception: Of the process.
        tls: Shown to clients; None: there is no TLS.
        plaintext: Clients may speak without.
        database: The only one; None for any.
        discovery: Sign-in is by OAUTHBEARER, and this is where tokens are; None: by password.
        bounds: See there.
        refused: Records who was not let in; None: nobody does.
        stranger: Hands on a cancel of somebody who is not in this process; None: there is no other.
        now: Clock.
    """

    sessions: Sessions
    recall: Callable[[str], Principal | None]
    admit: Callable[[str], Awaitable[Principal]]
    sign: Sign
    target: Target
    reception: Reception[Any]
    tls: Context | None = None
    plaintext: bool = False
    database: str | None = None
    discovery: Discovery | None = None
    bounds: Bounds = Bounds()
    refused: Callable[[Refused], Awaitable[None]] | None = None
    stranger: Callable[[int, bytes], Awaitable[None]] | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
