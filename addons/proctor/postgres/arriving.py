"""A client until it has signed in: its first packets, TLS, its token.

It has `limits.head` seconds and a few kilobytes, and holds a place that it loses where others need
it. Nothing is waited for but its token's issuer.
"""

import asyncio
import logging
import ssl
import uuid
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final

from proctor.errors import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    InternalError,
    ProctorError,
)
from proctor.model import Principal
from proctor.postgres.shared import House, Refused
from proctor.postgres.stream import AHEAD, End
from proctor.postgres.tls import Tls, client_failed
from proctor.postgres.wires import Arrival
from proctor.protocols.postgres.entrance import Entrance, Event, StartTls, Terms
from proctor.protocols.postgres.fields import fatal
from proctor.protocols.postgres.signin import Reject, Say, Token
from proctor.protocols.postgres.startup import CancelRequest
from proctor.runtime.tasks import spawn

logger = logging.getLogger(__name__)

LINGER: Final = 2.0
"""Seconds in which a client can read why it is refused before its socket closes."""

FLUSH: Final = 30.0
"""Seconds in which either side can take what is left for it."""


class Arriving(End):
    """The client's end, until it has signed in.

    Attributes:
        closed: Set once both sides are gone and the session has ended.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_ahead",
        "_entrance",
        "_flow_id",
        "_head",
        "_house",
        "_loop",
        "_principal",
        "_scope",
        "_serving",
        "_started_at",
        "_stopping",
        "_timers",
        "closed",
    )

    def __init__(self, house: House) -> None:
        super().__init__()
        self.closed = asyncio.Event()
        self.received = self._entering
        terms = Terms(
            tls=house.tls is not None,
            plaintext=house.plaintext,
            database=house.database,
            discovery=house.discovery,
        )
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._entrance = Entrance(terms, house.reception.check)
        self._principal: Principal | None = None
        self._address = ""
        self._flow_id = str(uuid.uuid4())
        self._started_at = house.now()
        self._ahead = bytearray()
        self._head: asyncio.TimerHandle | None = None
        self._scope: asyncio.Timeout | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._serving = False  # on the way from the token to the server
        self._stopping = False  # nothing is taken any more

    # What comes after it.

    @abstractmethod
    async def _enter(self) -> None:
        """Make a session."""

    @abstractmethod
    def _stop(self, why: ProctorError | None) -> None:
        """Take nothing any more, of either side."""

    @abstractmethod
    def _leave(self) -> None:
        """See whether all is over."""

    # asyncio's side, of the client's socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self._address = _shown(transport.get_extra_info("peername"))
        self._head = self._loop.call_later(self._house.bounds.head, self._late)
        self._house.reception.came(self)

    def over(self) -> None:
        """The client says nothing more: it has gone."""
        self._stop(ClientError("client-gone", "The client went away"))
        self.close()

    def insecure(self, error: ssl.SSLError) -> None:
        """TLS failed."""
        self._stop(client_failed(error))
        self.close()

    def secured(self) -> None:
        """TLS is on."""
        assert self.tls is not None  # noqa: S101 - or nobody would call
        try:
            self._entrance.secured(self.tls.protocol)
        except ClientError as error:
            self._stop(error)
            self.close()

    # Until it has signed in.

    def _late(self) -> None:
        if not self._serving:  # or it is timed there
            self._turned_away(self._too_late())

    def _too_late(self) -> ClientError:
        return ClientError(
            "pg-late",
            "The sign-in took too long",
            expected=f"at most {self._house.bounds.head:g} s, by `limits.head`",
        )

    def evict(self) -> None:
        """Others need the place."""
        self._stop(ClientError("pg-late", "The sign-in took too long while others waited"))
        self.abort()

    def _entering(self, data: bytes) -> None:
        try:
            for event in self._entrance.feed(data):
                self._entered(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is let in
            self._turned_away(ours(error))
        self.flush()

    def _entered(self, event: Event) -> None:
        match event:
            case Say(data):
                self.send(data)
            case StartTls(data):
                assert self._house.tls is not None  # noqa: S101 - by the entrance's terms
                self.flush()
                self.secure(Tls(self._house.tls()))
                if data:
                    self.data_received(data)
            case CancelRequest():
                self.received = _nothing
                spawn(self._cancel_other(event), name="cancel")
            case Token(text):
                self.received = self._read_ahead
                self._serving = True
                spawn(self._serve(text), name="sign-in")
            case Reject(error):
                self._turned_away(error)

    def _turned_away(self, error: ProctorError) -> None:
        """Say why, where the client understands it, and record it."""
        if self._stopping:
            return
        if self._house.refused and self._entrance.talking:
            asked = self._entrance.wanted
            refused = Refused(
                error=error,
                principal=self._principal,
                user=asked.user if asked else "",
                database=asked.database if asked else "",
                address=self._address,
                started_at=self._started_at,
                flow_id=self._flow_id,
            )
            spawn(_quietly(self._house.refused(refused)), name="refusal")
        self.fail(error)

    async def _cancel_other(self, request: CancelRequest) -> None:
        """Cancel what runs elsewhere, then close without a word, as PostgreSQL does."""
        house = self._house
        try:
            known = await house.reception.cancel(request.pid, request.secret)
            if not known and house.stranger and house.reception.stranger():
                await house.stranger(request.pid, request.secret)
        finally:
            self._stop(None)
            self.close()

    async def _serve(self, token: str) -> None:
        try:
            if await self._admitted(token):
                await self._enter()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is let in
            self._turned_away(ours(error))
        finally:
            self._serving = False
        self._leave()

    async def _admitted(self, token: str) -> bool:
        """Whether the token proves who it is; a client of OAUTHBEARER may still have to answer.

        Raises:
            ProctorError: It does not.
        """
        house = self._house
        left = self._head.when() if self._head else None
        try:
            async with asyncio.timeout_at(left) as self._scope:
                self._principal = house.recall(token) or await house.admit(token)
        except TimeoutError:
            raise self._too_late() from None
        except AuthenticationError as error:
            step = self._entrance.reject(error)
            if isinstance(step, Reject):
                raise
            self._serving = False
            self.received = self._entering
            self._entered(step)
            early = bytes(self._ahead)
            self._ahead.clear()
            self._entering(early)
            return False
        finally:
            self._scope = None
        if self._head:
            self._head.cancel()
        house.reception.check()
        house.reception.signed_in(self)
        return not self._stopping

    def _arrival(self) -> Arrival:
        asked, principal = self._entrance.wanted, self._principal
        if asked is None or principal is None:
            raise InternalError("pg-order", "A session before its sign-in")
        return Arrival(
            principal=principal,
            user=asked.user,
            database=asked.database or self._house.database or asked.user,
            application=asked.application,
            parameters=asked.parameters,
            address=self._address,
            started_at=self._started_at,
            flow_id=self._flow_id,
            tls=self.tls is not None,
        )

    def _read_ahead(self, data: bytes) -> None:
        """Keep what nobody takes yet; the client is still read, so that its end is noticed."""
        if self._stopping:
            return
        self._ahead += data
        if len(self._ahead) > self._house.bounds.ahead:
            self.hold(AHEAD)

    def fail(self, error: ProctorError) -> None:
        """Say why, and close; see Wires."""
        if self._stopping:
            return
        self.send(fatal(error))
        self.flush()
        self._stop(error)
        self._linger()

    def _linger(self) -> None:
        """A socket that closes with something unread takes back what was last said (TCP)."""
        transport = self.transport
        self.received = _nothing
        if transport is None or transport.is_closing():
            return
        if self.tls is not None:
            self.tls.close()
            self._write(self.tls.outgoing())
        transport.write_eof()
        self._after(LINGER, self.close)
        self._after(FLUSH, self.abort)

    def _after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back, unless all is over by then."""
        self._timers.append(self._loop.call_later(seconds, callback))


def ours(error: Exception) -> ProctorError:
    """What the client and the record are told of something that was raised."""
    if isinstance(error, ProctorError) and not isinstance(error, ConfigurationError):
        return error
    # Only here is it known what failed; the record and the client get a code.
    logger.error("a connection failed", exc_info=error, extra={"event": "postgres.failed"})
    return InternalError(
        "stage-failed",
        "A part of proctor failed, so nothing was let through",
        hint="The log says which.",
    )


async def _quietly(work: Awaitable[None]) -> None:
    try:
        await work
    except InternalError:
        logger.exception("a refusal was not recorded", extra={"event": "record.failed"})


def _shown(peer: object) -> str:
    match peer:
        case (str() as host, int() as port, *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return ""


def _nothing(_data: bytes) -> None:
    """It is over; what still comes is not looked at."""
