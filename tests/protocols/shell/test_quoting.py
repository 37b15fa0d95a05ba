"""Quotes and braces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.shell.model import PRIVATE, Unreadable
from proctor.protocols.shell.quoting import ansi_c, globs, shield, shield_braces, split, unshield


@given(st.text())
def test_what_is_shielded_stays_one_word_and_comes_back(text: str) -> None:
    if not PRIVATE.search(text):
        assert [unshield(word) for word in split(shield(text))] == [text]
        assert not globs(shield(text))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("", []),
        ("a", ["a"]),
        ("a b\tc\n", ["a", "b", "c"]),
        ("{a,b}", ["a", "b"]),
        ("x{a,b}y", ["xay", "xby"]),
        ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
        ("{a,{b,c}}", ["a", "b", "c"]),
        ("{a}", ["{a}"]),
        ("{}", ["{}"]),
        ("{a", ["{a"]),
        ("a}", ["a}"]),
        ("{{a,b}", ["{a", "{b"]),
        ("{1..3}", ["1", "2", "3"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{a..c}", ["a", "b", "c"]),
        ("{,a}b", ["b", "ab"]),
    ],
)
def test_split(raw: str, words: list[str]) -> None:
    assert split(raw) == words


@pytest.mark.parametrize(
    "raw", ["{1..9999}", "{a,b}" * 20, "{" * 100, "{" + "a" * 10_000 + "}", "a " * 300]
)
def test_too_many(raw: str) -> None:
    with pytest.raises(Unreadable):
        split(raw)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\x72m", "rm"),
        (r"\162\155", "rm"),
        (r"\u0072m\U0000006d", "rmm"),
        (r"a\nb\t\e\\\'", "a\nb\t\x1b\\'"),
        (r"\cA", "\x01"),
        (r"a\0b", "a"),
        (r"\q", r"\q"),
        (r"\ud800", "\ufffd"),
    ],
)
def test_ansi_c(text: str, value: str) -> None:
    assert ansi_c(text) == value


def test_a_variable_is_split_but_its_braces_are_text() -> None:
    assert [unshield(word) for word in split(shield_braces("{a,b} c"))] == ["{a,b}", "c"]
