"""Where does it go? Asked through a live proxy; what arrives is asked of the upstream."""

from collections.abc import Sequence
from typing import Any

import pytest

from proctor.egress.resolver import Resolver
from proctor.settings import Listener
from proctor.stages.aiming import authority
from tests.support.origin import OK, Origin
from tests.support.stand import house, proxy_of, running


def get(url: str, *lines: str, token: str = "a") -> bytes:
    """A request as a proxy's client sends it."""
    own = f"proxy-authorization: Bearer {token}"
    return "\r\n".join([f"GET {url} HTTP/1.1", "host: other", own, *lines, "", ""]).encode()


class Names:
    """A resolver's answers, one after the other."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return [self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]]


def ask(
    destinations: Sequence[dict[str, Any]], url: str, names: Names | None = None, times: int = 1
) -> tuple[list[bytes], Origin]:
    """Answers to a request that is sent so often, and the upstream on the port called PORT."""
    now = [0.0]
    with Origin(OK) as origin:
        at = [{"port": origin.port, "plaintext": True, **each} for each in destinations]
        resolver = Resolver(lookup=names or Names("127.0.0.1"), clock=lambda: now[0])
        this = house(proxy_of(*at), resolver=resolver)
        with running(this, "egress") as proxy:
            answers = []
            for _ in range(times):
                answers.append(proxy.request("egress", get(url.replace("PORT", str(origin.port)))))
                now[0] += 60  # an answer is kept for some seconds
        resolver.close()
    return answers, origin


def test_the_closest_destination_counts() -> None:
    destinations = [
        {"host": "*.corp.internal", "addresses": ("127.0.0.0/8",)},
        {"host": "api.corp.internal", "path": "/v1/**", "addresses": ("127.0.0.0/8",)},
    ]
    for host, path, status in (
        ("api.corp.internal", "/v1/x", b"200"),
        ("api.corp.internal", "/v2", b"451"),
        ("web.corp.internal", "/v2", b"200"),
        ("corp.internal", "/v2", b"451"),
        ("xcorp.internal", "/v2", b"451"),
    ):
        (answer,), origin = ask(destinations, f"http://{host}:PORT{path}")
        assert answer.startswith(b"HTTP/1.1 " + status), (host, path, answer)
        assert len(origin.requests) == (status == b"200")


def test_a_name_is_looked_up_by_us_and_its_address_is_dialled() -> None:
    names = Names("127.0.0.1")
    destination = {"host": "api.example.org", "addresses": ("127.0.0.1",)}
    (answer,), origin = ask([destination], "http://API.example.org.:PORT/x", names)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert origin.requests[0].startswith(
        b"GET /x HTTP/1.1\r\nHost: api.example.org:%d\r\n" % origin.port
    )
    assert names.asked == ["api.example.org"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "fd00:ec2::254",
        "0.0.0.0",  # noqa: S104 - nothing is bound
    ],
)
def test_a_name_that_leads_inwards_is_refused(address: str) -> None:
    (answer,), origin = ask(
        [{"host": "api.example.org"}], "http://api.example.org:PORT/", Names(address)
    )
    assert b'"address-refused"' in answer
    assert origin.connections == 0


def test_a_name_that_changes_its_mind_is_asked_each_time() -> None:
    """DNS rebinding: what was permitted once says nothing of the next answer."""
    names = Names("127.0.0.1", "127.0.0.2", "127.0.0.1")
    destination = {"host": "rebound.example.org", "addresses": ("127.0.0.1",)}
    answers, origin = ask([destination], "http://rebound.example.org:PORT/", names, times=3)
    assert [answer[9:12] for answer in answers] == [b"200", b"451", b"200"]
    assert len(origin.requests) == 2


@pytest.mark.parametrize("path", ["/own/../x", "/own/%2e%2e/x", "/own/..;/x", "/%00"])
def test_a_path_that_could_be_another_one_goes_nowhere(path: str) -> None:
    (answer,), origin = ask([{"host": "localhost"}], f"http://localhost:PORT{path}")
    assert b'"path-ambiguous"' in answer
    assert origin.connections == 0


def test_what_goes_nowhere_is_said_to_nobody_unknown() -> None:
    with Origin(OK) as origin:
        this = house(proxy_of({"host": "localhost", "port": origin.port, "plaintext": True}))
        with running(this, "egress") as proxy:
            answers = {
                proxy.request("egress", get(f"http://{where}/", token="nobody")).partition(
                    b"request-id"
                )[0]
                for where in (f"localhost:{origin.port}", "localhost:1", "169.254.169.254", "x.y")
            }
    assert len(answers) == 1
    assert answers.pop().startswith(b"HTTP/1.1 407 ")


def test_a_model_s_host_speaks_anthropic_or_nothing() -> None:
    """A wildcard cannot say more than the host's own name could."""
    (answer,), _ = ask([{"host": "*.anthropic.com"}], "http://api.anthropic.com:PORT/v1/files")
    assert b'"destination-unknown"' in answer


def reverse(listener_routes: Sequence[dict[str, Any]]) -> Listener:
    return Listener.model_validate(
        {
            "name": "tools",
            "kind": "reverse",
            "listen": "127.0.0.1:0",
            "routes": tuple(listener_routes),
        }
    )


@pytest.mark.parametrize(
    ("path", "arrives"),
    [
        ("/jira", b"/base"),
        ("/jira/a?b=/jira", b"/base/a?b=/jira"),
        ("/jirax", None),
        ("/jira%2fa", None),
        ("/jira/../x", None),
        ("//jira", None),
        ("/", None),
        ("/wiki/a", b"/a"),
        ("/wiki", b"/"),
    ],
)
def test_routes_of_a_reverse_listener(path: str, arrives: bytes | None) -> None:
    with Origin(OK) as origin:
        base = f"http://127.0.0.1:{origin.port}"
        routes = [
            {"path": "/jira", "upstream": f"{base}/base", "speaks": "http"},
            {"path": "/wiki", "upstream": base, "speaks": "http"},
        ]
        this = house(reverse(routes))
        with running(this, "tools") as proxy:
            request = f"GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a\r\n\r\n"
            answer = proxy.request("tools", request.encode())
    if arrives is None:
        assert answer[9:12] in {b"400", b"404"}, answer
        assert origin.connections == 0
    else:
        assert origin.requests[0].startswith(b"GET %s HTTP/1.1\r\n" % arrives)


@pytest.mark.parametrize(
    ("scheme", "host", "port", "written"),
    [
        ("http", "a", 80, "a"),
        ("https", "a", 80, "a:80"),
        ("https", "::1", 443, "[::1]"),
        ("http", "::1", 8080, "[::1]:8080"),
    ],
)
def test_an_authority_as_urls_have_it(scheme: str, host: str, port: int, written: str) -> None:
    assert authority(scheme, host, port) == written


def test_what_goes_nowhere_is_part_of_the_run_under_way() -> None:
    # It is refused before anyone asks what it is; the record of the run has it all the same.
    with Origin(OK) as origin:
        resolver = Resolver(lookup=Names("127.0.0.1"))
        there = {"host": "localhost", "port": origin.port, "plaintext": True}
        this = house(proxy_of(there), resolver=resolver)
        named = "x-claude-code-session-id: s-1"
        here, nowhere = f"http://localhost:{origin.port}/", "http://0xA9FEA9FE/latest"
        with running(this, "egress") as proxy:
            for request in (
                get(nowhere),
                get(here, named),
                get(nowhere),
                b"CONNECT 0xA9FEA9FE:443 HTTP/1.1\r\nproxy-authorization: Bearer a\r\n\r\n",
                get(nowhere, token="b"),
                get(nowhere, "x-claude-code-session-id: s-2"),
                get(nowhere),
            ):
                proxy.request("egress", request)
        resolver.close()
    refused = [fields for _, fields in this.store.appended if fields["verdict"] == "deny"]
    assert [(each["session_id"], each["correlated_by"]) for each in refused] == [
        (None, None),
        ("s-1", "principal"),
        ("s-1", "principal"),
        (None, None),
        ("s-2", "header"),
        (None, None),  # two are under way
    ]
