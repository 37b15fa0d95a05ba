"""What humans are asked."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from proctor.approval.model import Reviewer
from proctor.model import ActionKind, ApprovalTerms
from proctor.replay.asking import RULE, asking
from tests.replay.test_plan import API, PLAN, THERE

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


def test_of_a_url_everything_that_is_dialled_and_put_in() -> None:
    plan = replace(PLAN, direct=THERE, listener="replay", requests=(API,))
    more = ApprovalTerms(rule_id="big", from_groups=("leads",))
    found = asking(plan, CAROL, "", "v1", ("reviewers",), (more,))
    assert found.kind is ActionKind.HTTP_REQUEST
    assert found.demands[1] is more
    facts, requests = (part.text for part in found.card.parts)
    for shown in ("https://api.example, through no", "203.0.113.7", "no credential", "public auth"):
        assert shown in facts
    assert requests == "turn 3  PUT /items/7?x=1  2 bytes"
    there = replace(THERE, credential="key", ca="PEM")
    found = asking(replace(plan, direct=there), CAROL, "", "v1", ("reviewers",))
    facts = found.card.parts[0].text
    assert "the credential key" in facts
    assert f"CA {sha256(b'PEM').hexdigest()}" in facts
