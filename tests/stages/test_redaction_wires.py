"""Redaction on wires that break, end early, or speak another HTTP, through a live proxy."""

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from h2.connection import H2Connection
from mitmproxy import http

from proctor.egress.settings import UpstreamTlsSettings
from proctor.fields import TlsSettings
from proctor.redaction.model import Budget, Spot
from proctor.redaction.surrogates import TOKEN
from proctor.testing.tls import Files, make
from tests.support.h2origin import Answer, H2Origin, whole
from tests.support.live import read_answer
from tests.support.origin import Origin
from tests.support.redacted import (
    Seen,
    answered,
    body_of,
    closed,
    ending,
    events,
    message,
    nowhere,
    request,
    screened,
    unchunked,
)
from tests.support.screened import BROKEN, KEY, MAIL, TwoPatterns, screens
from tests.support.scripted import Conversation, Scripted
from tests.support.stand import OK, Stand, house, listener, post, running


def head_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[0].lower()


def test_a_huge_answer_is_not_kept_in_memory(tmp_path: Path) -> None:
    """A JSON answer is looked at as a whole, so there is an end to what is waited for."""

    def floods(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")
        for _ in range(64):
            conversation.send(b"1," * 50_000)

    with Scripted() as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        origin.script = floods
        answer = proxy.request("api", post())
        assert this.suite.open_exchanges == 0
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert "limits.body" in ending(this)["error"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/event-stream"])
@pytest.mark.parametrize("name", ["claude", "api"])
def test_an_answer_of_no_bytes_stays_one(tmp_path: Path, name: str, kind: str) -> None:
    with Origin(answered(b"", kind)) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        answer = proxy.request(name, post())
        assert this.suite.open_exchanges == 0
    if name == "claude" and kind == "text/plain":
        assert answer.startswith(b"HTTP/1.1 451 ")  # a model's answer is JSON or events
    elif name == "api" or kind != "application/json":
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert body_of(answer) in (b"", b"0\r\n\r\n")


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 200 OK"]
)
def test_answers_without_a_body_keep_what_they_say_of_one(tmp_path: Path, head: bytes) -> None:
    more = b"" if b" 204 " in head else b"content-length: 512\r\n"
    answer = head + b"\r\ncontent-type: application/json\r\netag: x\r\n" + more + b"\r\n"
    asked = post(b"", "/x").replace(b"POST", b"HEAD" if b" 200 " in head else b"GET", 1)
    with Origin(answer) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        with socket.create_connection(("127.0.0.1", proxy.ports["api"]), 30) as connection:
            for _ in range(2):  # nothing is left on the wire
                connection.sendall(asked)
                got = b""
                while b"\r\n\r\n" not in got:
                    got += connection.recv(65536)
                assert got.startswith(head)
                assert got.endswith(b"\r\n\r\n")
                assert (b"content-length: 512" in got) == bool(more)
        assert len(origin.requests) == 2
    assert not [f["error"] for _, f in this.store.appended if f.get("error")]


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize("length", [True, False])
def test_an_http_1_0_client_gets_a_body_that_it_can_read(
    tmp_path: Path, kind: str, *, length: bool
) -> None:
    body = json.dumps({"a": KEY, "b": "x" * 99}).encode()
    if length:
        answer = answered(body, kind)
    else:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with Origin(answer) as origin, screened(tmp_path, origin) as (_this, proxy, _seen):
        got = proxy.request("api", post().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert b"transfer-encoding" not in head_of(got)
    assert body_of(got) == body.replace(KEY.encode(), b"<API_KEY>")


def test_trailers_of_an_answer_are_left_out(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntrailer: x-t\r\n"
    body = b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-t: %b\r\n\r\n" % KEY.encode()
    with Origin(head + body) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        got = proxy.request("api", post())
    assert unchunked(got) == b"ok"
    assert b"x-t" not in got
    nowhere(this, seen, KEY)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
@pytest.mark.parametrize("name", ["claude", "api"])
def test_a_compressed_stream_is_looked_at(tmp_path: Path, name: str, coding: str) -> None:
    body = events({"type": "text", "text": f"see {KEY} there"})
    if name == "api":
        body = f"see {KEY} there".encode()
    kind = "text/event-stream" if name == "claude" else "text/plain"
    put = gzip.compress(body) if coding == "gzip" else body
    with Origin(answered(put, kind, f"content-encoding: {coding}\r\n")) as origin:
        with screened(tmp_path, origin) as (this, proxy, seen):
            got = proxy.request(name, request("hi"))
    assert b"content-encoding" not in head_of(got)
    assert b"<API_KEY>" in unchunked(got).replace(b'"}}', b"") or b"API_KEY" in unchunked(got)
    assert KEY.encode() not in got
    nowhere(this, seen, KEY)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/event-stream"])
@pytest.mark.parametrize("name", ["claude", "api"])
def test_an_answer_cut_in_its_middle_leaks_nothing_that_was_held(
    tmp_path: Path, name: str, kind: str
) -> None:
    block = {"type": "text", "text": f"words first, then {KEY}"}
    body = events(block) if kind == "text/event-stream" else message(block)
    if kind == "text/plain":
        body = f"words first, then {KEY}".encode()
    cut = answered(body + b"x" * 99, kind)[:-99]
    at = cut.rfind(KEY[-9:].encode()) if kind != "text/event-stream" else len(cut) - 300

    def cuts(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(cut[:at])

    with Scripted() as origin, screened(tmp_path, origin) as (this, proxy, seen):
        origin.script = cuts
        answer = proxy.request(name, request("hi"))
        assert this.suite.open_exchanges == 0
    assert KEY[:12].encode() not in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert ending(this)["error"]
    nowhere(this, seen, KEY, KEY[:12])


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_client_that_goes_in_the_middle_leaves_nothing_open(tmp_path: Path, kind: str) -> None:
    going = threading.Event()

    def waits(conversation: Conversation) -> None:
        conversation.request()
        body = events({"type": "text", "text": f"hello {KEY}"})
        conversation.send(answered(body + b" " * 99, kind)[:-199])
        going.set()
        assert conversation.wait_gone()

    with Scripted() as origin, screened(tmp_path, origin) as (this, proxy, seen):
        origin.script = waits
        with socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 30) as connection:
            connection.sendall(request("hi"))
            assert going.wait(30)
        closed(this)
    assert ending(this)["error"]
    nowhere(this, seen, KEY)


class Slow(TwoPatterns):
    """Looks only once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = threading.Event(), threading.Event()

    def analyze(self, text: str, budget: Budget) -> list[Spot]:
        if "slowly" in text:
            self.begun.set()
            assert self.may.wait(30)
        return super().analyze(text, budget)


@pytest.mark.parametrize("way", ["request", "response"])
def test_a_client_that_goes_while_it_is_looked_at_leaves_nothing_open(
    tmp_path: Path, way: str
) -> None:
    slow = Slow()
    large = f"slowly {KEY} " + "word " * 20_000
    with Origin(OK) as origin, screened(tmp_path, origin, analyzer=slow) as (this, proxy, _seen):
        if way == "response":
            origin.answer = answered(message({"type": "text", "text": large}))
        with socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 30) as connection:
            connection.sendall(request(large if way == "request" else "hi"))
            assert slow.begun.wait(30)
        slow.may.set()
        closed(this)
        assert proxy.request("claude", request("hi")).startswith(b"HTTP/1.1 200 ")
        closed(this)
    assert len(origin.requests) == (1 if way == "request" else 2)


@pytest.mark.parametrize("way", ["request", "response"])
def test_what_is_killed_while_it_is_looked_at_goes_nowhere(tmp_path: Path, way: str) -> None:
    slow = Slow()
    flows: list[http.HTTPFlow] = []

    class Killer:
        def requestheaders(self, flow: http.HTTPFlow) -> None:
            flows.append(flow)

    large = f"slowly {KEY} " + "word " * 20_000
    with Origin(OK) as origin:
        with screened(tmp_path, origin, analyzer=slow, extra=(Killer(),)) as (this, proxy, seen):
            if way == "response":
                origin.answer = answered(message({"type": "text", "text": large}))
            with socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 30) as connection:
                connection.sendall(request(large if way == "request" else "hi"))
                assert slow.begun.wait(30)

                async def kill() -> None:
                    flows[0].kill()

                proxy.do(kill)
                slow.may.set()
                answer = read_answer(connection)
            closed(this)
    assert b"200 OK" not in answer
    assert KEY.encode() not in answer
    assert len(origin.requests) == (0 if way == "request" else 1)
    nowhere(this, seen, KEY)


# HTTP/2.


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make(tmp_path_factory.mktemp("tls"))


@contextmanager
def two(
    tmp_path: Path, files: Files, answer: Answer, **settings: Any
) -> Iterator[tuple[H2Origin, Stand, httpx.Client, dict[str, str], Seen]]:
    """HTTP/2 on both sides."""
    seen = Seen()
    with H2Origin(answer, files.server_context()) as origin:
        settled: dict[str, Any] = {
            "tls": TlsSettings.model_construct(cert=files.cert, key=files.key, client_ca=None),
            "upstream": "https",
            "upstream_tls": UpstreamTlsSettings.model_construct(ca=files.ca, cert=None, key=None),
        }
        with screens(tmp_path / "state", **settings) as ours:
            this = house(
                listener(origin.port, **settled),
                listener(origin.port, name="api", speaks="http", **settled),
                screens=ours,
            )
            with (
                running(this, "claude", "api", extra=(seen,)) as proxy,
                httpx.Client(
                    verify=files.client_context(),
                    http2=True,
                    http1=False,
                    trust_env=False,
                    timeout=30,
                    headers={"authorization": "Bearer a"},
                ) as client,
            ):
                urls = {name: f"https://localhost:{port}" for name, port in proxy.ports.items()}
                yield origin, this, client, urls, seen


def test_http2_leaves_and_comes_back_without_values(tmp_path: Path, files: Files) -> None:
    body = body_of(request(f"{MAIL} {KEY}"))
    with two(tmp_path, files, whole(b"")) as (origin, this, client, urls, seen):

        def echo(speaks: H2Connection, stream: int) -> None:
            said = json.loads(origin.bodies[-1])["messages"][0]["content"]
            whole(message({"type": "text", "text": said}))(speaks, stream)

        origin.answer = echo
        headers = {"accept-encoding": "dcb", "range": "bytes=0-3", "from": MAIL}
        got = client.post(urls["claude"] + "/v1/messages", content=body, headers=headers)
        [left] = origin.headers
    assert got.http_version == "HTTP/2"
    assert got.json()["content"][0]["text"] == f"{MAIL} <API_KEY>"
    assert int(got.headers["content-length"]) == len(got.content)
    assert int(left[b"content-length"]) == len(origin.bodies[0])
    assert left[b"accept-encoding"] == b"identity"
    assert b"range" not in left
    assert TOKEN.fullmatch(left[b"from"].decode())
    assert MAIL.encode() not in origin.bodies[0]
    nowhere(this, seen, MAIL, KEY)


@pytest.mark.parametrize("kind", [b"text/plain", b"application/json", b"text/event-stream"])
def test_http2_answers_in_pieces_and_their_trailers(
    tmp_path: Path, files: Files, kind: bytes
) -> None:
    text = f'["see", "{KEY}", "there"]\n\n'
    if kind == b"text/event-stream":
        text = f"data: {text}"
    pieces = [text[at : at + 3].encode() for at in range(0, len(text), 3)]
    trailers = ((b"x-t", KEY.encode()),)
    with two(tmp_path, files, whole(*pieces, kind=kind, trailers=trailers)) as used:
        _origin, this, client, urls, seen = used
        got = client.get(urls["api"] + "/x")
    assert got.text == text.replace(KEY, "<API_KEY>")
    assert "transfer-encoding" not in got.headers
    nowhere(this, seen, KEY)


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200"), ("GET", b"204"), ("GET", b"304"), ("GET", b"205")]
)
def test_http2_bodies_where_there_are_none_go_nowhere(
    tmp_path: Path, files: Files, method: str, status: bytes
) -> None:
    answer = whole(KEY.encode(), status=status, kind=b"text/plain")
    with two(tmp_path, files, answer) as (_origin, this, client, urls, seen):
        with contextlib.suppress(httpx.HTTPError):
            got = client.request(method, urls["api"] + "/x")
            assert KEY not in got.text
        closed(this)
    nowhere(this, seen, KEY)


def test_http2_that_breaks_the_protocol_is_not_quoted(tmp_path: Path, files: Files) -> None:
    more = ((b"x-a", b" " + KEY.encode()), (b"X-" + KEY.encode(), b"1"))
    with two(tmp_path, files, whole(b"x", more=more)) as (_origin, this, client, urls, seen):
        got = client.get(urls["api"] + "/x")
        assert got.status_code == 502
        assert KEY not in got.text
        closed(this)
    nowhere(this, seen, KEY)


def test_http2_cuts_off_one_answer_and_lets_the_others_be(tmp_path: Path, files: Files) -> None:
    """What cannot be looked at ends its own stream, and is no failure of ours."""

    def answer(speaks: H2Connection, stream: int) -> None:
        path = origin.headers[-1][b":path"]
        words = b"words " * 9
        pieces = (words, BROKEN.encode() + b" ", words) if path == b"/bad" else (words, words)
        whole(*pieces, kind=b"text/plain")(speaks, stream)

    with two(tmp_path, files, answer) as (origin, this, client, urls, seen):
        with client.stream("GET", urls["api"] + "/good") as good:
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(urls["api"] + "/bad")
            assert good.read() == b"words " * 18
        assert client.get(urls["api"] + "/again").text == "words " * 18
        closed(this)
    errors = {f["path"]: f["error"] for kind, f in this.store.appended if kind == "flow.end"}
    assert "detector failed" in errors.pop("/bad")
    assert set(errors.values()) == {None}
    nowhere(this, seen, BROKEN)
