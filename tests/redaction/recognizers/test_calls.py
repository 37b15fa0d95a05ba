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


@pytest.mark.parametrize(
    "text",
    [
        "cy.get('#password').type('@@')",
        "await page.fill('input[name=\"password\"]', '@@');",
        "find(By.ID, 'pwd').send_keys(\"@@\")",
        "Input Password    id=pass    @@\n",
        "UPDATE settings SET value='@@' WHERE name='smtp_password';",
        'bcrypt.hashpw(b"@@", salt)',
        'child.expect("assword:"); child.sendline("@@")',
    ],
)
def test_passwords_typed_hashed_and_set(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "text",
    [
        "page.fill('#username', 'alice2024')",
        "fill_in 'Name', with: 'Project 2024'",
        "hashlib.pbkdf2_hmac('sha256', password, salt)",
        "SET value = '90' WHERE key = 'password.max_age'",
        "bcrypt.hash(password, 10)",
    ],
)
def test_other_fields_hashes_and_settings(text: str) -> None:
    assert values(SHAPES, text) == []
