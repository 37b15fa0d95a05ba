"""What humans are asked before a recorded session is sent again."""

from datetime import timedelta
from typing import Final

from proctor.approval.model import Asking, Card, Part, Reviewer
from proctor.model import ActionKind, ApprovalTerms
from proctor.replay.plan import Plan

RULE: Final = "replay"
"""Stands in the record where a rule's id would."""

_TTL: Final = timedelta(minutes=30)
_MAX_SHOWN: Final = 200


def asking(
    plan: Plan, reviewer: Reviewer, reason: str, policy: str, groups: tuple[str, ...]
) -> Asking:
    """What the inbox gets: everything that is approved by approving it.

    Args:
        plan: What would be sent.
        reviewer: Who asks.
        reason: Why, in their words.
        policy: Digest of the rules in force.
        groups: Whose reviewers decide.
    """
    terms = ApprovalTerms(
        rule_id=RULE,
        rule_reason="What is on record leaves again only if somebody else has said so.",
        from_groups=groups,
        ttl=_TTL,
    )
    facts = (
        f"session  {plan.session}\nof       {plan.principal}\nto       {plan.listener},"
        f" {plan.upstream}\nrequests {len(plan.requests)}, {plan.size:,} bytes\n"
        f"digest   {plan.digest}\n" + (f"reason   {reason}\n" if reason else "")
    )
    shown = [
        f"turn {each.turn}  {each.model}  {len(each.body):,} bytes"
        for each in plan.requests[:_MAX_SHOWN]
    ]
    return Asking(
        kind=ActionKind.LLM_REQUEST,
        listener=plan.listener,
        digest=plan.digest,
        target=f"replay to {plan.upstream}",
        shape="replay",
        pattern="",
        principal=reviewer.key,
        subject=reviewer.subject,
        human=reviewer.human,
        groups=reviewer.groups,
        session=plan.session,
        demands=(terms,),
        policy_version=policy,
        ttl=_TTL,
        card=Card(
            title="Send a recorded session again",
            summary=f"{len(plan.requests)} requests to {plan.upstream}",
            parts=(
                Part(name="replay", kind="text", text=facts),
                Part(name="requests", kind="text", text="\n".join(shown)),
            ),
        ),
        reason=reason,
    )
