"""The shipped rules about what leaves."""

from datetime import UTC, datetime
from typing import Any

import pytest

from proctor.cli.init import shipped_rules
from proctor.model import Action, ActionKind, Case, Deny, Finding, HttpFields, Principal
from proctor.policy.engine import load_policy
from proctor.policy.features import Features

POLICY = load_policy(shipped_rules(), features=Features())
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ALICE = Principal(issuer="https://idp", subject="alice")


def said(kind: str, location: str = "body.a", **more: Any) -> str:
    finding = Finding(
        type=kind,
        location=location,
        **{"direction": "request", "score": 0.9, "detector": "d", "action": "mask", **more},
    )
    fields = HttpFields(method="POST", scheme="https", host="a.example", port=443, path="/")
    action = Action(
        kind=ActionKind.HTTP_REQUEST, listener="egress", target="https://a.example/", http=fields
    )
    verdict = POLICY.decide(
        Case(principal=ALICE, session=None, action=action, findings=(finding,), now=NOW)
    )
    return verdict.verdict.rule_id if isinstance(verdict.verdict, Deny) else ""


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("CANARY", "canary-leaves"),
        ("SECRET_PIECES", "known-secret-leaves"),
        ("API_KEY", "secret-leaves"),
        ("PRIVATE_KEY", "secret-leaves"),
        ("KNOWN_VALUE", "secret-leaves"),
    ],
)
def test_secrets_do_not_leave(kind: str, rule: str) -> None:
    assert said(kind) == rule


def test_passwords_stand_in_no_address() -> None:
    assert said("PASSWORD", "query.p") == "password-in-an-address"
    assert said("PASSWORD", "header.x-a") == "password-in-an-address"
    assert said("PASSWORD", "body.p") not in {"password-in-an-address", "secret-leaves"}


def test_what_is_not_sure_or_comes_in_is_not_denied_here() -> None:
    assert said("API_KEY", score=0.5) != "secret-leaves"
    assert said("SECRET_PIECES", direction="response") != "known-secret-leaves"
    assert said("EMAIL_ADDRESS") not in {"canary-leaves", "secret-leaves"}
