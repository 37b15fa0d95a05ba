"""Who may do what: pure checks, each of which returns None or the reason why not.

They look at an approval as it is in the store's transaction and at a person who has signed in.
Whether it is still time to decide is `lifecycle`'s to say.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from proctor.approval.model import (
    Approval,
    ApprovalError,
    Audience,
    Grant,
    KillScope,
    Origin,
    Reviewer,
    Role,
    Vote,
    identities,
)
from proctor.model import ApprovalTerms

MAX_REASON: Final = 2000
"""Characters of a reason."""

MAX_TARGET: Final = 512
MAX_USES: Final = 1_000_000

_SEE_ALL: Final = frozenset({Role.AUDITOR, Role.ADMIN, Role.BREAK_GLASS})


def met(demands: Sequence[ApprovalTerms], votes: Iterable[Vote]) -> bool:
    """Whether everything that was asked of humans is given.

    Every one of the terms needs its number of distinct humans out of its groups. Nothing that was
    not asked for is ever met, and one denial outweighs all the rest.
    """
    said = tuple(votes)
    if not demands or not all(vote.approve for vote in said):
        return False
    return all(_enough(terms, said) for terms in demands)


def carried(approval: Approval) -> bool:
    """Whether the votes that are there let it pass, so that a state by itself never does."""
    own = approval.asking.identities
    if not all(vote.approve and vote.identities.isdisjoint(own) for vote in approval.votes):
        return False
    broken = any(vote.break_glass for vote in approval.votes)
    return broken or met(approval.asking.demands, approval.votes)


def _enough(terms: ApprovalTerms, votes: Sequence[Vote]) -> bool:
    groups = set(terms.from_groups)
    known = [vote.identities for vote in votes if not groups.isdisjoint(vote.groups)]
    return len(humans(known)) >= max(1, terms.count)


def humans(known: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """The names of each human: whoever shares one name with another is the same human."""
    found: list[frozenset[str]] = []
    for names in known:
        same = [other for other in found if not other.isdisjoint(names)]
        found = [other for other in found if other not in same]
        found.append(names.union(*same))
    return found


def may_see(approval: Approval, reviewer: Reviewer) -> ApprovalError | None:
    """Auditors, admins and glass breakers see all, reviewers what their groups decide.

    Whoever asked sees that, too: it decides nothing, and is their own.
    """
    if sees(approval.asking.audience, reviewer):
        return None
    return has_role(reviewer, Role.REVIEWER) or in_groups(approval.asking.demands, reviewer)


def sees_all(reviewer: Reviewer) -> bool:
    """Whether a person sees every approval."""
    return not reviewer.roles.isdisjoint(_SEE_ALL)


def sees(audience: Audience, reviewer: Reviewer) -> bool:
    """Whether `may_see` lets a person see the approvals of an audience."""
    if sees_all(reviewer) or not audience.own.isdisjoint(reviewer.identities):
        return True
    return Role.REVIEWER in reviewer.roles and not audience.groups.isdisjoint(reviewer.groups)


def may_decide(approval: Approval, reviewer: Reviewer) -> ApprovalError | None:
    """Reviewers in one of the groups that are asked; never whoever asked."""
    return (
        not_own(approval, reviewer)
        or has_role(reviewer, Role.REVIEWER)
        or in_groups(approval.asking.demands, reviewer)
    )


def may_break_glass(approval: Approval, reviewer: Reviewer) -> ApprovalError | None:
    """Glass breakers, for one held action; never whoever asked."""
    error = not_own(approval, reviewer) or has_role(reviewer, Role.BREAK_GLASS)
    if error is None and approval.asking.origin is Origin.GRANT:
        return ApprovalError(
            code="grant-too-wide",
            message="Breaking the glass lets one action pass, not many",
            got="a request for a grant",
            expected="one held action",
            status=403,
        )
    return error


def may_reveal(approval: Approval, reviewer: Reviewer) -> ApprovalError | None:
    """Those with the role, of what they may see."""
    return has_role(reviewer, Role.REVEAL) or may_see(approval, reviewer)


def may_review(approval: Approval, reviewer: Reviewer) -> ApprovalError | None:
    """A broken glass is looked at by any reviewer or admin; who exactly not, `lifecycle` says."""
    if Role.ADMIN in reviewer.roles:
        return None
    return has_role(reviewer, Role.REVIEWER) or in_groups(approval.asking.demands, reviewer)


def may_revoke(
    grant: Grant, demands: Sequence[ApprovalTerms], reviewer: Reviewer
) -> ApprovalError | None:
    """Admins, whoever gave it, and reviewers of its rule.

    Args:
        grant: It.
        demands: Of the approval it came of; empty where that is gone.
        reviewer: Who wants to.
    """
    if Role.ADMIN in reviewer.roles or reviewer.key in grant.by.split():
        return None
    its = [terms for terms in demands if terms.rule_id == grant.rule_id]
    return has_role(reviewer, Role.REVIEWER) or in_groups(its, reviewer)


def may_see_grant(
    grant: Grant, demands: Sequence[ApprovalTerms], reviewer: Reviewer
) -> ApprovalError | None:
    """Those who see all approvals, those who may revoke it, and whose it is."""
    if sees_all(reviewer) or grant.principal == reviewer.key:
        return None
    return may_revoke(grant, demands, reviewer)


def may_kill(reviewer: Reviewer) -> ApprovalError | None:
    """Admins."""
    return has_role(reviewer, Role.ADMIN)


def has_role(reviewer: Reviewer, *roles: Role) -> ApprovalError | None:
    """Whether a person has one of these roles."""
    if reviewer.roles.isdisjoint(roles):
        return ApprovalError(
            code="approval-role",
            message="This person has not the role for that",
            got=", ".join(sorted(reviewer.roles)) or "no role",
            expected=" or ".join(sorted(roles)),
            hint="Roles are given to groups under `roles` in proctor.yaml.",
            status=403,
        )
    return None


def in_groups(demands: Sequence[ApprovalTerms], reviewer: Reviewer) -> ApprovalError | None:
    """Whether a person is in a group that at least one of the rules asks."""
    asked = {group for terms in demands for group in terms.from_groups}
    if asked.isdisjoint(reviewer.groups):
        return ApprovalError(
            code="approval-group",
            message="This person is in none of the groups that the rule asks",
            got=f"{len(reviewer.groups)} other groups",
            expected=" or ".join(sorted(asked)) or "a group",
            hint="The rule names them under `approval: from`.",
            status=403,
        )
    return None


def is_own(approval: Approval, reviewer: Reviewer) -> bool:
    """Whether a person is whoever asked, or the human behind the bot that did."""
    return not approval.asking.identities.isdisjoint(reviewer.identities)


def not_own(approval: Approval, reviewer: Reviewer) -> ApprovalError | None:
    """Nobody decides what they asked for, whichever issuer or bot they used."""
    if is_own(approval, reviewer):
        return ApprovalError(
            code="approval-not-yours",
            message="Whoever asked cannot decide it",
            got=reviewer.key,
            expected="another human",
            status=403,
        )
    return None


def enough_said(
    reason: str, demands: Sequence[ApprovalTerms] = (), *, needed: bool = False
) -> ApprovalError | None:
    """Whether the words for a decision are there, and no more of them than fit.

    Args:
        reason: Stripped.
        demands: Words are needed where one of them says so,
        needed: or where this is true.
    """
    if len(reason) > MAX_REASON:
        return ApprovalError(
            code="approval-reason",
            message="The reason is too long",
            got=f"{len(reason)} characters",
            expected=f"at most {MAX_REASON}",
            status=400,
        )
    if not reason and (needed or any(terms.reason_required for terms in demands)):
        return ApprovalError(
            code="approval-reason",
            message="A reason is needed",
            got="none",
            expected="why, in your own words; whoever asked will read them",
            status=400,
        )
    return None


def grantable(
    demands: Sequence[ApprovalTerms], for_: timedelta, uses: int | None = None
) -> ApprovalError | None:
    """Whether all rules let a grant be given for so long."""
    limits = [terms.grant for terms in demands if terms.grant is not None]
    if not limits or len(limits) < len(demands):
        closed = [terms.rule_id for terms in demands if terms.grant is None]
        return too_wide(
            "The rule allows no grants",
            got=", ".join(closed) or "no rule",
            expected="a rule with `approval: grant`",
        )
    if not timedelta(0) < for_ <= min(limits):
        return too_wide(
            "The grant is longer than the rule allows",
            got=f"{for_.total_seconds():.0f} s",
            expected=f"more than 0 and at most {min(limits).total_seconds():.0f} s",
        )
    if uses is not None and not 0 < uses <= MAX_USES:
        return too_wide(
            "A grant can be used once or more", got=str(uses), expected=f"1 to {MAX_USES}"
        )
    return None


def too_wide(message: str, got: str, expected: str) -> ApprovalError:
    """A grant that would let more pass than it may."""
    return ApprovalError(
        code="grant-too-wide", message=message, got=got, expected=expected, status=403
    )


def killable(scope: KillScope, target: str) -> ApprovalError | None:
    """Whether it is clear what a kill would end."""
    if (scope is KillScope.ALL) == (not target) and len(target) <= MAX_TARGET:
        named = target == "" or bool(identities(target.strip()))
        if named:
            return None
    return ApprovalError(
        code="kill-unknown",
        message="It is not clear what is to be ended",
        got=f"a target of {len(target)} characters for {scope.value}",
        expected=(
            "no target"
            if scope is KillScope.ALL
            else f"a {scope.value}'s name of at most {MAX_TARGET} characters"
        ),
        status=400,
    )
