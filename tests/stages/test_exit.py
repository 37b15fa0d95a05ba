"""Nothing leaves that changed, or goes elsewhere."""

from collections.abc import Callable

import pytest
from mitmproxy import http

from tests.support.origin import Origin
from tests.support.stand import OK, house, listener, post, running


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


@pytest.mark.parametrize("what", ["host", "port", "path", "body", "header", "method"])
def test_what_changes_after_it_was_judged_does_not_leave(what: str) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
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
