"""Who is whom, and what still holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from proctor.approval.model import Grant, Reviewer, identities
from proctor.model import ActionKind

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
GRANT = Grant(
    id="gr_1",
    rule_id="r",
    principal="https://idp#alice",
    kind=ActionKind.LLM_TOOL_USE,
    pattern="Bash(ls)",
    uses=2,
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    by="https://idp#bob",
    reason="",
    approval_id="ap_1",
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("alice",), ("ALICE",)),
        (("alice",), ("u-17", "alice")),
        (("\uff41\uff4c\uff49\uff43\uff45",), ("alice",)),
        ((" alice ",), ("alice",)),
    ],
)
def test_one_human_under_two_names(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert identities(*one) & identities(*other)


def test_two_humans() -> None:
    assert not identities("alice", None) & identities("bob", "")


def test_a_reviewer_is_known_by_subject_and_human() -> None:
    bob = Reviewer(issuer="https://idp", subject="u-1", human="Bob", signed_in_at=NOW)
    assert bob.key == "https://idp#u-1"
    assert bob.identities == {"u-1", "bob"}


@pytest.mark.parametrize(
    ("changed", "after", "still"),
    [
        ({}, 0, True),
        ({}, 3600, False),
        ({"used": 1}, 0, True),
        ({"used": 2}, 0, False),
        ({"used": 99, "uses": None}, 0, True),
        ({"revoked_at": NOW}, 0, False),
    ],
)
def test_how_long_a_grant_is_open(changed: dict[str, object], after: int, still: bool) -> None:  # noqa: FBT001 - a parameter
    grant = replace(GRANT, **changed)  # type: ignore[arg-type]  # fields of Grant
    assert grant.open(NOW + timedelta(seconds=after)) is still
