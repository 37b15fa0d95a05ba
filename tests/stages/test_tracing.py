"""What is joined to the run: through a live proxy, and the upstream sees nothing of it."""

import gzip
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.test import tflow

from proctor.arriving.patterns import warm
from proctor.model import Deny, Finding
from proctor.redaction.compiled import usable
from proctor.stages.exchange import Exchange, Stamp, opening_of
from proctor.stages.tracing import Tracing, unsay
from tests.support.installation import CACHE
from tests.support.origin import Origin
from tests.support.parts import ALICE
from tests.support.redacted import nowhere, request, screened
from tests.support.screened import KEY
from tests.support.stand import OK, post


@pytest.fixture(autouse=True, scope="module")
def ready() -> None:
    """What looks at answers takes seconds to load, which no request here is to wait for."""
    warm(usable(CACHE))


class House:
    """As much of a suite as the stage asks for."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.arrivals = SimpleNamespace(
            asks=lambda _flow, _exchange: (), traced=lambda _exchange: None
        )

    def exchange(self, _flow: object) -> Exchange:
        return self._exchange

    def screen(self, _name: str) -> None:
        return None


def traced(**more: Any) -> Exchange:
    exchange = Exchange(listener="api", **more)
    Tracing(House(exchange)).request(tflow.tflow())  # type: ignore[arg-type]  # as much as it asks for
    return exchange


def test_a_request_is_stamped() -> None:
    assert traced(principal=ALICE).stamps == Stamp.TRACED


def test_what_is_done_or_nobodys_is_not() -> None:
    refused = Deny(rule_id="r", reason="")
    assert traced(principal=ALICE, refused=refused).stamps == Stamp.NONE
    assert traced().stamps == Stamp.NONE


@pytest.mark.parametrize(
    "path", [f"/x?d={KEY[::-1]}", f"/x/{KEY.encode().hex()}", f"/x?d={KEY[4:20]}"]
)
def test_what_the_model_was_told_is_known_when_it_leaves(tmp_path: Path, path: str) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        proxy.request("claude", request(f"the key is {KEY}"))
        assert proxy.request("api", post(b"", path)).startswith(b"HTTP/1.1 200 ")
        leaving = origin.requests[-1]
        findings = this.rules.cases[-1].findings
    nowhere(this, seen, KEY, KEY[::-1], KEY[4:20], KEY.encode().hex())
    assert b"<" in leaving.split(b"\r\n")[0] or b"%3C" in leaving.split(b"\r\n")[0]
    for secret in (KEY, KEY[::-1], KEY[4:20], KEY.encode().hex()):
        assert secret.encode() not in leaving
    assert [found.type for found in findings].count("SECRET_PIECES") + [
        found.type for found in findings
    ].count("API_KEY")


def test_where_nothing_can_be_taken_out_nothing_leaves(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        answer = proxy.request("api", post(b"", "/x", more=b"x-request-id: %s\r\n" % KEY.encode()))
        assert answer.startswith(b"HTTP/1.1 451 ")
        assert KEY.encode() not in answer
    assert origin.received == b""
    nowhere(this, seen, KEY)
    assert b"secret-leaves" in answer


def test_nor_does_an_archive_in_which_a_secret_is(tmp_path: Path) -> None:
    part = b'--b\r\ncontent-disposition: form-data; name="f"; filename="a.gz"\r\n\r\n%s\r\n--b--'
    packed = gzip.compress(b"# notes\nTOKEN=%s\n" % KEY.encode(), mtime=0)
    sent = [
        post(packed, "/x"),  # application/json, as it says
        post(packed, "/x").replace(b"application/json", b"application/gzip"),
        post(part % packed, "/x").replace(b"application/json", b"multipart/form-data; boundary=b"),
    ]
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        answers = [proxy.request("api", each) for each in sent]
    assert origin.received == b""
    nowhere(this, seen, KEY)
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 451 ")
        assert b"secret-leaves" in answer


@pytest.mark.parametrize("name", ["content-type", "accept-language", "date"])
def test_a_header_that_nobody_reads_carries_no_known_secret(tmp_path: Path, name: str) -> None:
    said = b"%s: text/plain; a=%s\r\n" % (name.encode(), KEY[4:30].encode())
    with Origin(OK) as origin, screened(tmp_path, origin) as (_this, proxy, _seen):
        proxy.request("claude", request(f"the key is {KEY}"))
        before = len(origin.requests)
        answer = proxy.request("api", post(b"", "/x", more=said))
        assert len(origin.requests) == before
    assert answer.startswith(b"HTTP/1.1 451 ")


def test_pieces_are_told_to_the_rules_with_what_they_are(tmp_path: Path) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        proxy.request("claude", request(f"the key is {KEY}"))
        for at in range(4, len(KEY), 4):
            proxy.request("api", post(b"", f"/x?d={KEY[at : at + 4]}"))
        told = [found for case in this.rules.cases for found in case.findings]
    pieces = [found for found in told if found.type == "SECRET_PIECES"]
    assert pieces
    assert {found.location for found in pieces} == {"query.d"}
    leaving = b"".join(origin.requests)
    assert KEY[-8:].encode() not in leaving


def test_a_host_that_was_refused_is_not_shown() -> None:
    flow = tflow.tflow()
    flow.request.host = f"{KEY}.evil.example"
    flow.request.headers["host"] = flow.request.host
    finding = Finding(
        type="API_KEY",
        location="host",
        direction="request",
        score=1.0,
        detector="d",
        action="block",
        digest="",
    )
    exchange = Exchange(listener="api", traced=(finding,), opening=opening_of(flow, "api"))
    unsay(flow, exchange)
    assert flow.server_conn.address is None
    assert exchange.opening
    assert exchange.opening.host == flow.request.host == "<hidden>.evil.example"
    assert KEY not in str(flow.request.data)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (KEY[4:], ""),
        (KEY[::-1], ", written in reverse"),
        (KEY.encode().hex(), ", written in hex"),
        (b64encode(KEY.encode()).decode(), ", written in base64"),
    ],
)
def test_one_sentence_and_one_finding_tell_of_a_place(
    tmp_path: Path, value: str, written: str
) -> None:
    field = b"x-request-id: %s\r\n" % value.encode()
    with Origin(OK) as origin, screened(tmp_path, origin) as (_this, proxy, _seen):
        proxy.request("claude", request(f"the key is {KEY}"))
        answer = proxy.request("api", post(b"", "/x", more=field))
    told = f"100 % of a secret found in the conversation{written}, in header.x-request-id"
    assert answer.decode().count("in header.x-request-id") == 1
    assert told.encode() in answer
