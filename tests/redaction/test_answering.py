"""How an answer is looked at, by what it says it is and by what it is."""

import json
from typing import Any

import pytest

from proctor.errors import ClientError, InternalError, ProctorError
from proctor.protocols.anthropic.calls import Call, Instead, Outcome, Pass
from proctor.redaction.answering import Answering
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import RedactionError
from proctor.redaction.passing import Passing
from tests.redaction.test_answers import JANE, KEY, TOKEN, made

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


class Undecided:
    """Leaves every call to humans, and has mail turned back in it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def restored(self, name: str, arguments: str) -> frozenset[str]:
        return frozenset({"EMAIL_ADDRESS"})

    def judge(self, call: Call) -> Outcome | None:
        self.calls.append(call)
        return None


def answering(kind: str, *, model: bool = False, media: bool = True, **more: Any) -> Answering:
    ticks = iter(range(1_000_000))
    answer, _ = made(**more)
    return Answering(
        answer,
        content_type=kind,
        encoding="",
        judge=Undecided() if model else None,
        media=media,
        detectors=("a", "b"),
        clock=lambda: float(next(ticks)),
    )


def whole(used: Answering, data: bytes) -> Rewritten:
    used.body(data)
    used.ask()
    return used.result()


def fed(made_by: Answering, data: bytes, size: int = 3) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    outs = [*(made_by.feed(piece) for piece in pieces), made_by.finish()]
    return b"".join(out.client for out in outs)


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("application/json", True),
        ("text/html; charset=utf-8", True),
        ("text/csv", True),
        ("multipart/mixed; boundary=x", True),
        ("application/unheard-of", True),
        ("", False),
        ("text/plain", False),
        ("TEXT/Event-Stream ; a=b", False),
        ("application/x-ndjson", False),
        ("application/octet-stream", False),
        ("image/png", False),
        ("video/mp4", False),
        ("application/zip", False),
        ("application/x-gzip", False),
        ("application/x-git-upload-pack-result", False),
        ("application/vnd.debian.binary-package", False),
        ("application/epub+zip", False),
    ],
)
def test_what_is_waited_for(kind: str, *, whole: bool) -> None:
    assert answering(kind).whole is whole


@pytest.mark.parametrize("size", [1, 3, 16, 100])
def test_a_binary_is_told_by_its_beginning_however_it_is_cut(size: int) -> None:
    data = b"PK\x03\x04" + b"alice@example.org " * 5
    assert fed(answering("application/zip"), data, size) == data
    assert fed(answering("application/zip"), data[:7], size) == data[:7]


def test_a_text_passes_as_it_comes() -> None:
    passing = answering("text/plain")
    assert fed(passing, f"to {JANE}, {KEY}!".encode()) == f"to {JANE}, <API_KEY>!".encode()
    receipt = passing.receipt
    assert (receipt.looked, receipt.detectors, receipt.failure) == (
        len(f"to {JANE}, {KEY}!"),
        ("a", "b"),
        "",
    )
    assert receipt.seconds > 0
    assert len(passing.findings) == 2


def test_a_binary_passes_and_is_counted_or_is_refused() -> None:
    passing = answering("image/png")
    assert fed(passing, PNG, 100) == PNG
    assert passing.receipt.skipped == (("binary", len(PNG)),)
    assert passing.broken(RedactionError("x", "y")) is None
    with pytest.raises(RedactionError) as caught:
        fed(answering("image/png", media=False), PNG, 100)
    assert caught.value.code == "redaction-media"


def test_what_is_called_a_binary_and_is_none_is_looked_at() -> None:
    assert fed(answering("image/png"), f"see {KEY}".encode()) == b"see <API_KEY>"


@pytest.mark.parametrize("media", [True, False])
def test_a_binary_beside_texts_is_refused_like_one_by_itself(*, media: bool) -> None:
    part = b"--x\r\ncontent-type: %b\r\n\r\n%b\r\n"
    body = part % (b"text/plain", KEY.encode()) + part % (b"image/png", PNG) + b"--x--"
    used = answering("multipart/mixed; boundary=x", media=media)
    if media:
        out = whole(used, body)
        assert out.client == body.replace(KEY.encode(), b"<API_KEY>")
        assert dict(used.receipt.skipped).keys() & {"image", "binary"}
    else:
        with pytest.raises(RedactionError, match="binaries"):
            whole(used, body)


def test_an_answer_of_the_model_is_read_as_one() -> None:
    said = {"id": KEY, "content": [{"type": "text", "text": f"{TOKEN} {KEY}"}]}
    out = whole(answering("application/json", model=True), json.dumps(said).encode())
    assert json.loads(out.client)["content"][0]["text"] == f"{JANE} <API_KEY>"
    assert json.loads(out.client)["id"] == "<API_KEY>"  # only what looks like an id is one
    assert json.loads(out.record)["content"][0]["text"] == f"{TOKEN} <API_KEY>"
    with pytest.raises(ProctorError):
        answering("application/json", model=True).body(b"no json")


def test_a_page_in_the_model_s_place_is_a_page() -> None:
    page = f"<html><h1>Bad Gateway {KEY}</h1></html>".encode()
    out = whole(answering("text/html", model=True), page)
    assert out.client == page.replace(KEY.encode(), b"&lt;API_KEY&gt;")


def test_a_stream_of_the_model_that_breaks_says_so_to_the_client() -> None:
    used = answering("text/event-stream", model=True)
    error = RedactionError("redaction-hits", "Too much")
    said = used.broken(error)
    assert said
    assert said.startswith(b"event: error\n")
    assert used.receipt.failure == "redaction-hits"
    assert answering("text/event-stream").broken(error) is None


def test_what_fails_is_on_the_receipt() -> None:
    used = answering("application/json")
    used.failed(ClientError("body-not-json", "x"))
    assert used.receipt.failure == "body-not-json"


def test_no_bytes_are_no_bytes() -> None:
    used = answering("text/plain")
    assert used.feed(b"").client == b""
    assert used.finish().client == b""
    assert used.receipt.looked == 0


def test_a_header_is_looked_at() -> None:
    used = answering("text/plain", restores=False)
    assert (
        used.header(b"Location", f"/u/{JANE}?k={KEY}".encode())
        == f"/u/{TOKEN}?k=<API_KEY>".encode()
    )
    assert used.header(b"Location", b"") == b""
    assert {finding.location for finding in used.findings} == {"header.location"}


SAID: dict[str, Any] = {
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "send", "input": {"to": TOKEN}}],
    "stop_reason": "tool_use",
}
STREAM = (
    b'event: content_block_start\ndata: {"type": "content_block_start", "index": 0, '
    b'"content_block": {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {}}}\n\n'
    b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, '
    b'"delta": {"type": "input_json_delta", "partial_json": "{\\"a\\": 1}"}}\n\n'
    b'event: content_block_stop\ndata: {"type": "content_block_stop", "index": 0}\n\n'
)


def test_a_whole_body_waits_for_its_calls() -> None:
    used = answering("application/json", model=True)
    used.body(json.dumps(SAID).encode())
    for _ in range(2):
        with pytest.raises(InternalError) as caught:
            used.result()
        assert caught.value.code == "call-waits"
        used.ask()
    (call,) = used.waiting
    assert (call.name, call.arguments, call.record) == (
        "send",
        f'{{"to":"{JANE}"}}',
        f'{{"to":"{TOKEN}"}}',
    )
    used.settle(0, Pass())
    assert used.waiting == ()
    assert json.loads(used.result().client)["content"][0]["input"] == {"to": JANE}
    assert used.result().record == json.dumps(SAID).encode()
    with pytest.raises(InternalError):
        used.settle(0, Instead("no"))


def waits(used: Answering) -> bool:
    return not used.idle


def test_a_stream_waits_for_its_calls() -> None:
    used = answering("text/event-stream", model=True)
    assert not waits(used)
    assert used.ping() == b""
    assert used.feed(STREAM) == Rewritten()
    assert waits(used)
    assert [call.number for call in used.waiting] == [0]
    assert used.finish() == Rewritten()
    assert used.released() == Rewritten()
    assert any(used.ping() for _ in range(20))  # its clock leaps at each look
    used.settle(0, Pass())
    assert used.released() == Rewritten(STREAM, STREAM)
    assert used.idle


def test_what_breaks_waits_no_more() -> None:
    used = answering("text/event-stream", model=True)
    used.feed(STREAM)
    assert used.broken(RedactionError("x", "y"))
    assert used.waiting == ()
    assert used.idle
    used.settle(0, Pass())  # the answer of humans came too late
    assert used.released() == Rewritten()


def test_what_is_no_answer_of_the_model_s_has_no_calls() -> None:
    used = answering("application/json")
    assert json.loads(whole(used, json.dumps(SAID).encode()).record) == SAID
    used.check(200)
    assert (used.waiting, used.idle, used.ping()) == ((), True, b"")
    assert used.released() == Rewritten()
    with pytest.raises(InternalError):
        used.settle(0, Pass())
    with pytest.raises(InternalError) as caught:
        answering("application/json").result()
    assert caught.value.code == "no-body"


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/octet-stream", "image/png", "application/problem+json"]
)
def test_a_model_s_answer_of_another_kind_cannot_be_judged(kind: str) -> None:
    used = answering(kind, model=True)
    for status in (200, 201, 206):
        with pytest.raises(RedactionError) as caught:
            used.check(status)
        assert caught.value.code == "answer-unknown"
    for status in (302, 400, 529):
        used.check(status)
    answering(kind).check(200)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Text/Event-Stream"])
def test_a_model_s_answer_of_these_kinds_can(kind: str) -> None:
    answering(kind, model=True).check(200)


def test_an_answer_that_is_not_what_it_says_never_passes() -> None:
    for said in (STREAM, b"event: ping\n\n", b""):
        with pytest.raises(RedactionError):
            whole(answering("application/json", model=True), said)
    raw = json.dumps(SAID).encode()
    for said in (raw, raw + b"\n\n", b"\n\n" + raw, json.dumps(SAID, indent=1).encode() + b"\n\n"):
        with pytest.raises(RedactionError):
            fed(answering("text/event-stream", model=True), said, 7)


def test_where_redaction_is_off_calls_are_judged() -> None:
    judge = Undecided()
    for kind, data in (
        ("text/event-stream", STREAM),
        ("application/json", json.dumps(SAID).encode()),
    ):
        used = Answering(
            Passing(),
            content_type=kind,
            encoding="",
            judge=judge,
            media=True,
            detectors=(),
            clock=lambda: 0.0,
        )
        if used.whole:
            used.body(data)
            used.ask()
        else:
            assert used.feed(data) == Rewritten()
        used.settle(0, Pass())
        out = used.result() if used.whole else used.released()
        assert out == Rewritten(data, data)
        assert used.findings == ()
        assert (used.receipt.looked, used.receipt.skipped) == (0, ())
    assert [call.arguments for call in judge.calls] == ['{"a": 1}', f'{{"to":"{TOKEN}"}}']
