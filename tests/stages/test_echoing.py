"""An upstream that repeats what it was sent does not hand over the credential put in."""

import gzip
import json
import threading
from pathlib import Path

import pytest

from proctor.credentials.echo import ECHOED, Values
from tests.support.live import Live
from tests.support.origin import Origin
from tests.support.redacted import answered, body_of, nowhere, screened, unchunked
from tests.support.stand import REAL_KEY, Stand, house, listener, post, running

KEY = REAL_KEY.decode()
STARS = b"*" * len(REAL_KEY)
ECHO = json.dumps({"headers": {"x-api-key": KEY}}).encode()
CLEAN = ECHO.replace(REAL_KEY, STARS)


def bare(origin: Origin) -> Stand:
    """Without redaction."""
    this = house(listener(origin.port, speaks="http"))
    this.keys.values = (Values({KEY: "real"}),)
    return this


def ask(proxy: Live, name: str = "claude", path: str = "/v1/things") -> bytes:
    return proxy.request(name, post(b'{"a": 1}', path))


def nothing_kept(this: Stand) -> None:
    kept = b"".join(this.store.contents) + json.dumps(this.store.appended).encode()
    assert REAL_KEY not in kept


def found_in(this: Stand) -> list[tuple[str, str, str]]:
    end = next(fields for kind, fields in this.store.appended if kind == "flow.end")
    return [(f["entity_type"], f["location"], f["action"]) for f in end["findings"]]


def test_a_body_is_given_without_it() -> None:
    with Origin(answered(ECHO)) as origin:
        this = bare(origin)
        with running(this) as proxy:
            answer = ask(proxy)
        assert REAL_KEY in origin.requests[0]
    assert body_of(answer) == CLEAN
    assert f"content-length: {len(ECHO)}".encode() in answer.lower()
    assert found_in(this) == [("CREDENTIAL", "body", "mask")]
    assert [each.type for each in this.metrics.found] == ["CREDENTIAL"]
    nothing_kept(this)


def test_headers_and_reason_are_given_without_it() -> None:
    head = f"HTTP/1.1 200 key {KEY}\r\nlocation: /next?key={KEY}\r\ncontent-length: 2\r\n\r\nok"
    with Origin(head.encode()) as origin:
        this = bare(origin)
        with running(this) as proxy:
            answer = ask(proxy)
    assert REAL_KEY not in answer
    assert b"location: /next?key=" + STARS in answer
    assert ("CREDENTIAL", "header.location", "mask") in found_in(this)
    nothing_kept(this)


def test_a_stream_is_given_without_it_wherever_it_is_cut() -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in ECHO)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
    with Origin(head + chunks + b"0\r\n\r\n") as origin:
        this = bare(origin)
        with running(this) as proxy:
            answer = ask(proxy)
    assert unchunked(answer) == CLEAN
    nothing_kept(this)


def test_a_long_answer_of_known_length_keeps_its_length() -> None:
    body = b"x" * 1_200_000 + REAL_KEY
    with Origin(answered(body, "text/plain")) as origin:
        this = bare(origin)
        with running(this) as proxy:
            answer = ask(proxy)
    assert body_of(answer) == body.replace(REAL_KEY, STARS)


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_compressed_answer_is_unpacked(kind: str) -> None:
    packed = answered(gzip.compress(ECHO), kind, "content-encoding: gzip\r\n")
    with Origin(packed) as origin:
        this = bare(origin)
        with running(this) as proxy:
            answer = ask(proxy)
    assert b"content-encoding" not in answer.lower()
    assert CLEAN in answer
    nothing_kept(this)


def test_a_coding_that_nobody_reads_is_refused() -> None:
    with Origin(answered(ECHO, more="content-encoding: secret\r\n")) as origin:
        this = bare(origin)
        with running(this) as proxy:
            answer = ask(proxy)
    assert answer.startswith(b"HTTP/1.1 451 ")
    assert json.loads(body_of(answer))["code"] == "redaction-decoder"
    assert REAL_KEY not in answer


def test_a_coded_answer_to_what_had_no_credential_goes_on_as_it_came() -> None:
    packed = gzip.compress(b"x" * 4096)
    with Origin(answered(packed, more="content-encoding: gzip\r\n")) as origin:
        this = house(listener(origin.port, speaks="http").model_copy(update={"credential": None}))
        this.keys.values = (Values({KEY: "real"}),)  # another listener's
        with running(this) as proxy:
            answer = ask(proxy)
    assert b"content-encoding: gzip" in answer.lower()
    assert body_of(answer) == packed


def test_trailers_are_given_without_it() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
    tail = b"2\r\nok\r\n0\r\nx-seen: " + REAL_KEY + b"\r\n\r\n"
    with Origin(head + tail) as origin:
        this = bare(origin)
        with running(this) as proxy:
            answer = ask(proxy)
    assert REAL_KEY not in answer


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "image/png"])
def test_where_redaction_is_on_it_is_gone_before(kind: str, tmp_path: Path) -> None:
    before = {"text/event-stream": b"data: ", "image/png": b"\x89PNG\r\n\x1a\n" + bytes(16)}
    body = before.get(kind, b"") + ECHO + (b"\n\n" if kind == "text/event-stream" else b"")
    with Origin(answered(body, kind)) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        this.keys.values = (Values({KEY: "real"}),)
        answer = ask(proxy, "api")
    assert REAL_KEY not in answer
    assert STARS in answer
    nowhere(this, seen, KEY)
    assert ("CREDENTIAL", "body", "mask") in found_in(this)


def test_an_event_says_whose(monkeypatch: pytest.MonkeyPatch) -> None:
    with Origin(answered(ECHO)) as origin:
        this = bare(origin)
        told: list[tuple[str, object]] = []
        happened = threading.Event()

        async def event(kind: str, detail: object) -> None:
            told.append((kind, detail))
            happened.set()

        monkeypatch.setattr(this.suite.gate, "event", event)
        with running(this) as proxy:
            ask(proxy)
            assert happened.wait(30)
    [(kind, detail)] = told
    assert kind == ECHOED
    assert isinstance(detail, dict)
    assert (detail["credential"], detail["host"]) == ("real", "127.0.0.1")
    assert KEY not in repr(detail)
