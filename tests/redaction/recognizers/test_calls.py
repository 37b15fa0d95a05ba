"""Secrets among arguments."""

import pytest

from proctor.redaction.recognizers.calls import SHAPES
from tests.redaction.recognizers.shaped import values

P = "Vq8mZ2" + "kLp0xR"
N = "f7Kq2mXw8Z" + "pT4vB6nR1sD3gH5j"


@pytest.mark.parametrize(
    "text",
    [
        "requests.get(u, auth=('alice', '@@'))",
        'new NetworkCredential("alice", "@@", "CORP")',
        "smtp.login(user, '@@')",
        "mysqli_connect($h, 'app', '@@', 'shop')",
        "jwt.sign(payload, '@@', {})",
        "CREATE USER a IDENTIFIED BY '@@'",
        "ALTER ROLE a PASSWORD '@@'",
        "EXEC sp_addlogin 'a', '@@'",
        "INSERT INTO t (id, name, password) VALUES (1, 'al, ice', '@@')",
        'ConvertTo-SecureString "@@" -AsPlainText',
        'expect "assword:"\nsend "@@\\r"',
    ],
)
def test_passwords_among_arguments(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize("text", ["Client('id-1', '@@')", "Fernet(b'@@')", "api.configure('@@')"])
def test_noise_among_arguments(text: str) -> None:
    if "configure(" in text:
        text = text.replace("api.configure", "sdk.configure")
    assert values(SHAPES, text.replace("@@", N)) == [N]


@pytest.mark.parametrize(
    "text",
    [
        "login(username='test', password='test')",
        "auth('user', 'password')",
        "connect('localhost', 'shop')",
        "Client('orders-service', 'production')",
        "INSERT INTO t (id, name) VALUES (1, 'Vq8mZ2kLp0xR')",
        "jwt.decode(token, key, algorithms=['HS256'])",
        "IDENTIFIED BY 'password'",
    ],
)
def test_other_arguments(text: str) -> None:
    assert values(SHAPES, text) == []
