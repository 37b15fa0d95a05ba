"""The words around a hit."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.search.query import parse
from proctor.search.snippets import AROUND, snippet


def test_short_text_is_shown_whole() -> None:
    found = snippet("The Café was CLOSED.", parse("closed cafe").places())
    assert found.pieces() == [
        ("The ", False), ("Café", True), (" was ", False), ("CLOSED", True), (".", False),
    ]  # fmt: skip
    assert not found.before
    assert not found.after


def test_where_most_stands_together() -> None:
    text = "alpha " + "x " * 500 + "alpha then beta " + "y " * 500
    found = snippet(text, parse("alpha beta").places())
    assert [piece for piece, marked in found.pieces() if marked] == ["alpha", "beta"]
    assert found.before
    assert found.after
    assert len(found.text) < 3 * AROUND


def test_begins_at_a_word() -> None:
    found = snippet("word " * 100 + "here " + "word " * 100, parse("here").places())
    assert found.text.split()[0] == "word"
    assert found.text.split()[-1] == "word"


def test_what_the_index_knows_and_we_do_not() -> None:
    found = snippet("nothing of it " * 50, parse("other").places())
    assert found.marks == ()
    assert found.text.startswith("nothing")
    assert found.after


@given(st.text(), st.text(alphabet="ab é数", max_size=200))
def test_marks_lie_in_the_text(before: str, text: str) -> None:
    whole = f"{before} ab {text}"
    found = snippet(whole, parse("a* b 数").places())
    assert found.text in whole
    assert "".join(piece for piece, _ in found.pieces()) == found.text
    assert all(0 <= start < end <= len(found.text) for start, end in found.marks)
