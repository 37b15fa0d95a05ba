"""What must not pass does not reach the upstream, the record or the flow; what may come back."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from proctor.model import ActionKind, Allow, Case, Decision, Deny
from proctor.redaction.surrogates import TOKEN
from tests.support.origin import Origin
from tests.support.redacted import (
    answered,
    body_of,
    events,
    message,
    nowhere,
    request,
    said,
    screened,
    sent,
    unchunked,
)
from tests.support.screened import BROKEN, KEY, MAIL, OTHER
from tests.support.stand import OK, error_of, post


def in_history(block: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": [block]}, {"role": "user", "content": "go"}]


def test_a_request_leaves_without_what_must_not_pass(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        answer = proxy.request("claude", request(f"write to {MAIL} with {KEY}, é"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    text = sent(origin)["messages"][0]["content"]
    assert text == f"write to {TOKEN.findall(text)[0]} with <API_KEY>, é"
    nowhere(this, seen, MAIL, KEY)
    begin = next(fields for kind, fields in this.store.appended if kind == "flow.begin")
    assert [f["entity_type"] for f in begin["findings"]] == ["EMAIL_ADDRESS", "API_KEY"]
    assert [f["action"] for f in begin["findings"]] == ["surrogate", "mask"]
    assert begin["receipt"]["request"]["looked"] > 0
    assert this.rules.cases[0].findings[0].location == "messages[0].content"
    assert [(f.type, f.action) for f in this.metrics.found] == [
        ("EMAIL_ADDRESS", "surrogate"),
        ("API_KEY", "mask"),
    ]


def test_a_request_without_anything_leaves_byte_for_byte(tmp_path: Path) -> None:
    body = (
        b'{ "model":"m", "max_tokens" : 9,\n"messages":[{"content":"h\\u0069 \\/","role":"user"}]}'
    )
    with Origin(OK) as origin, screened(tmp_path, origin) as (_, proxy, _seen):
        proxy.request("claude", post(body))
    assert body_of(origin.requests[0]) == body


def test_what_was_taken_out_comes_back_in_the_answer(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        proxy.request("claude", request(MAIL))
        token = sent(origin)["messages"][0]["content"]
        origin.answer = answered(message({"type": "text", "text": f"I wrote to {token}."}))
        whole = proxy.request("claude", request("and?"))
        stream = events({"type": "text", "text": f"I wrote to {token}, {token}."})
        origin.answer = answered(stream, "text/event-stream")
        streamed = unchunked(proxy.request("claude", request("and?")))
    assert json.loads(body_of(whole))["content"][0]["text"] == f"I wrote to {MAIL}."
    assert said(streamed) == f"I wrote to {MAIL}, {MAIL}."
    nowhere(this, seen, MAIL)
    assert any(token.encode() in content for content in this.store.contents)


def test_the_same_history_gives_the_same_bytes(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (_, proxy, _seen):
        first = request(f"to {MAIL}")
        proxy.request("claude", first)
        again = request(
            f"to {MAIL}", {"role": "assistant", "content": "ok"}, {"role": "user", "content": "go"}
        )
        proxy.request("claude", again)
    assert sent(origin, 1)["messages"][0] == sent(origin, 0)["messages"][0]


def test_what_the_model_says_by_itself_is_taken_out_too(tmp_path: Path) -> None:
    text = f"try {KEY} or {OTHER}"
    with Origin(answered(events({"type": "text", "text": text}), "text/event-stream")) as origin:
        with screened(tmp_path, origin) as (this, proxy, seen):
            streamed = unchunked(proxy.request("claude", request("hi")))
    assert said(streamed) == f"try <API_KEY> or {OTHER}"  # what it would get back it may keep
    nowhere(this, seen, KEY, OTHER)
    end = next(fields for kind, fields in this.store.appended if kind == "flow.end")
    assert {f["direction"] for f in end["findings"]} == {"response"}
    assert end["receipt"]["response"]["looked"] >= len(text)


def test_signed_thinking_passes_byte_for_byte_and_is_masked_in_the_record(tmp_path: Path) -> None:
    signature = "EqQBCkgIARABGAIiQ" + "Ab0/" * 30 + "=="
    block = {"type": "thinking", "thinking": f"I recall {KEY}", "signature": signature}
    with Origin(answered(events(block), "text/event-stream")) as origin:
        with screened(tmp_path, origin) as (this, proxy, seen):
            streamed = unchunked(proxy.request("claude", request("hi")))
            history = in_history(block)
            proxy.request("claude", request("hi", *history))
    assert said(streamed, "thinking") == block["thinking"]
    assert said(streamed, "signature") == signature
    assert sent(origin, 1)["messages"][1]["content"] == [block]
    nowhere(this, seen, KEY)


def test_signed_thinking_can_be_refused(tmp_path: Path) -> None:
    block = {"type": "thinking", "thinking": f"I recall {KEY}", "signature": "EqQB" * 40}
    history = in_history(block)
    with Origin(OK) as origin, screened(tmp_path, origin, thinking="refuse") as (this, proxy, seen):
        answer = proxy.request("claude", request("hi", *history))
    assert b"redaction-signed" in answer
    assert origin.received == b""
    nowhere(this, seen, KEY)


@pytest.mark.parametrize("stream", [True, False])
def test_a_tools_input_gets_back_what_a_rule_says(tmp_path: Path, *, stream: bool) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        decide = this.rules.decide

        def restoring(case: Case) -> Decision:
            tool = case.action.tool
            if case.action.kind is ActionKind.LLM_TOOL_USE and tool and tool.name == "mail":
                return Decision(verdict=Allow(rule_id="m"), restore=frozenset({"EMAIL_ADDRESS"}))
            return decide(case)

        this.rules.decide = restoring  # type: ignore[method-assign]  # the point
        proxy.request("claude", request(MAIL))
        token = sent(origin)["messages"][0]["content"]
        tools = [
            {"type": "tool_use", "id": f"t{i}", "name": name, "input": {"to": token, "n": 1}}
            for i, name in enumerate(["mail", "Bash"])
        ]
        body = events(*tools) if stream else message(*tools)
        kind = "text/event-stream" if stream else "application/json"
        origin.answer = answered(body, kind)
        answer = proxy.request("claude", request("go"))
    if stream:
        inputs = said(unchunked(answer), "partial_json")
    else:
        inputs = "".join(json.dumps(b["input"]) for b in json.loads(body_of(answer))["content"])
    assert inputs == f'{{"to": "{MAIL}", "n": 1}}{{"to": "{token}", "n": 1}}'
    nowhere(this, seen, MAIL)


def test_what_a_rule_denies_is_on_record_without_its_values(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        this.rules.answers["claude"] = Decision(verdict=Deny(rule_id="no", reason="No."))
        this.rules.answers["api"] = Decision(verdict=Deny(rule_id="no", reason="No."))
        assert b" 451 " in proxy.request("claude", request(f"{MAIL} {KEY}"))
        assert b" 451 " in proxy.request("api", post(KEY.encode(), f"/x?k={KEY}"))
        assert b" 401 " in proxy.request("api", post(KEY.encode(), f"/x?k={KEY}", token="no"))
    assert origin.received == b""
    nowhere(this, seen, MAIL, KEY)
    ends = [fields for kind, fields in this.store.appended if kind == "flow.end"]
    assert [len(end["findings"]) for end in ends] == [2, 2, 0]


@pytest.mark.parametrize("name", ["claude", "api"])
def test_a_detector_that_fails_lets_nothing_out(tmp_path: Path, name: str) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        answer = proxy.request(name, request(f"{KEY} {BROKEN} {MAIL}"))
    assert b"redaction-detector" in answer
    assert this.metrics.failures == 1
    assert answer.startswith(b"HTTP/1.1 451 ")
    assert origin.received == b""
    nowhere(this, seen, MAIL, KEY, BROKEN)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain"])
@pytest.mark.parametrize("name", ["claude", "api"])
def test_an_answer_that_cannot_be_looked_at_does_not_come_through(
    tmp_path: Path, name: str, kind: str
) -> None:
    block = {"type": "text", "text": f"first words. {KEY} {BROKEN} and more"}
    if kind != "text/event-stream":
        body = message(block)
    elif name == "claude":
        body = events(block)
    else:
        body = b"data: one\n\ndata: %b\n\ndata: three\n\n" % message(block)
    with Origin(answered(body, kind)) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        answer = proxy.request(name, request("hi"))
    for value in (KEY, BROKEN, "and more"):
        assert value.encode() not in answer
    nowhere(this, seen, KEY, BROKEN)
    end = next(fields for kind, fields in this.store.appended if kind == "flow.end")
    # A model's answer that is no answer of the API's is not even looked at.
    odd = name == "claude" and kind == "text/plain"
    assert ("cannot be judged" if odd else "detector failed") in end["error"]
    failure = end["receipt"]["response"]["failure"]
    assert failure == ("answer-unknown" if odd else "redaction-detector")


def test_what_blocks_is_refused_when_new_and_masked_in_the_history(tmp_path: Path) -> None:
    block = {"request": "block"}
    with Origin(OK) as origin:
        with screened(tmp_path, origin, entities={"API_KEY": block}) as (this, proxy, seen):
            answer = proxy.request("claude", request(KEY))
            assert origin.received == b""
            error = error_of(answer)
            proxy.request("claude", request(KEY))  # asked again, nothing has changed
            assert origin.received == b""
            # Clients keep what was refused, and send it with what is said next.
            proxy.request("claude", request(KEY, {"role": "user", "content": "sorry"}))
            more = [{"role": "assistant", "content": "ok"}, {"role": "user", "content": "go"}]
            proxy.request("claude", request(KEY, *more))
    assert "redaction-blocked" in str(error)
    assert "API_KEY" in error["message"]
    assert [sent(origin, i)["messages"][0]["content"] for i in (0, 1)] == ["<API_KEY>"] * 2
    nowhere(this, seen, KEY)


def test_rules_say_what_is_done(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        allow = Allow(rule_id="r")
        this.rules.answers["claude"] = Decision(verdict=allow, redact={"EMAIL_ADDRESS": "hash"})
        proxy.request("claude", request(MAIL))
        this.rules.answers["claude"] = Decision(verdict=allow, redact={"EMAIL_ADDRESS": "detect"})
        proxy.request("claude", request(MAIL))
    assert sent(origin)["messages"][0]["content"].startswith("<EMAIL_ADDRESS:")
    assert sent(origin, 1)["messages"][0]["content"] == MAIL
    nowhere(this, seen, MAIL)
    begins = [fields for kind, fields in this.store.appended if kind == "flow.begin"]
    assert [begin["findings"][0]["action"] for begin in begins] == ["hash", "detect"]


def test_any_request_is_looked_at_wherever_it_can_hold_something(tmp_path: Path) -> None:
    mail = MAIL.replace("@", "%40")
    more = f"referer: http://x/?m={MAIL}\r\ncontent-encoding: gzip\r\n".encode()
    body = gzip.compress(json.dumps({"a": [1.50, {"key": KEY}], MAIL: 2}).encode())
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        proxy.request("api", post(body, f"/u/{mail}?to={mail}&n=1", more=more))
    head = origin.requests[0].partition(b"\r\n\r\n")[0].decode()
    token = TOKEN.findall(head)[0]
    assert head.startswith(f"POST /u/{token}?to={token}&n=1 ")
    assert f"?m={TOKEN.findall(head)[2]}" in head
    assert "content-encoding" not in head
    body = body_of(origin.requests[0])
    assert f"content-length: {len(body)}" in head
    assert b'{"a": [1.5, {"key": "<API_KEY>"}], "' in body
    nowhere(this, seen, MAIL, mail, KEY)


def test_an_answer_of_an_api_comes_with_surrogates(tmp_path: Path) -> None:
    body = json.dumps([{"mail": MAIL, "n": 1.0, "key": KEY}]).encode()
    more = "content-encoding: gzip\r\n"
    with Origin(answered(gzip.compress(body), more=more)) as origin:
        with screened(tmp_path, origin) as (this, proxy, seen):
            answer = proxy.request("api", post())
    head = answer.partition(b"\r\n\r\n")[0]
    [row] = json.loads(body_of(answer))
    assert b"content-encoding" not in head
    assert f"content-length: {len(body_of(answer))}".encode() in head
    assert TOKEN.fullmatch(row["mail"])
    assert (row["n"], row["key"]) == (1.0, "<API_KEY>")
    nowhere(this, seen, MAIL, KEY)


@pytest.mark.parametrize("coding", ["snappy", "gzip"])
def test_a_coding_that_cannot_be_taken_off_lets_nothing_through(
    tmp_path: Path, coding: str
) -> None:
    broken = f"content-encoding: {coding}\r\n"
    with Origin(answered(KEY.encode() * 9, more=broken)) as origin:
        with screened(tmp_path, origin) as (this, proxy, seen):
            asked = proxy.request("api", post(KEY.encode(), more=broken.encode()))
            assert origin.received == b""
            answer = proxy.request("api", post())
    assert b"redaction-decoder" in asked
    assert b"redaction-decoder" in answer
    assert KEY.encode() not in answer
    nowhere(this, seen, KEY)


@pytest.mark.parametrize("passes", [True, False])
def test_binaries_pass_or_are_refused_and_the_receipt_says_so(
    tmp_path: Path, *, passes: bool
) -> None:
    image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
    media = "pass" if passes else "refuse"
    with Origin(answered(image, "image/png")) as origin:
        with screened(tmp_path, origin, media=media) as (this, proxy, _seen):
            answer = proxy.request("api", post())
    assert (image in answer.replace(b"\r\n808\r\n", b"")) == passes or image in unchunked(answer)
    end = next(fields for kind, fields in this.store.appended if kind == "flow.end")
    if passes:
        assert end["receipt"]["response"]["skipped"] == [{"reason": "binary", "bytes": len(image)}]
    else:
        assert end["receipt"]["response"]["failure"] == "redaction-media"


def test_text_that_is_called_an_image_is_looked_at(tmp_path: Path) -> None:
    with Origin(answered(f"key: {KEY}".encode(), "image/png")) as origin:
        with screened(tmp_path, origin) as (this, proxy, seen):
            answer = unchunked(proxy.request("api", post()))
    assert answer == b"key: <API_KEY>"
    nowhere(this, seen, KEY)
