"""The rules that ship, and the examples: what they say of real requests."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proctor.model import (
    ActionKind,
    Allow,
    CredentialSource,
    Deny,
    Finding,
    Hold,
    HttpFields,
    LlmFields,
    McpFields,
    RecordMode,
    SqlFields,
    ToolFields,
    Verdict,
)
from proctor.policy.engine import Policy, load_policy
from proctor.policy.features import SQL_NOVELTY, Features
from proctor.policy.fields import FEATURES
from proctor.policy.review import review
from proctor.protocols.anthropic.request import parse_request
from proctor.protocols.anthropic.tools import tool_action
from proctor.redaction.settings import NAMES
from proctor.redaction.treatment import PERSONAL
from proctor.sql.reading import read
from tests.support.cases import case

SHIPPED = Path(__file__).parents[2] / "rules"
EXAMPLES = sorted((SHIPPED / "examples").glob("*.yaml"))
POLICY = load_policy(SHIPPED, features=Features(listeners=frozenset({"claude"})))
DATABASES = replace(
    Features(),
    kinds=Features().kinds | {ActionKind.SQL_STATEMENT, ActionKind.WS_MESSAGE},
    unfilled=Features().unfilled - SQL_NOVELTY,
)
HELLO: dict[str, Any] = {
    "model": "claude-x",
    "max_tokens": 1,
    "messages": [{"role": "user", "content": "hello"}],
}


def of_body(**more: Any) -> LlmFields:
    message = parse_request(json.dumps({**HELLO, **more}).encode())
    return LlmFields(model=message.model, tools=message.tools, features=message.features)


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def test_a_plain_request_passes() -> None:
    tools = [{"name": f"t{n}", "input_schema": {}} for n in range(100)]
    decided = POLICY.decide(case(llm=of_body(tools=tools, system="x")))
    assert decided.verdict == Allow(rule_id="claude-requests")
    assert decided.record is RecordMode.FULL


def test_models_and_tool_calls_pass() -> None:
    models = case(llm=LlmFields(request_class="models"), http=HttpFields(path="/v1/models"))
    assert isinstance(POLICY.decide(models).verdict, Allow)
    assert isinstance(POLICY.decide(case(ActionKind.LLM_TOOL_USE)).verdict, Allow)


@pytest.mark.parametrize("tool", ["Write", "Edit", "NotebookEdit", "Read", "Grep", "Glob"])
def test_tools_that_only_touch_files_get_personal_data_back(tool: str) -> None:
    action = case(ActionKind.LLM_TOOL_USE, tool=ToolFields(name=tool))
    assert POLICY.decide(action).restore == PERSONAL | NAMES


@pytest.mark.parametrize("tool", ["Bash", "WebFetch", "Task", "mcp__files__Write", "Writer"])
def test_other_tools_get_nothing_back(tool: str) -> None:
    action = case(ActionKind.LLM_TOOL_USE, tool=ToolFields(name=tool))
    assert POLICY.decide(action).restore == frozenset()


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "no-web-search"),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, "no-web-fetch"),
        ({"tools": [{"type": "code_execution_20250825", "name": "x"}]}, "no-code-execution"),
        ({"container": "container_1"}, "no-code-execution"),
        ({"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}, "no-mcp-connector"),
        (user({"type": "image", "source": {"type": "url", "url": "x"}}), "no-remote-media"),
        (user({"type": "document", "source": {"type": "url", "url": "x"}}), "no-remote-media"),
        (user({"type": "image", "source": {"type": "file", "file_id": "x"}}), "no-provider-files"),
        ({"thread": "thread_1"}, "no-provider-state"),
        ({"fallbacks": ["claude-y"]}, "no-other-models"),
        ({"tools": [{"type": "telepathy_20300101", "name": "x"}]}, "no-unknown-features"),
        (user({"type": "hologram"}), "no-unknown-features"),
    ],
)
def test_reaching_out_is_denied(body: dict[str, Any], rule: str) -> None:
    verdict = POLICY.decide(case(llm=of_body(**body))).verdict
    assert isinstance(verdict, Deny)
    assert verdict.rule_id == rule
    assert len(verdict.reason) > 60


@pytest.mark.parametrize("feature", [*FEATURES, "unknown_tool:x_1", "unknown_block:"])
def test_every_feature_but_tool_search_is_denied_with_a_reason(feature: str) -> None:
    verdict = POLICY.decide(case(llm=LlmFields(features=(feature,)))).verdict
    assert isinstance(verdict, Allow if feature == "tool_search" else Deny)
    assert verdict.rule_id != "default"


@pytest.mark.parametrize("path", ["/v1/files", "/v1/messages/batches", "/", "/v1/messages/"])
def test_what_is_not_listed_is_denied(path: str) -> None:
    target = f"POST https://api.example{path}"
    verdict = POLICY.decide(
        case(ActionKind.HTTP_REQUEST, http=HttpFields(path=path), target=target)
    ).verdict
    assert isinstance(verdict, Deny)
    assert verdict.rule_id == "default"
    assert path in verdict.reason


def test_all_of_them_matter() -> None:
    assert review(POLICY.rules, [ActionKind.LLM_REQUEST]) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load_beside_them(tmp_path: Path, example: Path) -> None:
    for file in (*SHIPPED.glob("*.yaml"), example):
        shutil.copy(file, tmp_path)
    loaded = load_policy(tmp_path, features=DATABASES)
    remarks = review(loaded.rules, [ActionKind.LLM_REQUEST])
    assert [remark for remark in remarks if remark.severity == "warning"] == []


def test_the_quiet_example_is_quiet(tmp_path: Path) -> None:
    for file in (*SHIPPED.glob("*.yaml"), SHIPPED / "examples" / "quiet-records.yaml"):
        shutil.copy(file, tmp_path)
    loaded = load_policy(tmp_path, features=Features())
    assert loaded.decide(case(groups=("ci",))).record is RecordMode.METADATA
    assert loaded.decide(case()).record is RecordMode.FULL


def test_the_approvals_example(tmp_path: Path) -> None:
    for file in (*SHIPPED.glob("*.yaml"), SHIPPED / "examples" / "approvals.yaml"):
        shutil.copy(file, tmp_path)
    loaded = load_policy(tmp_path, features=Features())

    def asked(tool: str, **values: str) -> Verdict:
        action = tool_action("claude", tool, json.dumps(values))
        return loaded.decide(case(ActionKind.LLM_TOOL_USE, tool=action.tool)).verdict

    two = asked("Bash", command="kubectl -n x --context prod apply -f y")
    assert isinstance(two, Hold)
    assert (two.terms[0].count, two.terms[0].reason_required) == (2, True)
    assert asked("mcp__mail__send").rule_id == "mail-goes-out-read"
    assert asked("Bash", command="git push origin main").rule_id == "pushes-to-main"
    assert isinstance(asked("Bash", command="git push origin feature"), Allow)
    denied = asked("Read", file_path="/home/alice/.ssh/id_ed25519")
    assert isinstance(denied, Deny)
    assert denied.appeal
    post = case(ActionKind.HTTP_REQUEST, http=HttpFields(method="POST"))
    assert loaded.decide(post).verdict.rule_id == "writes-over-http"


@pytest.mark.parametrize(
    ("fields", "groups", "rule"),
    [
        ({"operation": "createTicket", "method": "POST"}, ("dev",), "tickets-for-support"),
        ({"operation": "createTicket", "method": "POST"}, ("support",), "egress-writes"),
        ({"operation": "readTicket"}, (), "egress"),
        ({"violations": ("query: `limit` is no number",)}, (), "tickets-as-described"),
        ({"json": {"project": "SALES"}}, (), "only-our-own-project"),
        ({"json": {"project": "TEAM"}}, (), "egress"),
        ({"json": None}, (), "egress"),
        ({"host": "graph.internal", "method": "POST", "operation": "mutation a"}, (),
         "graph-reads-only"),
        ({"host": "graph.internal", "method": "POST"}, (), "graph-reads-only"),
        ({"host": "graph.internal", "method": "POST", "operation": "query a"}, (), "egress"),
        ({"credential": CredentialSource.CLIENT}, (), "own-accounts"),
        ({"credential": CredentialSource.CLIENT}, ("developers",), "egress"),
        ({"host": "pinned.example.org", "method": "CONNECT"}, (), "pinned-host"),
        ({"method": "CONNECT"}, (), "default"),
    ],
)  # fmt: skip
def test_the_example_of_internal_apis(
    tmp_path: Path, fields: dict[str, Any], groups: tuple[str, ...], rule: str
) -> None:
    loaded = beside(tmp_path, "internal-apis")
    http = HttpFields(**{"method": "GET", "host": "tickets.internal", **fields})
    asked = case(ActionKind.HTTP_REQUEST, http=http, groups=groups)
    asked = replace(asked, action=replace(asked.action, listener="egress"))
    assert loaded.decide(asked).verdict.rule_id == rule


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"tool": "create_issue", "arguments": {"project": "SEC"}}, "no-security-issues"),
        ({"tool": "create_issue", "arguments": {"project": "TEAM"}}, "mcp-tools-that-write"),
        ({"tool": "delete_issue"}, "jira-administration"),
        ({"tool": "bulk_update", "arguments": {"issues": ["x"] * 11}}, "small-batches"),
        ({"tool": "bulk_update", "arguments": {"issues": ["x"]}}, "mcp-tools-that-write"),
        ({"tool": "get_issue"}, "mcp-tools"),
        ({"server": "wiki", "method": "resources/read", "uri": "wiki://people/salaries/1"},
         "no-salaries"),
        ({"server": "wiki", "method": "resources/read", "uri": "wiki://start"}, "mcp-reading"),
        ({"server": "wiki", "method": "elicitation/create"}, "wiki-asks-nobody"),
    ],
)  # fmt: skip
def test_the_example_of_mcp_servers(tmp_path: Path, fields: dict[str, Any], rule: str) -> None:
    mcp = McpFields(**{"server": "jira", "method": "tools/call", **fields})
    verdict = beside(tmp_path, "mcp-servers").decide(case(ActionKind.MCP_CALL, mcp=mcp)).verdict
    rules = {each.rule_id for each in verdict.terms} if isinstance(verdict, Hold) else set()
    assert rule in rules | {verdict.rule_id}


@pytest.mark.parametrize(
    ("text", "tables", "rule"),
    [
        ("SELECT * FROM users WHERE email = 'x'", ("public.users",), "sql-reading"),
        ("COPY users TO STDOUT", ("public.users",), "sql-reading"),
        ("BEGIN", (), "sql-reading"),
        ("SET search_path = app", (), "sql-reading"),
        ("INSERT INTO orders VALUES (1)", ("public.orders",), "sql-writing"),
        ("UPDATE orders SET a = 1 WHERE id = 2", ("public.orders",), "sql-writing"),
        ("PREPARE p AS DELETE FROM orders WHERE id = $1", ("public.orders",), "sql-writing"),
        ("EXPLAIN ANALYZE INSERT INTO orders VALUES (1)", ("public.orders",), "sql-writing"),
        ("SELECT 1 FROM orders FOR UPDATE", ("public.orders",), "sql-writing"),
        ("INSERT INTO orders SELECT * FROM users", ("public.orders", "public.users"), "default"),
        ("UPDATE users SET a = 1 WHERE id = 2", ("public.users",), "default"),
        ("SELECT 1 FROM users FOR UPDATE", ("public.users",), "default"),
        ("DELETE FROM orders", ("public.orders",), "sql-whole-tables"),
        ("WITH d AS (DELETE FROM orders RETURNING 1) SELECT * FROM d", ("public.orders",),
         "sql-whole-tables"),
        ("EXPLAIN ANALYZE UPDATE orders SET a = 1", ("public.orders",), "sql-whole-tables"),
        ("TRUNCATE users", ("public.users",), "sql-whole-tables"),
        ("DROP TABLE orders", ("public.orders",), "sql-schema"),
        ("CREATE TABLE copied AS SELECT * FROM orders", ("public.orders",), "sql-schema"),
        ("SELECT * INTO copied FROM orders", ("public.orders",), "sql-schema"),
        ("GRANT SELECT ON orders TO PUBLIC", ("public.orders",), "sql-no-rights"),
        ("REVOKE ALL ON orders FROM alice", ("public.orders",), "sql-no-rights"),
        ("COPY orders TO PROGRAM 'curl x'", ("public.orders",), "sql-no-copy-in"),
        ("COPY orders FROM STDIN", ("public.orders",), "sql-no-copy-in"),
        ("SELECT rolpassword FROM pg_authid", ("pg_catalog.pg_authid",), "sql-no-password-hashes"),
        ("DO 'begin end'", (), "default"),
        ("CALL p()", (), "default"),
        ("LOCK TABLE orders", ("public.orders",), "default"),
        ("NOTIFY x", (), "default"),
    ],
)  # fmt: skip
def test_the_example_of_databases(
    tmp_path: Path, text: str, tables: tuple[str, ...], rule: str
) -> None:
    (statement,) = read(text).statements
    fields = SqlFields(
        database="shop",
        verbs=statement.verbs,
        tables=tables,
        has_where=statement.has_where,
        read_only=statement.read_only,
    )
    asked = case(ActionKind.SQL_STATEMENT, http=None, sql=fields)
    policy = beside(tmp_path, "databases", DATABASES)
    verdict = policy.decide(asked).verdict
    assert verdict.rule_id == rule
    kinds = {"sql-reading": Allow, "sql-writing": Allow, "sql-schema": Hold}
    assert isinstance(verdict, {**kinds, "sql-whole-tables": Hold}.get(rule, Deny))
    (ends,) = (each.terminate for each in policy.rules if each.id == "sql-no-password-hashes")
    assert ends


def test_what_is_commented_out_in_the_example_of_databases_is_right(tmp_path: Path) -> None:
    text = (SHIPPED / "examples" / "databases.yaml").read_text("utf-8")
    rules, _, novel = text.partition("  # What is new for whoever asks")
    novel = "\n".join(line.replace("  # ", "  ", 1) for line in novel.splitlines()[1:])
    (tmp_path / "databases.yaml").write_text(rules + novel.replace("  #\n", "\n"), "utf-8")
    policy = load_policy(tmp_path, features=DATABASES)
    fields = SqlFields(verbs=("SELECT",), tables=("public.users",), read_only=True)
    asked = case(ActionKind.SQL_STATEMENT, http=None, sql=fields)

    def decided(**novelty: Any) -> str:
        action = replace(asked.action, novelty=novelty)
        return policy.decide(replace(asked, action=action)).verdict.rule_id

    assert decided(table=True, history=49, volume=1000.0) == "sql-reading"
    assert decided(table=True, history=50) == "sql-new-tables"
    assert decided(volume=100.5, history=50) == "sql-many-rows"


def beside(folder: Path, example: str, features: Features | None = None) -> Policy:
    """The rules that ship, and one example."""
    for file in (*SHIPPED.glob("*.yaml"), SHIPPED / "examples" / f"{example}.yaml"):
        shutil.copy(file, folder)
    return load_policy(folder, features=features or Features())


def test_the_findings_example(tmp_path: Path) -> None:
    for file in (*SHIPPED.glob("*.yaml"), SHIPPED / "examples" / "findings.yaml"):
        shutil.copy(file, tmp_path)
    loaded = load_policy(tmp_path, features=Features())
    key = Finding(type="PRIVATE_KEY", location="system", direction="request", score=1.0)
    mail = replace(key, type="EMAIL_ADDRESS")
    assert isinstance(loaded.decide(replace(case(), findings=(mail,))).verdict, Allow)
    assert isinstance(
        loaded.decide(replace(case(groups=("platform",)), findings=(mail, key))).verdict, Allow
    )
    denied = loaded.decide(replace(case(), findings=(mail, key))).verdict
    assert denied.rule_id == "no-private-keys-outside"
    assert loaded.decide(case(groups=("support",))).redact["IBAN_CODE"] == "mask"
    send = case(ActionKind.LLM_TOOL_USE, tool=ToolFields(name="mcp__mail__send"))
    assert loaded.decide(send).restore == {"EMAIL_ADDRESS"}
    bash = case(ActionKind.LLM_TOOL_USE, tool=ToolFields(name="Bash"))
    assert not loaded.decide(bash).restore
