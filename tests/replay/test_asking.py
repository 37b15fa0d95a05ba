"""What humans are asked."""

from datetime import UTC, datetime

from proctor.approval.model import Reviewer
from proctor.replay.asking import RULE, asking
from tests.replay.test_plan import PLAN

CAROL = Reviewer(
    issuer="https://idp", subject="carol", human="Carol", groups=("sec",),
    signed_in_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def test_everything_that_is_approved_is_on_the_card() -> None:
    found = asking(PLAN, CAROL, "Why not", "v1", ("reviewers",))
    assert (found.digest, found.listener, found.session) == (PLAN.digest, "claude", "s")
    assert found.identities == {"carol"}  # by whichever name: she does not decide it
    (terms,) = found.demands
    assert (terms.rule_id, terms.from_groups, terms.count, terms.grant) == (
        RULE, ("reviewers",), 1, None,
    )  # fmt: skip
    facts, requests = (part.text for part in found.card.parts)
    for shown in ("s\n", "i#a", "claude, https://api.example", PLAN.digest, "Why not", "2, 9"):
        assert shown in facts
    assert requests == "turn 1  m  2 bytes\nturn 2  m  7 bytes"
