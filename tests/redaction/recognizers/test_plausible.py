"""What is a secret beside its name, and what is not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.recognizers.plausible import (
    is_code,
    is_noise,
    is_password,
    is_placeholder,
    is_random,
    is_stand_in,
    is_token,
    wordiness,
)
from tests.redaction.recognizers.kinds import noise


@pytest.mark.parametrize(
    "value",
    [
        "changeme",
        "password",
        "Password1",
        "your-password",
        "YOUR_API_KEY",
        "<token>",
        "${DB_PASSWORD}",
        "{{ secret }}",
        "%DB_PASS%",
        "$PASSWORD",
        "********",
        "xxxxxxxxxxxx",
        "sk-...",
        "abc…xyz",
        "[REDACTED]",
        "!Ref DbPassword",
        "ENC[AES256_GCM,data:x]",
        "vault:secret/db#password",
        "op://vault/db/password",
        "1234567890",
        "abcdefghij",
        "00000000-0000-0000-0000-000000000000",
        "process.env.TOKEN",
        "postgres",
        "AKIAIOSFODNN7" + "EXAMPLE",
        "https://idp.internal/token",
        "/run/secrets/db",
        "required|min:8",
    ],
)
def test_placeholders(value: str) -> None:
    assert is_placeholder(value)
    assert not is_password(value, quoted=True)
    assert not is_token(value, quoted=True)


@pytest.mark.parametrize(
    "value", ["Tr0ub4dor&3xyz", "hunter2", "!k4Rt-9Lm", "Winter2024!", "v9Kq2mXw8ZpT"]
)
def test_no_placeholders(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    ("value", "quoted", "alone", "expected"),
    [
        ("Vq8#mZ2!kLp0", False, True, True),
        ("Winter2024!", True, False, True),
        ("HeLSnSnK5P9NcQ", False, True, True),
        ("x7", True, False, False),
        ("48213097", True, False, True),
        ("user.password", True, False, False),
        ("get_password()", False, True, False),
        ("self._secret", False, True, False),
        ("Enter your password", True, False, False),
        ("password_field", True, False, False),
        ("current-password", True, False, False),
        ("river-copper-window-lantern", True, False, True),
        ("abcd efgh ijkl mnop", True, False, True),
        ("jane@acme.io", True, False, False),
        ("10.0.0.5", True, False, False),
        ("2024-01-02", True, False, False),
    ],
)
def test_passwords(value: str, quoted: bool, alone: bool, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_password(value, quoted=quoted, alone=alone) is expected


def test_noise_is_random_and_words_are_not() -> None:
    rng = random.Random(5)  # noqa: S311 - test data
    made = [noise(rng, 32) for _ in range(300)]

    assert sum(map(is_random, made)) >= 297
    assert sum(is_token(value, quoted=True) for value in made) >= 297
    for name in (
        "AbstractAuthenticationTokenProvider",
        "default_password_encoder_bean",
        "getUserPasswordHash",
    ):
        assert not is_random(name)
        assert wordiness(name) > 0.6


@pytest.mark.parametrize(
    "value", ["a[0]", "x.y.z", "new Foo(1)", "foo::bar::baz", "(self.x.y", "^[a-z]+", "a => b"]
)
def test_code(value: str) -> None:
    assert is_code(value)


def test_brackets_in_noise_are_no_code() -> None:
    assert is_noise("iE2[E]WBCpgn4")
    assert not is_noise("config[2]Name1")
    assert not is_noise("s[1]")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$DB_PASSWORD", True),
        ("$config->password", True),
        ("${DB_PASSWORD}", True),
        ("$.customers[*].iban", True),
        ("$Kq7-xv9!mT2z", False),
    ],
)
def test_variables_and_paths(value: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_placeholder(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<PASSWORD>", True),
        ("<EMAIL_ADDRESS:bcdfghjklmnpqrst>", True),
        ("SECRET_bcdfghjklmnpqrst", True),
        ("<PASSWORD>;", True),
        ("<PASSWORD>hunter22", False),
        ("hunter22", False),
    ],
)
def test_stand_ins(value: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_stand_in(value) is expected


@given(st.text())
def test_any_text_gets_an_answer(value: str) -> None:
    assert 0 <= wordiness(value) <= 1
    for quoted in (True, False):
        assert is_password(value, quoted=quoted) in {True, False}
        assert is_token(value, quoted=quoted) in {True, False}
