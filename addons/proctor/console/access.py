"""Asking for access beforehand: what a wish for a grant is, as humans are asked it."""

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from proctor.approval.authority import MAX_REASON, grantable
from proctor.approval.model import ApprovalError, Asking, Card, Origin, Part
from proctor.console.bodies import invalid
from proctor.model import ActionKind, ApprovalTerms
from proctor.policy.engine import Policy

_MAX_PATTERN = 2000
_MAX_PRINCIPAL = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        key: `Principal.key`.
        subject: `sub`.
        human: The person behind it, or None.
        groups: As the issuer gives them.
        person: A human who has signed in, and no agent.
    """

    key: str
    subject: str
    human: str | None
    groups: tuple[str, ...]
    person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for.

    Attributes:
        rule: The id of the rule that would hold it.
        kind: Of the actions.
        pattern: Which of them.
        length: For how long.
        uses: How often; None for any number.
        reason: Why.
        principal: `Principal.key` of whom it is for; empty for who asks.
    """

    rule: str
    kind: ActionKind
    pattern: str
    length: timedelta
    uses: int | None
    reason: str
    principal: str


def asking(wish: Wish, caller: Caller, policy: Policy) -> Asking:
    """What humans are asked; it decides nothing.

    Raises:
        ApprovalError: `grant-too-wide`: the rule allows no such grant.
        ClientError: `body-invalid`.
    """
    if not wish.pattern.strip() or len(wish.pattern) > _MAX_PATTERN:
        raise invalid("no pattern, or one that is too long", "such as Bash(rm -rf build)")
    if len(wish.reason) > MAX_REASON:
        raise invalid("a reason that is too long", f"at most {MAX_REASON} characters")
    terms = _terms(wish, policy)
    refusal = grantable((terms,), wish.length, wish.uses)
    if refusal is not None:
        raise refusal
    principal, subject, human = _names(wish, caller)
    uses = "any number of times" if wish.uses is None else f"{wish.uses} times"
    said = {
        "rule": wish.rule,
        "for": principal,
        "actions": wish.kind.value,
        "pattern": wish.pattern,
        "seconds": int(wish.length.total_seconds()),
        "uses": uses,
    }
    digest = sha256(json.dumps(["grant", *said.values()]).encode()).hexdigest()
    text = json.dumps(said, indent=2, ensure_ascii=False)
    return Asking(
        origin=Origin.GRANT,
        kind=wish.kind,
        listener="",
        digest=digest,
        target=wish.pattern,
        shape=f"grant {wish.rule}",
        pattern=wish.pattern,
        principal=principal,
        subject=subject,
        human=human,
        groups=caller.groups,
        demands=(terms,),
        policy_version=policy.version,
        ttl=terms.ttl,
        card=Card(
            title=f"Access: {wish.rule}",
            summary=" ".join(wish.pattern.split())[:300],
            parts=(Part(name="grant", kind="json", text=text),),
        ),
        for_=wish.length,
        uses=wish.uses,
        reason=wish.reason,
    )


def _terms(wish: Wish, policy: Policy) -> ApprovalTerms:
    for rule in policy.rules:
        if rule.id == wish.rule and wish.kind in rule.on and rule.then == "hold" and rule.terms:
            return rule.terms
    raise ApprovalError(
        code="grant-too-wide",
        message="No rule of this name holds such actions, so none can let them pass",
        got="another rule or kind",
        expected="a rule with `then: hold` and `approval: grant`",
        hint="The console's page of rules lists them.",
        status=403,
    )


def _names(wish: Wish, caller: Caller) -> tuple[str, str, str | None]:
    """Whom it is for, and the two names by which nobody may decide it.

    Neither who asks nor whom it is for decides: where these are two, one name of each stands here.
    """
    if not wish.principal or wish.principal == caller.key:
        return caller.key, caller.subject, caller.human
    issuer, _, subject = wish.principal.rpartition("#")
    known = wish.principal.isprintable() and len(wish.principal) <= _MAX_PRINCIPAL
    if not issuer or not subject or not known:
        raise invalid("a principal that is none", "ISSUER#SUBJECT")
    if not caller.person:
        raise ApprovalError(
            code="grant-too-wide",
            message="An agent asks for itself only",
            got="another principal",
            expected="none, or its own",
            status=403,
        )
    return wish.principal, subject, caller.human or caller.subject
