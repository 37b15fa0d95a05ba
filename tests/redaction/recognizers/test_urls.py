"""Secrets in URLs and headers."""

import base64
import random

import pytest

from proctor.redaction.recognizers.urls import SHAPES
from tests.redaction.recognizers.kinds import HEX, noise
from tests.redaction.recognizers.shaped import values

P = "Vq8mZ2" + "kLp0xR"
_rng = random.Random(7)  # noqa: S311 - test data
N = noise(_rng, 36)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://app:@@@db:5432/shop",
        "redis://:@@@cache/0",
        "https://a:@@@h/p?x=1",
        "amqp://a%40b:@@@mq",
        "mongodb://a:@@@h1:1,h2:2/db",
        "'ftp://a:@@@h'",
    ],
)
def test_passwords_in_urls(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


def test_a_token_where_a_user_would_be() -> None:
    assert values(SHAPES, f"https://{N}@git.internal/x") == [N]


def test_basic() -> None:
    login = base64.b64encode(f"deploy:{P}".encode()).decode()

    assert values(SHAPES, f"Authorization: Basic {login}") == [login]
    assert values(SHAPES, "the basic assumption is wrong") == []


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer @@",
        "Authorization: token @@",
        "'Authorization': 'ApiKey @@'",
        "Cookie: a=b; sessionid=@@; c=d",
        "Set-Cookie: sid=@@; Path=/",
        "https://h/x?sig=@@",
        "https://h/x?a=1&token=@@",
        "https://conda.internal/t/@@/main",
    ],
)
def test_headers_and_parameters(text: str) -> None:
    assert set(values(SHAPES, text.replace("@@", N))) == {N}


def test_webhooks() -> None:
    for url in (
        f"https://hooks.slack.com/services/T01ABCDEF23/B04GHIJKL56/{noise(_rng, 24)}",
        f"https://discord.com/api/webhooks/112233445566778899/{noise(_rng, 68)}",
        f"https://hooks.zapier.com/hooks/catch/123456/{noise(_rng, 7, HEX)}/",
    ):
        assert values(SHAPES, f"curl {url}") == [url]


@pytest.mark.parametrize(
    "text",
    [
        "mysql://user:password@localhost/db",
        "postgres://postgres:postgres@localhost/postgres",
        "http://host:8080/@scope/x",
        "redis://localhost:6379/0",
        "https://a:<PASSWORD>@h/",
        "https://${USER}:${PASS}@h/",
        "Authorization: Bearer $TOKEN",
        "Authorization: Bearer <token>",
        "Cookie: theme=dark; lang=en",
        "https://h/?q=how+to+reset+password",
    ],
)
def test_other_urls(text: str) -> None:
    assert values(SHAPES, text) == []
