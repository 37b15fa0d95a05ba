"""What the Gate is made of, as far as it looks into it."""

from asyncio import Future
from collections.abc import Sequence
from typing import Protocol

from proctor.model import ActionKind, Case, ContentRef, Decision, Principal, Session
from proctor.record import ContentStream


class Authenticator(Protocol):
    """Proves who is asking."""

    def recall(self, token: str) -> Principal | None:
        """The principal of a token that was proved before and still holds, or None."""
        ...

    async def authenticate(self, token: str) -> Principal:
        """The principal of a token, or AuthenticationError, or UpstreamError."""
        ...


class Policy(Protocol):
    """The rules in force, one immutable set."""

    @property
    def version(self) -> str:
        """Digest of the rules."""
        ...

    def decide(self, case: Case) -> Decision:
        """What the rules say of one action; never raises."""
        ...

    def may(self, case: Case) -> bool:
        """Whether any such action could pass or be held."""
        ...

    def steady(self, kind: ActionKind) -> bool:
        """Whether the same action gets the same answer while these rules are in force."""
        ...

    def reads(self, kind: ActionKind, prefix: str) -> bool:
        """Whether some rule about such actions reads a field that begins so."""
        ...


class PolicySource(Protocol):
    """Where the rules in force are found; they change under way."""

    @property
    def current(self) -> Policy:
        """The rules in force now."""
        ...


class Recorder[Scope](Protocol):
    """The record: content first, then the envelope that refers to it.

    A Scope is a keyed store for the content of one session; only the recorder looks inside.
    """

    def scope(self, principal: str, session: Session | None) -> Scope:
        """The store for this session's content."""
        ...

    def put(self, scope: Scope, data: bytes, cuts: Sequence[int] = ()) -> ContentRef:
        """Keep content, cut at these byte offsets so that what is sent again costs nothing."""
        ...

    def refer(self, scope: Scope, data: bytes) -> bytes:
        """Keep content; the reference as it stands in an envelope, as JSON."""
        ...

    def stream(self, scope: Scope) -> ContentStream:
        """Keep content that arrives in pieces."""
        ...

    async def append(self, kind: str, fields: dict[str, object]) -> int:
        """Write an envelope; returns its sequence number once it is durable, or InternalError."""
        ...

    def post(
        self, kind: str, fields: dict[str, object] | bytes, *, soon: bool = True
    ) -> tuple[int, Future[None]]:
        """Write an envelope; returns its number, and what is done once it is durable.

        Fields may be JSON already: an object that is not empty, in ASCII and without spaces.
        """
        ...
