"""Which tools could be called at all."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.model import ActionKind, Allow, Case, Deny, Finding, McpFields
from proctor.policy.engine import Policy
from tests.support.cases import NOON, case, policy

MCP = ActionKind.MCP_CALL


def call(
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    server: str = "jira",
    groups: tuple[str, ...] = (),
) -> Case:
    mcp = McpFields(server=server, method="tools/call", tool=tool, arguments=arguments or {})
    return case(MCP, mcp=mcp, groups=groups, target=f"{server} tools/call {tool}")


def rule(name: str, then: str, **keys: Any) -> str:
    lines = [f"id: {name}", "on: mcp.call", f"then: {then}"]
    if then == "hold":
        lines.append("approval: {from: [a]}")
    lines += [
        f"{key}: {value if key == 'approval' else json.dumps(value)}" for key, value in keys.items()
    ]
    return "  - " + "\n    ".join(lines) + "\n"


def of(folder: Path, *rules: str, observe: bool = False) -> Policy:
    return policy(folder, "rules:\n" + "".join(rules), observe=observe)


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ([], False),
        ([rule("a", "allow")], True),
        ([rule("a", "hold")], True),
        ([rule("a", "allow", match="mcp__jira__get_*")], True),
        ([rule("a", "allow", match="mcp__jira__set_*")], False),
        ([rule("a", "allow", match="mcp__mail")], False),
        ([rule("a", "allow", match="mcp__jira__get_one(a:b)")], True),
        ([rule("a", "allow", match="mcp__jira__set_one(a:b)")], False),
        ([rule("a", "allow"), rule("b", "deny", match="mcp__jira")], False),
        ([rule("a", "allow"), rule("b", "deny", match="mcp__jira(a:b)")], True),
        ([rule("a", "allow"), rule("b", "deny", match="mcp__jira", when="now.hour > 1")], True),
        ([rule("a", "allow"), rule("b", "deny", match="mcp__jira", mode="observe")], True),
        ([rule("a", "allow", mode="observe")], False),
        ([rule("a", "allow"), rule("b", "deny", when="mcp.tool == 'get_one'")], False),
        ([rule("a", "allow"), rule("b", "deny", unless="mcp.tool == 'get_one'")], True),
        ([rule("a", "allow", when="mcp.arguments.x == 1")], True),
        ([rule("a", "allow", when="mcp.tool == 'x' && mcp.arguments.x == 1")], False),
        ([rule("a", "allow", when="mcp.tool == 'x' || mcp.arguments.x == 1")], True),
        ([rule("a", "allow", when="!(mcp.tool == 'get_one' || mcp.arguments.x == 1)")], False),
        ([rule("a", "allow", unless="mcp.arguments.x == 1")], True),
        ([rule("a", "allow", when="findings == []")], True),
        ([rule("a", "allow", when="tool.name == 'mcp__jira__get_one'")], True),
        ([rule("a", "allow", when="tool.name == 'mcp__jira__x'")], False),
        ([rule("a", "allow", when="'ops' in principal.groups")], False),
        ([rule("a", "allow", when="http.headers.x == 'y'")], True),
        ([rule("a", "allow", when="mcp.method == 'tools/list'")], False),
        ([rule("a", "allow"), rule("b", "deny", when="[1][int(mcp.tool)] == 1")], True),
    ],
)
def test_shown(tmp_path: Path, rules: list[str], *, shown: bool) -> None:
    rules = rules or [rule("a", "deny")]
    found = of(tmp_path, *rules)
    assert found.may(call("get_one")) is shown
    assert found.may(call("get_one")) is shown  # as remembered


def test_a_denial_that_can_be_appealed_is_shown(tmp_path: Path) -> None:
    appealed = rule("b", "deny", appeal=True, approval="{from: [a]}")
    assert of(tmp_path, rule("a", "allow"), appealed).may(call("x"))


def test_global_observe_shows_all(tmp_path: Path) -> None:
    assert of(tmp_path, rule("a", "deny"), observe=True).may(call("x"))


def test_answers_are_each_person_s_own(tmp_path: Path) -> None:
    found = of(tmp_path, rule("a", "allow", when="'ops' in principal.groups"))
    assert found.may(call("x", groups=("ops",)))
    assert not found.may(call("x"))
    assert found.may(call("x", groups=("ops",)))


def test_a_server_that_no_pattern_can_name(tmp_path: Path) -> None:
    found = of(tmp_path, rule("a", "allow"), rule("b", "hold", match="mcp__jira"))
    verdict = found.decide(call("x", server="a__b")).verdict
    assert isinstance(verdict, Deny)
    assert verdict.rule_id == "b"


def test_names_that_cannot_be_encoded(tmp_path: Path) -> None:
    found = of(tmp_path, rule("a", "allow", when="mcp.tool == 'x'"))
    assert found.may(call("\ud800"))  # in doubt it is shown, and denied when it is called
    assert isinstance(found.decide(call("\ud800")).verdict, Deny)


def test_long_names_are_not_remembered(tmp_path: Path) -> None:
    found = of(tmp_path, rule("a", "allow", when="mcp.tool == 'x'"))
    assert not found.may(call("y" * 100_000))
    assert not any(kept._known for kept in found._foresight.values())


CONDITIONS = (
    "mcp.tool == 'a'",
    "mcp.tool != 'a' && mcp.arguments.n > 1",
    "mcp.arguments.n > 1 || mcp.server == 'jira'",
    "!(mcp.tool == 'b' && mcp.arguments.n == 2)",
    "has(mcp.arguments.n) && mcp.arguments.n == 2",
    "findings.exists(f, f.type == 'X')",
    "now.hour > 12",
    "'ops' in principal.groups",
    "mcp.arguments.n == 1 ? mcp.tool == 'a' : true",
)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "when": st.sampled_from(CONDITIONS),
        "unless": st.sampled_from(CONDITIONS),
        "match": st.sampled_from(["mcp__jira", "mcp__jira__a", "mcp__jira(n:2)", "mcp__mail"]),
    },
)
RULES = st.lists(
    st.tuples(st.sampled_from(["allow", "hold", "deny"]), KEYS), min_size=1, max_size=4
)


@settings(max_examples=60, deadline=None)
@given(RULES)
def test_what_can_pass_is_shown(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, dict[str, str]]]
) -> None:
    lines = [rule(f"r{n}", then, **keys) for n, (then, keys) in enumerate(drawn)]
    found = of(tmp_path_factory.mktemp("rules"), *lines)
    finding = Finding(type="X", location="", direction="request", score=1.0)
    for tool, groups in product("ab", ((), ("ops",))):
        passes = []
        for given_, late, findings in product(({}, {"n": 1}, {"n": 2}), (0, 3), ((), (finding,))):
            asked = call(tool, groups=groups, arguments=given_)
            asked = replace(asked, now=NOON.replace(hour=12 + late), findings=findings)
            passes.append(not isinstance(found.decide(asked).verdict, Deny))
        assert found.may(call(tool, groups=groups)) or not any(passes)


def test_calls_are_decided_by_name_and_arguments(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        rule("a", "allow"),
        rule("b", "hold", match="mcp__jira__create(project:SEC*)"),
        rule("c", "deny", match="mcp__jira__drop"),
    )
    assert isinstance(found.decide(call("create", {"project": "TEAM"})).verdict, Allow)
    assert found.decide(call("create", {"project": "SEC"})).verdict.rule_id == "b"
    assert found.decide(call("drop")).verdict.rule_id == "c"
    listing = case(MCP, mcp=McpFields(server="jira", method="tools/list", tool="drop"))
    assert isinstance(found.decide(listing).verdict, Allow)
