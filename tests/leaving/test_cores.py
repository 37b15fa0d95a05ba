"""What of a secret is secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.leaving.cores import LEAST, core


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("ghp_" + "R8kT2vLq9XwZ4mNc", "R8kT2vLq9XwZ4mNc"),
        ("sk-ant-api03-" + "Zk9Q2xW7vT4mR8pL", "Zk9Q2xW7vT4mR8pL"),
        ("AKIA" + "Q3EGR7XZ5LBN2WPT", "Q3EGR7XZ5LBN2WPT"),
        ("postgres://svc:9fKq2Lw8ZxTv@db/app", "9fKq2Lw8ZxTv"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXZhbHVl", "c2lnbmF0dXJlLXZhbHVl"),
        (" 'Tr0ub4dor-Vx93' ", "Tr0ub4dor-Vx93"),
    ],
)
def test_what_others_begin_with_too_is_none_of_it(value: str, part: str) -> None:
    found = core(value)
    assert found is not None
    assert found.text == part
    assert part not in repr(found)


def test_of_a_key_in_pem_the_middle_counts() -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" + "C7x9Kq2Lw8ZxTvR4mN" * 4
    found = core(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----")
    assert found is not None
    assert "BEGIN" not in found.text
    assert not found.text.startswith("MII")


@pytest.mark.parametrize(
    "value", ["", "hunter2", "postgres", "administrator", "aaaaaaaaaaaa", "12345678", "abcdabcd"]
)
def test_what_is_everywhere_has_none(value: str) -> None:
    assert core(value) is None


@given(st.text(max_size=80))
def test_each_letter_or_digit_tells_or_does_not(value: str) -> None:
    found = core(value)
    if found:
        signs = [sign for sign in found.text if sign.isascii() and sign.isalnum()]
        assert len(found.telling) == len(signs) >= LEAST
