"""A text as the index takes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.search.texts import indexed, pack, session_value, tag, unpack

KNOWN = ("prompt", "allow", "i#a", "a", "s", "Bash", "IBAN EMAIL_ADDRESS")


@given(st.text(st.characters(codec="utf-8")))
def test_packed_and_unpacked(text: str) -> None:
    assert unpack(pack(text)) == text


@given(st.binary(max_size=60))
def test_what_was_never_packed(raw: bytes) -> None:
    with pytest.raises(ValueError, match="a packed text"):
        unpack(b"x" + raw)


def test_halves_of_pairs() -> None:
    assert unpack(pack("a\ud800")) == "a?"
    assert tag("p", "\ud800") != tag("p", "x")


def test_filters_are_words_of_their_own() -> None:
    text = indexed("some words", KNOWN)
    wanted = [
        tag("i", "prompt"), tag("v", "allow"), tag("p", "i#a"), tag("p", "a"), tag("t", "Bash"),
        tag("s", session_value("i#a", "s")), tag("e", "IBAN"), tag("e", "EMAIL_ADDRESS"),
    ]  # fmt: skip
    assert text.startswith("some words ")
    assert set(text.split()[2:]) == set(wanted)
    assert tag("p", "x") != tag("t", "x")
    assert session_value("a", "b c") != session_value("a b", "c")
