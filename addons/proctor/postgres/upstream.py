"""The way to the server: dialled, TLS verified, signed in with what only proctor knows.

What the server says before it is ready may hold the credential's name: it goes to the log, and the
client gets words of ours.
"""

import asyncio
import logging
import ssl
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import ClientError, ProctorError, UpstreamError
from proctor.postgres.settings import Server
from proctor.postgres.stream import End
from proctor.postgres.tls import Context, Tls, upstream_failed
from proctor.postgres.wires import Login
from proctor.protocols.postgres.authentication import Authentication, end_point
from proctor.protocols.postgres.fields import Fields, SqlState, read_fields
from proctor.protocols.postgres.messages import Back, string
from proctor.protocols.postgres.single import MAX_SIGN_IN, Single
from proctor.protocols.postgres.startup import SSL_REQUEST, write_cancel, write_startup

logger = logging.getLogger(__name__)

SIGN_IN: Final = 10.0
"""Seconds that finding the credential and signing in may take in all."""

CANCEL: Final = 5.0
"""Seconds that a cancel may take."""

MAX_NAME: Final = 63
"""Bytes of an application_name that the server keeps (NAMEDATALEN)."""

_MAX_MESSAGES: Final = 1000
_AUTHENTICATION: Final = ord("R")
_KEY_DATA: Final = ord("K")
_NEGOTIATE: Final = ord("v")
_EXPECTED: Final = frozenset(
    (
        _AUTHENTICATION,
        _KEY_DATA,
        _NEGOTIATE,
        Back.PARAMETER_STATUS,
        Back.NOTICE,
        Back.ERROR,
        Back.READY,
    )
)
_LONGEST_SUBJECT: Final = 40
_FLOW: Final = 8

# What the server may say no by, and the client may know: nothing of it is about the credential.
_TELLING: Final[Mapping[str, tuple[str, str]]] = {
    SqlState.INVALID_CATALOG_NAME: ("pg-database", "The database server has no such database"),
    SqlState.TOO_MANY_CONNECTIONS: ("pg-too-many", "The database server has no room for another"),
    SqlState.CANNOT_CONNECT_NOW: ("pg-cannot-connect", "The database server takes nobody yet"),
    SqlState.ADMIN_SHUTDOWN: ("pg-cannot-connect", "The database server is stopping"),
    SqlState.INVALID_PARAMETER_VALUE: ("pg-parameter", "The server takes no such setting"),
    SqlState.UNDEFINED_OBJECT: ("pg-parameter", "The server does not know one of the settings"),
}
_CREDENTIAL: Final = ("28", "42501")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server, and how it is trusted.

    Attributes:
        server: Where it is.
        tls: Trust towards it; None: it is spoken to without TLS.
        server_name: Whom its certificate must name; "" for the host.
    """

    server: Server
    tls: Context | None = None
    server_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What the server said until it was ready.

    Attributes:
        parameters: Of its ParameterStatus messages.
        status: Of ReadyForQuery.
        pid: Of BackendKeyData; 0 where there was none.
        secret: The same.
    """

    parameters: Mapping[str, str]
    status: bytes
    pid: int
    secret: bytes = field(repr=False)


class Caller(End):
    """Who dials a server: asks for TLS where it is wanted, then has `opened` called."""

    __slots__ = ("_context", "gone", "target")

    def __init__(self, target: Target, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self.target = target
        self._context = context
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @abstractmethod
    def opened(self) -> None:
        """It can be spoken to."""

    @abstractmethod
    def failed(self, error: ProctorError) -> None:
        """It cannot."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        if self._context is None:
            self.opened()
            return
        self.received = self._answered
        self.send(SSL_REQUEST)
        self.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """It is over."""
        self.failed(_gone(self.target))
        if not self.gone.done():
            self.gone.set_result(None)

    def over(self) -> None:
        """It is about to be."""
        self.close()

    def secured(self) -> None:
        """The certificate is the right one."""
        self.opened()

    def insecure(self, error: ssl.SSLError) -> None:
        """It is not."""
        self.failed(upstream_failed(error, str(self.target.server)))
        self.abort()

    def _answered(self, data: bytes) -> None:
        target = self.target
        if data == b"S" and self._context is not None:
            self.received = _nothing
            self.secure(Tls(self._context, target.server_name or target.server.host))
            return
        # More than one byte was put there by somebody in between (CVE-2021-23222).
        got = "no TLS" if data == b"N" else "an answer that cannot be read"
        self.failed(
            UpstreamError(
                "upstream-tls",
                f"The database server {target.server} cannot be trusted",
                got=got,
                expected="TLS",
                hint="Switch its `ssl` on; where the way there is safe, say"
                " `upstream_plaintext: true`.",
            )
        )
        self.abort()


class Upstream(Caller):
    """The server's end of a connection."""

    __slots__ = (
        "_authentication",
        "_count",
        "_login",
        "_parameters",
        "_pid",
        "_secret",
        "_single",
        "_start",
        "on_gone",
        "on_pressed",
        "welcome",
    )

    def __init__(
        self, target: Target, context: ssl.SSLContext | None, login: Login, start: bytes
    ) -> None:
        super().__init__(target, context)
        self.welcome: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()
        self.on_gone: Callable[[], None] | None = None
        self.on_pressed: Callable[[bool], None] | None = None
        self._parameters: dict[str, str] = {}
        self._login = login
        self._start = start
        self._single = Single(MAX_SIGN_IN, _EXPECTED.__contains__)
        self._authentication: Authentication | None = None
        self._count = 0
        self._pid = 0
        self._secret = b""

    def opened(self) -> None:
        """Say who we are."""
        certificate = self.tls.certificate if self.tls else None
        self._authentication = Authentication(
            self._login.user,
            self._login.password,
            private=self.tls is not None or bool(self.target.server.path),
            binding=end_point(certificate) if certificate else None,
        )
        self.received = self._greeted
        self.send(self._start)
        self.flush()

    def failed(self, error: ProctorError) -> None:
        """There will be no welcome."""
        if not self.welcome.done():
            self.welcome.set_exception(error)

    def connection_lost(self, _error: Exception | None) -> None:
        """It is over."""
        super().connection_lost(_error)
        if self.on_gone:
            self.on_gone()

    def pressed(self, *, high: bool) -> None:
        """It is slower than its client."""
        if self.on_pressed:
            self.on_pressed(high)

    def attach(self, received: Callable[[bytes], None]) -> bytes:
        """Hand on what comes; returns what came since the welcome."""
        self.received = received
        return self._single.rest()

    def _greeted(self, data: bytes) -> None:
        self._single.feed(data)
        try:
            while not self.welcome.done():
                found = self._single.take()
                if found is None:
                    break
                self._said(*found)
        except ClientError as error:
            self.failed(_unreadable(error.got))
        except ProctorError as error:
            self.failed(error)
        self.flush()

    def _said(self, kind: int, body: bytes) -> None:
        self._count += 1
        if self._count > _MAX_MESSAGES:
            raise _unreadable("messages without end")
        if kind == _AUTHENTICATION:
            assert self._authentication is not None  # noqa: S101 - made by `opened`
            self.send(self._authentication.answer(body))
        elif kind == Back.ERROR:
            raise self._refused(read_fields(body))
        elif kind == Back.NOTICE:
            said = read_fields(body)
            logger.info("The server says: %s", said.message, extra={"event": "postgres.notice"})
        elif self._authentication is None or not self._authentication.done:
            raise _unreadable("a message before the sign-in")
        elif kind == Back.PARAMETER_STATUS:
            name, at = string(body)
            value, _ = string(body, at)
            self._parameters[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        elif kind == _KEY_DATA:
            self._pid, self._secret = int.from_bytes(body[:4], "big"), body[4:]
        elif kind == Back.READY:
            self._welcomed(body)

    def _welcomed(self, status: bytes) -> None:
        self.received = self._single.feed
        self.welcome.set_result(
            Welcome(
                parameters=self._parameters,
                status=status,
                pid=self._pid,
                secret=self._secret,
            )
        )

    def _refused(self, said: Fields) -> ProctorError:
        logger.warning(
            "The database server refused a connection: %s",
            said.message,
            extra={"event": "postgres.refused", "sqlstate": said.code},
        )
        if said.code in _TELLING:
            code, message = _TELLING[said.code]
            return UpstreamError(code, message)
        if said.code.startswith(_CREDENTIAL):
            return UpstreamError(
                "upstream-credential",
                "The database server does not take proctor's credential",
                hint="proctor's log says what it said.",
            )
        return UpstreamError(
            "upstream-refused",
            "The database server refused the connection",
            got=f"SQLSTATE {said.code}" if said.code.isalnum() else "",
            hint="proctor's log says what it said.",
        )


class _Cancel(Caller):
    __slots__ = ("_packet",)

    def __init__(self, target: Target, context: ssl.SSLContext | None, packet: bytes) -> None:
        super().__init__(target, context)
        self._packet = packet
        self.received = _nothing

    def opened(self) -> None:
        self.received = _nothing
        self.send(self._packet)
        self.flush()

    def failed(self, error: ProctorError) -> None:
        """A cancel that does not arrive is one that came too late."""


async def dial(
    target: Target, login: Login, database: str, parameters: Mapping[str, str]
) -> tuple[Upstream, Welcome]:
    """Connect, and sign in.

    Args:
        target: The server.
        login: As whom.
        database: Which one.
        parameters: Settings, application_name among them.

    Returns:
        The end, and what it said until it was ready. It takes what follows meanwhile (`rest`).

    Raises:
        ProctorError: It did not come about; nothing is left open.
        TimeoutError: The caller's.
    """
    start = write_startup({"user": login.user, "database": database, **parameters})
    context = target.tls() if target.tls else None
    end = await _connected(target, lambda: Upstream(target, context, login, start))
    try:
        return end, await end.welcome
    except BaseException:
        end.abort()
        raise


async def cancel(target: Target, pid: int, secret: bytes) -> None:
    """Have the server cancel what runs; returns once it has taken it, or could not."""
    packet = write_cancel(pid, secret)
    end: _Cancel | None = None
    try:
        context = target.tls() if target.tls else None
        async with asyncio.timeout(CANCEL):
            end = await _connected(target, lambda: _Cancel(target, context, packet))
            await end.gone
    except (TimeoutError, ProctorError):
        logger.warning("a cancel did not arrive", extra={"event": "postgres.cancel"})
    finally:
        if end is not None:
            end.abort()


async def _connected[E: Caller](target: Target, make: Callable[[], E]) -> E:
    loop, server = asyncio.get_running_loop(), target.server
    try:
        if server.path:
            return (await loop.create_unix_connection(make, server.path))[1]
        return (await loop.create_connection(make, server.host, server.port))[1]
    except OSError as error:
        raise UpstreamError(
            "upstream-unreachable",
            f"The database server {server} does not answer",
            got=error.strerror or type(error).__name__,
        ) from None


def stamp(subject: str, flow_id: str, application: str) -> str:
    """The application_name that the server's own log and views show.

    Who, the first of the connection's id in proctor's record, and what the client calls itself;
    printable, and at most 63 bytes, since PostgreSQL would cut it anywhere.
    """
    parts = (_plain(subject)[:_LONGEST_SUBJECT], flow_id[:_FLOW], _plain(application))
    text = " ".join(part for part in parts if part)
    return text.encode()[:MAX_NAME].decode("utf-8", "ignore").rstrip()


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _nothing(_data: bytes) -> None:
    """Nothing may come now, and nobody reads it."""


def _gone(target: Target) -> UpstreamError:
    return UpstreamError("upstream-gone", f"The database server {target.server} ended a connection")


def _unreadable(got: str) -> UpstreamError:
    return UpstreamError(
        "upstream-protocol", "What answers is no PostgreSQL server that can be used", got=got
    )
