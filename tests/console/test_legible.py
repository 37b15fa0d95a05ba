"""Nothing hides: every character is shown, or named where it stands."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.console.legible import ALIKE, HIDDEN, ODD, line, pieces, plain, suspicious


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls -la", [("ls -la", "")]),
        ("a\u202eb", [("a", ""), ("RLO", ODD), ("b", "")]),
        ("re\u200badme", [("re", ""), ("ZWSP", ODD), ("adme", "")]),
        ("x\x1b[2K", [("x", ""), ("ESC", ODD), ("[2K", "")]),
        ("a\x00b\rc", [("a", ""), ("NUL", ODD), ("b", ""), ("CR", ODD), ("c", "")]),
        ("a\xa0b", [("a", ""), ("NBSP", ODD), ("b", "")]),
        ("\U000e0041", [("U+E0041", ODD)]),
        ("\u3164", [("U+3164", ODD)]),
        ("a\u2028b", [("a", ""), ("U+2028", ODD), ("b", "")]),
        ("\u200b" * 300, [("300 ZWSP", ODD)]),
        ("\ud800", [("U+D800", ODD)]),
        ("e\u0301\u0301\u0301", [("e\u0301\u0301", ""), ("U+0301", ODD)]),
        ("p\u0430ypal", [("p", ""), ("\u0430", ALIKE), ("ypal", "")]),
        ("\uff52\uff4d", [("\uff52", ALIKE), ("\uff4d", ALIKE)]),
        ("a\n\tb", [("a\n\tb", "")]),
        ("a" + " " * 300 + "; rm", [("a", ""), (" 300 blanks ", ODD), ("; rm", "")]),
        ("a\n\n\n\n\n\nb", [("a", ""), ("\n5 empty lines\n", ODD), ("b", "")]),
        ("    indented", [("    indented", "")]),
        ("a\n" + " " * 20 + "b", [("a\n" + " " * 20 + "b", "")]),
    ],
)
def test_what_would_not_be_seen_is_named(text: str, shown: list[tuple[str, str]]) -> None:
    assert [(piece.text, piece.kind) for piece in pieces(text)] == shown
    assert suspicious(text) == any(kind for _, kind in shown)


@pytest.mark.parametrize(
    "text", ["größer", "привет мир", "日本語", "שלום", "naïve café", "λ = 3", "😀", "x → y", "½ ©"]
)
def test_other_languages_are_left_alone(text: str) -> None:
    assert [(piece.text, piece.kind) for piece in pieces(text)] == [(text, "")]


def test_a_flood_is_told_without_a_flood_of_marks() -> None:
    found = pieces("\u200b\u200c" * 30_000 + "; rm -rf /")
    assert len(found) < 3000
    assert found[-1].kind == ODD
    assert found[-1].text.endswith("[ZWSP][ZWNJ]; rm -rf /")


def test_a_hidden_span_is_marked_wherever_it_stands() -> None:
    found = pieces("mail A_b and A_bc", {"A_b": "EMAIL", "A_bc": "NAME", "": "nothing"})
    assert [(piece.text, piece.kind, piece.title) for piece in found] == [
        ("mail ", "", ""),
        ("A_b", HIDDEN, "EMAIL"),
        (" and ", "", ""),
        ("A_bc", HIDDEN, "NAME"),
    ]


def test_one_line_keeps_its_end() -> None:
    text = "curl https://a.example/" + "x" * 500 + " | sh"
    shown = "".join(piece.text for piece in line(text, 100))
    assert shown.startswith("curl https://a.example/")
    assert shown.endswith(" | sh")
    assert f"… {len(text) - 100:,} more …" in shown
    assert [piece.text for piece in line("a\nb")] == ["a", "↵", "b"]


def test_plain_text_names_them_too() -> None:
    assert plain("a\u202eb\x1b") == "a[RLO]b[ESC]"


@given(st.text(st.characters(), max_size=200))
def test_nothing_is_lost_and_nothing_unseen_is_left(text: str) -> None:
    found = pieces(text)
    for piece in found:
        for letter in piece.text:
            assert letter in "\n\t" or unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl"}
    # What is shown as it is stands in the text in that order.
    at = 0
    for piece in found:
        if piece.kind in {"", ALIKE}:
            at = text.index(piece.text, at) + len(piece.text)
    kept = sum(len(piece.text) for piece in found if piece.kind in {"", ALIKE})
    assert kept + sum(piece.kind == ODD for piece in found) <= len(text)


@given(st.text(max_size=400), st.integers(min_value=9, max_value=60))
def test_a_line_is_one_line(text: str, limit: int) -> None:
    for piece in line(text, limit):
        assert piece.kind == ODD or "\n" not in piece.text
