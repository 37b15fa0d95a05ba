"""One client of a listener, from its first byte to its last, and the server behind it.

    arriving ─ admitted ─ record ─ credential ─ server ─ relay ─ the last record

What raises in it: a FATAL, and both sides are closed; nothing of what was being handled reaches
the server.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from proctor.errors import ClientError, InternalError, ProctorError, UpstreamError
from proctor.postgres.arriving import FLUSH, LINGER, Arriving, ours
from proctor.postgres.shared import House
from proctor.postgres.stream import AHEAD, LOOKED, PRESSURE
from proctor.postgres.upstream import SIGN_IN, Upstream, Welcome, cancel, dial, stamp
from proctor.postgres.wires import Arrival, Login, Session
from proctor.protocols.postgres.messages import Back, message
from proctor.protocols.postgres.signin import OK
from proctor.protocols.postgres.startup import SHORT_SECRET
from proctor.runtime.tasks import spawn

LONG_SECRET: Final = 32
"""Bytes of a secret from protocol 3.2 on, as PostgreSQL has it."""

_LONG_SECRETS_FROM: Final = 2
_KEY_DATA: Final = ord("K")
_LOOKS: Final = 8  # at an idle connection, in the time it may be idle


class Connection(Arriving):
    """The client's end, and what stands behind it; `lambda: Connection(house)` makes them."""

    __slots__ = (
        "_active",
        "_cancelling",
        "_cancels",
        "_draining",
        "_gone",
        "_idle",
        "_inside",
        "_left",
        "_login",
        "_looked",
        "_paused",
        "_pid",
        "_quiet",
        "_scheduled",
        "_secret",
        "_server",
        "_session",
        "_why",
    )

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._session: Session | None = None
        self._server: Upstream | None = None
        self._login: Login | None = None
        self._pid = 0
        self._secret = b""  # the server's
        self._cancelling = asyncio.Lock()
        self._cancels = 0  # on their way to the server
        self._idle: asyncio.TimerHandle | None = None
        self._why: ProctorError | None = None
        self._active = False
        self._quiet = 0  # looks in a row at which nothing had happened
        self._gone = False  # the client is
        self._left = False  # both are, and the session ends
        self._draining = False
        self._paused = False  # by the session
        self._looked = False  # so is the server
        self._inside = False  # what is gathered is written when this turn is over
        self._scheduled = False

    async def _enter(self) -> None:
        """Record it, and fetch the server.

        Raises:
            ProctorError: There is no session.
        """
        arrival = self._arrival()
        session = self._house.sessions.open(arrival, self)
        await session.begin()
        self._session = session
        if self._stopping:
            return
        server, welcome = await self._fetch(arrival)
        self._ready(session, server, welcome)

    async def _fetch(self, arrival: Arrival) -> tuple[Upstream, Welcome]:
        """The server, signed in.

        Raises:
            ProctorError: There is none.
        """
        house = self._house
        try:
            async with asyncio.timeout(SIGN_IN) as self._scope:
                login = self._login = await house.sign(arrival)
                name = stamp(arrival.principal.subject, arrival.flow_id, arrival.application)
                parameters = {**arrival.parameters, "application_name": name}
                return await dial(house.target, login, arrival.database, parameters)
        except TimeoutError:
            raise UpstreamError(
                "upstream-unreachable",
                f"The database server {house.target.server} does not answer",
                expected=f"a sign-in within {SIGN_IN:g} s",
            ) from None
        finally:
            self._scope = None

    def _ready(self, session: Session, server: Upstream, welcome: Welcome) -> None:
        if self._stopped():
            server.abort()
            return
        self._server = server
        self._pid, self._secret = welcome.pid, welcome.secret
        server.on_gone = self._server_gone
        server.on_pressed = self._server_pressed
        rest = server.attach(self._from_server)
        # What the client calls itself stands in its place: who it is, only the server is told.
        shown = {**welcome.parameters, "application_name": self._arrival().application}
        hello = [OK]
        hello += [
            message(Back.PARAMETER_STATUS, f"{name}\0{value}\0".encode())
            for name, value in shown.items()
        ]
        if welcome.pid:
            size = LONG_SECRET if self._entrance.minor >= _LONG_SECRETS_FROM else SHORT_SECRET
            secret = secrets.token_bytes(size)
            self._house.reception.register(welcome.pid, secret, self)
            hello.append(message(_KEY_DATA, welcome.pid.to_bytes(4, "big") + secret))
        self.send(b"".join((*hello, message(Back.READY, welcome.status))))
        self._enclosed(lambda found: session.ready(found.parameters, found.status), welcome)
        if self._stopped():
            return
        self._ahead[:0] = self._entrance.rest()
        if self._house.bounds.idle:
            self._idle = self._loop.call_later(self._house.bounds.idle / _LOOKS, self._look)
        if rest:
            self._from_server(rest)
        self.received = self._from_client
        self._take_ahead()
        self._rested()

    def connection_lost(self, _error: Exception | None) -> None:
        """The client's socket is closed."""
        self._gone = True
        self._stop(ClientError("client-gone", "The client went away"))
        self._leave()

    def pressed(self, *, high: bool) -> None:
        """The client does not keep up, or does again."""
        if self._server is not None:
            (self._server.hold if high else self._server.release)(PRESSURE)

    # The relay.

    def _from_client(self, data: bytes) -> None:
        session = self._session
        if self._stopping or session is None:
            return
        self._active = True
        if self._paused or self._cancels or self._ahead:
            self._read_ahead(data)
        else:
            self._enclosed(session.client_data, data)

    def _from_server(self, data: bytes) -> None:
        session = self._session
        if self._stopping or session is None:
            return
        self._active = True
        self._enclosed(session.server_data, data)
        if self._draining:
            self._rested()

    def _enclosed[T](self, work: Callable[[T], None], given: T) -> None:
        """Do something of the session's; what it sends is written afterwards, or not at all."""
        if self._scheduled:
            self._flush_both()
        self._inside = True
        try:
            work(given)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing of it goes on
            self._inside = False
            self.forget()
            self.fail(ours(error))
            return
        self._inside = False
        if self._server is not None:
            self._server.flush()
        self.flush()

    def _flush_both(self) -> None:
        self._scheduled = False
        if self._server is not None:
            self._server.flush()
        self.flush()

    def _take_ahead(self) -> None:
        session = self._session
        waits = self._paused or self._cancels
        if self._ahead and not waits and session is not None and not self._stopping:
            data = bytes(self._ahead)
            self._ahead.clear()
            self._enclosed(session.client_data, data)
        if not self._ahead:
            self.release(AHEAD)

    def _server_pressed(self, high: bool) -> None:  # noqa: FBT001 - a callback of one value
        (self.hold if high else self.release)(PRESSURE)

    def _server_gone(self) -> None:
        """What the server said last has been handed on."""
        if self._looked and not self._stopping:
            return  # the session is not through with it
        if not self._stopping:
            self._stop(UpstreamError("upstream-gone", "The database server ended the connection"))
            self._linger()
        self._leave()

    def _look(self) -> None:
        """See whether it is idle; a connection in a transaction is, too."""
        session, idle = self._session, self._house.bounds.idle
        if session is None or self._stopping:
            return
        if self._active or session.running:
            self._active = False
            self._quiet = 0
        else:
            self._quiet += 1
        if self._quiet >= _LOOKS:
            self.fail(
                ClientError(
                    "pg-idle",
                    "The connection was idle for too long",
                    expected=f"at most {idle:g} s, by `limits.idle`",
                )
            )
        else:
            self._idle = self._loop.call_later(idle / _LOOKS, self._look)

    # Wires: what a session is given.

    def to_client(self, data: bytes) -> None:
        """See Wires."""
        if not self._stopping:
            self.send(data)
            self._schedule()

    def to_server(self, data: bytes) -> None:
        """See Wires."""
        if not self._stopping and self._server is not None:
            self._server.send(data)
            self._schedule()

    def pause_client(self) -> None:
        """See Wires."""
        self._paused = True

    def resume_client(self) -> None:
        """See Wires."""
        if self._paused:
            self._paused = False
            # Not now: the session is in the middle of something.
            self._loop.call_soon(self._take_ahead)

    def pause_server(self) -> None:
        """See Wires."""
        self._looked = True
        if self._server is not None:
            self._server.hold(LOOKED)

    def resume_server(self) -> None:
        """See Wires."""
        server = self._server
        if not self._looked:
            return
        self._looked = False
        if server is not None:
            server.release(LOOKED)
            if server.gone.done():
                self._loop.call_soon(self._server_gone)
        # Not now: the session is in the middle of something.
        self._loop.call_soon(self._rested)

    def finish(self, last: bytes = b"") -> None:
        """See Wires."""
        if self._stopping:
            return
        if last:
            self.send(last)
        self._flush_both()
        self._stop(None)
        self._linger()

    def _turned_away(self, error: ProctorError) -> None:
        # What has begun is recorded by its own end.
        (super()._turned_away if self._session is None else self.fail)(error)

    def fail(self, error: ProctorError) -> None:
        """See Wires."""
        if not self._stopping and self._server is not None:
            self._server.forget()
        super().fail(error)

    def later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See Wires."""
        return self._loop.call_later(seconds, self._timed, callback)

    def _timed(self, callback: Callable[[], None]) -> None:
        if not self._stopping:
            self._enclosed(lambda call: call(), callback)

    def _schedule(self) -> None:
        if not self._inside and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush_both)

    # The end.

    def _stopped(self) -> bool:
        return self._stopping

    def _stop(self, why: ProctorError | None) -> None:
        """Take nothing any more, of either side."""
        if self._stopping:
            return
        self._stopping = True
        self._why = why
        self._ahead.clear()
        self.release(AHEAD | PRESSURE)  # or its end would not be noticed
        if self._scope and not self._scope.expired():
            self._scope.reschedule(self._loop.time())
        if self._server is not None:
            self._server.close()
            self._after(FLUSH, self._server.abort)

    def _leave(self) -> None:
        """See whether both sides are gone, and nobody is about to fetch the server."""
        server = self._server
        if not self._gone or self._serving or (server is not None and not server.gone.done()):
            return
        if self._left:
            return
        self._left = True
        reception = self._house.reception
        reception.left(self)
        if self._pid:
            reception.unregister(self._pid, self)
            self._pid = 0
        for timer in (self._head, self._idle, *self._timers):
            if timer:
                timer.cancel()
        if self._login is not None and self._login.done is not None:
            self._login.done()
        session, self._session = self._session, None
        if session is None:
            self.closed.set()
        else:
            spawn(self._closing(session), name="end of a connection")

    async def _closing(self, session: Session) -> None:
        try:
            await session.end(self._why)
        finally:
            self.closed.set()

    def abort(self) -> None:
        """Close both sides at once."""
        super().abort()
        if self._server is not None:
            self._server.abort()

    async def cancel(self) -> None:
        """The client wants what runs cancelled; returns once the server knows.

        PostgreSQL may signal twice for one cancel (its process, then the group): until it has,
        nothing that the client says later goes on, or that would be cancelled in its place.
        """
        session = self._session
        if session is None or self._stopping:
            return
        passed: list[bool] = []
        self._enclosed(lambda found: found.append(session.cancel()), passed)
        if not any(passed):
            return
        self._cancels += 1
        try:
            async with self._cancelling:  # one dials at a time
                if not self._stopping:
                    await cancel(self._house.target, self._pid, self._secret)
        finally:
            self._cancels -= 1
            self._take_ahead()

    async def drain(self) -> None:
        """End: at once where nothing runs, else once that and its transaction have ended."""
        self._draining = True
        self._rested()
        try:
            async with asyncio.timeout(self._house.bounds.drain):
                await self.closed.wait()
        except TimeoutError:
            self.fail(_stopping())
            self._after(LINGER, self.abort)
            await self.closed.wait()

    def _rested(self) -> None:
        """Where proctor stops, end a connection in which nothing runs."""
        session = self._session
        if not self._draining or self._stopping:
            return
        if self._server is None or (
            session is not None and not session.running and session.status == b"I"
        ):
            self.fail(_stopping())


def _stopping() -> InternalError:
    return InternalError("pg-stopping", "proctor is stopping", hint="Try again in a moment.")
