"""What humans are asked when somebody asks for access; over HTTP it is in `test_api`."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.approval.model import ApprovalError, Origin
from proctor.console.access import Caller, Wish, asking
from proctor.model import ActionKind
from proctor.policy.engine import Policy
from tests.support.cases import policy

BOT = Caller(key="https://idp#bot", subject="bot", human="carol", groups=("dev",), person=False)
ALICE = Caller(key="https://idp#alice", subject="alice", human=None, groups=(), person=True)
WISH = Wish(
    rule="shell",
    kind=ActionKind.LLM_TOOL_USE,
    pattern="Bash(rm -rf build)",
    length=timedelta(minutes=30),
    uses=2,
    reason="to tidy up",
    principal="",
)


@pytest.fixture
def rules(tmp_path: Path) -> Policy:
    return policy(
        tmp_path,
        """
        rules:
          - id: shell
            on: llm.tool_use
            match: Bash(rm *)
            then: hold
            approval: {from: [dba], grant: 1h, count: 2}
          - id: no
            on: llm.tool_use
            match: Bash(dd *)
            then: deny
            appeal: true
            approval: {from: [dba], grant: 1h}
        """,
    )


def test_the_card_says_all_that_is_wished_for(rules: Policy) -> None:
    found = asking(WISH, BOT, rules)
    assert found.origin is Origin.GRANT
    assert (found.principal, found.subject, found.human) == (BOT.key, "bot", "carol")
    assert found.demands[0].count == 2
    assert found.policy_version == rules.version
    assert found.for_ == timedelta(minutes=30)
    assert found.uses == 2
    assert asking(replace(WISH, uses=None), BOT, rules).uses is None
    (part,) = found.card.parts
    for word in ("shell", BOT.key, "llm.tool_use", "Bash(rm -rf build)", "1800", "2 times"):
        assert word in part.text


def test_another_wish_is_another_digest(rules: Policy) -> None:
    first = asking(WISH, BOT, rules).digest
    assert asking(WISH, BOT, rules).digest == first
    for changed in (
        replace(WISH, pattern="Bash(rm -rf dist)"),
        replace(WISH, length=timedelta(minutes=31)),
        replace(WISH, uses=None),
    ):
        assert asking(changed, BOT, rules).digest != first
    assert asking(WISH, ALICE, rules).digest != first


def test_one_s_own_name_is_no_other_principal(rules: Policy) -> None:
    found = asking(replace(WISH, principal=BOT.key), BOT, rules)
    assert found.identities == {"bot", "carol"}


def test_a_denial_that_can_be_appealed_lets_no_grant_be_asked_for(rules: Policy) -> None:
    with pytest.raises(ApprovalError) as caught:
        asking(replace(WISH, rule="no"), BOT, rules)
    assert caught.value.code == "grant-too-wide"
