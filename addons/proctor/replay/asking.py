"""What humans are asked before a recorded session is sent again."""

from datetime import timedelta
from hashlib import sha256
from typing import Final

from proctor.approval.model import Asking, Card, Part, Reviewer
from proctor.model import ActionKind, ApprovalTerms
from proctor.replay.plan import Plan, Request

RULE: Final = "replay"
"""Stands in the record where a rule's id would."""

_TTL: Final = timedelta(minutes=30)
_MAX_SHOWN: Final = 200


def asking(  # noqa: PLR0913, PLR0917 - what it is about, and who is asked
    plan: Plan,
    reviewer: Reviewer,
    reason: str,
    policy: str,
    groups: tuple[str, ...],
    terms: tuple[ApprovalTerms, ...] = (),
) -> Asking:
    """What the inbox gets: everything that is approved by approving it.

    Args:
        plan: What would be sent.
        reviewer: Who asks.
        reason: Why, in their words.
        policy: Digest of the rules in force.
        groups: Whose reviewers decide.
        terms: What holding rules ask besides.
    """
    own = ApprovalTerms(
        rule_id=RULE,
        rule_reason="What is on record leaves again only if somebody else has said so.",
        from_groups=groups,
        ttl=_TTL,
    )
    facts = (
        f"session  {plan.session}\nof       {plan.principal}\nto       {_where(plan)}\n"
        f"requests {len(plan.requests)}, {plan.size:,} bytes\n"
        f"digest   {plan.digest}\n" + (f"reason   {reason}\n" if reason else "")
    )
    shown = [_shown(each) for each in plan.requests[:_MAX_SHOWN]]
    return Asking(
        kind=plan.requests[0].kind if plan.requests else ActionKind.LLM_REQUEST,
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
        demands=(own, *terms),
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


def _where(plan: Plan) -> str:
    there = plan.direct
    if there is None:
        return f"{plan.listener}, {plan.upstream}"
    trust = f"CA {sha256(there.ca.encode()).hexdigest()}" if there.ca else "public authorities"
    put_in = f"the credential {there.credential}" if there.credential else "no credential"
    return (
        f"{there.url}, through no listener\ndialled  {', '.join(there.addresses)}\n"
        f"with     {put_in}\ntrusted  {trust if there.tls else 'without TLS'}"
    )


def _shown(request: Request) -> str:
    what = request.model or f"{request.method} {request.path}"
    return f"turn {request.turn}  {what}  {len(request.body):,} bytes"
