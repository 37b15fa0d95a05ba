"""Every upstream, route and destination of a listener as one."""

from typing import Any

import pytest

from proctor.egress.targets import Target, Targets, targets_of
from proctor.settings import Listener


def forward(*destinations: dict[str, Any], **more: Any) -> Targets:
    return targets_of(
        Listener.model_validate(
            {
                "name": "egress",
                "kind": "forward",
                "listen": "127.0.0.1:0",
                "destinations": destinations,
                **more,
            }
        )
    )


def reverse(**more: Any) -> Targets:
    return targets_of(
        Listener.model_validate(
            {"name": "tools", "kind": "reverse", "listen": "127.0.0.1:0", **more}
        )
    )


def chosen(targets: Targets, host: str, path: str, port: int = 443, *, tls: bool = True) -> str:
    target = Targets.choose(targets.at(host, port), path, tls=tls)
    return f"{target.host}{target.path.text}" if target else ""


def test_the_closest_name_and_then_the_closest_path_counts() -> None:
    every: list[dict[str, Any]] = [
        {"host": "*.internal.example"},
        {"host": "*.api.internal.example", "path": "/v1/**"},
        {"host": "a.api.internal.example", "path": "/v1/**"},
        {"host": "a.api.internal.example", "path": "/v1/secret"},
        {"host": "a.api.internal.example", "port": 8443},
    ]
    for destinations in (every, every[::-1]):
        targets = forward(*destinations)
        for host, path, port, found in (
            ("x.internal.example", "/any", 443, "*.internal.example/**"),
            ("b.api.internal.example", "/v1/x", 443, "*.api.internal.example/v1/**"),
            ("b.api.internal.example", "/v2/x", 443, ""),
            ("a.api.internal.example", "/v1/x", 443, "a.api.internal.example/v1/**"),
            ("a.api.internal.example", "/v1/secret", 443, "a.api.internal.example/v1/secret"),
            ("a.api.internal.example", "/v2", 443, ""),
            ("a.api.internal.example", "/v2", 8443, "a.api.internal.example/**"),
            ("internal.example", "/", 443, ""),
            ("x.internal.example", "/", 80, ""),
        ):
            assert chosen(targets, host, path, port) == found, (host, path, port)


def test_what_is_spoken_to_in_the_clear_is_not_spoken_to_over_tls() -> None:
    targets = forward({"host": "a.example", "plaintext": True}, {"host": "b.example"})
    assert chosen(targets, "a.example", "/", 80, tls=False)
    assert not chosen(targets, "a.example", "/", 80, tls=True)
    assert not chosen(targets, "b.example", "/", 443, tls=False)


def test_a_destination_s_target() -> None:
    (target,) = forward(
        {
            "host": "Mcp.Internal",
            "speaks": "mcp",
            "credential": "c",
            "addresses": ("10.0.0.0/8",),
            "upstream_tls": {"ca": "ca.pem", "cert": "c.pem", "key": "k.pem"},
        },
        via="http://proxy.corp:3128",
    ).at("mcp.internal", 443)
    assert (target.name, target.speaks, target.scheme) == ("mcp", "mcp", "https")
    assert (target.credential, target.own, target.named) == ("c", False, False)
    assert target.via == ("http", ("proxy.corp", 3128))
    assert target.files.ca
    assert target.files.ca.name == "ca.pem"
    assert [str(each) for each in target.addresses] == ["10.0.0.0/8"]


def test_the_client_s_own_is_no_credential_of_ours() -> None:
    (target,) = forward({"host": "a.example", "credential": "client"}).at("a.example", 443)
    assert (target.credential, target.own) == (None, True)


def test_two_of_one_host_and_port_agree_in_what_a_connection_rests_on() -> None:
    def trust(**more: Any) -> tuple[object, ...]:
        (target,) = forward({"host": "a.example", "port": 443, **more}).at("a.example", 443)
        return target.trust

    plain = trust()
    assert trust(path="/v1/**", credential="c", name="n") == plain
    for other in (
        {"plaintext": True},
        {"speaks": "tunnel"},
        {"addresses": ("10.0.0.0/8",)},
        {"upstream_tls": {"ca": "ca.pem"}},
    ):
        assert trust(**other) != plain, other


def test_the_one_target_of_an_upstream() -> None:
    targets = reverse(upstream="https://api.internal:8443", speaks="http", credential="c")
    target = targets.on_path("/any/../thing")
    assert target
    assert (target.named, target.credential, target.base) == (True, "c", None)
    assert targets.first == ("api.internal", 8443)
    assert target.upstream_path("/any?x") == "/any?x"
    assert targets.speak("http")
    assert not targets.speak("mcp")


def routed() -> Targets:
    return reverse(
        speaks="mcp",
        routes=(
            {"path": "/jira", "upstream": "https://mcp.internal/mcp", "credential": "j"},
            {"path": "/jira/admin", "upstream": "https://admin.internal"},
            {"path": "/a/Wiki", "upstream": "https://wiki.internal/", "speaks": "http"},
        ),
    )


@pytest.mark.parametrize(
    ("path", "name", "upstream"),
    [
        ("/jira", "jira", "/mcp"),
        ("/jira?x=/jira", "jira", "/mcp?x=/jira"),
        ("/jira/x", "jira", "/mcp/x"),
        ("/jira/admin", "admin", "/"),
        ("/jira/admin/y", "admin", "/y"),
        ("/a/Wiki/z", "wiki", "/z"),
        ("/jir", None, ""),
        ("/jirax", None, ""),
        ("/a/wiki", None, ""),
        ("/jira%2fadmin", None, ""),
        ("/", None, ""),
    ],
)
def test_routes(path: str, name: str | None, upstream: str) -> None:
    target: Target | None = routed().on_path(path.partition("?")[0])
    assert (target.name if target else None) == name
    if target:
        assert target.upstream_path(path) == upstream


def test_routes_speak_for_themselves() -> None:
    targets = routed()
    assert not targets.speak("mcp")
    found = [targets.on_path(path) for path in ("/jira", "/a/Wiki")]
    assert [each.speaks for each in found if each] == ["mcp", "http"]


def test_who_is_vouched_for() -> None:
    def said(targets: Targets) -> list[bool]:
        return [each.trusted for each in targets]

    upstream = "https://api.example"
    assert said(reverse(upstream=upstream, speaks="http")) == [True]
    assert said(reverse(upstream=upstream, speaks="mcp")) == [False]
    assert said(reverse(upstream=upstream, speaks="mcp", trusted=True)) == [True]
    assert said(reverse(upstream=upstream, speaks="http", trusted=False)) == [False]
    routes = (
        {"path": "/a", "upstream": upstream},
        {"path": "/b", "upstream": upstream, "trusted": True},
        {"path": "/c", "upstream": upstream, "speaks": "http"},
        {"path": "/d", "upstream": upstream, "speaks": "http", "trusted": False},
    )
    assert said(reverse(routes=routes, speaks="mcp")) == [False, True, True, False]
    assert said(forward({"host": "b.example", "trusted": True}, {"host": "a.example"})) == [
        True,
        False,
    ]
    with pytest.raises(ValueError, match="Say `trusted` of each"):
        reverse(routes=routes, speaks="mcp", trusted=True)
    with pytest.raises(ValueError, match="A forward listener has no `trusted`"):
        forward({"host": "a.example"}, trusted=True)
