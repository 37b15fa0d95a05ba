"""From a client's first byte to its token: what is said to it, and what it wants.

first packets ─ TLS ─ StartupMessage ─ sign-in ─ Token
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import AuthenticationError, ClientError
from proctor.protocols.postgres.parameters import Wanted, wanted
from proctor.protocols.postgres.signin import Bearer, Discovery, Password, Say, SignIn, Step
from proctor.protocols.postgres.single import MAX_SIGN_IN, Single
from proctor.protocols.postgres.startup import (
    CancelRequest,
    GssRequest,
    Opening,
    SslRequest,
    Startup,
    negotiate,
)

ALPN: Final = "postgresql"
"""Registered for PostgreSQL (RFC 7301)."""

_HANDSHAKE: Final = 0x16  # first byte of a ClientHello's record (RFC 8446, 5.1)
_PASSWORD: Final = ord("p")


@dataclass(frozen=True, slots=True)
class StartTls:
    """The handshake begins; `data` is what has come of it."""

    data: bytes = field(default=b"", repr=False)


type Event = Step | StartTls | CancelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a listener asks of its clients.

    Attributes:
        tls: It has a certificate.
        plaintext: Clients may speak without TLS.
        database: The only one; None for any.
        discovery: Sign-in is by OAUTHBEARER, and this is where tokens are; None: by password.
    """

    tls: bool
    plaintext: bool
    database: str | None = None
    discovery: Discovery | None = None


class Entrance:
    """One client's.

    Args:
        terms: The listener's.
        check: Raises where nobody may sign in at the moment.

    Attributes:
        wanted: What its StartupMessage asked for.
        minor: Of the protocol's version that is spoken.
        talking: It has said who it is, and understands a FATAL.
    """

    def __init__(self, terms: Terms, check: Callable[[], None]) -> None:
        self.wanted: Wanted | None = None
        self.minor = 0
        self._terms = terms
        self._check = check
        self._opening = Opening()
        self._single = Single(MAX_SIGN_IN, lambda kind: kind == _PASSWORD)
        self._signin: SignIn | None = None
        self._fresh = True
        self._secure = False
        self._direct = False
        self._given = False

    @property
    def talking(self) -> bool:
        """Whether it has sent a StartupMessage."""
        return self._opening.done

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes; what comes of them.

        After a StartTls, a CancelRequest and a Token, nothing more comes of what is held.

        Raises:
            ProctorError: It is turned away.
        """
        if self._fresh and data[:1] and data[0] == _HANDSHAKE and self._terms.tls:
            # The length of no first packet begins so: TLS from the first byte (54.2.12).
            self._fresh = False
            self._direct = True
            yield StartTls(data)
            return
        self._fresh = False
        if self._signin is None:
            self._opening.feed(data)
            yield from self._first()
        else:
            self._single.feed(data)
        yield from self._answers()

    def secured(self, protocol: str | None) -> None:
        """TLS is on, with what ALPN has agreed on.

        Raises:
            ClientError: Code `pg-protocol`: TLS from the first byte needs ALPN, so that nobody is
                made to say something to another kind of server here.
        """
        self._secure = True
        self._opening.secured()
        if self._direct and protocol != ALPN:
            raise ClientError(
                "pg-protocol",
                "TLS from the first byte needs ALPN",
                got="another protocol" if protocol else "no ALPN",
                expected=ALPN,
            )

    def reject(self, error: AuthenticationError) -> Step:
        """The token proves nothing."""
        assert self._signin is not None  # noqa: S101 - it gave the token
        self._given = False
        return self._signin.reject(error)

    def rest(self) -> bytes:
        """What came behind the token."""
        return self._single.rest()

    def _first(self) -> Iterator[Event]:
        while self._signin is None and (packet := self._opening.take()):
            match packet:
                case SslRequest() if self._terms.tls:
                    yield Say(b"S")
                    yield StartTls()
                    return
                case SslRequest() | GssRequest():
                    yield Say(b"N")
                case CancelRequest():
                    yield packet
                    return
                case Startup():
                    yield Say(self._started(packet))
                    self._single.feed(self._opening.rest())

    def _started(self, startup: Startup) -> bytes:
        terms = self._terms
        if not self._secure and not terms.plaintext:
            raise ClientError(
                "pg-tls-required",
                "This listener is spoken to over TLS",
                got="a connection in the clear",
                hint="Set sslmode=verify-full." if terms.tls else "Give the listener its `tls`.",
            )
        self.minor = startup.agreed
        self.wanted = asked = wanted(startup.parameters)
        if terms.database is not None and asked.database not in {"", terms.database}:
            raise ClientError(
                "pg-database",
                "This listener leads to one database, which is another",
                expected=terms.database,
            )
        self._check()
        self._signin = Bearer(terms.discovery) if terms.discovery else Password()
        return negotiate(startup) + self._signin.begin()

    def _answers(self) -> Iterator[Event]:
        while self._signin is not None and not self._given and (found := self._single.take()):
            step = self._signin.take(found[1])
            self._given = not isinstance(step, Say)
            yield step
