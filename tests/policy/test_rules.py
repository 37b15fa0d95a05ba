"""What a rule knows about itself."""

import pytest

from proctor.model import ActionKind
from proctor.policy.expression import compile_condition
from proctor.policy.match import parse_pattern
from proctor.policy.rules import Rule

KIND = ActionKind.LLM_REQUEST


def rule(when: str | None = None, unless: str | None = None) -> Rule:
    return Rule(
        id="a",
        where="x:1",
        on=frozenset({KIND}),
        then="deny",
        when=compile_condition(when) if when else None,
        unless=compile_condition(unless) if unless else None,
    )


def test_conditional() -> None:
    assert not rule().conditional
    assert rule("llm.stream").conditional
    assert rule(None, "llm.stream").conditional
    tool = Rule(
        id="a",
        where="",
        on=frozenset({ActionKind.LLM_TOOL_USE}),
        then="deny",
        match=(parse_pattern("Bash"),),
    )
    assert tool.conditional


def test_reads() -> None:
    assert rule().reads() == frozenset()
    assert rule("llm.stream", "http.port == 1").reads() == {"llm.stream", "http.port"}


@pytest.mark.parametrize(
    ("when", "unless", "possible"),
    [
        (None, None, True),
        ("llm.stream", None, True),
        ("false", None, False),
        (None, "true", False),
        (None, "false", True),
        ("sql.has_where", None, False),
        ("true", "sql.has_where", True),
    ],
)
def test_possible(when: str | None, unless: str | None, possible: bool) -> None:  # noqa: FBT001 - a table
    assert rule(when, unless).possible(KIND) is possible
    assert not rule(when, unless).possible(ActionKind.HTTP_REQUEST)
