"""Names are folded, cut and split as the server does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.sql.identifiers import cut, fold, split_identifier, written


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("orders", ("orders",)),
        (" Public . Orders ", ("public", "orders")),
        ('"Public"."Or.ders"', ("Public", "Or.ders")),
        ('"a""b"', ('a"b',)),
        ('shop.public."x y"', ("shop", "public", "x y")),
        ("ÄÖ", ("ÄÖ",)),  # only ASCII letters are folded
        ("", None),
        ("a.", None),
        (".a", None),
        ("a b", None),
        ('"a', None),
        ('""', None),
        ('a"b', None),
    ],
)
def test_a_text_is_split_as_the_server_does(text: str, path: tuple[str, ...] | None) -> None:
    assert split_identifier(text) == path


def test_names_are_cut_at_63_bytes_between_characters() -> None:
    assert cut("a" * 70) == "a" * 63
    assert cut("é" * 40) == "é" * 31
    assert fold("A" * 70) == "a" * 63


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3))
def test_what_is_written_is_split_again(parts: list[str]) -> None:
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    assert split_identifier(quoted) == tuple(parts)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("public", "orders"), "public.orders"),
        (("public", "a.b"), 'public."a.b"'),
        (("public", 'a"b', "c"), 'public."a""b".c'),
    ],
)
def test_a_path_cannot_be_taken_for_another(parts: tuple[str, ...], text: str) -> None:
    assert written(*parts) == text
