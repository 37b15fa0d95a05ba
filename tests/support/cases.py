"""Cases and rules for tests of the policy."""

from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

from proctor.errors import ConfigurationError
from proctor.model import (
    Action,
    ActionKind,
    Case,
    HttpFields,
    LlmFields,
    Principal,
    Session,
    ToolFields,
)
from proctor.policy.engine import Policy, load_policy
from proctor.policy.features import Features
from proctor.policy.rulefile import read_rules
from proctor.policy.rules import Rule
from proctor.yamlfile import parse

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""

ALL = Features(kinds=frozenset(ActionKind), unfilled=frozenset())


def case(
    kind: ActionKind = ActionKind.LLM_REQUEST,
    *,
    groups: tuple[str, ...] = (),
    session: Session | None = None,
    now: datetime = NOON,
    **action: Any,
) -> Case:
    """A case with sensible fields for its kind."""
    if kind is ActionKind.LLM_REQUEST:
        action.setdefault("llm", LlmFields(model="claude-opus", max_tokens=100))
    if kind is ActionKind.LLM_TOOL_USE:
        action.setdefault("tool", ToolFields(name="Read", paths=("/srv/secrets/key",)))
    action.setdefault("http", HttpFields(method="POST", path="/v1/messages"))
    action.setdefault("target", "POST https://api.example/v1/messages?beta=true")
    return Case(
        principal=Principal(
            issuer="https://idp", subject="alice", groups=groups, issued_at=now.timestamp() - 60
        ),
        session=session,
        action=Action(kind=kind, listener="claude", **action),
        now=now,
    )


def rules(text: str, features: Features = ALL) -> list[Rule | ConfigurationError]:
    """What a rule file of this text holds."""
    return list(read_rules(parse(dedent(text).encode(), name="test.yaml"), features))


def policy(folder: Path, text: str, features: Features = ALL, *, observe: bool = False) -> Policy:
    """The policy of one rule file."""
    folder.mkdir(exist_ok=True)
    (folder / "rules.yaml").write_text(dedent(text))
    return load_policy(folder, features=features, observe=observe)
