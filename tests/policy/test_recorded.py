"""Cases made anew of what the record holds."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from proctor.model import ActionKind, CredentialSource, Finding, LlmFields, SqlFields
from proctor.policy.casefile import Kept
from proctor.policy.recorded import CUT, MAX_LIST, NOT_LOOKED, Line, Texts, cases
from proctor.policy.recordedfields import NOT_KEPT
from proctor.postgres import keeping

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SAID = {"verdict": "allow", "rule_id": "yes", "mode": "enforce", "action_digest": "d"}
LINE = Line(
    writer="w0", seq=1, ts=NOW, flow_id="f1", session_id="s1", session_started=NOW,
    principal="https://idp#alice", subject="alice", groups=("a",), client="claude-cli/2",
    listener="claude", method="POST", scheme="https", host="api.example", port=443,
    path="/v1/%6dessages?beta=true&a=1&a=2", size=300, policy_version="sha256:1", answer=False,
    model="claude-x", request_class="messages", stream=True, approval_id=None,
    decisions=[{**SAID, "action_kind": "llm.request"}], tools=[],
)  # fmt: skip
KEPT = Kept(
    human="carol",
    issued_at=NOW.timestamp() - 60,
    repository="/r",
    turns=4,
    size=400,
    headers={"user-agent": "claude-cli/2", "x-app": None},
    content_type="application/json",
    operation="",
    violations=(),
    credential=CredentialSource.INJECTED,
    llm=LlmFields(model="claude-x", tools=("Bash",), max_tokens=9, request_class="messages"),
)


def line(kind: str, **more: Any) -> Line:
    return replace(LINE, decisions=[{**SAID, "action_kind": kind}], **more)


def test_a_turn() -> None:
    (found,) = cases(LINE, Texts(kept=KEPT))
    case = found.case
    assert case.principal.key == "https://idp#alice"
    assert (case.principal.human, case.principal.issued_at) == ("carol", NOW.timestamp() - 60)
    assert case.session is not None
    assert (case.session.turns, case.session.repository) == (4, "/r")
    assert case.action.http is not None
    assert case.action.http.path == "/v1/messages"
    assert case.action.http.query == {"beta": "true", "a": "1, 2"}
    assert case.action.llm == KEPT.llm
    assert case.action.size == 400
    assert found.hidden == {"http.headers": NOT_LOOKED}
    assert found.unlooked == {"x-app"}


def test_a_turn_of_which_nothing_was_kept() -> None:
    (found,) = cases(LINE, Texts())
    assert found.case.action.llm is not None
    assert found.case.action.llm.model == "claude-x"
    assert {
        "principal.human", "principal.token_age", "session.turns", "session.repository", "findings",
        "http.headers", "http.content_type", "http.credential", "llm.tools", "llm.features",
    } <= set(found.hidden)  # fmt: skip
    assert set(found.hidden.values()) == {NOT_KEPT}
    assert not {"llm.model", "http.path", "http.query", "now"} & set(found.hidden)


def test_an_older_record_has_the_body() -> None:
    body = b'{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"x"}]}'
    (found,) = cases(LINE, Texts(body=body))
    assert found.case.action.llm is not None
    assert found.case.action.llm.max_tokens == 9
    assert "llm.features" not in found.hidden
    (found,) = cases(LINE, Texts(body=b"{"))
    assert "llm.features" in found.hidden


def test_tool_calls_stand_beside_their_inputs() -> None:
    said = [
        {**SAID, "action_kind": "llm.tool_use"},
        {**SAID, "action_kind": "llm.tool_use"},
        {**SAID, "action_kind": "llm.tool_use"},
    ]
    tools = [
        {"name": "Bash", "input": {}, "source": "llm", "approval_id": "gr_a"},
        {"name": "Write", "input": {}, "source": "llm"},
    ]
    inputs = (b'{"command":"rm -r /tmp/x"}', None)
    first, second, third = cases(
        replace(LINE, answer=True, decisions=said, tools=tools), Texts(kept=KEPT, inputs=inputs)
    )
    assert first.case.action.tool is not None
    assert first.case.action.tool.paths == ("/tmp/x",)  # noqa: S108 - a path in a test
    assert (first.hidden, first.approval_id) == ({}, "gr_a")
    assert set(second.hidden) == {"tool.input", "tool.command", "tool.paths", "tool.hosts"}
    assert "tool.name" in third.hidden


def test_what_observing_rules_would_have_done_is_what_was_said() -> None:
    observed = [{"rule_id": "no", "verdict": "deny", "reason": ""}]
    said = {**SAID, "action_kind": "llm.request", "mode": "observe", "observed": observed}
    (found,) = cases(replace(LINE, decisions=[said]), Texts(kept=KEPT))
    assert (found.verdict, found.rule_id) == ("deny", "no")
    only = {**said, "mode": "enforce"}
    (found,) = cases(replace(LINE, decisions=[only]), Texts(kept=KEPT))
    assert (found.verdict, found.rule_id) == ("allow", "yes")


def test_json_bodies() -> None:
    kept = replace(KEPT, headers={}, llm=None)
    (found,) = cases(line("http.request"), Texts(kept=kept, body=b'{"a": 1}'))
    assert found.case.action.http is not None
    assert found.case.action.http.json == {"a": 1}
    assert found.hidden == {}
    (found,) = cases(line("http.request"), Texts(kept=kept))
    assert set(found.hidden) == {"http.json"}
    parts = replace(kept, content_type="multipart/form-data")
    (found,) = cases(line("http.request"), Texts(kept=parts, body=b"--x"))
    assert "http.json" in found.hidden


def test_mcp() -> None:
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
        b'"params":{"name":"create","arguments":{"p":"S"}}}'
    )
    kept = replace(KEPT, headers={}, llm=None, server="jira")
    (found,) = cases(line("mcp.call"), Texts(kept=kept, body=body))
    assert found.case.action.mcp is not None
    assert found.case.action.tool is not None
    assert (found.case.action.mcp.server, found.case.action.mcp.tool) == ("jira", "create")
    assert found.case.action.tool.input == {"p": "S"}
    assert found.hidden == {}
    for texts in (Texts(kept=kept), Texts(kept=kept, body=b"{"), Texts(body=body)):
        (found,) = cases(line("mcp.call"), texts)
        assert {"mcp.server", "mcp.arguments", "tool.name"} <= set(found.hidden)
    (found,) = cases(line("mcp.call", method="GET"), Texts(kept=kept))
    assert found.case.action.mcp is not None
    assert found.case.action.mcp.method == "GET"
    (found,) = cases(line("mcp.call", scheme="stdio", host="files"), Texts(body=body))
    assert found.case.action.mcp is not None
    assert found.case.action.mcp.server == "files"


def test_a_question_in_an_mcp_answer() -> None:
    kept = replace(KEPT, server="jira", asked=("sampling/createMessage",))
    (found,) = cases(line("mcp.call", answer=True), Texts(kept=kept))
    assert found.case.action.mcp is not None
    assert found.case.action.mcp.method == "sampling/createMessage"
    assert set(found.hidden) == {"mcp.arguments", "tool.input"}
    assert found.case.action.kind is ActionKind.MCP_CALL


def test_without_a_session() -> None:
    (found,) = cases(replace(LINE, session_id=None), Texts())
    assert found.case.session is None
    assert not {"session.turns", "session.repository", "session.id"} & set(found.hidden)


STATEMENT: dict[str, Any] = {
    "listener": "claude",
    "database": "shop",
    "fingerprint": "50fde20626009aba",
    "verbs": ["SELECT"],
    "tables": ["public.users"],
    "columns": ["public.users.email"],
    "functions": ["pg_catalog.lower"],
    "has_where": True,
    "read_only": True,
    "in_transaction": True,
    "novelty": {"statement": True, "table": False, "tables": ["public.users"], "volume": 2.0,
                "hour": False, "history": 7, "days": 2, "written": []},
    "findings": [{"direction": "request", "location": "sql", "entity_type": "EMAIL_ADDRESS",
                  "detector": "d", "action": "detect", "digest": "x", "score": 0.5}],
}  # fmt: skip


def test_a_statement() -> None:
    (found,) = cases(line("sql.statement", model=None, statement=STATEMENT), Texts())
    action = found.case.action
    assert action.kind is ActionKind.SQL_STATEMENT
    assert action.sql == SqlFields(
        database="shop",
        verbs=("SELECT",),
        tables=("public.users",),
        columns=("public.users.email",),
        functions=("pg_catalog.lower",),
        has_where=True,
        read_only=True,
        in_transaction=True,
        fingerprint="50fde20626009aba",
    )
    assert action.target == "claude/shop SELECT public.users"
    assert action.novelty["history"] == 7
    assert "written" not in action.novelty
    assert found.case.findings == (
        Finding(type="EMAIL_ADDRESS", location="sql", direction="request", score=0.5),
    )
    assert (found.verdict, found.rule_id, found.digest) == ("allow", "yes", "d")
    # Nothing that the envelope does not say is taken for known.
    assert set(found.hidden) == {
        "action.size", "principal.human", "principal.token_age", "session.client",
        "session.repository", "session.turns", "session.exposed", "session.suspicious", "budget",
    }  # fmt: skip


def test_a_statement_of_which_less_is_known() -> None:
    long = [f"public.t{number}" for number in range(MAX_LIST)]
    told = {**STATEMENT, "tables": long, "novelty": None}
    (found,) = cases(line("sql.statement", session_id=None, statement=told), Texts())
    assert found.hidden["sql.tables"] == CUT
    assert {"novelty.table", "novelty.volume"} <= set(found.hidden)
    assert "session.client" not in found.hidden
    novelty = {**STATEMENT["novelty"], "tables": long}
    (found,) = cases(line("sql.statement", statement={**STATEMENT, "novelty": novelty}), Texts())
    assert found.hidden["novelty.tables"] == CUT
    assert MAX_LIST == keeping.MAX_LIST


def test_a_statement_that_rules_only_watched() -> None:
    watched = {**SAID, "action_kind": "sql.statement", "mode": "observe",
               "observed": [{"verdict": "hold", "rule_id": "no", "reason": ""}]}  # fmt: skip
    (found,) = cases(replace(LINE, decisions=[watched], statement=STATEMENT), Texts())
    assert (found.verdict, found.rule_id) == ("hold", "no")
