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
from proctor.replay.outcome import Outcome

MAX_REQUESTS: Final = 200
MAX_BYTES: Final = 64 * 2**20
_BETAS: Final = re.compile(r"[A-Za-z0-9._,-]{0,1000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One recorded request.

    Attributes:
        turn: Its number in the session.
        path: With its query.
        model: As the request names it.
        body: The recorded bytes.
        recorded: What its answer was.
    """

    turn: int
    path: str
    model: str
    body: bytes = field(repr=False)
    recorded: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be sent.

    Attributes:
        session: The recorded session.
        principal: `Principal.key` of whose it is.
        listener: Through which listener: its upstream gets it, with its credential.
        upstream: That upstream's address.
        betas: `anthropic-beta`; the record does not hold what clients sent there.
        requests: In order.
    """

    session: str
    principal: str
    listener: str
    upstream: str
    betas: str
    requests: tuple[Request, ...]

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        return sum(len(each.body) for each in self.requests)

    @property
    def digest(self) -> str:
        """SHA-256 over everything above, each part with its length before it; hex."""
        state = sha256(b"proctor replay v1\n")
        for part in self._parts():
            state.update(b"%d:" % len(part))
            state.update(part)
        return state.hexdigest()

    def _parts(self) -> Iterable[bytes]:
        for text in (self.session, self.principal, self.listener, self.upstream, self.betas):
            yield text.encode("utf-8", "surrogatepass")
        for each in self.requests:
            yield each.path.encode("utf-8", "surrogatepass")
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
