"""Secrets in formats with a place for them."""

import random

import pytest

from proctor.redaction.recognizers.formats import SHAPES
from tests.redaction.recognizers.kinds import HEX, noise
from tests.redaction.recognizers.shaped import values

P = "Vq8mZ2" + "kLp0xR"
_rng = random.Random(4)  # noqa: S311 - test data


@pytest.mark.parametrize(
    "text",
    [
        "db:5432:shop:app:@@\n",
        "*:*:*:app:@@",
        "machine h login a password @@\n",
        "default login a password @@",
        "requirepass @@\n",
        "enable secret 0 @@\n",
        "password @@\n",
        'alice * "@@" *\n',
        "user a insecure-password @@\n",
        ': PSK "@@"',
        "app:@@@tcp(db:3306)/x",
        "jdbc:oracle:thin:app/@@@db:1521",
        "snmp-server community @@ RO",
    ],
)
def test_passwords_in_their_places(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "value",
    [
        "$6$" + noise(_rng, 16) + "$" + noise(_rng, 86),
        "$2b$12$" + noise(_rng, 53),
        "$argon2id$v=19$m=65536,t=3,p=4$" + noise(_rng, 22) + "$" + noise(_rng, 43),
        "pbkdf2_sha256$600000$" + noise(_rng, 22) + "$" + noise(_rng, 44),
        "$apr1$" + noise(_rng, 8) + "$" + noise(_rng, 22),
        "{SSHA}" + noise(_rng, 32),
    ],
)
def test_hashes_of_passwords(value: str) -> None:
    assert values(SHAPES, f"alice:{value}:19000:0") == [value]


def test_ntlm() -> None:
    value = noise(_rng, 32, HEX) + ":" + noise(_rng, 32, HEX)

    assert values(SHAPES, f"alice:1001:{value}:::") == [value]


def test_the_secret_key_beside_an_aws_id() -> None:
    secret = noise(_rng, 40)

    assert values(
        SHAPES, f"AKIA{noise(_rng, 16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')},{secret}\n"
    ) == [secret]


def test_recovery_codes() -> None:
    assert values(SHAPES, "Recovery codes:\n k4f7x-9qw2z\n m3n8b-5vc1x\n\nx") == [
        "k4f7x-9qw2z",
        "m3n8b-5vc1x",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "src/app.py:12:34: error: unused",
        "12:30:45:123",
        "PasswordAuthentication no",
        "password required\n",
        "snmp-server community public RO",
        "machine learning with a password for it",
        "0 3 * * *\n",
        "$1 $2 $HOME$",
        "community edition 7",
        "secret santa\n",
    ],
)
def test_other_lines(text: str) -> None:
    assert values(SHAPES, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "api_key  x\ndb_pass     @@\n",
        "password      | @@\ncreated | 1",
        "bindpw @@\n",
        "rootpw --plaintext @@\n",
        '"requirepass @@\\nport 3"',
        "> AUTH default @@\n",
        "ACL SETUSER worker on >@@ ~jobs:* +@all",
        "d-i passwd/user-password password @@",
        'secret "@@";',
        "chpasswd:\n  list: |\n    root:@@\n",
        "[mx.acme.io]:587 a@acme.io:@@\n",
        "a1 LOGIN alice @@\n",
        "PASS @@\n",
        "set vpn psksecret @@\n",
    ],
)
def test_lines_of_other_programs(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "text",
    [
        "token_ttl   3600",
        "key_size  2048",
        "password      | character varying(64)",
        "250-AUTH LOGIN PLAIN\n",
        "auth required pam_unix2.so\n",
        "services:\n  - web:8080\n",
        'key "rndc-key" { algorithm hmac-sha256; };',
        "chpasswd: reads lines of user:password",
        "set password reset\n",
    ],
)
def test_lines_of_other_programs_without_secrets(text: str) -> None:
    assert values(SHAPES, text) == []
