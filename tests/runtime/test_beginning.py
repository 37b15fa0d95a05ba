"""An answer that began before its request had left."""

from mitmproxy import http
from mitmproxy.proxy.layers.http import (
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._events import ErrorCode

from proctor.runtime.beginning import Beginning
from proctor.runtime.door import Refusal

KIND = (b"content-type", b"application/x-a")
SAID = Refusal(status=200, headers=(KIND,), body=b"wait")
LOST = ResponseProtocolError(1, "lost", ErrorCode.GENERIC_SERVER_ERROR)


def head(status: int, kind: bytes) -> ResponseHeaders:
    answer = http.Response.make(status, b"", http.Headers([(b"content-type", kind)]))
    return ResponseHeaders(1, answer)


def test_the_same_kind_goes_on() -> None:
    begun = Beginning(SAID)
    assert list(begun.rest(head(200, KIND[1]), None)) == []
    data, end = ResponseData(1, b"x"), ResponseEndOfMessage(1)
    assert list(begun.rest(data, None)) == [data]
    assert list(begun.rest(end, None)) == [end]


def test_another_kind_is_broken_off() -> None:
    for foreign in (head(500, KIND[1]), head(200, b"text/html")):
        begun = Beginning(SAID)
        assert list(begun.rest(foreign, None)) == []
        assert list(begun.rest(ResponseData(1, b"x"), None)) == []
        (last,) = begun.rest(ResponseEndOfMessage(1), None)
        assert isinstance(last, ResponseProtocolError)


def test_words_take_the_place_of_an_error() -> None:
    words = Refusal(status=200, headers=(KIND,), body=b"no")
    assert list(Beginning(SAID).rest(LOST, words)) == [
        ResponseData(1, b"no"),
        ResponseEndOfMessage(1),
    ]
    other = Refusal(status=503, headers=((b"content-type", b"text/plain"),), body=b"no")
    assert list(Beginning(SAID).rest(LOST, other)) == [LOST]
    assert list(Beginning(SAID).rest(LOST, None)) == [LOST]
