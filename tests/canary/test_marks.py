"""Canaries are known by digests."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.canary.making import KINDS
from proctor.canary.marks import Finder, Marker

KEY = bytes(32)


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_found_as_it_stands_and_in_codes(kind: str) -> None:
    value, marker = KINDS[kind](), Marker(KEY)
    finder = Finder(marker, dict.fromkeys(marker.marks(value), "cn_1"))
    for text in (
        value,
        value.lower(),
        value[::-1],
        base64.b64encode(f"x {value} y".encode()).decode(),
        base64.b32encode(value.encode()).decode().lower(),
        value.encode().hex(":"),
        "-".join(value),
    ):
        found = list(finder.find(f"before {text} after"))
        assert found, text
        assert {sighted.id for sighted in found} == {"cn_1"}


def test_a_domain_is_none_of_it() -> None:
    marker = Marker(KEY)
    finder = Finder(marker, dict.fromkeys(marker.marks(KINDS["email"]()), "cn_1"))
    assert not list(finder.find("jordan.somebody@example.com, quinn@example.com"))


def test_marks_are_keyed_and_show_nothing() -> None:
    value = KINDS["text"]()
    marks = Marker(KEY).marks(value)
    assert not set(marks) & set(Marker(bytes([1] * 32)).marks(value))
    assert value[:6] not in "".join(marks)


@given(st.text(max_size=300))
def test_other_texts_hold_none(text: str) -> None:
    marker = Marker(KEY)
    finder = Finder(marker, dict.fromkeys(marker.marks("k3JrT9wQx7Lm2Zc8Vb5N"), "cn_1"))
    assert not list(finder.find(text))
