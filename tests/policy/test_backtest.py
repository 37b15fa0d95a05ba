"""Recorded actions, decided anew."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.model import (
    Action,
    ActionKind,
    ApprovalTerms,
    Case,
    HttpFields,
    LlmFields,
    McpFields,
    Principal,
    ToolFields,
)
from proctor.policy import backtest as module
from proctor.policy.backtest import (
    Ask,
    Change,
    Judge,
    Tally,
    header_values,
    once,
    run_over,
    what,
)
from proctor.policy.engine import Policy, Spoken, load_policy
from proctor.policy.expression import compile_condition
from proctor.policy.features import Features
from proctor.policy.recorded import NOT_LOOKED, Recorded
from proctor.postgres import weighing
from tests.support.judged import rules

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ALICE = Principal(issuer="i", subject="alice", groups=("dev",), issued_at=NOW.timestamp())


def policy(folder: Path, text: str) -> Policy:
    return load_policy(rules(folder, f"rules:\n{text}"), features=Features())


def bash(command: str, **more: Any) -> Recorded:
    tool = ToolFields(name="Bash", input={"command": command}, command=command)
    action = Action(kind=ActionKind.LLM_TOOL_USE, listener="l", target="Bash", tool=tool)
    return of(action, **more)


def http(host: str = "a.example", **more: Any) -> Recorded:
    fields = HttpFields(method="GET", scheme="https", host=host, port=443, path="/", **more)
    return of(Action(kind=ActionKind.HTTP_REQUEST, listener="l", target="t", http=fields))


def of(action: Action, verdict: str = "allow", rule: str = "all", **more: Any) -> Recorded:
    case = Case(principal=ALICE, session=None, action=action, now=more.pop("now", NOW))
    return Recorded(
        case=case,
        hidden=more.pop("hidden", {}),
        verdict=verdict,
        rule_id=rule,
        policy_version="v",
        flow_id=more.pop("flow_id", "f"),
        **more,
    )


HOLD = '  - {id: rm, on: llm.tool_use, match: "Bash(rm *)", then: hold, approval: {from: [ops]}}\n'
ALLOW = "  - {id: all, on: [llm.tool_use, http.request], then: allow}\n"


def test_what_changes(tmp_path: Path) -> None:
    judge = Judge(policy(tmp_path, ALLOW + HOLD))
    tally = run_over(
        [
            bash("rm x"),
            bash("ls"),
            bash("ls", verdict="deny", rule="no"),
            bash("rm x", verdict="hold"),
            of(Action(kind=ActionKind.LLM_REQUEST, listener="l", target="t", llm=LlmFields())),
        ],
        judge,
        None,
    )
    assert tally.changes == {
        ("llm.tool_use", Change.HELD): 1,
        ("llm.tool_use", Change.SAME): 2,
        ("llm.tool_use", Change.ALLOWED): 1,
        ("llm.request", Change.DENIED): 1,
    }
    assert tally.people == {
        Change.HELD: {"i#alice"}, Change.ALLOWED: {"i#alice"}, Change.DENIED: {"i#alice"},
    }  # fmt: skip
    assert [row[:4] for row in tally.rows] == [
        ("newly-held", "llm.tool_use", "all", "rm"),
        ("newly-allowed", "llm.tool_use", "no", "all"),
        ("newly-denied", "llm.request", "all", "default"),
    ]


UNKNOWN = {"http.json": "is not on record"}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("  - {id: all, on: http.request, then: allow}\n", "allow"),
        ("", None),  # it might be allowed
        ("  - {id: never, on: http.request, then: deny}\n", "deny"),
        ("  - {id: ask, on: http.request, then: hold, approval: {from: [a]}}\n", "hold"),
    ],
)
def test_an_open_rule_that_allows(tmp_path: Path, text: str, verdict: str | None) -> None:
    rule = "  - {id: x, on: http.request, when: has(http.json.a), then: allow}\n"
    judge = Judge(policy(tmp_path, rule + text))
    answer = judge.answer(replace(http(), hidden=UNKNOWN))
    assert answer.verdict == verdict
    assert (answer.rule_id == "x") == (verdict is None)


@pytest.mark.parametrize(("then", "base", "told"), [
    ("deny", "allow", False), ("deny", "hold", False), ("hold", "allow", False),
    ("hold", "hold", True), ("hold", "deny", True), ("deny", "deny", True),
])  # fmt: skip
def test_an_open_rule_that_forbids(tmp_path: Path, then: str, base: str, *, told: bool) -> None:
    def rule(name: str, verb: str, when: str) -> str:
        asks = ", approval: {from: [a]}" if verb == "hold" else ""
        return f"  - {{id: {name}, on: http.request, when: {when}, then: {verb}{asks}}}\n"

    judge = Judge(policy(tmp_path, rule("x", then, "has(http.json.a)") + rule("y", base, "true")))
    answer = judge.answer(replace(http(), hidden=UNKNOWN))
    assert (answer.verdict is not None) is told
    if not told:
        assert answer.lacking == "http.json is not on record"


def test_what_is_not_known_and_no_rule_reads_is_no_matter(tmp_path: Path) -> None:
    judge = Judge(policy(tmp_path, ALLOW))
    assert judge.answer(replace(http(), hidden=UNKNOWN)).verdict == "allow"


def test_headers_that_were_not_looked_at(tmp_path: Path) -> None:
    reads = '  - {id: x, on: http.request, when: \'http.headers["x-a"] == "1"\', then: deny}\n'
    there = "  - {id: y, on: http.request, when: '\"x-b\" in http.headers', then: deny}\n"
    found = replace(
        http(headers={"x-a": "1", "x-b": ""}),
        hidden={"http.headers": NOT_LOOKED},
        unlooked=frozenset({"x-b"}),
    )
    assert Judge(policy(tmp_path / "1", ALLOW + reads)).answer(found).rule_id == "x"
    assert Judge(policy(tmp_path / "2", ALLOW + there)).answer(found).rule_id == "y"
    hidden = replace(found, unlooked=frozenset({"x-a"}))
    assert Judge(policy(tmp_path / "3", ALLOW + reads)).answer(hidden).verdict is None


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ('http.headers["a"] == "1"', {"a"}),
        ('"a" in http.headers', set()),
        ("has(http.headers.a)", set()),
        ('http.headers.a == "1"', {"a"}),
        ('http.headers.exists(name, name == "a")', set()),
        ('http.headers.exists(n, http.headers[n] == "a")', None),
        ("http.headers == {}", None),
        ('http.method == "GET"', set()),
        ('http.headers["a"] == http.headers["b"]', {"a", "b"}),
    ],
)
def test_which_values_of_headers_a_condition_reads(source: str, values: set[str] | None) -> None:
    assert header_values([compile_condition(source)]) == values


def test_equal_cases_are_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = "  - {id: night, on: llm.tool_use, when: now.hour < 6, then: deny}\n"
    rule_set = policy(tmp_path, ALLOW + HOLD + night)
    judge = Judge(rule_set)
    asked: list[Case] = []
    ask = rule_set.ask

    def counted(case: Case, hidden: Mapping[str, str] | None = None) -> list[Spoken]:
        asked.append(case)
        return ask(case, hidden)

    monkeypatch.setattr(rule_set, "ask", counted)
    for command, hour in (("ls", 9), ("ls", 9), ("rm x", 9), ("ls", 3), ("ls", 9)):
        judge.answer(bash(command, now=NOW.replace(hour=hour)))
    assert len(asked) == 3
    later = NOW.replace(hour=10)
    for command in ("a", "b", "a"):  # of which no pattern speaks
        judge.answer(bash(command, now=later))
    assert len(asked) == 4
    monkeypatch.setattr(module, "MAX_KNOWN", 1)
    for command in ("rm a", "b", "rm c"):
        judge.answer(bash(command, now=later))
    assert len(asked) == 7


MANY = """
  - {id: all, on: [llm.tool_use, mcp.call], then: allow}
  - {id: rm, on: llm.tool_use, match: ["Bash(rm *)", "Edit(**/.env)"], then: deny}
  - {id: night, on: llm.tool_use, match: "Bash(git *)", when: now.hour < 6, then: deny}
  - {id: long, on: llm.tool_use, when: tool.command.size() > 8, then: deny}
  - {id: text, on: llm.tool_use, match: Edit, when: 'tool.input.new == "x"', then: deny}
  - {id: fails, on: llm.tool_use, when: 'tool.name == "Edit" && tool.input.other > 1', then: deny}
  - {id: sec, on: mcp.call, match: "mcp__jira__create(project:SEC*)", then: deny}
  - {id: not, on: llm.tool_use, match: "Bash(ls *)", unless: size(principal.groups) > 0, then: deny}
"""


@cache
def many() -> Policy:
    with TemporaryDirectory() as made:
        return policy(Path(made), MANY)


CALLS = st.one_of(
    st.builds(
        lambda words: (
            ToolFields(name="Bash", input={"command": words}, command=words),
            ActionKind.LLM_TOOL_USE,
        ),
        st.sampled_from(["ls a", "rm x", "git push", "ls; rm x", "rm $(x)", "a 'b", "x" * 300]),
    ),
    st.builds(
        lambda path, new: (
            ToolFields(name="Edit", input={"new": new, "p": path}, paths=(path,)),
            ActionKind.LLM_TOOL_USE,
        ),
        st.sampled_from(["/a/.env", "/b"]),
        st.sampled_from(["x", "y", 1, None]),
    ),
    st.builds(
        lambda server, project: (
            McpFields(server=server, method="tools/call", tool="create", arguments=project),
            ActionKind.MCP_CALL,
        ),
        st.sampled_from(["jira", "a__b"]),
        st.sampled_from([{"project": "SEC-1"}, {"project": "A"}, {}]),
    ),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(CALLS, st.booleans(), st.booleans(), st.booleans()), max_size=30))
def test_what_is_remembered_is_what_would_be_said(
    found: list[tuple[tuple[Any, ActionKind], bool, bool, bool]],
) -> None:
    judge = Judge(many())
    for (call, kind), night, stranger, unknown in found:
        parts: dict[str, Any] = {"mcp" if kind is ActionKind.MCP_CALL else "tool": call}
        each = of(
            Action(kind=kind, listener="l", target="t", **parts),
            now=NOW.replace(hour=3 if night else 9),
            hidden={"tool.input": "x", "tool.paths": "x", "tool.name": "x"} if unknown else {},
        )
        if stranger:
            each = replace(each, case=replace(each.case, principal=replace(ALICE, groups=())))
        assert judge.answer(each) == Judge(judge.policy).answer(each)


def test_the_age_of_a_token_is_never_the_same(tmp_path: Path) -> None:
    old = "  - {id: old, on: llm.tool_use, when: principal.token_age > 60.0, then: deny}\n"
    judge = Judge(policy(tmp_path, ALLOW + old))
    assert judge.answer(bash("ls")).verdict == "allow"
    assert judge.answer(bash("ls", now=NOW + timedelta(minutes=2))).verdict == "deny"


def test_arguments_of_mcp_calls_count(tmp_path: Path) -> None:
    text = (
        "  - {id: all, on: mcp.call, then: allow}\n"
        "  - {id: sec, on: mcp.call, match: 'mcp__jira__create(project:SEC*)', then: deny}\n"
    )
    judge = Judge(policy(tmp_path, text))

    def call(project: str) -> Recorded:
        mcp = McpFields(
            server="jira", method="tools/call", tool="create", arguments={"project": project}
        )
        return of(Action(kind=ActionKind.MCP_CALL, listener="l", target="t", mcp=mcp))

    assert [judge.answer(call(name)).verdict for name in ("SEC-1", "A", "SEC-2")] == [
        "deny", "allow", "deny",
    ]  # fmt: skip


@pytest.mark.parametrize("rule", [module.FIXED, module.FUNCTION])
def test_what_no_rule_decided_stays(tmp_path: Path, rule: str) -> None:
    assert module.FUNCTION == weighing.UNKNOWN
    judge = Judge(policy(tmp_path, ALLOW))
    tally = run_over([bash("ls", verdict="hold", rule=rule)], judge, None)
    assert tally.changes == {("llm.tool_use", Change.SAME): 1}
    assert (tally.fixed, len(tally.asks)) == (1, 1)


def test_a_retry_is_asked_once_and_a_grant_asks_nobody(tmp_path: Path) -> None:
    judge = Judge(policy(tmp_path, ALLOW + HOLD))
    tally = run_over(
        [
            bash("rm x", digest="d"),
            bash("rm x", digest="d", now=NOW + timedelta(minutes=29)),
            bash("rm x", digest="d", now=NOW + timedelta(minutes=31)),
            bash("rm x", digest="e"),
            bash("rm y", verdict="hold", rule="rm", digest="g", approval_id="gr_abc"),
            bash("rm y", verdict="hold", rule="other", digest="h", approval_id="gr_abc"),
        ],
        judge,
        None,
    )
    assert len(tally.asks) == 5
    assert len(once(tally.asks)) == 4
    assert tally.by_grant == 1
    assert tally.asked_then == []


def test_asks_without_a_digest_count_each() -> None:
    ask = Ask(1.0, "", "p", "r", (), 60.0)
    assert len(once([ask, ask])) == 2


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GROUPS", 1)
    monkeypatch.setattr(module, "MAX_ASKS", 2)
    judge = Judge(policy(tmp_path, HOLD))
    found = [bash(f"rm {n}", flow_id=f"f{n}") for n in range(9)] + [bash("ls")]
    tally = run_over(found, judge, None)
    assert (tally.others, tally.asks_left_out, len(tally.asks)) == (1, 7, 2)
    (seen,) = tally.rows.values()
    assert (seen.count, len(seen.examples)) == (9, module.EXAMPLES)


def test_parts_add_up(tmp_path: Path) -> None:
    judge = Judge(policy(tmp_path, ALLOW + HOLD))
    found = [bash("rm x", digest=f"{n}", now=NOW + timedelta(minutes=n)) for n in range(6)]
    whole, parts = run_over(found, judge, judge.policy), Tally()
    for start in (3, 0):
        parts.merge(run_over(found[start : start + 3], judge, None))
    assert parts.changes == whole.changes
    assert [(s.count, s.first, s.last) for s in parts.rows.values()] == [
        (s.count, s.first, s.last) for s in whole.rows.values()
    ]
    assert once(parts.asks) == once(whole.asks)
    assert whole.timed
    assert all(seconds > 0 for seconds in whole.seconds)


def test_terms_are_the_ones_that_were_asked(tmp_path: Path) -> None:
    now = policy(tmp_path / "now", HOLD)
    judge = Judge(policy(tmp_path / "new", HOLD.replace("[ops]", "[ops, sec], count: 2")))
    tally = run_over([bash("rm x", verdict="hold", rule="rm")], judge, now)
    assert [ask.terms for ask in tally.asked_then] == [((("ops",), 1),)]
    assert [ask.terms for ask in tally.asks] == [((("ops", "sec"), 2),)]
    assert tally.asks[0].ttl == ApprovalTerms(from_groups=()).ttl.total_seconds()


def test_names_of_what_is_done() -> None:
    def action(kind: ActionKind, **more: Any) -> Action:
        return Action(kind=kind, listener="l", target="target", **more)

    named = {
        "Bash(git, rm)": bash("git status && rm x").case.action,
        "GET a.example": http().case.action,
        "Read": action(ActionKind.LLM_TOOL_USE, tool=ToolFields(name="Read")),
        "jira ping": action(ActionKind.MCP_CALL, mcp=McpFields(server="jira", method="ping")),
        "m": action(ActionKind.LLM_REQUEST, llm=LlmFields(model="m")),
        "target": action(ActionKind.SQL_STATEMENT),
    }
    assert {name: what(each) for name, each in named.items()} == {name: name for name in named}
