"""What would be sent again: which requests of which session, where to, and the digest of it all.

An approval is for exactly one plan. Its digest covers every byte that would leave, and so does the
approval that is asked for by it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from proctor.errors import ClientError
from proctor.model import ActionKind
from proctor.replay.outcome import Outcome

MAX_REQUESTS: Final = 200
MAX_BYTES: Final = 64 * 2**20
_BETAS: Final = re.compile(r"[A-Za-z0-9._,-]{0,1000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One recorded request.

    Attributes:
        turn: Its number in the session.
        kind: A request to the model, or any other to an API.
        method: POST for the model.
        path: With its query.
        model: As the request names it; "" where none was asked.
        content_type: Of the body; "" where there is none.
        body: The recorded bytes.
        recorded: What its answer was.
    """

    turn: int
    kind: ActionKind = ActionKind.LLM_REQUEST
    method: str = "POST"
    path: str
    model: str
    content_type: str = "application/json"
    body: bytes = field(repr=False)
    recorded: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """An upstream that no listener leads to, by its URL.

    Attributes:
        url: `scheme://host[:port]` and a path that stands before the recorded ones.
        host: Of it, in its one spelling.
        port: The same.
        tls: Whether it is spoken to over TLS.
        base: Its path, without a slash at the end.
        addresses: What its name stood for when humans were asked: these are dialled.
        credential: Put in for it; "" for none.
        ca: Certificates, PEM, by which it is trusted; "" for those the world trusts.
    """

    url: str
    host: str
    port: int
    tls: bool
    base: str
    addresses: tuple[str, ...]
    credential: str = ""
    ca: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be sent.

    Attributes:
        session: The recorded session.
        principal: `Principal.key` of whose it is.
        listener: Through which listener: its upstream gets it, with its credential. Of a URL, what
            rules see in its place.
        upstream: That upstream's address.
        betas: `anthropic-beta`; the record does not hold what clients sent there.
        requests: In order.
        direct: Where it goes without a listener; None where it goes through one.
    """

    session: str
    principal: str
    listener: str
    upstream: str
    betas: str
    requests: tuple[Request, ...]
    direct: Direct | None = None

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        return sum(len(each.body) for each in self.requests)

    @property
    def digest(self) -> str:
        """SHA-256 over everything above, each part with its length before it; hex."""
        state = sha256(b"proctor replay v2\n")
        for part in self._parts():
            state.update(b"%d:" % len(part))
            state.update(part)
        return state.hexdigest()

    def _parts(self) -> Iterable[bytes]:
        for text in (self.session, self.principal, self.listener, self.upstream, self.betas):
            yield text.encode("utf-8", "surrogatepass")
        yield b"direct" if self.direct else b"listener"
        if there := self.direct:
            for text in (there.url, there.credential, there.ca, ",".join(there.addresses)):
                yield text.encode("utf-8", "surrogatepass")
        for each in self.requests:
            for text in (each.kind.value, each.method, each.path, each.content_type):
                yield text.encode("utf-8", "surrogatepass")
            yield each.body


def checked(plan: Plan) -> Plan:
    """The plan, if it is not too much.

    Raises:
        ClientError: `replay-too-much`, `replay-betas`.
    """
    if len(plan.requests) > MAX_REQUESTS or plan.size > MAX_BYTES:
        raise ClientError(
            code="replay-too-much",
            message="That is too much to be sent again at once",
            got=f"{len(plan.requests)} requests, {plan.size} bytes",
            expected=f"at most {MAX_REQUESTS} requests and {MAX_BYTES} bytes",
            hint="Choose some by --turns.",
            status=413,
        )
    if not _BETAS.fullmatch(plan.betas):
        raise ClientError(
            code="replay-betas",
            message="These are no names of betas",
            expected="names joined by commas, as in `anthropic-beta`",
        )
    return plan
