"""Ways past redaction that somebody might try, and wires that break, through a live proxy."""

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

from proctor.model import Allow, Decision
from proctor.redaction.model import Budget, Spot
from proctor.redaction.surrogates import TOKEN
from proctor.settings import TlsSettings, UpstreamTlsSettings
from proctor.testing.tls import Files, make
from tests.support.h2origin import Answer, H2Origin, whole
from tests.support.live import read_answer
from tests.support.origin import Origin
from tests.support.redacted import (
    Seen,
    answered,
    body_of,
    events,
    message,
    nowhere,
    request,
    screened,
    sent,
    unchunked,
)
from tests.support.screened import BROKEN, KEY, MAIL, TwoPatterns, screens
from tests.support.scripted import Conversation, Scripted
from tests.support.stand import OK, Stand, house, listener, post, running


def ending(this: Any) -> dict[str, Any]:
    found: dict[str, Any] = next(f for kind, f in this.store.appended if kind == "flow.end")
    return found


def head_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[0].lower()


def test_chosen_headers_of_a_request_to_the_model_are_looked_at(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        body = body_of(request("hi"))
        proxy.request("claude", post(body, more=f"from: {MAIL}\r\n".encode()))
    assert MAIL.encode() not in origin.received
    assert b"from: EMAIL_ADDRESS_" in origin.received
    nowhere(this, seen, MAIL)


@pytest.mark.parametrize("name", ["x-claude-code-session-id", "x-claude-code-request-class"])
@pytest.mark.parametrize("value", [KEY, f"{KEY} {BROKEN}"])
def test_what_names_a_run_is_no_way_into_the_record(tmp_path: Path, name: str, value: str) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        body = body_of(request("x"))
        proxy.request("claude", post(body, more=f"{name}: {value}\r\n".encode()))
    assert KEY.encode() not in origin.received
    assert len(origin.requests) == (0 if BROKEN in value else 1)
    nowhere(this, seen, KEY)


def test_a_session_in_the_metadata_is_no_way_into_the_record(tmp_path: Path) -> None:
    user = json.dumps({"session_id": KEY})
    said = {"model": "m", "max_tokens": 9, "messages": [], "metadata": {"user_id": user}}
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        proxy.request("claude", post(json.dumps(said).encode()))
    assert KEY.encode() not in origin.received
    nowhere(this, seen, KEY)


def test_a_product_s_name_is_no_way_into_the_record(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        proxy.request("api", post(more=f"user-agent: {KEY}/1\r\n".encode()))
        proxy.request("claude", post(more=f"user-agent: {KEY}/1\r\n".encode()))
    assert KEY.encode() not in json.dumps(this.store.appended).encode()


def test_a_method_is_no_way_out(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        proxy.request("api", post().replace(b"POST", KEY.encode(), 1))
    assert KEY.encode() not in origin.received
    assert KEY.encode() not in json.dumps(this.store.appended).encode()


@pytest.mark.parametrize("token", ["no", "a", None])
def test_a_path_that_was_never_let_in_is_on_record_without_values(
    tmp_path: Path, token: str | None
) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        proxy.request("api", post(BROKEN.encode(), f"/u/{MAIL}/{KEY}?k={KEY}", token=token))
        proxy.request("api", post(b"", f"/{BROKEN}/{KEY}", token=token))
    assert origin.received == b""
    nowhere(this, seen, MAIL, KEY)


def test_the_receipt_says_why_a_request_was_not_looked_at(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        proxy.request("claude", request(BROKEN))
    assert ending(this)["receipt"]["request"]["failure"] == "redaction-detector"


def test_what_an_upstream_says_before_it_speaks_http_is_told_to_nobody(tmp_path: Path) -> None:
    def blurts(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(f"{KEY} and no head".encode())

    def garbles(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(f"{KEY} and no head\r\n\r\n".encode())

    for script in (blurts, garbles):
        with Scripted() as origin, screened(tmp_path, origin) as (this, proxy, seen):
            origin.script = script
            answer = proxy.request("api", post())
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert KEY.encode() not in answer
        nowhere(this, seen, KEY)


def test_an_answer_that_cannot_be_recorded_is_not_delivered_restored(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        proxy.request("claude", request(MAIL))
        token = sent(origin)["messages"][0]["content"]
        origin.answer = answered(message({"type": "text", "text": token}))
        append = this.store.append

        async def second_fails(kind: str, fields: dict[str, object]) -> int:
            this.store.broken = kind == "flow.end"
            return await append(kind, fields)

        this.store.append = second_fails  # type: ignore[method-assign]  # the point
        answer = proxy.request("claude", request("and?"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert MAIL.encode() not in answer


def test_a_range_is_not_asked_for(tmp_path: Path) -> None:
    more = b"range: bytes=0-9\r\nif-range: x\r\n"
    with Origin(OK) as origin, screened(tmp_path, origin) as (_this, proxy, _seen):
        proxy.request("api", post(more=more))
        proxy.request("claude", post(more=more))
    assert b"range" not in origin.received.lower()
    assert len(origin.requests) == 2


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (None, None),
        (b"gzip, deflate, br, zstd", b"gzip, deflate, br, zstd"),
        (b"snappy, gzip;q=0.5, *", b"gzip;q=0.5"),
        (b"dcb, compress", b"identity"),
        (b"", b""),
    ],
)
def test_no_coding_is_asked_for_that_cannot_be_taken_off(
    tmp_path: Path, asked: bytes | None, left: bytes | None
) -> None:
    more = b"" if asked is None else b"accept-encoding: %b\r\n" % asked
    with Origin(OK) as origin, screened(tmp_path, origin) as (_this, proxy, _seen):
        for name in ("api", "claude"):
            proxy.request(name, post(more=more))
    for got in origin.requests:
        lines = [line for line in got.split(b"\r\n") if line.lower().startswith(b"accept-encoding")]
        assert lines == ([] if left is None else [b"accept-encoding: %b" % left])


def test_a_message_about_a_header_does_not_quote_it(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        proxy.request("claude", post(more=f"content-encoding: {KEY}\r\n".encode()))
        body = post().replace(b"application/json", b"text/plain; charset=" + KEY.encode())
        proxy.request("claude", body)
        proxy.request("api", post(more=f"content-encoding: {KEY}\r\n".encode()))
    assert KEY.encode() not in json.dumps(this.store.appended).encode()
    assert origin.received == b""


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_reason_and_a_place_to_go_tell_nothing(tmp_path: Path, kind: str) -> None:
    head = f"HTTP/1.1 201 {KEY}\r\nlocation: /u/{MAIL}?k={KEY}\r\ncontent-type: {kind}\r\n"
    answer = f"{head}content-length: 2\r\n\r\nok".encode()
    with Origin(answer) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        got = proxy.request("api", post())
    assert KEY.encode() not in got
    assert MAIL.encode() not in got
    assert got.startswith(b"HTTP/1.1 201 Created\r\n")
    nowhere(this, seen, KEY, MAIL)


def test_what_a_person_edited_is_not_kept_as_it_was(tmp_path: Path) -> None:
    """Mitmproxy keeps a copy of what was there before, and writes it into dumps."""

    class Editor:
        def request(self, flow: http.HTTPFlow) -> None:
            flow.backup()
            flow.request.headers["x-edited"] = "1"

    with Origin(OK) as origin, screened(tmp_path, origin, extra=(Editor(),)) as (this, proxy, seen):
        proxy.request("claude", request(f"{MAIL} {KEY}"))
    assert b"x-edited" in origin.received
    nowhere(this, seen, MAIL, KEY)


# Blocking.


BLOCK = {"API_KEY": {"request": "block"}}


def test_what_was_called_harmless_does_not_block(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin, entities=BLOCK) as (this, proxy, _seen):
        this.suite.screen("claude").parts.redactor.allowed = lambda *_found: True  # type: ignore[union-attr]
        proxy.request("claude", request(KEY))
    assert sent(origin)["messages"][0]["content"] == KEY


def test_another_member_is_no_other_message(tmp_path: Path) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": KEY}]}
    with Origin(OK) as origin, screened(tmp_path, origin, entities=BLOCK) as (_this, proxy, _seen):
        for more in ({}, {"max_tokens": 1}, {"max_tokens": 2}, {"metadata": {"a": 1}}):
            proxy.request("claude", post(json.dumps(body | more).encode()))
        path = "/v1/messages/count_tokens"
        proxy.request("claude", post(json.dumps(body).encode(), path))
    assert origin.received == b""


def test_a_request_that_is_no_conversation_blocks_each_time(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin, entities=BLOCK) as (_this, proxy, _seen):
        for number in range(3):
            proxy.request("api", post(KEY.encode(), f"/x?n={number}"))
    assert origin.received == b""


# Wires.


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
    if name == "api" or kind != "application/json":
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
        with socket.create_connection(("127.0.0.1", proxy.ports["api"]), 5) as connection:
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
        with socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 5) as connection:
            connection.sendall(request("hi"))
            assert going.wait(5)
        closed(this)
    assert ending(this)["error"]
    nowhere(this, seen, KEY)


def closed(this: Any) -> None:
    """Until no exchange is open."""
    pause = threading.Event()
    for _ in range(100):
        if not this.suite.open_exchanges:
            return
        pause.wait(0.05)
    raise AssertionError("an exchange stays open")


class Slow(TwoPatterns):
    """Looks only once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = threading.Event(), threading.Event()

    def analyze(self, text: str, budget: Budget) -> list[Spot]:
        if "slowly" in text:
            self.begun.set()
            assert self.may.wait(5)
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
        with socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 5) as connection:
            connection.sendall(request(large if way == "request" else "hi"))
            assert slow.begun.wait(5)
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
            with socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 5) as connection:
                connection.sendall(request(large if way == "request" else "hi"))
                assert slow.begun.wait(5)

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


def test_many_lines_do_not_pile_up(tmp_path: Path) -> None:
    lines = b"".join(b"data: line %d\n\n" % number for number in range(500))
    kept: list[Any] = []

    class Keeper:
        def response(self, flow: http.HTTPFlow) -> None:
            kept.append(flow)

    with Origin(answered(lines, "text/event-stream")) as origin:
        with screened(tmp_path, origin, extra=(Keeper(),)) as (this, proxy, _seen):
            answer = proxy.request("api", post())
    assert unchunked(answer) == lines
    assert ending(this)["receipt"]["response"]["looked"] >= 500 * 6
    answering = kept[0].response.stream._rewriter
    assert not hasattr(answering._answer, "_streams")


def test_rules_take_the_strictest(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        redact = {"EMAIL_ADDRESS": "block"}
        this.rules.answers["api"] = Decision(verdict=Allow(rule_id="r"), redact=redact)
        answer = proxy.request("api", post(MAIL.encode()))
    assert b"redaction-blocked" in answer
    assert not TOKEN.search(json.dumps(this.store.appended))
    assert ending(this)["findings"][0]["action"] == "block"


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
        settled = {
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
                    timeout=5,
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
