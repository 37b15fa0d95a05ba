"""What mitmproxy's side knows of ours: a listener's site, and the door behind it."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mitmproxy import http

from proctor.errors import ProctorError

type Stage = Callable[[Any], Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer of our own, in the protocol's shape."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def response(self, reason: str = "") -> http.Response:
        """As mitmproxy holds it.

        Args:
            reason: What stands beside the status in HTTP/1.1 (RFC 9112 4), all that many clients
                show of a refused CONNECT; "" for the usual words.
        """
        response = http.Response.make(self.status, self.body, http.Headers(self.headers))
        if reason:
            response.reason = reason
        return response


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the layers need to know of a listener.

    Attributes:
        name: As proctor.yaml calls it.
        tls: Clients speak TLS.
        forward: Clients use it as their proxy.
        upstream: Host and port of what is behind it, where that is one.
        first_request: Seconds within which a new connection has to send its first request's head.
        connections: Clients connected at once.
    """

    name: str
    tls: bool
    forward: bool
    upstream: tuple[str, int]
    first_request: float
    connections: int


@dataclass(slots=True, kw_only=True)
class Inside:
    """What is behind a CONNECT that was let through.

    Attributes:
        flow: The CONNECT.
        address: Host and port.
        opaque: It is passed on unread.
        via: The company's own proxy on the way, scheme and address; None for none.
        until: When its token expires, seconds since the epoch; an opaque one ends then.
        sent: Bytes that have gone to the destination, where it is.
        received: Bytes that have come back.
        error: Why we ended it, where we did.
    """

    flow: http.HTTPFlow
    address: tuple[str, int]
    opaque: bool
    via: tuple[Literal["http", "https"], tuple[str, int]] | None
    until: float
    sent: int = 0
    received: int = 0
    error: ProctorError | None = None


@dataclass(slots=True, kw_only=True)
class Talk:
    """What is said over a WebSocket that was let through.

    Attributes:
        flow: The request for it.
        limit: Bytes of a message.
        until: When its token expires, seconds since the epoch; it ends then.
        sent: Bytes of messages that have gone to the upstream.
        received: Bytes of those that have come back.
        code: It was closed with this (RFC 6455 7.4).
        error: Why we ended it, where we did.
    """

    flow: http.HTTPFlow
    limit: int
    until: float
    sent: int = 0
    received: int = 0
    code: int = 0
    error: ProctorError | None = None


class Spool(Protocol):
    """A request's body that is kept on disk, since it may be larger than memory."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ProctorError: They are not what belongs there, or too many.
        """
        ...

    def finish(self) -> object:
        """No more bytes come.

        Raises:
            ProctorError: It ended too early.
        """
        ...

    @property
    def head(self) -> bytes:
        """What of the body stands in the flow."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """The rest of it, to be sent behind the head.

        Raises:
            ProctorError: It is not there any more.
        """
        ...


class Door(Protocol):
    """What stands behind a listener: the stages, and the last word on what leaves."""

    def site(self, listener: str) -> Site:
        """The listener of this name."""
        ...

    def stages(self, hook: str) -> tuple[Stage, ...]:
        """Our stages' callables for a hook, in order."""
        ...

    def owns(self, addon: object) -> bool:
        """Whether an addon in the chain is one of our stages, which the chain must not run."""
        ...

    def outbound(self, flow: http.HTTPFlow) -> http.Request | None:
        """The request as it may leave, with the credential in it, or None: it may not."""
        ...

    def inbound(self, flow: http.HTTPFlow) -> http.Response | None:
        """The answer as the client gets it, or None where that is what stands in the flow."""
        ...

    def spool(self, flow: http.HTTPFlow) -> Spool | None:
        """Where the body of a request goes whose head was let in; None: into memory."""
        ...

    def early(self, flow: http.HTTPFlow) -> Refusal | None:
        """What a client hears while its request waits: the head of its answer, and a beginning."""
        ...

    def refuse(self, flow: http.HTTPFlow, error: BaseException) -> None:
        """Answer a flow with a refusal; the stage asked about it failed."""
        ...

    def refusal(self, listener: str, status: int, message: str) -> Refusal:
        """The refusal for what never became a flow, in the listener's protocol."""
        ...

    def inside(self, flow: http.HTTPFlow) -> Inside:
        """What is behind a CONNECT that was let through."""
        ...

    def talk(self, flow: http.HTTPFlow) -> Talk | None:
        """What is said over a WebSocket that was let through; None where this is none."""
        ...

    def gone(self, flow: http.HTTPFlow) -> None:
        """The client has given an exchange up."""
        ...

    def words(self, flow: http.HTTPFlow) -> Refusal | None:
        """What to answer a flow that was stopped before anything of its answer was passed on."""
        ...

    def ending(self, flow: http.HTTPFlow) -> ProctorError | None:
        """Why an exchange has to end here and now, or None."""
        ...
