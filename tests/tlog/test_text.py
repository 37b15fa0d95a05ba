"""Base64 and decimals: one way to write each."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.tlog.text import MAX_SIZE, base64_bytes, decimal_of, hash_of


@given(st.binary())
def test_base64_comes_back(raw: bytes) -> None:
    text = b64encode(raw).decode()
    assert base64_bytes(text) == raw
    assert hash_of(text) == (raw if len(raw) == 32 else None)


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YR==", "YQ==\n", " YQ==", "Y-==", "YQ==YQ==", "é"])
def test_other_ways_to_write_base64_are_none(text: str) -> None:
    assert base64_bytes(text) is None


@given(st.integers(0, MAX_SIZE))
def test_a_decimal_comes_back(number: int) -> None:
    assert decimal_of(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "01", "1 ", "1\n", "1_0", "\u0661", "0x1", str(2**63), "9" * 30]
)
def test_other_ways_to_write_a_number_are_none(text: str) -> None:
    assert decimal_of(text) is None
