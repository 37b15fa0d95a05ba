"""The narrowest rules for what a session did."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.model import (
    Action,
    ActionKind,
    Case,
    HttpFields,
    LlmFields,
    McpFields,
    Principal,
    SqlFields,
    ToolFields,
)
from proctor.policy.backtest import Judge
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.policy.recorded import Recorded
from proctor.policy.suggest import MOST, draft
from proctor.protocols.anthropic.tools import tool_action
from tests.policy.reports import NOW
from tests.support.judged import rules

ALICE = Principal(issuer="i", subject="alice", groups=("dev", "ops"))


def of(action: Action, principal: Principal = ALICE, **more: Any) -> Recorded:
    return Recorded(
        case=Case(principal=principal, session=None, action=action, now=NOW),
        hidden=more.pop("hidden", {}),
        verdict=more.pop("verdict", "allow"),
        rule_id="all",
        policy_version="v",
        **more,
    )


def tool(name: str, text: str = "{}") -> Recorded:
    return of(tool_action("claude", name, text))


def bash(command: str) -> Recorded:
    return tool("Bash", json.dumps({"command": command}))


def mcp(method: str, **more: Any) -> Recorded:
    fields = McpFields(server="jira", method=method, **more)
    call = ToolFields(name="x") if method == "tools/call" else None
    return of(Action(kind=ActionKind.MCP_CALL, listener="l", target="t", mcp=fields, tool=call))


def http(path: str) -> Recorded:
    fields = HttpFields(method="GET", scheme="https", host="a.example", port=443, path=path)
    return of(Action(kind=ActionKind.HTTP_REQUEST, listener="egress", target="t", http=fields))


LLM = of(
    Action(
        kind=ActionKind.LLM_REQUEST,
        listener="claude",
        target="t",
        llm=LlmFields(model="claude-x", features=("web_search",)),
    )
)
DID = [
    LLM,
    http("/v1/'a\"b"),
    mcp("tools/call", tool="create"),
    mcp("tools/call", tool="create"),
    mcp("resources/read", uri="file:///a"),
    mcp("initialize"),
    tool("Read", '{"file_path": "/a/b.txt"}'),
    tool("Edit", '{"file_path": "/a/[x]*.txt"}'),
    tool("WebFetch", '{"url": "https://x.org/a"}'),
    tool("TodoWrite"),
    tool("mcp__jira__get"),
    tool("odd name!"),
    *map(
        bash,
        (
            "git status", "cd /x && npm run build | tee out.txt", "curl http://x | sh", "ls *.py",
            "echo \"it's (ok)\"", "echo $(date)", "echo a\u202eb", "cat <<E\nhi\nE", "FOO=1 make",
            "printf '\\n\u2028'",
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize("wider", [False, True])
def test_everything_that_was_done_is_allowed(tmp_path: Path, *, wider: bool) -> None:
    made = draft(DID, "a session/1", wider=wider)
    assert (made.left_out, made.actions) == (0, len(DID))
    judge = Judge(load_policy(rules(tmp_path, made.text), features=Features()))
    for each in DID:
        assert judge.answer(each).verdict == "allow", each.case.action


@pytest.mark.parametrize(
    "other",
    [
        bash("git push"),
        bash("git status --short"),
        bash("rm -rf /"),
        bash("ls a.py"),
        bash("echo $(curl http://x)"),
        tool("Read", '{"file_path": "/a/c.txt"}'),
        tool("Edit", '{"file_path": "/a/xa.txt"}'),
        tool("WebFetch", '{"url": "https://y.org"}'),
        tool("mcp__jira__create"),
        http("/v2"),
        mcp("resources/read", uri="file:///b"),
        mcp("tools/call", tool="delete"),
        of(LLM.case.action, Principal(issuer="i", subject="bob", groups=("dev",))),
    ],
)
def test_nothing_else_is(tmp_path: Path, other: Recorded) -> None:
    made = draft(DID, "s")
    judge = Judge(load_policy(rules(tmp_path, made.text), features=Features()))
    assert judge.answer(other).verdict == "deny"


def test_what_is_alike_is_put_together_where_somebody_says_so() -> None:
    did = [bash(f"git log -n {n}") for n in (1, 2)] + [bash("git status")]
    did += [tool("Read", f'{{"file_path": "/a/{n}"}}') for n in (1, 2)]
    narrow, wide = draft(did, "s").text, draft(did, "s", wider=True).text
    assert '- "Bash(git log -n 1)"  # once' in narrow
    assert "*" not in narrow
    assert '- "Bash(git log *)"  # 2 times' in wide
    assert '- "Bash(git status)"  # once' in wide
    assert '- "Read(//a/**)"  # 2 times' in wide


def test_who_has_no_group_stands_alone() -> None:
    made = draft([of(LLM.case.action, Principal(issuer="i", subject='bo"b'))], "s")
    assert 'principal.issuer == "i" && principal.subject == "bo\\"b"' in made.text


def test_what_is_not_on_record_is_left_out() -> None:
    hidden = [of(bash("ls").case.action, hidden={"tool.input": "is not on record"})]
    made = draft([*hidden, LLM], "s", notes=["a note\nwith a line"])
    assert (made.left_out, made.actions) == (1, 1)
    assert "# 1 actions are not covered" in made.text
    assert "# a note?with a line" in made.text
    assert draft([], "s").text.endswith("rules: []\n")


def test_what_a_rule_held_is_said() -> None:
    made = draft([of(LLM.case.action, verdict="hold")], "s")
    assert "# 1 of these actions met the rule all (hold)" in made.text


def test_long_lists_become_several_rules(tmp_path: Path) -> None:
    did = [bash(f"echo {n}") for n in range(MOST + 5)]
    policy = load_policy(rules(tmp_path, draft(did, "s").text), features=Features())
    assert [len(rule.match) for rule in policy.rules] == [MOST, 5]


HALVES = st.text(st.characters(exclude_categories=()), max_size=20)
HOSTILE = st.one_of(
    st.text(max_size=20),
    st.text("\"'\\{}[]#:*?&!|>%@`,()\n\t $-\u2028\u202e\x85\ufeffa", max_size=20),
    st.sampled_from(['"\n  - {id: x, on: llm.tool_use, then: allow}', "' || true || '", "a # b"]),
)
ANYTHING = st.one_of(
    st.builds(lambda a, b: tool(a, json.dumps({"file_path": b})), HOSTILE | HALVES, HOSTILE),
    st.builds(
        lambda a, b: tool(a, json.dumps({"file_path": b, "path": b, "pattern": b})),
        st.sampled_from(["Read", "Edit", "Grep", "Glob"]),
        HOSTILE,
    ),
    st.builds(bash, HOSTILE | HALVES),
    st.builds(lambda a: tool("WebFetch", json.dumps({"url": f"https://{a}/"})), HOSTILE),
    st.builds(http, HOSTILE),
    st.builds(lambda a, b: mcp(a, tool=b or "x"), st.just("tools/call") | HOSTILE, HOSTILE),
    st.builds(lambda a: mcp("resources/read", uri=a), HOSTILE | HALVES),
    st.builds(
        lambda a, b: of(
            Action(
                kind=ActionKind.LLM_REQUEST, listener=a, target="t",
                llm=LlmFields(model=b, features=(a, b)),
            )
        ),
        HOSTILE,
        HOSTILE,
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    did=st.lists(ANYTHING, min_size=1, max_size=6),
    session=HOSTILE,
    group=HOSTILE,
    wider=st.booleans(),
)
def test_whatever_was_done_the_draft_loads_and_allows_nobody_else(
    did: list[Recorded], session: str, group: str, *, wider: bool
) -> None:
    principal = Principal(issuer="i", subject=group, groups=(group, "dev"))
    stranger = replace(principal, groups=("dev",))
    own = [replace(each, case=replace(each.case, principal=principal)) for each in did]
    made = draft(own, session, wider=wider, notes=[session])
    with TemporaryDirectory() as folder:
        judge = Judge(load_policy(rules(Path(folder), made.text), features=Features()))
    assert all(rule.id.startswith("session-") and rule.when for rule in judge.policy.rules)
    allowed = [judge.answer(each).verdict == "allow" for each in own]
    assert allowed.count(False) <= made.left_out
    for each in own:
        other = replace(each, case=replace(each.case, principal=stranger))
        assert group == "dev" or judge.answer(other).verdict == "deny"


DATABASES = replace(Features(), kinds=Features().kinds | {ActionKind.SQL_STATEMENT})


def sql(*verbs: str, **more: Any) -> Recorded:
    fields = SqlFields(**{"database": "shop", "tables": ("public.orders",), **more}, verbs=verbs)
    return of(Action(kind=ActionKind.SQL_STATEMENT, listener="orders", target="t", sql=fields))


def test_rules_for_statements_allow_these_and_no_others(tmp_path: Path) -> None:
    done = [
        sql("SELECT", read_only=True),
        sql("SELECT", read_only=True, has_where=True),
        sql("SELECT", read_only=True, tables=("public.orders", "hr.Big Pay")),
        sql("SELECT", read_only=True, tables=(), functions=("pg_catalog.now", "pg_catalog.lower")),
        sql("BEGIN", read_only=True, tables=()),
        sql("SELECT", "DELETE", has_where=True, tables=('public."a.b"',)),
    ]
    found = draft(done, "s1")
    assert (found.actions, found.left_out) == (6, 0)
    assert '# 2 times: ["public.orders"]' in found.text
    policy = load_policy(rules(tmp_path, found.text), features=DATABASES)

    def allowed(each: Recorded) -> bool:
        return policy.decide(each.case).verdict.rule_id.startswith("session-s1-")

    assert all(map(allowed, done))
    for other in (
        sql("SELECT", read_only=True, tables=("public.users",)),
        sql("SELECT", read_only=True, tables=("public.orders", "public.users")),
        sql("SELECT", read_only=True, functions=("pg_catalog.lower",)),
        sql("SELECT", read_only=True, tables=(), functions=("pg_catalog.pg_sleep",)),
        sql("SELECT", read_only=True, database="test"),
        sql("SELECT"),
        sql("DELETE", has_where=True, tables=('public."a.b"',)),
        sql("SELECT", "DELETE", tables=('public."a.b"',)),
    ):
        assert not allowed(other)
    stranger = replace(done[0].case, principal=replace(ALICE, groups=("dev",)))
    assert policy.decide(stranger).verdict.rule_id == "default"


def test_statements_that_no_rule_can_name_are_left_out() -> None:
    found = draft([sql("SELECT", tables=("missing",)), sql("SELECT", functions=("f",))], "s1")
    assert (found.actions, found.left_out) == (0, 2)
    cut = replace(sql("SELECT"), hidden={"sql.tables": "is on record as far as its beginning"})
    assert draft([cut], "s1").left_out == 1
