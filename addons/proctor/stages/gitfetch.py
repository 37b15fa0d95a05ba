"""A fetch of git's: what it asks for, and its pack, which waits on disk until it was looked at.

The rules are asked twice: before the request leaves, and again with what is in the pack, as
findings of the response; what they say then decides whether it is passed on.
"""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mitmproxy import http

from proctor.errors import ClientError, ProctorError, UpstreamError
from proctor.git.packreading import Order
from proctor.git.packreport import PackReport
from proctor.model import Action, ActionKind, GitFields, HttpFields
from proctor.protocols.git.answers import (
    KEEPALIVE,
    FetchAnswer,
    State,
    banded,
    refusal,
)
from proctor.protocols.git.fetch import MAX_REQUEST, Fetch, read_fetch, read_offer, read_refs
from proctor.protocols.git.pktline import FLUSH
from proctor.protocols.git.routes import UPLOAD, GitRoute, content_type
from proctor.redaction.handling import Rewritten
from proctor.stages.exchange import Exchange
from proctor.stages.gitanswer import Collected, GitAnswer
from proctor.stages.githeld import PATIENCE, HeldAnswer, words_of
from proctor.stages.gitsaid import Hearing

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

PING: Final = 5.0
"""Seconds between signs of life."""
_GZIP: Final = 31  # a window of 32 KiB, with gzip's head and checksum (zlib's manual)
_RESULT: Final = content_type(UPLOAD, "result")
_OFFER: Final = content_type(UPLOAD, "advertisement")


@dataclass(slots=True, kw_only=True)
class Fetching:
    """What one exchange is about.

    Attributes:
        route: FETCH or FETCH_REFS.
        repository: As `git.repository`.
        fetch: What is asked for; None where it is the first question for refs.
        gate: Its answer, where a pack is looked at.
    """

    route: GitRoute
    repository: str
    fetch: Fetch | None = None
    gate: "FetchGate | None" = None

    def close(self) -> None:
        """The exchange is over: nothing of it stays on disk."""
        if self.gate:
            self.gate.close()


def fetch_action(
    suite: "Suite", flow: http.HTTPFlow, exchange: Exchange, fields: HttpFields, asked: Fetching
) -> Action:
    """A request to `git-upload-pack` as an Action; the request is changed to what may leave.

    Args:
        suite: All the stages.
        flow: The exchange's.
        exchange: Which has its target and principal.
        fields: `http.*`.
        asked: Route and repository; gets what is asked for.

    Raises:
        ClientError: It cannot be read.
    """
    request = flow.request
    git = GitFields(repository=asked.repository, service="fetch")
    content: tuple[bytes, ...] = ()
    if asked.route is GitRoute.FETCH:
        body = plain_body(request)
        fetch = asked.fetch = read_fetch(body, version=version_of(request))
        request.raw_content = fetch.body
        request.headers["content-length"] = str(len(fetch.body))
        request.headers.pop("transfer-encoding", None)
        principal = exchange.principal.key if exchange.principal else ""
        known = suite.git.refs.of(principal, asked.repository, fetch.wants)
        refs = tuple(sorted({*fetch.refs, *known}))
        git = replace(git, refs=refs, new=fetch.wants[:1000])
        content = (" ".join(sorted(fetch.wants)).encode(), " ".join(fetch.refs).encode())
    return Action(
        kind=ActionKind.GIT_FETCH,
        listener=exchange.listener,
        target=f"fetch {asked.repository}",
        content=tuple(b"%d:%s" % (len(part), part) for part in content),
        size=len(request.raw_content or b""),
        http=fields,
        git=git,
    )


def version_of(request: http.Request) -> int:
    """Which protocol the client asks for (gitprotocol-v2, HTTP transport)."""
    said = request.headers.get("git-protocol", "")
    return 2 if "version=2" in said.split(":") else 0


def plain_body(request: http.Request) -> bytes:
    """The body without compression; git compresses what is larger than a kilobyte.

    Raises:
        ClientError: It cannot be read.
    """
    body = request.raw_content or b""
    encoding = request.headers.pop("content-encoding", "").strip().lower()
    if not encoding:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise ClientError(
            "git-encoded",
            "A request of git's comes as it is, or compressed by gzip",
            got=f"content-encoding {encoding[:40]}",
            status=415,
        )
    reader = zlib.decompressobj(_GZIP)
    try:
        plain = reader.decompress(body, MAX_REQUEST)
    except zlib.error:
        plain = b""
    if not reader.eof or reader.unused_data:
        raise ClientError("git-malformed", "The request's gzip is cut off or too large")
    return plain


def answer_of(suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> GitAnswer | None:
    """What looks at an answer; None where it is a refusal of the server's, which passes as text.

    Raises:
        UpstreamError: `git-answer`: it is of a kind that nobody reads.
    """
    asked, response = exchange.fetching, flow.response
    if asked is None or response is None or response.status_code != http.status_codes.OK:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != (_RESULT if asked.route is GitRoute.FETCH else _OFFER):
        raise UpstreamError(
            "git-answer",
            "The git server's answer cannot be read",
            got=f"content-type {kind[:60]}",
            expected="smart HTTP (gitprotocol-http)",
            hint="The dumb protocol is not passed on: it sends files that nobody reads.",
        )
    encoding = response.headers.get("content-encoding", "")
    principal = exchange.principal.key if exchange.principal else ""

    def offer(body: bytes) -> bytes:
        changed, refs = read_offer(body)
        suite.git.refs.told(principal, asked.repository, refs)
        return changed

    def listing(body: bytes) -> bytes:
        suite.git.refs.told(principal, asked.repository, read_refs(body))
        return body

    if asked.fetch is None:
        return Collected(offer, encoding)
    if asked.fetch.command != "fetch":
        return Collected(listing, encoding)
    asked.gate = FetchGate(suite, flow, exchange, asked, asked.fetch, encoding)
    return asked.gate


class FetchGate(HeldAnswer):
    """The answer to one fetch.

    Args:
        suite: All the stages.
        flow: The exchange's.
        exchange: The same.
        asked: What it is about.
        fetch: What was asked for.
        encoding: Of the answer.
        clock: Monotonic, seconds.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what an answer is about
        self,
        suite: "Suite",
        flow: http.HTTPFlow,
        exchange: Exchange,
        asked: Fetching,
        fetch: Fetch,
        encoding: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(suite, flow, exchange, encoding, clock=clock)
        self._asked = asked
        self._fetch = fetch
        self._answer = FetchAnswer(self._take, version=fetch.version)
        self._hearing = Hearing(suite, exchange, self._answer.said)
        git = exchange.to.git
        self._secret_paths = git.secret_paths
        self._detect = git.scan.fetch == "secrets"
        self._direct = not (self._detect or self._secret_paths)
        self._begun = False
        self._since = self._heard = clock()

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes.

        Raises:
            UpstreamError: They are no answer to a fetch.
            InternalError: They cannot be kept.
        """
        self._answer.feed(data)
        self._hearing.heard()
        if self._direct:
            self._answer.lead()
            return Rewritten(data)
        return Rewritten(self.meanwhile())

    def finish(self) -> Rewritten:
        """No more bytes come: the pack is looked at.

        Raises:
            UpstreamError: The answer is cut off.
        """
        self._answer.finish()
        if self._direct or not self._answer.packed or self._answer.error:
            self.done()
            return Rewritten(self._answer.lead(), self.summary(None))
        self.judge()
        return Rewritten()

    def ping(self) -> bytes:
        """An empty piece of the pack, where one may come by now."""
        if self.over or not self._begun or self._answer.state is State.RAW:
            return b""
        now = self.clock()
        if now - self._heard < PING:
            return b""
        self._heard = now
        return KEEPALIVE

    def broken(self, error: ProctorError) -> bytes | None:
        """How the client is told; None where it has had a part of the pack: it is cut off."""
        if self._direct:
            self.done()
            return None
        return super().broken(error)

    async def read(self) -> PackReport:
        """What is in the pack."""
        if self.path is None:
            raise UpstreamError("git-answer", "The git server's answer has no pack in it")
        return await self.room.packs.read(
            Order(
                path=self.path,
                algorithm=self._fetch.algorithm,
                limits=self.room.limits,
                direction="response",
                detect=self._detect,
                history=False,
                repository=self._asked.repository,
                secret_paths=self._secret_paths,
                places=self.room.places if self._secret_paths else None,
            )
        )

    def before(self) -> bytes:
        """The lines before the pack."""
        if self._begun:
            return b""
        self._begun = True
        return self._answer.lead()

    def wrapped(self, piece: bytes) -> bytes:
        """In the first band, where there are bands."""
        if self._answer.state is State.RAW:
            return piece
        return banded(piece) if piece else FLUSH

    def meanwhile(self) -> bytes:
        """Lines and progress, once a refusal need not stand in their place."""
        if not self._begun:
            waited = self.clock() - self._since >= PATIENCE
            if not waited or not self._answer.packed or self._answer.state is State.RAW:
                return b""
            self._begun = True
        found = self._answer.lead()
        if found:
            self._heard = self.clock()
        return found

    def refused(self, error: ProctorError) -> bytes:
        """In the place of the first line, or in the third band."""
        lead = self._answer.lead() if self._begun else b""
        return lead + refusal(f"proctor: {words_of(error)}", begun=self._begun)

    def summary(self, report: PackReport | None) -> bytes:
        """What is kept in place of the pack."""
        kept: dict[str, object] = {"pack": self.size}
        if report:
            kept |= {"objects": report.objects, "commits": len(report.commits)}
            kept |= {"looked_at": report.scanned, "binary": report.skipped}
        summed, found = self._hearing.summary(kept)
        self.findings = (*self.findings, *found)
        return summed

    def _take(self, piece: bytes) -> None:
        if self._direct:
            self.size += len(piece)
        elif piece:
            self.keep(piece)
