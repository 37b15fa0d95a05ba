"""Ways past redaction that somebody might try, and wires that break, through a live proxy."""

import json
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http

from proctor.model import Allow, Decision
from proctor.redaction.surrogates import TOKEN
from tests.support.origin import Origin
from tests.support.redacted import (
    answered,
    body_of,
    ending,
    message,
    nowhere,
    request,
    screened,
    sent,
    unchunked,
)
from tests.support.screened import BROKEN, KEY, MAIL
from tests.support.scripted import Conversation, Scripted
from tests.support.stand import OK, post


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


def test_rules_take_the_strictest(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        redact = {"EMAIL_ADDRESS": "block"}
        this.rules.answers["api"] = Decision(verdict=Allow(rule_id="r"), redact=redact)
        answer = proxy.request("api", post(MAIL.encode()))
    assert b"redaction-blocked" in answer
    assert not TOKEN.search(json.dumps(this.store.appended))
    assert ending(this)["findings"][0]["action"] == "block"


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
