"""Where redaction is off, nothing changes."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.handling import Rewritten, Text, Words
from proctor.redaction.model import Spot
from proctor.redaction.passing import Passing
from proctor.redaction.stream import Taken
from proctor.redaction.structure.body import read_body
from tests.redaction.planted import TOKEN


@given(st.lists(st.text(max_size=20), max_size=5))
def test_a_text_goes_at_once_piece_by_piece(pieces: list[str]) -> None:
    words = Words(Passing(), "body")
    for piece in pieces:
        assert words.feed(piece) == Text(piece, piece)
        assert words.held == 0
    assert words.finish() == Text()


@given(st.binary(max_size=40))
def test_a_document_stays_whatever_it_is(raw: bytes) -> None:
    assert Passing().document(raw, "c", exempt={}) == Rewritten(raw, raw)


def test_nothing_is_found() -> None:
    passing = Passing()
    raw = f'{{"key": "{TOKEN}"}}'.encode()
    assert passing.body(read_body(raw, "application/json")) == Rewritten(raw, raw)
    spot = Spot(0, len(TOKEN), "API_KEY", "x", 1.0, TOKEN)
    assert passing.swap(Taken(spot, TOKEN), "c", signed=False) == Text(TOKEN, TOKEN)
    assert passing.restore("EMAIL_ADDRESS_bcdfghjklmnpqrst") == "EMAIL_ADDRESS_bcdfghjklmnpqrst"
    assert (passing.findings, passing.looked, passing.skipped) == ({}, 0, {})
