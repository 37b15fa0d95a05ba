"""Limits of what comes back."""

import asyncio
from typing import Any

import httpx
import pytest

from proctor.model import ActionKind
from proctor.replay import posting
from proctor.replay.outcome import Outcome
from proctor.replay.posting import TIMEOUT, posted
from tests.support.recorded import answer, text
from tests.support.scripted import Conversation, Scripted

OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"


def post(script: Any, kind: ActionKind = ActionKind.HTTP_REQUEST) -> tuple[Outcome, Scripted]:
    found: list[Outcome] = []

    async def main(port: int) -> Outcome:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
            for _ in range(2):
                ready = client.build_request("GET", f"http://127.0.0.1:{port}/")
                found.append(await posted(client, ready, kind))
            return found[-1]

    with Scripted() as upstream:
        upstream.script = script
        return asyncio.run(main(upstream.port)), upstream


def saying(data: bytes) -> Any:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(data)

    return script


def with_body(body: bytes, head: bytes = b"") -> Any:
    return saying(OK + head + b"content-length: %d\r\n\r\n%s" % (len(body), body))


def test_an_answer_is_read_as_what_was_asked() -> None:
    said = answer(text("hello"))
    assert post(with_body(said))[0].text == said.decode()
    assert post(with_body(said), ActionKind.LLM_REQUEST)[0].text == "hello"


def test_a_redirect_is_an_answer_and_no_cookie_is_kept() -> None:
    head = (
        b"HTTP/1.1 302 Found\r\nlocation: /x\r\nset-cookie: a=b\r\n"
        b"content-length: 0\r\nconnection: close\r\n\r\n"
    )
    found, upstream = post(saying(head))
    assert (found.status, len(upstream.requests)) == (302, 2)
    assert b"cookie" not in upstream.requests[1].lower()


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        (saying(b""), 0, "RemoteProtocolError"),
        (saying(b"\x00\xff nothing of HTTP\r\n\r\n"), 0, "RemoteProtocolError"),
        (saying(OK + b"content-length: 9\r\n\r\nshort"), 200, "RemoteProtocolError"),
        (with_body(b"x" * 100), 200, "the answer is larger than 99 bytes"),
        (
            with_body(b"\x1f\x8b", b"content-encoding: gzip\r\n"),
            200,
            "the answer is compressed, though nothing asked for it",
        ),
    ],
)
def test_what_is_no_answer(
    script: Any, status: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "_MAX_ANSWER", 99)
    found, _ = post(script)
    assert (found.status, found.error) == (status, error)


def test_one_that_trickles_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_LONGEST", 0.05)

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(OK + b"content-length: 9\r\n\r\nx")
        conversation.wait_gone()

    found, _ = post(script)
    assert (found.status, found.error) == (200, "the answer took longer than 0 s")
