"""Cases taken from the record."""

import json
from pathlib import Path

import duckdb
import pytest

from proctor.errors import ClientError, ConfigurationError
from proctor.model import ActionKind
from proctor.policy.recorded import recorded_cases

BODY = {
    "model": "claude-x",
    "max_tokens": 9,
    "tools": [{"name": "a", "input_schema": {}}, {"type": "web_search_20250305", "name": "web"}],
    "messages": [{"role": "user", "content": "hello"}],
}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Tables in the place of the views, with one exchange of each kind."""
    path = tmp_path / "audit.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("""
            CREATE TABLE flows AS SELECT * FROM (VALUES
                ('f1', 'https://idp#alice', 'alice', ['a', 'b'], 's1', 'claude', 'POST', 'https',
                 'api.example', 443, '/v1/messages?beta=true', 300),
                ('f2', 'https://idp#alice', 'alice', NULL, NULL, 'claude', 'GET', 'https',
                 'api.example', 443, '/v1/files', 0)
            ) t(flow_id, principal, subject, groups, session_id, listener, method, scheme, host,
                port, path, request_bytes)
        """)
        connection.execute("""
            CREATE TABLE decisions AS SELECT * REPLACE (ts::TIMESTAMP AS ts) FROM (VALUES
                ('f1', 1, '2026-03-04 12:00:00', 'llm.request', 'allow', 'yes', 'sha256:1'),
                ('f1', 1, '2026-03-04 12:00:00', 'llm.tool_use', 'allow', 'x', 'sha256:1'),
                ('f2', 2, '2026-03-04 12:00:01', 'http.request', 'deny', 'default', NULL)
            ) t(flow_id, seq, ts, action_kind, verdict, rule_id, policy_version)
        """)
        connection.execute("CREATE TABLE turns (flow_id TEXT, model TEXT, request_body TEXT)")
        connection.execute("INSERT INTO turns VALUES ('f1', 'claude-x', ?)", [json.dumps(BODY)])
    return path


def test_a_turn(record: Path) -> None:
    request, call = recorded_cases(record, "f1")
    case = request.case
    assert case.principal.key == "https://idp#alice"
    assert case.principal.groups == ("a", "b")
    assert case.now.isoformat() == "2026-03-04T12:00:00+00:00"
    assert case.session is not None
    assert case.session.id == "s1"
    assert case.action.http is not None
    assert case.action.http.path == "/v1/messages"
    assert case.action.llm is not None
    assert case.action.llm.tools == ("a", "web")
    assert case.action.llm.features == ("web_search",)
    assert (request.verdict, request.rule_id) == ("allow", "yes")
    assert {"principal.human", "http.headers", "session.turns", "findings"} <= set(request.hidden)
    assert not {"llm.tools", "http.path", "now", "principal.groups"} & set(request.hidden)
    assert call.case.action.kind is ActionKind.LLM_TOOL_USE
    assert "tool.name" in call.hidden


def test_a_body_that_was_not_kept(record: Path) -> None:
    with duckdb.connect(str(record)) as connection:
        connection.execute("UPDATE turns SET request_body = NULL")
    request, _ = recorded_cases(record, "f1")
    assert request.case.action.llm is not None
    assert request.case.action.llm.model == "claude-x"
    assert {"llm.tools", "llm.features", "llm.stream", "llm.max_tokens"} <= set(request.hidden)
    assert "llm.model" not in request.hidden


def test_another_exchange(record: Path) -> None:
    (found,) = recorded_cases(record, "f2")
    assert found.case.action.kind is ActionKind.HTTP_REQUEST
    assert found.case.session is None
    assert found.policy_version == ""


def test_no_such_exchange(record: Path) -> None:
    with pytest.raises(ClientError) as raised:
        recorded_cases(record, "'; DROP TABLE flows")
    assert raised.value.code == "flow-unknown"


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        recorded_cases(tmp_path / "audit.duckdb", "f1")
    assert raised.value.code == "record-unreadable"
