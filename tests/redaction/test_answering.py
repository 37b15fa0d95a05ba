"""How an answer is looked at, by what it says it is and by what it is."""

import json
from typing import Any

import pytest

from proctor.errors import ClientError, ProctorError
from proctor.redaction.answering import Answering
from proctor.redaction.model import RedactionError
from tests.redaction.test_answers import JANE, KEY, TOKEN, made

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def answering(kind: str, *, model: bool = False, media: bool = True, **more: Any) -> Answering:
    ticks = iter(range(1_000_000))
    answer, _ = made(**more)
    return Answering(
        answer,
        content_type=kind,
        encoding="",
        model=model,
        media=media,
        detectors=("a", "b"),
        clock=lambda: float(next(ticks)),
    )


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
    ],
)
def test_what_is_waited_for(kind: str, *, whole: bool) -> None:
    assert answering(kind).whole is whole


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
        out = used.body(body)
        assert out.client == body.replace(KEY.encode(), b"<API_KEY>")
        assert dict(used.receipt.skipped).keys() & {"image", "binary"}
    else:
        with pytest.raises(RedactionError, match="binaries"):
            used.body(body)


def test_an_answer_of_the_model_is_read_as_one() -> None:
    said = {"id": KEY, "content": [{"type": "text", "text": f"{TOKEN} {KEY}"}]}
    out = answering("application/json", model=True).body(json.dumps(said).encode())
    assert json.loads(out.client)["content"][0]["text"] == f"{JANE} <API_KEY>"
    assert json.loads(out.client)["id"] == "<API_KEY>"  # only what looks like an id is one
    assert json.loads(out.record)["content"][0]["text"] == f"{TOKEN} <API_KEY>"
    with pytest.raises(ProctorError):
        answering("application/json", model=True).body(b"no json")


def test_a_page_in_the_model_s_place_is_a_page() -> None:
    page = f"<html><h1>Bad Gateway {KEY}</h1></html>".encode()
    out = answering("text/html", model=True).body(page)
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
