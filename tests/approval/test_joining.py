"""Which earlier answer is met."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from proctor.approval.joining import joins
from proctor.approval.model import Origin, State
from tests.approval.samples import NOW, TTL, asking, pending


def joined(state: State, at: datetime, *, old: dict[str, Any], new: dict[str, Any]) -> bool:
    return joins(asking(**new), replace(pending(**old), state=state), at)


@pytest.mark.parametrize(
    ("state", "minutes", "prompts", "expected"),
    [
        (State.PENDING, 1, ("", ""), True),
        (State.PENDING, 1, ("q1", "q2"), True),
        (State.APPROVED, 1, ("q1", "q2"), True),
        (State.DENIED, 1, ("q1", "q1"), True),
        (State.DENIED, 1, ("q1", "q2"), False),
        (State.DENIED, 1, ("", ""), False),
        (State.DENIED, 61, ("q1", "q1"), False),
        (State.EXPIRED, 31, ("q1", "q1"), True),
        (State.EXPIRED, 31, ("", ""), False),
        (State.CANCELLED, 1, ("q1", "q1"), False),
        (State.USED, 1, ("q1", "q1"), False),
        # its end has come, and nobody has noticed
        (State.PENDING, 30, ("q1", "q2"), False),
        (State.APPROVED, 30, ("", ""), False),
        (State.APPROVED, 30, ("q1", "q1"), True),
    ],
)
def test_by_state(*, state: State, minutes: int, prompts: tuple[str, str], expected: bool) -> None:
    old, new = ({"prompt": prompt} for prompt in prompts)
    at = NOW + timedelta(minutes=minutes)
    assert timedelta(minutes=30) == TTL
    assert joined(state, at, old=old, new=new) is expected


@pytest.mark.parametrize(
    "other",
    [
        {"policy_version": "p2"},
        {"session": "s2"},
        {"session": None},
        {"listener": "another"},
        {"origin": Origin.APPEAL},
        {"demands": ()},
        {"for_": TTL},
    ],
)
def test_something_else_is_another_one(other: dict[str, Any]) -> None:
    for state in State:
        assert not joined(state, NOW, old={"prompt": "q"}, new={"prompt": "q", **other})
