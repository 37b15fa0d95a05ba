"""Nothing leaves that changed, or goes elsewhere."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mitmproxy import http

from proctor.approval.model import Kill, KillScope
from tests.support.desks import NOW
from tests.support.origin import Origin
from tests.support.screened import KEY, screens
from tests.support.stand import OK, REAL_KEY, house, listener, post, running


def _edit(what: str) -> Callable[[http.HTTPFlow], None]:
    def edit(flow: http.HTTPFlow) -> None:
        match what:
            case "host":
                flow.request.host = "localhost"
            case "port":
                flow.request.port = 1
            case "path":
                flow.request.path = "/v1/files"
            case "body":
                flow.request.content = b"{}"
            case "header":
                flow.request.headers["x-more"] = "1"
            case "method":
                flow.request.method = "PUT"

    return edit


@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize("what", ["host", "port", "path", "body", "header", "method"])
def test_what_changes_after_it_was_judged_does_not_leave(
    tmp_path: Path, what: str, *, redacted: bool
) -> None:
    with Origin(OK) as origin, screens(tmp_path / "state") as ours:
        this = house(listener(origin.port), screens=ours if redacted else None)
        # As an editor would: between the last stage and the wire.
        last = this.suite.stages_in_order[-1]
        check = last.request

        def then_edit(flow: http.HTTPFlow) -> None:
            check(flow)
            _edit(what)(flow)

        last.request = then_edit
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert b" 502 " in answer
    assert origin.received == b""


@pytest.mark.parametrize("what", ["host", "port"])
def test_another_addon_cannot_send_it_elsewhere(what: str) -> None:
    class MapRemote:
        def request(self, flow: http.HTTPFlow) -> None:
            _edit(what)(flow)

    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this, extra=(MapRemote(),)) as proxy:
            assert proxy.request("claude", post()).startswith(b"HTTP/1.1 503 ")
    assert origin.connections == 0


def test_what_may_not_be_seen_leaves_beside_the_flow_and_has_its_own_length(
    tmp_path: Path,
) -> None:
    """A value that only the upstream may see: the flow and the record hold a shorter word."""
    flows: list[bytes] = []

    class Looker:
        def response(self, flow: http.HTTPFlow) -> None:
            flows.append(flow.request.raw_content or b"")

    with Origin(OK) as origin, screens(tmp_path / "s", entities={"API_KEY": "detect"}) as ours:
        this = house(listener(origin.port, speaks="http"), screens=ours)
        with running(this, extra=(Looker(),)) as proxy:
            for more in (b"", b"x-a: b\r\n"):
                proxy.request("claude", post(KEY.encode(), f"/{KEY}", more=more))
    for request in origin.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        assert body == KEY.encode()
        assert b"content-length: %d" % len(KEY) in head
        assert head.startswith(f"POST /{KEY} ".encode())
        assert REAL_KEY in head
    assert flows == [b"<API_KEY>"] * 2
    assert KEY.encode() not in b"".join(this.store.contents)


@pytest.mark.parametrize(
    "fields",
    [
        {"content-length": "3"},
        {"transfer-encoding": "chunked"},
        {"transfer-encoding": "chunked", "content-length": "3"},
    ],
)
def test_what_leaves_has_the_length_that_it_has(fields: dict[str, str]) -> None:
    """Otherwise the upstream would read a body's rest as a second request."""

    class Editor:
        def request(self, flow: http.HTTPFlow) -> None:
            flow.request.headers.pop("content-length", None)
            flow.request.headers.update(fields)

    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this, extra=(Editor(),)) as proxy:
            assert proxy.request("claude", post()).startswith(b"HTTP/1.1 200 ")
    (request,) = origin.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    assert b"transfer-encoding" not in head
    assert origin.received == request


def test_what_is_killed_in_the_last_moment_hears_of_it() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        last = this.suite.stages_in_order[-1]
        check = last.request

        def killed(flow: http.HTTPFlow) -> None:
            kill = Kill(id="ki_1", scope=KillScope.ALL, target="", by="x", reason="enough", at=NOW)
            this.suite.exchange(flow).killed = this.suite.ended(kill)
            check(flow)

        last.request = killed
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert b"enough" in answer
    assert origin.received == b""
