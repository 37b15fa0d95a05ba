"""git's own words for what we say, and what is asked of whom."""

from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from proctor.egress.hosts import HostPattern
from proctor.egress.targets import ANYWHERE, Target
from proctor.errors import (
    AuthenticationError,
    ClientError,
    InternalError,
    RefusedError,
    UpstreamError,
)
from proctor.model import Finding, GitFields
from proctor.protocols.git import report
from proctor.protocols.git.pktline import FLUSH, pkt
from proctor.protocols.git.push import PushReader
from proctor.protocols.git.routes import Asked, GitRoute, routed
from proctor.stages.exchange import Exchange
from proctor.stages.git import (
    GitExchange,
    _verb,
    answered,
    refusal_of,
    repository,
    unkept,
    where,
    whole_answer,
)

A, B = "a" * 40, "b" * 40
PUSH = pkt(f"{A} {B} refs/heads/main".encode() + b"\0report-status side-band-64k") + FLUSH + b"PACK"
NO = RefusedError("policy-denied", "Not here.", rule_id="no-force-push")
ADVERTISED = "application/x-git-receive-pack-advertisement"


def exchange(path: str, method: str = "POST", **more: Any) -> Exchange:
    bare, _, query = path.partition("?")
    target = Target(
        listener="egress",
        name="git",
        speaks="git",
        host=HostPattern.parse("git.internal"),
        port=443,
        tls=True,
        path=ANYWHERE,
        **more,
    )
    made = Exchange(listener="egress", target=target)
    made.git = GitExchange(asked=routed(method, bare, query))
    return made


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("git.internal", 443, "https", "team/app"), "git.internal/team/app"),
        (("git.internal", 8443, "https", "a"), "git.internal:8443/a"),
        (("localhost", 80, "http", "a"), "localhost/a"),
        (("::1", 443, "https", "a"), "[::1]/a"),
    ],
)
def test_names_of_repositories(parts: tuple[str, int, str, str], name: str) -> None:
    assert repository(*parts) == name


def test_what_a_push_is_called() -> None:
    assert _verb(GitFields()) == "push"
    assert _verb(GitFields(forced=True)) == "force-push"
    assert _verb(GitFields(forced=True, deleted=True)) == "delete-force-push"


@pytest.mark.parametrize(
    ("path", "method", "kind", "body"),
    [
        (
            "/a/info/refs?service=git-receive-pack",
            "GET",
            ADVERTISED,
            report.refused_refs("git-receive-pack", "denied by rule no-force-push: Not here."),
        ),
        (
            "/a/git-upload-pack",
            "POST",
            "application/x-git-upload-pack-result",
            report.error("denied by rule no-force-push: Not here."),
        ),
        (
            "/a/git-receive-pack",
            "POST",
            "application/x-git-receive-pack-result",
            report.error("denied by rule no-force-push: Not here."),
        ),
        (
            "/a/HEAD",
            "GET",
            "text/plain; charset=utf-8",
            b"proctor: denied by rule no-force-push: Not here.\n",
        ),
    ],
)
def test_refusals(path: str, method: str, kind: str, body: bytes) -> None:
    said = refusal_of(exchange(path, method), NO, "id")
    assert dict(said.headers)["content-type"] == kind
    assert said.body == body
    assert said.status == (451 if kind.startswith("text") else 200)


def test_a_push_is_refused_ref_by_ref() -> None:
    made = exchange("/a/git-receive-pack")
    made.findings = (
        Finding(type="API_KEY", location="a\x1b.env:2", direction="request", score=1.0),
    )
    assert made.git
    reading = PushReader()
    reading.feed(PUSH)

    class Kept:
        push = reading.push
        size = 4
        head = b""

        def close(self) -> None:
            pass

    made.git.spool = Kept()  # type: ignore[assignment]  # no more of it is asked for
    said = refusal_of(made, NO, "id")
    assert b"ng refs/heads/main denied by rule no-force-push: Not here.\n" in said.body
    assert b"proctor: API_KEY at a .env:2\n" in said.body
    assert b"\x1b" not in said.body


def test_who_is_not_known_is_asked_for_a_password() -> None:
    error = AuthenticationError("token-missing", "No token")
    said = refusal_of(exchange("/a/git-receive-pack"), error, "id")
    assert said.status == 401
    assert dict(said.headers)["www-authenticate"] == 'Basic realm="proctor"'
    plain = exchange("/a/HEAD", "GET")
    plain.git = None
    assert refusal_of(plain, ClientError("x", "Odd"), "id").body == b"proctor: Odd\n"


def advertised(body: bytes, status: int = 200, kind: str = ADVERTISED) -> http.HTTPFlow:
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.response = http.Response.make(status, body, {"content-type": kind})
    return flow


def test_what_a_server_offers() -> None:
    suite: Any = None  # not asked, since nobody is known to have asked
    service = pkt(b"# service=git-receive-pack\n") + FLUSH
    body = service + pkt(f"{A} refs/heads/main\0report-status push-cert=x\n".encode()) + FLUSH
    made = exchange("/a/info/refs?service=git-receive-pack", "GET")
    flow = advertised(body)
    answered(suite, flow, made)
    assert flow.response
    assert b"push-cert" not in (flow.response.content or b"")
    assert flow.response.headers["content-length"] == str(len(flow.response.content or b""))
    assert whole_answer(made)
    assert unkept(made)
    for bad in (advertised(b"x"), advertised(body, kind="text/plain")):
        with pytest.raises(UpstreamError):
            answered(suite, bad, made)
    gone = advertised(b"not found", 404, "text/plain")
    answered(suite, gone, made)
    assert gone.response
    assert gone.response.content == b"not found"
    made.target = exchange("/a", credential="git").target
    with pytest.raises(UpstreamError, match="own credential"):
        answered(suite, advertised(b"", 401), made)
    other = exchange("/a/git-receive-pack")
    answered(suite, advertised(b"x"), other)  # what a push is answered passes as it comes


def test_the_way_to_a_repository() -> None:
    made = exchange("/a/git-receive-pack", via=("http", ("proxy.corp", 3128)))
    made.addresses = ("192.0.2.1",)
    flow = tflow.tflow()
    flow.request.path = "/team/app.git/git-receive-pack"
    flow.request.host, flow.request.port = "git.internal", 8443
    found = where(flow, made, lambda _request: None)
    assert (found.path, found.hosts, found.via) == (
        "/team/app.git",
        ("192.0.2.1",),
        "http://proxy.corp:3128",
    )
    assert (found.scheme, found.host, found.port) == ("https", "git.internal", 8443)


def test_notes_are_told_once() -> None:
    git = GitExchange(asked=Asked(GitRoute.PUSH), notes=report.progress("waiting"))
    said = git.early(chunked=True)
    assert said
    assert (b"transfer-encoding", b"chunked") in said.headers
    assert said.body == report.progress("waiting")
    assert git.early(chunked=True) is None
    git.close()
    assert (git.behind, git.summary, git.push) == (0, b"", None)


def test_nothing_without_admission() -> None:
    made = exchange("/a/git-receive-pack")
    made.git = None
    with pytest.raises(InternalError):
        whole_answer(made)
