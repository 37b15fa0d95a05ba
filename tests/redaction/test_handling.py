"""Texts for two readers."""

from proctor.redaction.handling import Rewritten, Text, Words, whole_text
from tests.redaction.handled import BACK, JANE, Small
from tests.redaction.planted import MAIL, TOKEN


def test_client_and_record_get_a_text_each() -> None:
    handling = Small()
    text = whole_text(handling, f"{JANE} has {TOKEN} of {MAIL} now", "body")
    stands = "EMAIL_ADDRESS_" + "z" * 16
    assert text.record == f"{JANE} has <API_KEY> of {stands} now"
    assert text.client == f"{BACK[JANE]} has <API_KEY> of {stands} now"
    assert handling.found == [("API_KEY", "body", False), ("EMAIL_ADDRESS", "body", False)]


def test_a_surrogate_cut_anywhere_is_turned_back() -> None:
    said = f"So {JANE}, ({JANE}) wrote to <{JANE}>."
    for cut in range(len(said)):
        words = Words(Small(), "body")
        texts = [words.feed(said[:cut]), words.feed(said[cut:]), words.finish()]
        assert "".join(text.client for text in texts) == said.replace(JANE, BACK[JANE])
        assert "".join(text.record for text in texts) == said
        assert words.held == 0


def test_what_is_signed_is_reported_and_stays() -> None:
    handling = Small()
    words = Words(handling, "thinking", signed=True)
    words.feed(f"use {TOKEN} for")
    words.finish()
    assert handling.found == [("API_KEY", "thinking", True)]


def test_nothing_of_it_is_shown() -> None:
    assert TOKEN not in repr([Rewritten(TOKEN.encode(), b""), Text(TOKEN, TOKEN)])
    assert Rewritten(b"a", b"b") + Rewritten(b"c", b"d") == Rewritten(b"ac", b"bd")
