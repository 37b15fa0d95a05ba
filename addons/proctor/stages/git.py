"""git over smart HTTP: what a request asks for, what a push would do, and what is said of it.

What is read here goes into the exchange; the stages ask for it by `exchange.git`.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from mitmproxy import http

from proctor.approval.model import Approval
from proctor.credentials.injection import Injection
from proctor.errors import (
    AuthenticationError,
    ClientError,
    InternalError,
    ProctorError,
    RefusedError,
    UpstreamError,
)
from proctor.git.packreport import PackError
from proctor.git.pushing import SHA256, Look, Pushed
from proctor.git.spool import Spool
from proctor.git.upstream import Upstream, Where
from proctor.model import Action, ActionKind, Finding, GitFields, HttpFields, Principal
from proctor.protocols.anthropic.refusal import Refusal, http_refusal
from proctor.protocols.git import lfs, report
from proctor.protocols.git.advertisement import read_advertisement
from proctor.protocols.git.push import Push
from proctor.protocols.git.routes import (
    RECEIVE,
    UPLOAD,
    Asked,
    GitRoute,
    content_type,
    routed,
)
from proctor.redaction.screen import Screen
from proctor.runtime.door import Refusal as Spoken
from proctor.runtime.tasks import spawn
from proctor.stages.gitfetch import Fetching, fetch_action
from proctor.stages.gitlfs import lfs_action
from proctor.stages.injection import Own

if TYPE_CHECKING:
    from proctor.stages.exchange import Exchange
    from proctor.stages.suite import Suite

PING: Final = 5.0
"""Seconds between signs of life while a push waits."""

SUMMARY: Final = "application/json"
"""What a push is recorded as."""

_CACHED: Final = (("cache-control", "no-cache, max-age=0, must-revalidate"),)
_SERVICES: Final = {
    GitRoute.FETCH_REFS: UPLOAD,
    GitRoute.FETCH: UPLOAD,
    GitRoute.PUSH_REFS: RECEIVE,
    GitRoute.PUSH: RECEIVE,
}


@dataclass(slots=True, kw_only=True)
class GitExchange:
    """What is known of one request to a git server.

    Attributes:
        asked: What it is for.
        spool: The push that it brings, on disk; None for others.
        pushed: What it would do, once that is known.
        notes: What its client is to hear while it waits.
    """

    asked: Asked
    spool: Spool | None = None
    pushed: Pushed | None = field(default=None, repr=False)
    notes: bytes = b""

    @property
    def push(self) -> Push | None:
        """The commands of a push, once they are read."""
        return self.spool.push if self.spool else None

    @property
    def summary(self) -> bytes:
        """What is recorded of a push in place of its body, not yet redacted; b"" for others."""
        if self.pushed is None:
            return b""
        return json.dumps(self.pushed.summary, ensure_ascii=False, indent=1).encode(
            "utf-8", "backslashreplace"
        )

    @property
    def behind(self) -> int:
        """Bytes that follow what stands in the flow."""
        return self.spool.size if self.spool else 0

    def early(self, *, chunked: bool) -> Spoken | None:
        """What its client hears by now, as the beginning of its answer; None for nothing."""
        notes, self.notes = self.notes, b""
        if not notes:
            return None
        coding = ((b"transfer-encoding", b"chunked"),) if chunked else ()
        kind = (b"content-type", content_type(RECEIVE, "result").encode())
        return Spoken(
            status=200, headers=(kind, (b"cache-control", b"no-cache"), *coding), body=notes
        )

    def close(self) -> None:
        """Nothing of it is needed any more."""
        if self.spool:
            self.spool.close()


def opened(suite: "Suite", flow: http.HTTPFlow) -> GitExchange:
    """Of a request of which no more than the head is there.

    Raises:
        ClientError: Its body is in a coding that is not read.
        InternalError: It could not be kept.
    """
    request = flow.request
    path, _, query = request.data.path.decode("latin-1").partition("?")
    asked = routed(request.method, path, query)
    spool = None
    if asked.route is GitRoute.PUSH:
        encoding = request.headers.pop("content-encoding", "")
        spool = Spool(lambda: suite.git.spool("push"), suite.git.most, encoding)
    # What comes back is read, and a pack is compressed anyway.
    request.headers["accept-encoding"] = "identity"
    return GitExchange(asked=asked, spool=spool)


class GitReader:
    """Makes Actions of requests to git servers."""

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    async def read(self, flow: http.HTTPFlow, exchange: "Exchange", fields: HttpFields) -> None:
        """Find out what a request would do.

        Raises:
            ClientError: It is none that can be judged.
            InternalError: Nobody could look at it.
        """
        git = _of(exchange)
        name = repository(fields.host, fields.port, fields.scheme, git.asked.repository)
        match git.asked.route:
            case GitRoute.FETCH_REFS | GitRoute.FETCH:
                exchange.fetching = Fetching(route=git.asked.route, repository=name)
                action = fetch_action(self._suite, flow, exchange, fields, exchange.fetching)
                exchange.actions = (action,)
            case GitRoute.PUSH_REFS:
                said = GitFields(repository=name, service="push")
                exchange.actions = (_action(exchange, fields, said, f"refs {name}", ()),)
            case GitRoute.PUSH:
                await self._push(flow, exchange, fields, name)
            case GitRoute.LFS | GitRoute.OTHER:
                action = await lfs_action(self._suite, flow, exchange, fields, name)
                exchange.actions = (action,)

    async def _push(
        self, flow: http.HTTPFlow, exchange: "Exchange", fields: HttpFields, name: str
    ) -> None:
        git = _of(exchange)
        if git.spool is None or git.push is None or exchange.principal is None:
            raise InternalError("not-admitted", "A push that was not kept")
        bare = GitFields(repository=name, service="push")
        if git.push.probe:
            exchange.actions = (_action(exchange, fields, bare, f"refs {name}", ()),)
            return
        stale = self._suite.git.offers.differs(exchange.principal.key, name, git.push.commands)
        if stale:
            raise ClientError(
                "git-stale",
                "A ref is not what the push says it is; fetch, and push again",
                got=stale[:200],
                expected="what the server said of it last",
            )
        asked = replace(bare, refs=tuple(each.name for each in git.push.commands))
        action = _action(exchange, fields, asked, f"push {name}", (), ActionKind.GIT_PUSH)
        if not self._suite.gate.may(exchange.principal, exchange.session, action):
            # It is not looked at, and the server not asked, for whom no rule allows a push.
            exchange.actions = (action,)
            return
        put = await self._credential(exchange, exchange.principal)
        look = Look(
            git.push,
            git.spool,
            repository=name,
            packs=self._suite.git.packs,
            upstream=Upstream(where(flow, exchange, put), self._suite.git.folder),
            detect=exchange.to.git.scan.push == "secrets",
        )
        try:
            pushed = await look.told()
        except PackError as error:
            raise ClientError(
                error.code, error.message, error.got, error.expected, error.hint
            ) from None
        git.pushed = pushed = replace(pushed, findings=self._suite.git.kept(pushed.findings))
        target = f"{_verb(pushed.fields)} {name} {' '.join(pushed.fields.refs)}"
        exchange.actions = (
            _action(
                exchange, fields, pushed.fields, target, pushed.content, ActionKind.GIT_PUSH,
                size=len(git.spool.head) + git.spool.size,
            ),
        )  # fmt: skip

    async def _credential(
        self, exchange: "Exchange", principal: Principal
    ) -> Callable[[http.Request], None]:
        """What puts the same credential in as the push itself gets."""
        target, credentials = exchange.to, self._suite.credentials
        if target.credential is None:
            return Own(exchange.own).apply if target.own else _nothing
        ready: Injection | None = credentials.ready(
            target.credential, principal.key, exchange.token
        ) or await credentials.fetch(
            target.credential, principal.key, exchange.token, principal.expires_at
        )
        return ready.apply if ready else _nothing


def where(flow: http.HTTPFlow, exchange: "Exchange", put: Callable[[http.Request], None]) -> Where:
    """The repository that a request is for, and the way there."""
    data, target = flow.request.data, exchange.to
    path = data.path.decode("latin-1").partition("?")[0]
    for end in ("/info/refs", f"/{RECEIVE}", f"/{UPLOAD}"):
        path = path.removesuffix(end)
    via = ""
    if target.via:
        scheme, (host, port) = target.via
        via = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    git = _of(exchange)
    newer = git.push is not None and any(len(each.new) == SHA256 for each in git.push.commands)
    return Where(
        scheme=target.scheme,
        host=data.host,
        port=data.port,
        path=path,
        hosts=exchange.addresses or (data.host,),
        files=target.files,
        via=via,
        put=put,
        algorithm="sha256" if newer else "sha1",
    )


@contextlib.contextmanager
def heard(suite: "Suite", flow: http.HTTPFlow, exchange: "Exchange") -> Iterator[None]:
    """While a push waits, its client is told so, and then now and then that we are still there."""
    git = exchange.git
    if git is None or git.push is None or not git.push.side_band:
        yield
        return

    async def tick() -> None:
        while True:
            await asyncio.sleep(PING)
            git.notes += report.KEEPALIVE
            suite.nudge(flow)

    ticking = spawn(tick(), name="git waits")
    try:
        yield
    finally:
        ticking.cancel()


def note(suite: "Suite", flow: http.HTTPFlow, exchange: "Exchange", approval: Approval) -> None:
    """Tell the client of a push which approval it waits for."""
    git = exchange.git
    if git and git.push and git.push.side_band:
        reasons = (each.rule_reason for each in approval.asking.demands)
        why = next((each for each in reasons if each), "")
        git.notes += report.progress(f"waiting for approval {approval.id}. {why}".rstrip())
        suite.nudge(flow)


def repository(host: str, port: int, scheme: str, path: str) -> str:
    """What rules call a repository: host and path, and the port where it is an unusual one."""
    usual = port == (443 if scheme == "https" else 80)
    name = f"[{host}]" if ":" in host else host
    return f"{name}{'' if usual else f':{port}'}/{path}"


def answered(suite: "Suite", flow: http.HTTPFlow, exchange: "Exchange") -> None:
    """Take out of a server's word before a push what could not be read afterwards.

    Raises:
        UpstreamError: `git-answer`: it is none.
    """
    response = flow.response
    if response is None or _of(exchange).asked.route is not GitRoute.PUSH_REFS:
        return
    _checked(response, exchange)
    if response.status_code != HTTPStatus.OK:
        return
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != content_type(RECEIVE, "advertisement"):
        raise UpstreamError(
            "git-answer",
            "The git server's answer cannot be read",
            got="another content type than git's",
            expected=content_type(RECEIVE, "advertisement"),
        )
    offer = read_advertisement(response.raw_content or b"")
    git = exchange.actions[0].git if exchange.actions else None
    if exchange.principal and git:
        suite.git.offers.told(exchange.principal.key, git.repository, offer.refs)
    body = offer.body
    response.headers.pop("transfer-encoding", None)
    response.headers["content-length"] = str(len(body))
    response.data.content = body


def stays(exchange: "Exchange", screen: Screen | None) -> None:
    """Refuse a push with something in a file that may not leave: out of a pack nothing is taken.

    Raises:
        RefusedError: There is something.
    """
    git, ruling = exchange.git, exchange.ruling
    if git is None or ruling is None:
        return
    found = exchange.lfs.findings if exchange.lfs else git.pushed.findings if git.pushed else ()
    kept = [each for each in found if not _passes(each, screen, ruling.redact)]
    if kept:
        raise RefusedError(
            "git-secret",
            f"There is something in {kept[0].location} that must not leave ({kept[0].type})",
            hint="Take it out of every commit that is pushed, and push again.",
            rule_id="redaction",
        )


def _passes(found: Finding, screen: Screen | None, redact: Mapping[str, str]) -> bool:
    """Whether a rule lets it pass; files are looked at wherever redaction is off, too."""
    return screen.lets_pass(found.type, redact) if screen else redact.get(found.type) == "detect"


def whole_answer(exchange: "Exchange") -> bool:
    """Whether an answer is read before any of it is passed on; the rest passes as it comes."""
    return _of(exchange).asked.route is GitRoute.PUSH_REFS


def unkept(exchange: "Exchange") -> bool:
    """Whether an answer is git's own words, which nobody looked at, and so are not kept."""
    return exchange.git is not None and exchange.answering is None


def _checked(response: http.Response, exchange: "Exchange") -> None:
    if exchange.to.credential and response.status_code == HTTPStatus.UNAUTHORIZED:
        # It is not the client that was not let in; it would ask its user for a password.
        raise UpstreamError(
            "git-answer",
            "The git server did not take proctor's own credential",
            got="status 401",
        )


def refusal_of(exchange: "Exchange", error: ProctorError, request_id: str) -> Refusal:
    """A refusal as git's client shows it."""
    git, shown = exchange.git, http_refusal(error, request_id=request_id)
    if isinstance(error, AuthenticationError):
        asks = ("www-authenticate", 'Basic realm="proctor"')
        kept = tuple(each for each in shown.headers if each[0] != "www-authenticate")
        return replace(shown, headers=(*kept, asks))
    text = error.message if isinstance(error, RefusedError) else str(error)
    rule = error.rule_id if isinstance(error, RefusedError) else ""
    reason = f"denied by rule {rule}: {text}" if rule else text
    route = git.asked.route if git else GitRoute.OTHER
    if exchange.lfs or route is GitRoute.LFS:
        body = lfs.error(f"proctor: {reason}")
        kept = tuple(each for each in shown.headers if each[0] != "content-type")
        return replace(shown, headers=(*kept, ("content-type", lfs.TYPE)), body=body)
    if git is None or route is GitRoute.OTHER:
        return _text(shown, reason)
    service = _SERVICES[route]
    if route in {GitRoute.FETCH_REFS, GitRoute.PUSH_REFS}:
        return _git(content_type(service, "advertisement"), report.refused_refs(service, reason))
    if route is GitRoute.PUSH and git.push and not git.push.probe:
        body = report.refused(git.push, reason, _said(exchange, reason, error))
        return _git(content_type(service, "result"), body) if body else _text(shown, reason)
    return _git(content_type(service, "result"), report.error(reason))


def _said(exchange: "Exchange", reason: str, error: ProctorError) -> Iterable[str]:
    """Lines for whoever pushes: why, what was found and where, and what to do."""
    yield reason
    for found in exchange.findings[:10]:
        yield f"{found.type} at {found.location}"
    if error.hint:
        yield error.hint


def _text(shown: Refusal, reason: str) -> Refusal:
    """Git shows the text of an answer that is none of its own, after `remote:`."""
    headers = tuple(
        (name, "text/plain; charset=utf-8" if name == "content-type" else value)
        for name, value in shown.headers
        if name != "content-length"
    )
    return replace(shown, headers=headers, body=report.words(f"proctor: {reason}") + b"\n")


def _git(kind: str, body: bytes) -> Refusal:
    return Refusal(status=200, headers=(("content-type", kind), *_CACHED), body=body)


def _verb(fields: GitFields) -> str:
    """What a push does, for names of grants: one for an ordinary push lets no other pass."""
    words = ["delete"] if fields.deleted else []
    words += ["force"] if fields.forced else []
    return "-".join([*words, "push"])


def _action(  # noqa: PLR0913, PLR0917 - the parts of an action
    exchange: "Exchange",
    fields: HttpFields,
    said: GitFields,
    target: str,
    content: tuple[bytes, ...],
    kind: ActionKind = ActionKind.GIT_FETCH,
    *,
    size: int = 0,
) -> Action:
    framed = [b"%d:%s" % (len(each), each) for each in content]
    return Action(
        kind=kind,
        listener=exchange.listener,
        target=target,
        content=framed,
        size=size or sum(map(len, content)),
        http=fields,
        git=said,
    )


def _of(exchange: "Exchange") -> GitExchange:
    if exchange.git is None:
        raise InternalError("not-admitted", "A request to a git server that admission has not seen")
    return exchange.git


def _nothing(_request: http.Request) -> None:
    """No credential goes there."""
