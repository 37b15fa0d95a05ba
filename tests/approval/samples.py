"""Approvals, votes, grants and kills for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from proctor.approval import lifecycle
from proctor.approval.model import (
    Approval,
    Asking,
    Card,
    Grant,
    Hidden,
    Kill,
    KillScope,
    Origin,
    Part,
    Reviewer,
    Role,
    Via,
    Vote,
    identities,
)
from proctor.model import ActionKind, ApprovalTerms

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TTL = timedelta(minutes=30)
ISSUER = "https://idp.example"


def asking(**changed: Any) -> Asking:
    """A shell command of alice's bot."""
    whole = Asking(
        kind=ActionKind.LLM_TOOL_USE,
        listener="claude",
        digest="d1",
        target="Bash",
        shape="Bash(rm)",
        pattern="Bash(rm -rf build)",
        principal=f"{ISSUER}#bot",
        subject="bot",
        human="alice",
        session="s1",
        demands=(ApprovalTerms(rule_id="shell", from_groups=("dba",)),),
        policy_version="p1",
        ttl=TTL,
        card=Card(title="Bash", summary="rm -rf build"),
    )
    return replace(whole, **changed)


def full() -> Asking:
    """One in which nothing is left empty."""
    return asking(
        origin=Origin.GRANT,
        groups=("dev", "ops"),
        session_started=NOW - timedelta(hours=1, microseconds=7),
        flow_id="f1",
        prompt="q1",
        demands=(
            ApprovalTerms(
                rule_id="shell",
                rule_reason="Twö eyes\ud800",
                from_groups=("dba", "ops"),
                count=2,
                reason_required=True,
                grant=timedelta(hours=1),
            ),
            ApprovalTerms(from_groups=("sec",)),
        ),
        card=Card(
            title="Bash",
            summary="rm",
            parts=(Part(name="command", kind="command", text="rm \u202e\x00\udfff", cut=3),),
            hidden=(Hidden(type="IBAN_CODE", length=22, place="input.command", shown="[IBAN]"),),
            findings=(("IBAN_CODE", "input.command"), ("PERSON", "input.x")),
            prompt="tidy up",
            tool_use_id="toolu_1",
        ),
        sealed=bytes(range(256)),
        for_=timedelta(minutes=15),
        reason="to tidy up",
        uses=3,
    )


def pending(now: datetime = NOW, **changed: Any) -> Approval:
    """One that was just asked for."""
    return lifecycle.requested(asking(**changed), now)


def reviewer(name: str, *more: str, groups: tuple[str, ...] = ("dba",), **changed: Any) -> Reviewer:
    """Somebody who has signed in; `more` is by what else this human is known."""
    whole = Reviewer(
        issuer=ISSUER,
        subject=name,
        human=more[0] if more else None,
        groups=groups,
        roles=frozenset({Role.REVIEWER}),
        signed_in_at=NOW,
    )
    return replace(whole, **changed)


def vote(name: str, *more: str, approve: bool = True, at: datetime = NOW, **changed: Any) -> Vote:
    """What somebody said."""
    whole = Vote(
        reviewer=f"{ISSUER}#{name}",
        identities=identities(name, *more),
        name=name.title(),
        groups=("dba",),
        approve=approve,
        reason=f"{name} has looked",
        at=at,
        via=Via.CONSOLE,
    )
    return replace(whole, **changed)


def grant(**changed: Any) -> Grant:
    """An hour of `rm` for the bot."""
    whole = Grant(
        id=lifecycle.new_name("gr"),
        rule_id="shell",
        principal=f"{ISSUER}#bot",
        kind=ActionKind.LLM_TOOL_USE,
        pattern="Bash(rm *)",
        uses=2,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        by=f"{ISSUER}#bob",
        reason="a migration",
        approval_id="ap_aaaaaaaaaaaaaaaa",
    )
    return replace(whole, **changed)


def kill(**changed: Any) -> Kill:
    """An end to a session."""
    whole = Kill(
        id=lifecycle.new_name("ki"),
        scope=KillScope.SESSION,
        target="s1",
        by=f"{ISSUER}#carol",
        reason="it loops",
        at=NOW,
    )
    return replace(whole, **changed)
