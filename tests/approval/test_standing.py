"""Grants and kills in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proctor.approval.model import KillScope
from proctor.approval.standing import Standing
from proctor.model import ActionKind, ApprovalTerms
from tests.approval.samples import ISSUER, NOW, grant, kill

BOT = f"{ISSUER}#bot"
TERMS = ApprovalTerms(rule_id="shell", from_groups=("dba",), grant=timedelta(hours=1))


def found(standing: Standing, *terms: ApprovalTerms, minutes: float = 1, fits: bool = True) -> int:
    grants = standing.grants_for(
        BOT, ActionKind.LLM_TOOL_USE, terms, lambda _: fits, NOW + timedelta(minutes=minutes)
    )
    return len(grants or ())


def test_one_open_grant_for_each_of_the_terms() -> None:
    standing, other = Standing(), replace(TERMS, rule_id="net")
    assert found(standing, TERMS) == 0
    standing.set_grants([grant()])
    assert found(standing, TERMS) == 1
    assert found(standing) == 0
    assert found(standing, TERMS, other) == 0
    assert found(standing, TERMS, fits=False) == 0
    standing.set_grants([grant(), grant(rule_id="net")])
    assert found(standing, TERMS, other) == 2
    standing.set_grants([])
    assert found(standing, TERMS) == 0


@pytest.mark.parametrize(
    "given",
    [
        grant(used=2),
        grant(revoked_at=NOW),
        grant(expires_at=NOW),
        grant(principal=f"{ISSUER}#other"),
        grant(kind=ActionKind.HTTP_REQUEST),
        grant(rule_id="other"),
    ],
)
def test_others_do_not_count(given: object) -> None:
    standing = Standing()
    standing.set_grants([given])  # type: ignore[list-item]
    assert found(standing, TERMS) == 0


def test_a_rule_that_became_stricter_shortens_its_grants() -> None:
    standing = Standing()
    standing.set_grants([grant(uses=None)])
    shorter = replace(TERMS, grant=timedelta(minutes=10))
    assert found(standing, shorter, minutes=9) == 1
    assert found(standing, shorter, minutes=10) == 0
    assert found(standing, replace(TERMS, grant=None)) == 0


@pytest.mark.parametrize(
    ("scope", "target", "hit"),
    [
        (KillScope.ALL, "", True),
        (KillScope.SESSION, "s1", True),
        (KillScope.SESSION, "S1", False),
        (KillScope.PRINCIPAL, BOT, True),
        (KillScope.PRINCIPAL, "bot", True),
        (KillScope.PRINCIPAL, "Alice", True),
        (KillScope.PRINCIPAL, "bob", False),
        (KillScope.PRINCIPAL, "s1", False),
        (KillScope.SESSION, "bot", False),
    ],
)
def test_who_is_killed(*, scope: KillScope, target: str, hit: bool) -> None:
    standing = Standing()
    one = kill(scope=scope, target=target)
    assert standing.set_kills([one]) == [one]
    assert standing.set_kills([one]) == []
    assert standing.killed(BOT, "bot", "alice", "s1") == (one if hit else None)
    standing.set_kills([replace(one, lifted_at=NOW)])
    assert standing.killed(BOT, "bot", "alice", "s1") is None
