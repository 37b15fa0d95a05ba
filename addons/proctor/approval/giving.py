"""What grants come of an approval, and whether they may."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from proctor.approval.authority import grantable, met, too_wide
from proctor.approval.grants import too_wide_for
from proctor.approval.model import Approval, ApprovalError, Asking, Grant, Origin, Vote


@dataclass(frozen=True, slots=True)
class Given:
    """A grant that is given with a vote.

    Attributes:
        for_: How long it holds.
        uses: How often it may be used; None for any number.
        pattern: What it lets pass; empty for what was suggested or asked for.
    """

    for_: timedelta
    uses: int | None = None
    pattern: str = ""


def gives(asking: Asking, given: Given | None) -> bool:
    """Whether an approval gives grants once everything is met."""
    return given is not None or asking.origin is Origin.GRANT


def may_give(approval: Approval, vote: Vote, given: Given) -> ApprovalError | None:
    """Whether a vote may come with this grant.

    A grant that was asked for is what everybody votes on; the last of them may only narrow it. One
    that comes with the approval of an action is the word of one person, so it may be given only
    where the rules ask for no more than that.
    """
    asking = approval.asking
    if vote.break_glass:
        return too_wide(
            "Breaking the glass lets one action pass, not many", got="a grant", expected="none"
        )
    if asking.origin is Origin.GRANT:
        return _narrower(asking, given)
    if not met(asking.demands, (vote,)):
        return too_wide(
            "The rules ask for more than one person, so one cannot give a grant",
            got="one vote",
            expected="a grant that is asked for, and approved by all of them",
        )
    return grantable(asking.demands, given.for_, given.uses) or too_wide_for(
        asking.kind, given.pattern or asking.pattern, asking.shape
    )


def _narrower(asking: Asking, given: Given) -> ApprovalError | None:
    """Whether a grant is no wider than the one that was asked for."""
    if given.pattern not in {"", asking.pattern}:
        return too_wide(
            "The grant is not the one that was asked for",
            got="another pattern",
            expected=asking.pattern,
        )
    if asking.for_ is None or given.for_ > asking.for_:
        return too_wide("The grant is longer than what was asked for", got="more", expected="")
    if asking.uses is not None and given.uses is not None and given.uses > asking.uses:
        return too_wide(
            "The grant may be used more often than what was asked for",
            got=str(given.uses),
            expected=f"at most {asking.uses}",
        )
    return grantable(asking.demands, given.for_, given.uses)


def grants_of(approval: Approval, given: Given | None, now: datetime) -> list[Grant]:
    """The grants of an approved approval, one for each of its rules; their names stand in it."""
    asking = approval.asking
    for_ = given.for_ if given else asking.for_
    uses = given.uses if given and given.uses is not None else asking.uses
    names = approval.grant_id.split()
    if for_ is None or not names:
        return []
    return [
        Grant(
            id=name,
            rule_id=terms.rule_id,
            principal=asking.principal,
            kind=asking.kind,
            pattern=(given.pattern if given else "") or asking.pattern,
            uses=uses,
            created_at=now,
            expires_at=now + for_,
            by=approval.by,
            reason=approval.reason,
            approval_id=approval.id,
        )
        for name, terms in zip(names, asking.demands, strict=True)
    ]
