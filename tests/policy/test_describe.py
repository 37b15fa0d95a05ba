"""Cases described by hand."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.model import ActionKind, Case, CredentialSource
from proctor.policy.describe import case_of
from proctor.policy.fields import TABLE
from proctor.yamlfile import Document, parse
from tests.support.cases import NOON

FULL = """
principal: {issuer: https://idp, subject: alice, human: bob, groups: [a, b], token_age: 30}
session: {id: s, client: c/1, turns: 3, started: 2026-03-04T10:00:00Z}
action: {kind: http.request, listener: claude, size: 5, target: GET https://x/}
http:
  method: GET
  headers: {accept: text/html}
  json: {a: [1, {b: x}]}
  credential: client
findings: [{type: IBAN, score: 0.5}]
now: 2026-03-04T13:00:00+01:00
"""


def described(text: str) -> Case:
    return case_of(parse(text.encode(), name="d.yaml"), NOON)


def test_full() -> None:
    case = described(FULL)
    assert case.principal.groups == ("a", "b")
    assert case.principal.human == "bob"
    assert case.now.timestamp() - case.principal.issued_at == 30
    assert case.session is not None
    assert case.session.started == datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert case.action.kind is ActionKind.HTTP_REQUEST
    assert case.action.http is not None
    assert case.action.http.json == {"a": [1, {"b": "x"}]}
    assert case.action.http.credential is CredentialSource.CLIENT
    assert case.findings[0].type == "IBAN"
    assert case.now == NOON


def test_bare() -> None:
    case = described("action: {kind: llm.request}")
    assert case.session is None
    assert case.action.llm is None
    assert case.now is NOON


def test_lists_become_tuples() -> None:
    llm = described('{"action": {"kind": "llm.request"}, "llm": {"tools": ["a"]}}').action.llm
    assert llm is not None
    assert llm.tools == ("a",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "describes no action"),
        ("- x", "describes no action"),
        ("principal: {}", "No `kind`"),
        ("action: {}", "No `kind`"),
        ("action: {kind: llm.requests}", "can never be here"),
        ("action: {kind: llm.request}\nlmm: {}", "no field 'lmm'"),
        ("action: {kind: llm.request}\nllm: {modle: x}", "no field llm.modle"),
        ("action: {kind: llm.request}\nllm: x", "llm has fields"),
        ("action: {kind: llm.request}\nllm: {model: 3}", "another type"),
        ("action: {kind: llm.request}\nllm: {max_tokens: true}", "another type"),
        ("action: {kind: llm.request}\nllm: {tools: x}", "another type"),
        ("action: {kind: llm.request}\nllm: {tools: [1]}", "another type"),
        ("action: {kind: llm.request}\nllm: {features: [websearch]}", "can never be here"),
        ("action: {kind: llm.request}\nhttp: {headers: {X-A: b}}", "can never be here"),
        ("action: {kind: llm.request}\ntool: {name: x}", "always empty for llm.request"),
        ("action: {kind: mcp.call}\ntool: {name: x}", "follows from what stands in `mcp`"),
        ("action: {kind: mcp.call}\nllm: {model: x}", "always empty for mcp.call"),
        ("action: {kind: llm.request}\nnovelty: {table: true}", "always empty for llm.request"),
        ("action: {kind: llm.request}\nfindings: {}", "another type"),
        ("action: {kind: llm.request}\nfindings: [{kind: x}]", "no finding"),
        ("action: {kind: llm.request}\nfindings: [{score: high}]", "another type"),
        ("action: {kind: llm.request}\nfindings: [{direction: up}]", "can never be here"),
        ("action: {kind: llm.request}\nnow: noon", "no time"),
        ("action: {kind: llm.request}\nsession: {started: 3x}", "no time"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        described(text)
    assert message in raised.value.message
    assert raised.value.where.startswith("d.yaml:")


VALUES: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({})
)
ROOMS = st.sampled_from([*TABLE, "x"])
NAMES = st.sampled_from(
    ["kind", "subject", "groups", "json", "started", "type", "headers", "tools"]
)


@given(
    st.dictionaries(
        ROOMS, VALUES | st.dictionaries(NAMES, VALUES | st.lists(VALUES, max_size=2)), max_size=5
    )
)
def test_any_data_is_a_case_or_an_error(data: dict[str, object]) -> None:
    if isinstance(data.get("action"), dict):
        data["action"] = {**data["action"], "kind": "http.request"}  # type: ignore[dict-item] # a dict, as asked
    with contextlib.suppress(ConfigurationError):
        case_of(Document(name="x", raw=b"", data=data, lines={}), NOON)


def test_what_a_command_line_touches_follows_from_it() -> None:
    text = """
        action: {kind: llm.tool_use}
        tool: {name: Bash, command: "curl https://a.test > x"%s}
    """
    tool = described(text % "").action.tool
    assert tool
    assert (tool.paths, tool.hosts) == (("x",), ("a.test",))
    tool = described(text % ", paths: [y]").action.tool
    assert tool
    assert (tool.paths, tool.hosts) == (("y",), ("a.test",))


def test_a_statement_and_what_is_new_of_it() -> None:
    action = described(
        "action: {kind: sql.statement}\n"
        "sql: {verbs: [SELECT], tables: [public.salaries]}\n"
        "novelty: {table: true, tables: [public.salaries], volume: 2}"
    ).action
    assert action.sql is not None
    assert action.sql.tables == ("public.salaries",)
    assert action.novelty == {"table": True, "tables": ("public.salaries",), "volume": 2}


def test_a_call_of_an_mcp_server() -> None:
    text = """
        action: {kind: mcp.call}
        mcp: {server: jira, method: tools/call, tool: create, arguments: {labels: [a]}}
    """
    mcp = described(text).action.mcp
    assert mcp is not None
    assert (mcp.server, mcp.method, mcp.tool, mcp.uri) == ("jira", "tools/call", "create", "")
    assert mcp.arguments == {"labels": ["a"]}
