"""Texts decoded in ways that nobody writes by chance."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.leaving.readings import Reading, readings
from proctor.redaction.model import Budget
from tests.leaving.test_matrix import CODES


def read(text: str) -> list[Reading]:
    return list(readings(text, Budget(20, 1000, time.monotonic)))


@pytest.mark.parametrize(
    "code",
    ["base32", "base58", "ascii85", "quoted-printable", "UTF-7", "bzip2 in base64", "reversed",
     "rot13", "hyphens between", "spaces between", "look-alikes", "character codes", "binary",
     "base32 of base64", "base64 of base32"],
)  # fmt: skip
def test_a_code_is_read(code: str) -> None:
    value = "AKIAQ3EGR7XZ5LBN2WPT"
    text = f"see {CODES[code](value)} now"
    said = {reading.text for reading in read(text)}
    assert any(value in one or CODES["base64"](value) in one for one in said), said


def test_a_reading_says_where_it_stands_and_shows_nothing() -> None:
    code = base64.b32encode(b"nothing but a secret").decode()
    text = f"at {code} there"
    reading = next(one for one in read(text) if one.how == "base32")
    assert text[reading.start : reading.end] == code
    assert "secret" not in repr(reading)


def test_what_decodes_to_noise_is_nothing() -> None:
    assert not [one for one in read("d41d8cd98f00b204e9800998ecf8427e " * 3) if "base" in one.how]


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for reading in read(text):
        assert 0 <= reading.start <= reading.end <= len(text)


@pytest.mark.parametrize(
    "text",
    ["a-" * 20_000, "=A1" * 15_000, "+abcd" * 10_000, "12 34 " * 8000, "0" * 60_000, "!" * 60_000,
     "aB3$" * 15_000, "a, " * 20_000, "7" * 30_000 + "a"],
)  # fmt: skip
def test_nothing_takes_long(text: str) -> None:
    before = time.thread_time()
    read(text)
    assert time.thread_time() - before < 3
