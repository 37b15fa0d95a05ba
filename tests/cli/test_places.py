"""Where clients reach an installation."""

from pathlib import Path

import pytest

from proctor.cli.places import Places, Server, find_places
from proctor.config import Config, build
from proctor.errors import ConfigurationError
from proctor.units import Origin
from proctor.yamlfile import parse

MORE = """
identity: {issuers: [{issuer: local, audience: proctor}]}
credentials: [{name: key, header: x-api-key, value: {env: KEY}}]
"""
CLAUDE = "{name: claude, kind: reverse, listen: 127.0.0.1:80, upstream: https://a.b, speaks: %s%s}"


def config(*listeners: str) -> Config:
    text = "schema_version: 1\nlisteners:\n" + "".join(f"  - {each}\n" for each in listeners) + MORE
    if "credential: key" not in text:
        text = text.replace("credentials:", "# credentials:")
    return build(parse(text.encode(), name="proctor.yaml"), Path("/srv"))


def places(*listeners: str, host: str | None = None) -> Places:
    return find_places(config(*listeners).listeners, host)


def forward(*destinations: str, listen: str = "127.0.0.1:8081", more: str = "") -> str:
    listed = ", ".join(f"{{{each}}}" for each in destinations)
    return f"{{name: egress, kind: forward, listen: '{listen}', destinations: [{listed}]{more}}}"


def test_a_reverse_listener_for_the_model() -> None:
    found = places(CLAUDE % ("anthropic", ""))
    assert found == Places(model="http://127.0.0.1", direct=("127.0.0.1:80",))


def test_a_forward_listener() -> None:
    found = places(forward("host: api.internal"))
    assert found == Places(proxy=Origin(scheme="http", host="127.0.0.1", port=8081))


def test_of_two_forward_listeners_the_first_counts() -> None:
    two = forward("host: b.internal", listen="127.0.0.1:8090").replace("egress", "other")
    found = places(forward("host: a.internal"), two)
    assert found.proxy is not None
    assert found.proxy.port == 8081


def test_routes_speak_for_themselves() -> None:
    routes = (
        "{path: /jira, upstream: 'https://mcp.internal/mcp'}",
        "{path: /team/Wiki, upstream: 'https://mcp.internal/wiki'}",
        "{path: /b, name: other, upstream: 'https://mcp.internal/b'}",
        "{path: /model, upstream: 'https://a.b', speaks: anthropic}",
        "{path: /tickets, upstream: 'https://tickets.internal', speaks: http}",
    )
    listed = ", ".join(routes)
    found = places(
        f"{{name: t, kind: reverse, listen: '[::1]:82', speaks: mcp, routes: [{listed}]}}"
    )
    assert [(each.name, each.url, each.direct) for each in found.servers] == [
        ("jira", "http://[::1]:82/jira", True),
        ("wiki", "http://[::1]:82/team/Wiki", True),
        ("other", "http://[::1]:82/b", True),
    ]
    assert found.model == "http://[::1]:82/model"
    assert found.apis == ("http://[::1]:82/tickets",)
    assert found.direct == ("[::1]:82",)


@pytest.mark.parametrize(
    ("destination", "url"),
    [
        ("host: mcp.internal, path: /jira, speaks: mcp, name: it", "https://mcp.internal/jira"),
        ("host: mcp.internal, path: /jira/**, speaks: mcp, name: it", "https://mcp.internal/jira"),
        ("host: it, port: 8443, path: /, speaks: mcp", "https://it:8443/"),
        ("host: localhost, port: 8000, plaintext: true, path: /m, speaks: mcp, name: it",
         "http://localhost:8000/m"),
        # what no client can be pointed at
        ("host: mcp.internal, speaks: mcp, name: it", None),
        ("host: mcp.internal, path: /*/mcp, speaks: mcp, name: it", None),
        ("host: '*.mcp.internal', path: /jira, speaks: mcp, name: it", None),
        ("host: mcp.internal, path: /jira, name: it", None),
    ],
)  # fmt: skip
def test_servers_behind_the_proxy(destination: str, url: str | None) -> None:
    wanted = () if url is None else (Server(name="it", url=url, direct=False),)
    assert places(forward(destination)).servers == wanted


def test_of_servers_with_one_name_the_listener_s_own_counts() -> None:
    found = places(
        forward("host: mcp.internal, path: /claude, speaks: mcp, name: claude"),
        CLAUDE % ("mcp", ""),
    )
    assert found.servers == (Server(name="claude", url="http://127.0.0.1", direct=True),)


@pytest.mark.parametrize(
    ("destination", "url"),
    [
        ("host: api.anthropic.com, speaks: anthropic, credential: key",
         "https://api.anthropic.com"),
        ("host: m.internal, port: 8443, speaks: anthropic, credential: key",
         "https://m.internal:8443"),
        ("host: '*.anthropic.com', speaks: anthropic, credential: key", None),
        ("host: api.anthropic.com, speaks: anthropic, credential: client", None),
        ("host: m.internal, credential: key", None),
    ],
)  # fmt: skip
def test_a_model_behind_the_proxy(destination: str, url: str | None) -> None:
    assert places(forward(destination)).proxied_model == url


@pytest.mark.parametrize(
    ("listen", "host", "address"),
    [
        ("127.0.0.1:8081", None, "http://127.0.0.1:8081"),
        ("'[::1]:8081'", None, "http://[::1]:8081"),
        ("127.0.0.1:8081", "proctor.corp", "http://proctor.corp:8081"),
        ("0.0.0.0:8081", "proctor.corp", "http://proctor.corp:8081"),
        ("0.0.0.0:8081", "::1", "http://[::1]:8081"),
    ],
)
def test_addresses(listen: str, host: str | None, address: str) -> None:
    more = ", plaintext: true" if "0.0.0.0" in listen else ""  # noqa: S104 - only read
    item = forward("host: a.internal", listen=listen.strip("'"), more=more)
    assert str(places(item, host=host).proxy) == address


def test_a_listener_with_a_certificate() -> None:
    more = ", tls: {cert: c.pem, key: k.pem}"
    found = places(
        forward("host: a.internal", listen="192.0.2.1:8081", more=more),
        (CLAUDE % ("anthropic", more)).replace("127.0.0.1:80", "192.0.2.1:443"),
    )
    assert str(found.proxy) == "https://192.0.2.1:8081"
    assert found.model == "https://192.0.2.1"
    assert found.direct == ("192.0.2.1:443",)


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        ("0.0.0.0:8081", None),
        ("[::]:8081", None),
        ("127.0.0.1:8081", "0.0.0.0"),  # noqa: S104 - refused
        ("127.0.0.1:0", "proctor.corp"),
    ],
)
def test_addresses_that_nobody_could_be_told(listen: str, host: str | None) -> None:
    more = "" if "127" in listen else ", plaintext: true"
    with pytest.raises(ConfigurationError) as caught:
        places(forward("host: a.internal", listen=listen, more=more), host=host)
    assert (caught.value.code, caught.value.got) == ("listener-unreachable", listen)
    assert "egress" in caught.value.message


def test_all_of_it_together() -> None:
    found = places(
        CLAUDE % ("anthropic", ", credential: key"),
        forward(
            "host: wiki.internal, path: /wiki, speaks: mcp",
            "host: api.anthropic.com, speaks: anthropic, credential: key",
        ),
    )
    assert found.model == "http://127.0.0.1"
    assert found.proxied_model == "https://api.anthropic.com"
    assert [each.name for each in found.servers] == ["wiki"]
