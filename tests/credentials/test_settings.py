"""What `credentials` may say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proctor.credentials.settings import CredentialSettings, Grant, Kind, OAuthSettings
from proctor.fields import SecretSource
from proctor.settings import Config

ENV = {"env": "A"}
AWS = {"region": "eu-central-1", "service": "s3", "access_key": ENV, "secret_key": {"env": "B"}}
OAUTH = {"token_endpoint": "https://idp/token", "client_id": "proctor", "client_secret": ENV}


def made(**data: Any) -> CredentialSettings:
    return CredentialSettings.model_validate({"name": "a", **data})


def problems(model: Any, data: dict[str, Any]) -> list[tuple[str, str]]:
    """Code, and the key it is about."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [
        (error["type"], error.get("ctx", {}).get("key") or str((*error["loc"], "")[0]))
        for error in caught.value.errors()
    ]


@pytest.mark.parametrize(
    ("data", "kind", "sources"),
    [
        ({"header": "x-api-key", "value": ENV}, Kind.HEADER, ["A"]),
        ({"header": "x-auth", "scheme": "Token", "value": ENV}, Kind.HEADER, ["A"]),
        ({"query": "api_key", "value": ENV}, Kind.QUERY, ["A"]),
        ({"user": "svc", "password": ENV}, Kind.BASIC, ["A"]),
        ({"cert": "c.pem", "key": "k.pem"}, Kind.CERTIFICATE, []),
        ({"aws": AWS}, Kind.AWS, ["A", "B"]),
        ({"aws": AWS | {"session_token": {"env": "C"}}}, Kind.AWS, ["A", "B", "C"]),
        ({"oauth": OAUTH}, Kind.OAUTH, ["A"]),
    ],
)
def test_kinds(data: dict[str, Any], kind: Kind, sources: list[str]) -> None:
    item = made(**data)
    assert item.kind is kind
    assert [source.env for source in item.sources] == sources


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({}, ("missing-key", "")),
        ({"value": ENV}, ("missing-key", "")),
        ({"header": "x-api-key"}, ("missing-key", "value")),
        ({"query": "k"}, ("missing-key", "value")),
        ({"user": "u"}, ("missing-key", "password")),
        ({"cert": "c"}, ("missing-key", "key")),
        ({"header": "x", "query": "k", "value": ENV}, ("wrong-value", "query")),
        ({"header": "x", "value": ENV, "oauth": OAUTH}, ("wrong-value", "oauth")),
        ({"header": "x", "value": ENV, "password": ENV}, ("wrong-value", "password")),
        ({"query": "k", "value": ENV, "scheme": "Bearer"}, ("wrong-value", "scheme")),
        ({"user": "u", "password": ENV, "scheme": "Bearer"}, ("wrong-value", "scheme")),
        ({"aws": AWS, "value": ENV}, ("wrong-value", "value")),
        ({"oauth": OAUTH, "key": "k.pem"}, ("wrong-value", "key")),
        ({"user": "a\tb", "password": ENV}, ("value_error", "user")),
        ({"query": "a b", "value": ENV}, ("value_error", "query")),
        ({"header": "host", "value": ENV}, ("value_error", "header")),
        ({"user": "u", "password": "secret"}, ("secret-source", "password")),
        ({"aws": AWS | {"region": "*"}}, ("value_error", "aws")),
        ({"aws": AWS | {"secret_key": "secret"}}, ("secret-source", "aws")),
    ],
)
def test_no_credentials(data: dict[str, Any], problem: tuple[str, str]) -> None:
    assert problems(CredentialSettings, {"name": "a", **data}) == [problem]


@pytest.mark.parametrize(
    ("header", "scheme", "prefix"),
    [
        ("x-api-key", {}, ""),
        ("Authorization", {}, "Bearer "),
        ("authorization", {"scheme": "Token"}, "Token "),
        ("x-auth", {"scheme": "Bearer"}, "Bearer "),
    ],
)
def test_what_stands_before_a_value(header: str, scheme: dict[str, str], prefix: str) -> None:
    assert made(header=header, value=ENV, **scheme).prefix == prefix


def test_oauth() -> None:
    settings = OAuthSettings.model_validate(OAUTH)
    assert settings.grant is Grant.CLIENT_CREDENTIALS
    assert settings.client_secret == SecretSource(env="A")
    full = {
        "grant": "token_exchange",
        "scopes": ("a", "b:c"),
        "audience": "api",
        "resource": "https://api/x?y",
        "requested_token_type": "urn:x:y",
        "ca": "/ca.pem",
    }
    settings = OAuthSettings.model_validate(OAUTH | full)
    assert (settings.grant, settings.ca) == (Grant.TOKEN_EXCHANGE, Path("/ca.pem"))
    public = {name: OAUTH[name] for name in ("token_endpoint", "client_id")}
    assert OAuthSettings.model_validate(public | {"grant": "token_exchange"}).client_secret is None


KEYED = {
    "token_endpoint": "https://idp/token",
    "client_id": "proctor",
    "client_auth": "private_key",
    "private_key": "k.pem",
}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (OAUTH | {"token_endpoint": "http://idp/token"}, ("value_error", "token_endpoint")),
        (OAUTH | {"grant": "password"}, ("value_error", "grant")),
        (OAUTH | {"scopes": ("a b",)}, ("value_error", "scopes")),
        (OAUTH | {"resource": "https://api/#x"}, ("value_error", "resource")),
        (OAUTH | {"client_secret": None}, ("missing-key", "client_secret")),
        (OAUTH | {"client_auth": "private_key"}, ("wrong-value", "client_auth")),
        (OAUTH | {"private_key": "k.pem"}, ("wrong-value", "private_key")),
        (OAUTH | {"key_id": "k"}, ("wrong-value", "key_id")),
        (OAUTH | {"subject_token_type": "urn:x:y"}, ("wrong-value", "subject_token_type")),
        (OAUTH | {"requested_token_type": "urn:x:y"}, ("wrong-value", "requested_token_type")),
        (KEYED | {"client_secret": ENV}, ("wrong-value", "client_secret")),
    ],
)
def test_no_oauth(data: dict[str, Any], problem: tuple[str, str]) -> None:
    assert problems(OAuthSettings, data) == [problem]


def test_a_key_instead_of_a_secret() -> None:
    assert OAuthSettings.model_validate(KEYED | {"key_id": "1"}).private_key is not None


def test_it_is_what_the_configuration_holds() -> None:
    assert "CredentialSettings" in str(Config.model_fields["credentials"].annotation)
