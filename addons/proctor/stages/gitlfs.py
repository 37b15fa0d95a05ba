"""Git LFS: what is asked by its batch API, and the objects that come and go by it."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from mitmproxy import http

from proctor.errors import ClientError, ProctorError, RefusedError, UpstreamError
from proctor.git.filespool import FileSpool, another
from proctor.git.packreading import Order
from proctor.git.packreport import PackReport
from proctor.model import Action, ActionKind, Finding, GitFields, HttpFields
from proctor.protocols.git import lfs
from proctor.protocols.git.lfs import Batch, Link
from proctor.redaction.handling import Rewritten
from proctor.stages.exchange import Exchange
from proctor.stages.gitanswer import Collected, GitAnswer
from proctor.stages.githeld import HeldAnswer, words_of

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

_API: Final = "/info/lfs"
_BATCH: Final = "/objects/batch"
_LOCKS: Final = "/locks"
_SHOWN: Final = 1000
"""Objects that rules are shown."""


@dataclass(slots=True, kw_only=True)
class LfsExchange:
    """What one request of Git LFS is about.

    Attributes:
        link: The object that it is for, where the server has told of it.
        repository: Of that.
        spool: What is uploaded.
        batch: What is asked by the batch API.
        findings: What is in an upload.
        gate: What looks at a download.
    """

    link: Link | None = None
    repository: str = ""
    spool: FileSpool | None = None
    batch: Batch | None = None
    findings: tuple[Finding, ...] = ()
    gate: "ObjectGate | None" = field(default=None, repr=False)

    @property
    def behind(self) -> int:
        """Bytes that follow what stands in the flow."""
        return self.spool.size if self.spool else 0

    def close(self) -> None:
        """Nothing of it is needed any more."""
        if self.spool:
            self.spool.close()
        if self.gate:
            self.gate.close()


def lfs_opened(suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> LfsExchange | None:
    """Of a request of which no more than the head is there; None where it is none of LFS.

    Raises:
        ClientError: It brings more than may come.
        InternalError: It could not be kept.
    """
    request = flow.request
    principal = exchange.principal.key if exchange.principal else ""
    known = suite.git.links.of(principal, request.method, _url(request))
    if known is None:
        return LfsExchange() if _API in request.path else None
    link, repository = known
    opened = LfsExchange(link=link, repository=repository)
    if link.action == "upload":
        opened.spool = FileSpool(
            lambda: suite.git.spool("upload"), link.oid, link.size, suite.git.most
        )
    request.headers.pop("range", None)  # a part of an object cannot be looked at
    return opened


async def lfs_action(
    suite: "Suite", flow: http.HTTPFlow, exchange: Exchange, fields: HttpFields, repository: str
) -> Action:
    """A request of LFS as an Action.

    Raises:
        ClientError: It cannot be read.
        RefusedError: It is none that is known.
    """
    opened = exchange.lfs
    if opened is None:
        raise _unknown()
    if opened.link:
        git = GitFields(
            repository=opened.repository,
            service="lfs",
            new=(opened.link.oid,),
            bytes=opened.link.size,
        )
        if opened.spool and exchange.to.git.scan.push == "secrets":
            report = await suite.git.packs.read(
                Order(path=opened.spool.path, loose=opened.link.oid, limits=suite.git.limits)
            )
            opened.findings = suite.git.kept(report.findings)
        return _action(exchange, fields, git, opened.link.action)
    rest = flow.request.path.partition("?")[0].partition(_API)[2]
    git = GitFields(repository=repository, service="lfs")
    method = flow.request.method
    if method == "POST" and rest == _BATCH:
        batch = opened.batch = lfs.read_batch(flow.request.raw_content or b"")
        flow.request.raw_content = batch.body
        flow.request.headers["content-length"] = str(len(batch.body))
        flow.request.headers.pop("transfer-encoding", None)
        git = replace(
            git,
            refs=(batch.ref,) if batch.ref else (),
            new=tuple(batch.objects)[:_SHOWN],
            bytes=sum(batch.objects.values()),
        )
        return _action(exchange, fields, git, "upload" if batch.upload else "download")
    if rest == _LOCKS or rest.startswith(f"{_LOCKS}/"):
        writes = method == "POST" and rest != f"{_LOCKS}/verify"
        action = _action(exchange, fields, git, "upload" if writes else "download")
        what = f"locks {method} {rest} {repository}"
        body = flow.request.raw_content or b""
        return replace(action, target=what, content=(b"%d:%s" % (len(body), body),))
    raise _unknown()


def lfs_answer(suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> GitAnswer | None:
    """What looks at an answer; None where it passes as it is.

    Raises:
        UpstreamError: It is one that cannot be looked at.
    """
    opened, response = exchange.lfs, flow.response
    if opened is None or response is None or response.status_code >= http.status_codes.BAD_REQUEST:
        return None
    encoding = response.headers.get("content-encoding", "")
    if opened.batch:
        batch = opened.batch
        principal = exchange.principal.key if exchange.principal else ""
        repository = (exchange.actions[0].git or GitFields()).repository

        def answered(body: bytes) -> bytes:
            changed, links = lfs.read_links(body, batch, lambda href: _led(suite, exchange, href))
            for link in links:
                suite.git.links.told(principal, repository, link)
            return changed

        return Collected(answered, encoding, record=b"{}")
    if opened.link and opened.link.action == "download":
        if response.status_code != http.status_codes.OK:
            raise UpstreamError(
                "git-answer",
                "The git server's answer cannot be read",
                got=f"status {response.status_code}",
                expected="the object: a redirect would lead around what is looked at",
            )
        if exchange.to.git.scan.fetch == "secrets":
            opened.gate = ObjectGate(suite, flow, exchange, encoding)
            return opened.gate
    return None


class ObjectGate(HeldAnswer):
    """An object on its way to the client.

    Attributes:
        late: Its head waits, too, so that a refusal can have a status of its own.
    """

    late = True

    def __init__(
        self, suite: "Suite", flow: http.HTTPFlow, exchange: Exchange, encoding: str
    ) -> None:
        super().__init__(suite, flow, exchange, encoding)
        self._hash = sha256()

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes.

        Raises:
            UpstreamError: They are too many.
            InternalError: They cannot be kept.
        """
        self._hash.update(data)
        self.keep(data)
        return Rewritten()

    def finish(self) -> Rewritten:
        """No more bytes come: the object is looked at."""
        self.judge()
        return Rewritten()

    async def read(self) -> PackReport:
        """What is in it.

        Raises:
            UpstreamError: It is not the one that was asked for.
        """
        link = self.exchange.lfs.link if self.exchange.lfs else None
        if link is None or self._hash.hexdigest() != link.oid or self.size != link.size:
            wrong = another("something else")
            raise UpstreamError("git-answer", wrong.message, wrong.got, wrong.expected)
        if self.path is None:  # it is empty
            self.keep(b"")
        return await self.room.packs.read(
            Order(
                path=self.path or self.room.folder,
                loose=link.oid,
                limits=self.room.limits,
                direction="response",
            )
        )

    def refused(self, error: ProctorError) -> bytes:
        """As LFS shows it: a status, and words in JSON."""
        if response := self._flow.response:
            response.status_code = getattr(error, "status", http.status_codes.BAD_GATEWAY)
            response.reason = ""
            response.headers["content-type"] = lfs.TYPE
        return lfs.error(f"proctor: {words_of(error)}")

    def summary(self, report: PackReport | None) -> bytes:
        """What is kept in place of it."""
        scanned = report.scanned if report else 0
        return b'{"object": %d, "looked_at": %d}' % (self.size, scanned)


def _led(suite: "Suite", exchange: Exchange, href: str) -> str | None:
    """An address as the client is told it, or None where nothing leads there."""
    try:
        parts = urlsplit(href)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.password:
        return None
    if exchange.resource:  # of a reverse listener: the client knows us by another name
        target, own = exchange.to, urlsplit(exchange.resource)
        if (parts.scheme, host, port) != (target.scheme, *exchange.at):
            return None
        path = parts.path
        if target.base is not None:
            if not path.startswith(target.base):
                return None
            path = target.path.text.removesuffix("/**") + path.removeprefix(target.base)
        return urlunsplit((own.scheme, own.netloc, path, parts.query, ""))
    found = suite.targets(exchange.listener)
    tls = parts.scheme == "https"
    return href if found.choose(found.at(host, port), parts.path, tls=tls) else None


def _url(request: http.Request) -> str:
    data = request.data
    host = f"[{data.host}]" if ":" in data.host else data.host
    path = data.path.decode("latin-1")
    return f"{data.scheme.decode('latin-1')}://{host}:{data.port}{path}"


def _action(exchange: Exchange, fields: HttpFields, git: GitFields, what: str) -> Action:
    content = " ".join(git.new).encode()
    return Action(
        kind=ActionKind.GIT_FETCH if what == "download" else ActionKind.GIT_PUSH,
        listener=exchange.listener,
        target=f"lfs {what} {git.repository}",
        content=(b"%d:%s" % (len(content), content),),
        size=git.bytes,
        http=fields,
        git=git,
    )


def _unknown() -> ClientError:
    return RefusedError(
        "git-dumb",
        "Only git's smart protocol and Git LFS pass here",
        expected="git clone, fetch or push over HTTP; objects of LFS by its batch API",
        rule_id="git-protocol",
        status=403,
    )
