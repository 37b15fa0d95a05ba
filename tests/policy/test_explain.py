"""Why a case is decided as it is, by the same path as deciding it."""

from pathlib import Path

import pytest

from proctor.model import ActionKind, Deny, HttpFields, McpFields, ToolFields
from proctor.policy.engine import Outcome
from proctor.policy.explain import explain
from tests.support.cases import case, policy

RULES = """
    rules:
      - {id: yes, on: llm.request, then: allow}
      - {id: other, on: http.request, then: deny}
      - {id: tools, on: llm.request, then: deny, when: "'x' in llm.tools"}
      - {id: spared, on: llm.request, then: deny, unless: llm.model == 'claude-opus'}
      - {id: fails, on: llm.request, then: deny, when: "http.headers['x'] == ''", mode: observe}
      - {id: mail, on: llm.tool_use, match: mcp__mail, then: deny}
"""


def test_every_rule_is_named(tmp_path: Path) -> None:
    rules = policy(tmp_path, RULES)
    found = explain(rules, case())
    assert [(step.rule.id, step.outcome) for step in found.steps] == [
        ("yes", Outcome.MATCHED),
        ("other", Outcome.KIND),
        ("tools", Outcome.WHEN),
        ("spared", Outcome.UNLESS),
        ("fails", Outcome.FAILED),
        ("mail", Outcome.KIND),
    ]
    assert "http.request" in found.steps[1].why
    assert "'x' in llm.tools" in found.steps[2].why
    assert "llm.model == 'claude-opus'" in found.steps[3].why
    assert "not there" in found.steps[4].why
    assert found.decision == rules.decide(case())
    assert found.open == ()


def test_what_a_line_runs_is_said_and_not_with_what(tmp_path: Path) -> None:
    more = ", ".join(f"Bash(x{n} *)" for n in range(7))
    found = explain(
        policy(tmp_path, f"rules: [{{id: a, on: llm.tool_use, match: [{more}], then: deny}}]"),
        case(
            ActionKind.LLM_TOOL_USE, tool=ToolFields(name="Bash", command="sudo ls geheim | head")
        ),
    )
    assert "Bash(x4 *) and 2 more" in found.steps[0].why
    assert found.steps[0].why.endswith("'Bash', which runs sudo, ls, head")


def test_match(tmp_path: Path) -> None:
    found = explain(policy(tmp_path, RULES), case(ActionKind.LLM_TOOL_USE))
    assert found.steps[-1].outcome is Outcome.MATCH
    assert "mcp__mail" in found.steps[-1].why
    assert "'Read'" in found.steps[-1].why


@pytest.mark.parametrize(
    ("method", "why"), [("tools/call", "fits the tool 'mcp__jira__x'"), ("ping", "no call of a")]
)
def test_match_over_mcp(tmp_path: Path, method: str, why: str) -> None:
    text = "rules: [{id: a, on: mcp.call, match: mcp__mail, then: deny}]"
    mcp = McpFields(server="jira", method=method, tool="x")
    found = explain(policy(tmp_path, text), case(ActionKind.MCP_CALL, mcp=mcp))
    assert found.steps[0].outcome is Outcome.MATCH
    assert why in found.steps[0].why


def test_what_is_not_known_stays_open(tmp_path: Path) -> None:
    hidden = {"llm.tools": "is not on record", "tool.name": "is not on record"}
    rules = policy(tmp_path, RULES)
    found = explain(rules, case(), hidden)
    assert found.open == ("tools",)
    assert found.steps[2].why == "llm.tools is not on record"
    found = explain(rules, case(ActionKind.LLM_TOOL_USE), hidden)
    assert found.open == ("mail",)


def test_a_known_answer_does_not_need_the_unknown(tmp_path: Path) -> None:
    rules = """
        rules:
          - {id: a, on: http.request, then: deny, when: "http.method == 'GET' && http.json.a == 1"}
    """
    post = case(ActionKind.HTTP_REQUEST, http=HttpFields(method="POST"))
    found = explain(policy(tmp_path, rules), post, {"http.json": "is not on record"})
    assert found.open == ()
    assert found.decision.verdict == Deny(
        rule_id="default",
        reason="No rule allows http.request (POST https://api.example/v1/messages).",
    )
