"""The API without a network."""

import gzip
import json
from collections.abc import Iterable
from typing import Any

import pytest

from proctor.testing.http1 import Received
from proctor.testing.service import MODELS, Answer, Fault, Service, Step

KEY = {"x-api-key": "right"}
BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "say: hello"}]}


def request(
    method: str = "POST",
    target: str = "/v1/messages",
    *,
    headers: dict[str, str] = KEY,
    body: Any = BODY,
) -> Received:
    return Received(
        connection=1,
        method=method,
        target=target,
        headers=tuple({"anthropic-version": "2023-06-01", **headers}.items()),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        head_bytes=1,
    )


def error_of(answer: Answer) -> tuple[int, str]:
    assert isinstance(answer.body, bytes)
    return answer.status, json.loads(answer.body)["error"]["type"]


def stream(fault: Fault | None, service: Service | None = None) -> list[bytes | Step]:
    answer = (service or Service(api_key="right")).answer(
        request(body={**BODY, "stream": True}), fault
    )
    assert answer.status == 200
    assert isinstance(answer.body, Iterable)
    assert not isinstance(answer.body, bytes)
    return list(answer.body)


def pieces(fault: Fault, service: Service | None = None) -> list[bytes]:
    return [piece for piece in stream(fault, service) if isinstance(piece, bytes)]


@pytest.mark.parametrize(
    ("given", "status", "kind", "leaks"),
    [
        ({}, 401, "authentication_error", []),
        ({"x-api-key": "wrong"}, 401, "authentication_error", ["x-api-key"]),
        ({**KEY, "authorization": "Bearer t"}, 401, "authentication_error", ["authorization"]),
        ({**KEY, "cookie": "a=b"}, 401, "authentication_error", ["cookie"]),
    ],
)
def test_whose_key(given: dict[str, str], status: int, kind: str, leaks: list[str]) -> None:
    service = Service(api_key="right")
    assert error_of(service.answer(request(headers=given))) == (status, kind)
    assert service.leaks == leaks


def test_the_key_may_be_a_bearer() -> None:
    service = Service(api_key="right")
    answer = service.answer(request(headers={"authorization": "Bearer right"}))
    assert answer.status == 200
    assert service.leaks == []


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("HEAD", "/", 200),
        ("POST", "/v1/messages?beta=true", 200),
        ("POST", "/v1/messages/count_tokens", 200),
        ("GET", "/v1/models", 200),
        ("GET", f"/v1/models/{MODELS[0]}", 200),
        ("GET", "/v1/models/none", 404),
        ("POST", "/v1/files", 404),
    ],
)
def test_routes(method: str, target: str, status: int) -> None:
    assert Service(api_key="right").answer(request(method, target)).status == status


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
def test_a_field_is_required(missing: str) -> None:
    body = {key: value for key, value in BODY.items() if key != missing}
    answer = Service(api_key="right").answer(request(body=body))
    assert error_of(answer) == (400, "invalid_request_error")


def test_a_body_that_is_no_json() -> None:
    answer = Service(api_key="right").answer(request(body=b"{"))
    assert error_of(answer) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.RATE_LIMITED, (429, "rate_limit_error")),
        (Fault.OVERLOADED, (529, "overloaded_error")),
        (Fault.SERVER_ERROR, (500, "api_error")),
    ],
)
def test_errors(fault: Fault, expected: tuple[int, str]) -> None:
    assert error_of(Service(api_key="right").answer(request(), fault)) == expected


def test_streams_that_go_wrong() -> None:
    good = stream(None)
    assert stream(Fault.HELD_FIRST) == [Step.WAIT, *good]
    held = stream(Fault.HELD_MIDWAY)
    at = held.index(Step.WAIT)
    assert 0 < at < len(good)
    assert held[:at] + held[at + 1 :] == good
    *_, torn, last = stream(Fault.CUT)
    assert last is Step.DROP
    assert isinstance(torn, bytes)
    assert not torn.endswith(b"\n\n")
    assert all(b"message_stop" not in piece for piece in pieces(Fault.NO_STOP))
    assert b"event: error" in pieces(Fault.STREAM_ERROR)[-1]
    assert b"event: content_block_delta\ndata: {oops\n\n" in stream(Fault.MALFORMED)


def test_a_huge_stream_has_at_least_its_size() -> None:
    found = pieces(Fault.HUGE, Service(api_key="right", huge=1_000_000))
    assert 1_000_000 <= sum(len(piece) for piece in found) < 1_200_000
    assert b"message_stop" in found[-1]


@pytest.mark.parametrize("streaming", [True, False])
def test_gzip(*, streaming: bool) -> None:
    service = Service(api_key="right")
    answer = service.answer(request(body={**BODY, "stream": streaming}), Fault.GZIP)
    assert answer.headers["content-encoding"] == "gzip"
    assert isinstance(answer.body, bytes)
    assert b"hello" in gzip.decompress(answer.body)


def test_html() -> None:
    answer = Service(api_key="right").answer(request(), Fault.HTML)
    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")
