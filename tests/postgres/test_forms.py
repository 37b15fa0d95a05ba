"""Records written from a form say what they would say if they were written in full."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import ActionKind, Allow, Decision
from proctor.postgres.forms import NULL, Form, ended, filled, form_of, in_ascii
from proctor.record import decided

DIGEST = "ab" * 32
DECISION = Decision(verdict=Allow(rule_id="all", reason="100 % of %d"), policy_version="1")
WORDS = st.text(st.characters(max_codepoint=0x7E), max_size=12)


def said(**more: Any) -> dict[str, Any]:
    """What the first record says."""
    decision = decided(ActionKind.SQL_STATEMENT, DIGEST, DECISION)
    own: dict[str, Any] = {"listener": "db", "n": 1, "parameters": None, "verbs": ["SELECT"]}
    own |= {"verdict": "allow", "novelty": None, "decisions": [decision], "findings": []}
    return own | more


def made(fields: dict[str, Any], **both: Any) -> Form | None:
    """A form of it."""
    return form_of(
        fields,
        {"listener": "db", "n": None} | both,
        decisions=(DECISION,),
        scope="w0.1",
        masked=["public.users.email"],
        seen=None,
    )


@given(words=WORDS, n=st.integers(1, 10**9), novelty=st.none() | st.dictionaries(WORDS, WORDS))
def test_it_says_the_same(words: str, n: int, novelty: dict[str, str] | None) -> None:
    form = made(said(client=words), client=words)
    assert form is not None
    reference = {"scope": "w0.1", "hash": DIGEST, "size": 2}
    found = form.begin(n, json.dumps(reference).encode(), json.dumps(novelty).encode(), DIGEST)
    assert json.loads(found) == said(client=words, n=n, parameters=reference, novelty=novelty)
    found = form.end(n, n + 1, 7, 0.125, NULL, 40)
    assert json.loads(found) == ended(
        {"listener": "db", "n": None, "client": words}, n, begin_seq=n + 1, rows=7,
        masked=["public.users.email"], ms=0.125, error="", response=None, size=40,
    )  # fmt: skip


def test_the_order_is_the_same() -> None:
    form = made(said())
    assert form is not None
    assert list(json.loads(form.begin(1, NULL, NULL, DIGEST))) == list(said())


@pytest.mark.parametrize("word", ["ä", "\ud800", "\x7f\x80"])
def test_what_is_no_ascii_has_no_form(word: str) -> None:
    assert made(said(client=word)) is None
    assert made(said(), client=word) is None
    assert in_ascii({"person": word}) is None


def test_numbers_are_filled_in() -> None:
    template = filled({"person": "50 %d", "history": 0, "days": 0}, ("history", "days"))
    assert json.loads(template % (12, 3)) == {"person": "50 %d", "history": 12, "days": 3}
    with pytest.raises(ValueError, match="ASCII"):
        filled({"person": "ä", "days": 0}, ("days",))
