"""What proctor.yaml may say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proctor.credentials.settings import CredentialSettings
from proctor.egress.settings import UpstreamTlsSettings
from proctor.fields import SecretSource
from proctor.settings import (
    ConsoleSettings,
    DiskSettings,
    Introspection,
    IssuerSettings,
    Limits,
    Listener,
    Threshold,
)

LISTENER: dict[str, Any] = {
    "name": "claude",
    "kind": "reverse",
    "listen": "127.0.0.1:8080",
    "upstream": "https://api.anthropic.com",
    "speaks": "anthropic",
}


def codes(model: Any, data: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [error["type"] for error in caught.value.errors()]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"speaks": "http"},
        {"listen": "[::1]:0"},
        {"listen": "0.0.0.0:8080", "plaintext": True},
        {"listen": "0.0.0.0:8080", "tls": {"cert": "c.pem", "key": "k.pem"}},
        {"upstream": "http://127.0.0.1:9"},
        {"upstream": "http://model.internal", "upstream_plaintext": True},
        {"upstream_tls": {"ca": "ca.pem", "cert": "c.pem", "key": "k.pem"}},
        {"via": "http://proxy.corp:3128"},
        {"speaks": "mcp"},
        {
            "upstream": None,
            "credential": None,
            "routes": ({"path": "/a/b", "upstream": "https://a.internal/base", "credential": "x"},),
        },
    ],
)
def test_listeners(change: dict[str, Any]) -> None:
    assert Listener.model_validate(LISTENER | change).name == "claude"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "forward"}, "wrong-value"),
        ({"kind": "postgres"}, "value_error"),
        ({"speaks": "gopher"}, "literal_error"),
        ({"destinations": ({"host": "api.internal"},)}, "wrong-value"),
        ({"routes": ({"path": "/a", "upstream": "https://a.internal"},)}, "wrong-value"),
        ({"upstream": None}, "missing-key"),
        ({"speaks": None}, "missing-key"),
        ({"masking": {}}, "unknown-key"),
        ({"kind": "proxy"}, "value_error"),
        ({"listen": "0.0.0.0:8080"}, "plaintext-listener"),
        ({"listen": "gateway:8080"}, "plaintext-listener"),
        ({"tls": {"cert": "c", "key": "k"}, "plaintext": True}, "wrong-value"),
        ({"tls": {"cert": "c"}}, "missing"),
        ({"upstream": "http://model.internal"}, "plaintext-upstream"),
        ({"upstream": "http://127.0.0.1:9", "upstream_tls": {"ca": "x"}}, "wrong-value"),
        ({"upstream_tls": {"cert": "x"}}, "wrong-value"),
    ],
)
def test_no_listeners(change: dict[str, Any], code: str) -> None:
    assert codes(Listener, LISTENER | change) == [code]


FORWARD: dict[str, Any] = {
    "name": "egress",
    "kind": "forward",
    "listen": "127.0.0.1:8081",
    "destinations": ({"host": "api.internal"},),
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"destinations": ()}, "missing-key"),
        ({"upstream": "https://a.internal"}, "wrong-value"),
        ({"speaks": "http"}, "wrong-value"),
        ({"credential": "a"}, "wrong-value"),
    ],
)
def test_no_forward_listeners(change: dict[str, Any], code: str) -> None:
    assert Listener.model_validate(FORWARD).upstream is None
    assert codes(Listener, FORWARD | change) == [code]


def test_upstream_tls_pairs() -> None:
    assert codes(UpstreamTlsSettings, {"key": "k"}) == ["wrong-value"]


@pytest.mark.parametrize(
    "data",
    ["sk-ant-literal", 5, None, {}, {"env": "A", "file": "b"}, ("a",)],
)
def test_a_secret_never_stands_in_the_file(data: object) -> None:
    with pytest.raises(ValidationError) as caught:
        SecretSource.model_validate(data)
    assert "sk-ant" not in str(caught.value)


def test_secret_sources() -> None:
    assert SecretSource(env="A").env == "A"
    assert SecretSource.model_validate({"command": ("get", "it")}).command == ("get", "it")
    source = SecretSource.model_validate({"file": "x"}, context={"base": Path("/etc")})
    assert source.file == Path("/etc/x")
    assert codes(SecretSource, {"envv": "A"}) == ["unknown-key"]
    assert codes(SecretSource, {"env": None}) == ["secret-source"]


def test_issuer_defaults_are_the_contract() -> None:
    issuer = IssuerSettings(issuer="https://idp.internal", audience="proctor")
    assert issuer.algorithms == ("RS256", "ES256")
    assert issuer.typ == ("JWT", "at+jwt", "application/at+jwt")
    assert (issuer.max_lifetime, issuer.leeway) == (86400, 60)
    assert (issuer.groups, issuer.human, issuer.jwks_uri, issuer.ca) == (None, None, None, None)
    assert issuer.introspection is None


def test_introspection() -> None:
    found = Introspection(client_id="proctor", client_secret=SecretSource(env="S"))
    assert (found.endpoint, found.cache) == (None, 30)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://idp.internal"},
        {"issuer": "locl"},
        {"audience": ""},
        {"algorithms": ()},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"jwks_uri": "http://idp.internal/keys"},
        {"max_lifetime": "forever"},
        {"leeway": -1},
        {"leeway": 3600},
        {"issuer": "local", "jwks_uri": "https://idp/keys"},
        {"issuer": "local", "ca": "/ca.pem"},
    ],
)
def test_no_issuers(change: dict[str, Any]) -> None:
    data: dict[str, Any] = {"issuer": "https://idp.internal", "audience": "proctor"}
    assert len(codes(IssuerSettings, data | change)) == 1


@pytest.mark.parametrize(
    ("header", "scheme", "prefix"),
    [
        ("x-api-key", None, ""),
        ("Authorization", None, "Bearer "),
        ("authorization", "Token", "Token "),
        ("x-auth", "Bearer", "Bearer "),
    ],
)
def test_credential_prefix(header: str, scheme: str | None, prefix: str) -> None:
    item = CredentialSettings.model_validate(
        {"name": "a", "header": header, "scheme": scheme, "value": {"env": "A"}}
        if scheme
        else {"name": "a", "header": header, "value": {"env": "A"}}
    )
    assert item.prefix == prefix


@pytest.mark.parametrize(
    ("value", "fraction", "size"),
    [
        ("10%", 0.1, 0),
        ("2GiB", 0.0, 2**31),
        (1024, 0.0, 1024),
        (("5 %", "1GB"), 0.05, 10**9),
        (Threshold(size=5), 0.0, 5),
    ],
)
def test_thresholds(value: object, fraction: float, size: int) -> None:
    critical = ("1%", "1B") if fraction and size else "1%" if fraction else "1B"
    found = DiskSettings.model_validate({"warn": value, "critical": critical}).warn
    assert (found.fraction, found.size) == (fraction, size)


@pytest.mark.parametrize("value", ["100%", "x", "-1%", (), None, True, ("10%", "x")])
def test_no_thresholds(value: object) -> None:
    assert codes(DiskSettings, {"warn": value}) == ["value_error"]


def test_critical_lies_below_warn() -> None:
    assert codes(DiskSettings, {"warn": ("1%", "1GiB")}) == ["wrong-value"]


def test_limits_and_disk_defaults() -> None:
    limits = Limits()
    assert (limits.body, limits.drain) == (64 * 2**20, 30)
    assert limits.disk.warn == Threshold(fraction=0.1, size=2 * 2**30)
    assert limits.disk.critical == Threshold(fraction=0.02, size=256 * 2**20)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"listen": "0.0.0.0:9090"}, "plaintext-listener"),
        ({"issuer": "https://idp"}, "wrong-value"),
        ({"client_id": "proctor"}, "wrong-value"),
        ({"tls": {"cert": "a", "key": "b", "client_ca": "c"}}, "unknown-key"),
    ],
)
def test_no_console(data: dict[str, Any], code: str) -> None:
    assert codes(ConsoleSettings, data) == [code]


@pytest.mark.parametrize(
    "url",
    [
        "https://proctor.internal/console",
        "https://proctor.internal//",
        "https://proctor.internal?a=b",
        "https://proctor.internal/#top",
        "https://alice@proctor.internal",
        "https://alice:hunter2@proctor.internal",
        "http://proctor.internal",
        "proctor.internal",
        "https://",
        "",
        9090,
    ],
)
def test_the_console_has_a_host_of_its_own(url: object) -> None:
    with pytest.raises(ValidationError) as caught:
        ConsoleSettings.model_validate({"url": url})
    assert "with no user, path, query or fragment" in str(caught.value.errors()[0]["msg"])


def test_where_people_reach_the_console() -> None:
    for url in ("https://proctor.internal", "https://proctor.internal:8443/", "http://[::1]:9090"):
        assert ConsoleSettings.model_validate({"url": url}).url == url
    assert ConsoleSettings.model_validate({"url": None}).url is None
