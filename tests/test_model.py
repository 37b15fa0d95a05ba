"""The words, and the one name that an action has."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import (
    Action,
    ActionKind,
    Allow,
    ApprovalTerms,
    ContentRef,
    Deny,
    Hold,
    Principal,
    Session,
    Verdict,
    verdict_name,
)

ALICE = Principal(issuer="https://idp.internal", subject="alice")
ACTION = Action(kind=ActionKind.LLM_REQUEST, listener="claude", target="host", content=(b"body",))


def test_a_principals_key() -> None:
    assert ALICE.key == "https://idp.internal#alice"


def test_what_changes_a_digest_and_what_does_not() -> None:
    digest = ACTION.digest(ALICE)
    assert digest == replace(ACTION, listener="other", size=9, tainted=True).digest(ALICE)
    assert digest == ACTION.digest(replace(ALICE, groups=("dev",), issued_at=1.0))
    different = {
        digest,
        replace(ACTION, target="elsewhere").digest(ALICE),
        replace(ACTION, kind=ActionKind.HTTP_REQUEST).digest(ALICE),
        replace(ACTION, content=(b"another",)).digest(ALICE),
        ACTION.digest(replace(ALICE, subject="bob")),
        ACTION.digest(replace(ALICE, issuer="https://other.internal")),
        ACTION.digest(ALICE, b"key of one installation"),
        ACTION.digest(ALICE, b"key of another one"),
    }
    assert len(different) == 8


@given(st.binary(max_size=40), st.integers(0, 40))
def test_how_content_is_cut_does_not_matter(content: bytes, at: int) -> None:
    whole = replace(ACTION, content=(content,))
    parts = replace(ACTION, content=(content[:at], memoryview(content)[at:]))
    assert whole.digest(ALICE) == parts.digest(ALICE)


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_a_field_does_not_run_into_the_next(subject: str, target: str, moved: str) -> None:
    one = replace(ACTION, target=moved + target).digest(replace(ALICE, subject=subject))
    two = replace(ACTION, target=target).digest(replace(ALICE, subject=subject + moved))
    assert (one == two) == (not moved)


@pytest.mark.parametrize(
    ("verdict", "name"),
    [
        (Allow(rule_id="r"), "allow"),
        (Hold(rule_id="r", reason="", terms=(ApprovalTerms(from_groups=("dba",)),)), "hold"),
        (Deny(rule_id="r", reason=""), "deny"),
    ],
)
def test_names_of_verdicts(verdict: Verdict, name: str) -> None:
    assert verdict_name(verdict) == name


def test_a_reference_in_an_envelope() -> None:
    reference = ContentRef(scope="s", hash="h", size=3, encoding="utf8", blocks="0-1")
    assert reference.as_json() == {
        "scope": "s",
        "hash": "h",
        "size": 3,
        "enc": "utf8",
        "blocks": "0-1",
    }


def test_a_word_cannot_be_changed() -> None:
    session = Session(id="s", client="c", started=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(AttributeError):
        session.turns = 2  # type: ignore[misc] # that is the point
