"""rules/git.yaml: which pushes pass, and which wait for a person."""

from datetime import UTC, datetime

import pytest

from proctor.model import Action, ActionKind, Case, GitFields, Principal, verdict_name
from proctor.policy.engine import Policy, load_policy
from proctor.policy.features import Features
from tests.support.installation import REPOSITORY

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
MAIN, TOPIC = "refs/heads/main", "refs/heads/topic"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(REPOSITORY / "rules", features=Features())


def said(policy: Policy, kind: ActionKind, fields: GitFields) -> tuple[str, str]:
    action = Action(kind=kind, listener="egress", target="t", git=fields)
    who = Principal(issuer="local", subject="alice")
    case = Case(principal=who, session=None, action=action, now=NOW)
    verdict = policy.decide(case).verdict
    return verdict_name(verdict), verdict.rule_id


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        (GitFields(refs=(MAIN,), paths=("src/a.py", "docs/infra/x")), "allow"),
        (GitFields(refs=(TOPIC,), forced=True), "allow"),
        (GitFields(refs=(TOPIC,), deleted=True), "allow"),
        (GitFields(refs=("refs/tags/v1",)), "allow"),
        (GitFields(refs=(MAIN,), forced=True), "hold"),
        (GitFields(refs=(TOPIC, "refs/heads/master"), deleted=True), "hold"),
        (GitFields(refs=("refs/heads/release/1.2",), forced=True), "hold"),
        (GitFields(refs=("refs/tags/v1",), forced=True), "hold"),
        (GitFields(refs=("refs/tags/v1",), deleted=True), "hold"),
        (GitFields(refs=(TOPIC,), paths=("infra/a.tf",)), "hold"),
        (GitFields(refs=(TOPIC,), paths=("infra",)), "hold"),
        (GitFields(refs=(TOPIC,), paths=("a", ".github/workflows/ci.yml")), "hold"),
        (GitFields(refs=(TOPIC,), paths=(".gitlab-ci.yml",)), "hold"),
        (GitFields(refs=(TOPIC,), paths=(".gitmodules",)), "hold"),
        (GitFields(refs=(TOPIC,), paths=("src/",), unknown=True), "hold"),
        (GitFields(refs=(TOPIC,), paths=(".github/ISSUE_TEMPLATE.md", "infra.md")), "allow"),
    ],
)
def test_pushes(policy: Policy, fields: GitFields, verdict: str) -> None:
    assert said(policy, ActionKind.GIT_PUSH, fields)[0] == verdict


def test_fetches(policy: Policy) -> None:
    fields = GitFields(repository="git.internal/a", service="fetch")
    assert said(policy, ActionKind.GIT_FETCH, fields) == ("allow", "git-reading")
