"""How notifiers are spoken to."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.notify.wire import (
    MOST_BYTES,
    Answer,
    DeliveryError,
    Wire,
    checked_url,
    make_client,
)
from proctor.errors import ConfigurationError
from proctor.testing.http1 import Received
from tests.approval.notify.standins import Said, serve

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SECRET = "/services/secretpath"


def ask(answer: Callable[[Received], Said], *, read: bool = False, seconds: float = 5) -> Answer:
    async def main() -> Answer:
        async with serve(answer) as origin:
            wire = Wire(make_client(), clock=lambda: NOW, seconds=seconds)
            try:
                url = checked_url(origin + SECRET, "ops")
                return await wire.send("POST", url, body=b"{}", read=read)
            finally:
                await wire.close()

    return asyncio.run(main())


def refused(answer: Said, *, read: bool = False, seconds: float = 5) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        ask(lambda _: answer, read=read, seconds=seconds)
    assert "secretpath" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def test_what_is_sent() -> None:
    came: list[Received] = []

    def answer(request: Received) -> Said:
        came.append(request)
        return Said(body=b'{"a": 1}')

    assert ask(answer, read=True).json() == {"a": 1}
    (request,) = came
    assert (request.method, request.target, request.body) == ("POST", SECRET, b"{}")
    assert request.header("content-type") == "application/json"
    assert request.header("accept-encoding") == "identity"
    assert (request.header("user-agent") or "").startswith("proctor/")


@pytest.mark.parametrize(
    ("status", "final"),
    [
        *((status, False) for status in (301, 401, 403, 404, 410, 429, 500, 503)),
        *((status, True) for status in (400, 413, 415, 422)),
    ],
)
def test_a_status_that_says_no(status: int, *, final: bool) -> None:
    error = refused(Said(status))
    assert (error.code, error.final, error.after) == (f"status-{status}", final, None)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("7", 7.0),
        ("99999999999999999999", 3600.0),
        ("Sun, 22 Nov 2026 09:31:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 09:31:00 -0000", 60.0),
        ("Sun, 22 Nov 2026 09:29:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("Sun, 99 Nov 2026 09:31:00 GMT", None),
    ],
)
def test_when_to_come_back(text: str, after: float | None) -> None:
    assert refused(Said(429, headers={"retry-after": text})).after == after


def test_any_retry_after() -> None:
    wire = Wire(httpx.AsyncClient(), clock=lambda: NOW)

    @given(st.text(max_size=60))
    def check(text: str) -> None:
        found = wire._pause(text)
        assert found is None or 0 <= found <= 3600

    check()


def test_nothing_comes_back() -> None:
    assert refused(Said(body=None), seconds=0.2).code == "timeout"


def test_a_huge_answer_is_not_read() -> None:
    huge = Said(body=b"x" * 65536, repeat=MOST_BYTES)
    assert ask(lambda _: huge).status == 200
    assert refused(huge, read=True).code == "answer-too-large"


def test_garbage() -> None:
    with pytest.raises(DeliveryError, match="answer-unreadable"):
        ask(lambda _: Said(body=b"{garbage"), read=True).json()


def test_no_http_at_all() -> None:
    async def main() -> None:
        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\r\n")
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wire = Wire(make_client(), clock=lambda: NOW)
        async with server:
            with pytest.raises(DeliveryError, match="RemoteProtocolError"):
                await wire.send("POST", checked_url(f"http://127.0.0.1:{port}", "ops"))
        with pytest.raises(DeliveryError, match="ConnectError"):
            await wire.send("POST", checked_url(f"http://127.0.0.1:{port}", "ops"))
        await wire.close()

    asyncio.run(main())


def test_redirects_are_not_followed() -> None:
    came: list[str] = []

    def answer(request: Received) -> Said:
        came.append(request.target)
        return Said(307, headers={"location": "/elsewhere"})

    with pytest.raises(DeliveryError, match="status-307"):
        ask(answer)
    assert came == [SECRET]


def test_no_log_has_the_address(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(lambda _: Said())
    assert "HTTP Request: POST http://127.0.0.1:" in caplog.text
    assert "secretpath" not in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "https://hooks.slack.com/services/T0/B0/x",
        "https://example.logic.azure.com/workflows/a/triggers/m?api-version=1&sig=a-b_c",
        "http://127.0.0.1:8000/hook",
        "http://[::1]:8000/hook",
        "https://jira.example",
        "https://jira.example?x=1",
    ],
)
def test_an_address_that_can_be_used(text: str) -> None:
    assert str(checked_url(text, "ops")) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hooks.slack.com",
        "http://hooks.slack.com/secret",
        "ftp://host/secret",
        "https://user:secret@host/",
        "https://host/secret#part",
        "https://host\\@evil/secret",
        "https://ho st/secret",
        "https:///secret",
        "https://host:99999/secret",
        "file:///etc/secret",
    ],
)
def test_an_address_that_cannot_be_used(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_url(text, "ops")
    assert caught.value.code == "wrong-value"
    assert "secret" not in str(caught.value)


@given(
    st.text(max_size=80) | st.from_regex(r"https?://[a-z0-9.:@\[\]?#/\\-]{0,40}", fullmatch=True)
)
def test_any_address_is_safe_or_refused(text: str) -> None:
    try:
        url = checked_url(text, "ops")
    except ConfigurationError:
        return
    assert (
        url.scheme == "https"
        or url.host in {"127.0.0.1", "localhost", "::1"}
        or (url.host.startswith("127."))
    )
    assert not url.userinfo
    assert not url.fragment
