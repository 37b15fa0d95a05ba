"""Held flows are marked, and what is said of them is one line that nothing can forge."""

import gc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import ctx, hooks
from mitmproxy.test import tflow
from mitmproxy.utils import emoji

from proctor.approval.model import Approval, Asking, Card, State, Via, Vote
from proctor.model import ActionKind, ApprovalTerms
from proctor.runtime import marks

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def terms(rule: str, reason: str) -> ApprovalTerms:
    return ApprovalTerms(rule_id=rule, rule_reason=reason, from_groups=("platform",))


def approval(number: int = 1, **changed: Any) -> Approval:
    asking = Asking(
        kind=ActionKind.LLM_TOOL_USE,
        listener="claude",
        digest="d" * 64,
        target="Bash",
        shape="Bash(rm)",
        pattern="Bash(rm -rf build)",
        principal="https://idp#alice",
        subject="alice",
        demands=(terms("dangerous-shell", "Look first."),),
        policy_version="v",
        ttl=timedelta(minutes=30),
        card=Card(title="Bash", summary="rm -rf build"),
    )
    return replace(
        Approval(
            id=f"ap_{'a' * 15}{number}",
            asking=replace(asking, **changed.pop("asking", {})),
            nonce="n",
            state=State.PENDING,
            requested_at=NOW,
            expires_at=NOW + asking.ttl,
        ),
        **changed,
    )


def vote(name: str, *, approve: bool) -> Vote:
    return Vote(
        reviewer=f"https://idp#{name}",
        identities=frozenset({name}),
        name=name.title(),
        groups=("platform",),
        approve=approve,
        reason="",
        at=NOW,
        via=Via.CONSOLE,
    )


def test_every_mark_is_one_that_mitmproxy_draws() -> None:
    for mark in (marks.HELD, marks.LEFT, marks.PASSED, marks.REFUSED):
        assert mark in emoji.emoji


def test_held() -> None:
    flow = tflow.tflow()
    marks.held(flow, approval())
    assert flow.marked == marks.HELD
    assert flow.comment == (
        "held by rule dangerous-shell (ap_aaaaaaaaaaaaaaa1): Look first. | Bash: rm -rf build"
    )
    assert marks.waiting(flow) == ["ap_aaaaaaaaaaaaaaa1"]


def test_held_by_several_rules() -> None:
    flow = tflow.tflow()
    demands = (terms("a", "One."), terms("b", "Two."), terms("c", "Two."))
    marks.held(flow, approval(asking={"demands": demands}))
    assert flow.comment.startswith("held by rule a, b, c (ap_aaaaaaaaaaaaaaa1): One. Two. | ")


@pytest.mark.parametrize(
    ("changed", "mark", "comment"),
    [
        ({"state": State.APPROVED}, marks.PASSED, "approved by Bob (ap_aaaaaaaaaaaaaaa1): Fine."),
        ({"state": State.USED}, marks.PASSED, "approved by Bob (ap_aaaaaaaaaaaaaaa1): Fine."),
        (
            {"state": State.APPROVED, "break_glass": True},
            marks.PASSED,
            "approved by Bob, breaking the glass (ap_aaaaaaaaaaaaaaa1): Fine.",
        ),
        ({"state": State.DENIED}, marks.REFUSED, "denied by Carol (ap_aaaaaaaaaaaaaaa1): Fine."),
        (
            {"state": State.EXPIRED, "reason": ""},
            marks.REFUSED,
            "expired (ap_aaaaaaaaaaaaaaa1)",
        ),
        (
            {"state": State.CANCELLED, "reason": "The client is gone."},
            marks.REFUSED,
            "cancelled (ap_aaaaaaaaaaaaaaa1): The client is gone.",
        ),
        (
            {"state": State.PENDING, "reason": ""},
            marks.LEFT,
            "waits no longer, and may still be decided (ap_aaaaaaaaaaaaaaa1)",
        ),
    ],
)
def test_settled(changed: dict[str, Any], mark: str, comment: str) -> None:
    flow = tflow.tflow()
    marks.held(flow, approval())
    votes = (vote("bob", approve=True), vote("carol", approve=False))
    marks.settled(flow, approval(**{"votes": votes, "reason": "Fine.", **changed}))
    assert (flow.marked, flow.comment) == (mark, comment)
    assert marks.waiting(flow) == []


def test_a_vote_without_a_name_is_told_by_who_it_is() -> None:
    flow = tflow.tflow()
    nameless = replace(vote("bob", approve=True), name="")
    marks.settled(flow, approval(state=State.APPROVED, votes=(nameless,)))
    assert flow.comment == "approved by https://idp#bob (ap_aaaaaaaaaaaaaaa1)"


def test_several_in_one_flow_and_a_person_s_own_words() -> None:
    flow = tflow.tflow()
    flow.comment = "look at this"
    marks.held(flow, approval(1))
    marks.held(flow, approval(2))
    flow.comment += "\nand at that"
    marks.settled(flow, approval(1, state=State.DENIED))
    assert flow.marked == marks.HELD
    assert marks.waiting(flow) == ["ap_aaaaaaaaaaaaaaa2"]
    assert flow.comment.splitlines() == [
        "look at this",
        "and at that",
        "denied (ap_aaaaaaaaaaaaaaa1)",
        "held by rule dangerous-shell (ap_aaaaaaaaaaaaaaa2): Look first. | Bash: rm -rf build",
    ]
    marks.settled(flow, approval(2, state=State.EXPIRED))
    assert flow.marked == marks.REFUSED
    assert "held by" not in flow.comment


def test_a_copy_waits_for_nothing() -> None:
    flow = tflow.tflow()
    marks.held(flow, approval())
    assert marks.waiting(flow.copy()) == []
    flow.comment = f"held by rule x (ap_{'z' * 16}): y"
    assert marks.waiting(flow) == ["ap_aaaaaaaaaaaaaaa1"]


def test_a_flow_that_is_gone_leaves_nothing() -> None:
    gc.collect()
    before = len(marks._notes)
    flow = tflow.tflow()
    marks.held(flow, approval())
    assert len(marks._notes) == before + 1
    del flow
    gc.collect()
    assert len(marks._notes) == before


@given(st.text(), st.text(), st.text())
def test_whatever_stands_in_it_is_one_line_that_can_be_shown(
    summary: str, reason: str, name: str
) -> None:
    flow = tflow.tflow()
    card = Card(title="Bash", summary=summary)
    marks.held(flow, approval(asking={"card": card, "demands": (terms("r", reason),)}))
    assert flow.comment.isprintable()
    by = (replace(vote("bob", approve=False), name=name),)
    marks.settled(flow, approval(state=State.DENIED, votes=by, reason=reason))
    assert flow.comment.isprintable()


def test_long_words_are_cut() -> None:
    flow = tflow.tflow()
    marks.held(flow, approval(asking={"card": Card(title="Bash", summary="x" * 10**6)}))
    assert flow.comment.endswith("x…")
    assert len(flow.comment) < 500


def test_show_tells_the_user_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[hooks.Hook] = []
    addons = SimpleNamespace(trigger=told.append)
    monkeypatch.setattr(ctx, "master", SimpleNamespace(addons=addons), raising=False)
    flow = tflow.tflow()
    marks.show(flow)
    (hook,) = told
    assert isinstance(hook, hooks.UpdateHook)
    assert hook.flows == [flow]
