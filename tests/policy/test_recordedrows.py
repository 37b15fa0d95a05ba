"""Decisions read from a real store."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.audit.inquiry import open_record
from proctor.audit.recorder import Recorder
from proctor.errors import ClientError, ConfigurationError
from proctor.model import ActionKind
from proctor.policy import recordedrows
from proctor.policy.recorded import Line
from proctor.policy.recordedrows import (
    Stretch,
    recorded_between,
    recorded_cases,
    recorded_session,
    stretches,
    texts_of,
)
from tests.support.judged import START, Desk, judged, rules
from tests.support.parts import BOB

ALL = """
rules:
  - {id: all, on: [llm.request, llm.tool_use, mcp.call, http.request], then: allow}
  - {id: no, on: http.request, when: 'http.host == "evil.example"', then: deny}
"""


async def play(desk: Desk) -> None:
    await desk.turn(("Bash", {"command": "ls"}), ("Write", {"file_path": "/x"}), folder="/r")
    await desk.http(
        "POST", "ok.example", "/a?b=c", body=b'{"x": 1}', content_type="application/json"
    )
    await desk.http("GET", "evil.example", "/", principal=BOB, session="s2")
    await desk.mcp("jira", "create", {"project": "SEC"})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    return judged(folder / "recordings", rules(folder / "rules", ALL), play)


def test_an_exchange(store: Path) -> None:
    request, shell, write = recorded_cases(store, "flow-00001")
    assert request.case.action.llm is not None
    assert request.case.action.llm.tools == ("Bash",)
    assert request.case.session is not None
    assert request.case.session.repository == "/r"
    assert shell.case.action.tool is not None
    assert shell.case.action.tool.command == "ls"
    assert write.case.action.tool is not None
    assert write.case.action.tool.paths == ("/x",)
    assert (shell.hidden, write.hidden) == ({}, {})
    assert (request.verdict, request.rule_id, request.flow_id) == ("allow", "all", "flow-00001")
    assert len({request.digest, shell.digest, write.digest, ""}) == 4


def test_a_body_and_a_refusal(store: Path) -> None:
    (posted,) = recorded_cases(store, "flow-00002")
    assert posted.case.action.http is not None
    assert posted.case.action.http.json == {"x": 1}
    assert posted.case.action.http.query == {"b": "c"}
    (refused,) = recorded_cases(store, "flow-00003")
    assert (refused.verdict, refused.rule_id) == ("deny", "no")
    (call,) = recorded_cases(store, "flow-00004")
    assert call.case.action.mcp is not None
    assert call.case.action.mcp.arguments == {"project": "SEC"}


def test_a_session(store: Path) -> None:
    found = recorded_session(store, "https://idp#alice", "s1")
    assert [each.case.action.kind for each in found] == [
        ActionKind.LLM_REQUEST, ActionKind.LLM_TOOL_USE, ActionKind.LLM_TOOL_USE,
    ]  # fmt: skip
    assert recorded_session(store, "https://idp#bob", "s1") == []


@pytest.mark.parametrize("name", ["f2", "'; DROP TABLE flows", ""])
def test_no_such_exchange(store: Path, name: str) -> None:
    with pytest.raises(ClientError, match="No decision"):
        recorded_cases(store, name)


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no record"):
        recorded_cases(tmp_path, "f1")


def test_stretches_cover_everything_once(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordedrows, "MAX_TEXTS", 50)  # so that texts come in several turns
    since, until = START - timedelta(days=1), START + timedelta(days=1)
    with open_record(store) as connection:

        def read(parts: list[Stretch]) -> list[str]:
            return [
                each.digest
                for part in parts
                for each in recorded_between(connection, part, since, until, lambda _: False)
            ]

        whole = read(stretches(connection, since, until))
        assert len(whole) == 6
        assert read(stretches(connection, since, until, 3)) == whole
        assert stretches(connection, until, until + timedelta(days=1)) == []


def test_bodies_are_read_where_they_are_wanted(store: Path) -> None:
    since, until = START - timedelta(days=1), START + timedelta(days=1)

    def posts(line: Line) -> bool:
        return line.host == "ok.example"

    with open_record(store) as connection:
        (part,) = stretches(connection, since, until)
        found = list(recorded_between(connection, part, since, until, posts))
    by_flow = {each.flow_id: each for each in found}
    assert "http.json" not in by_flow["flow-00002"].hidden
    assert "mcp.tool" in by_flow["flow-00004"].hidden


def test_what_was_erased_is_not_known(store: Path) -> None:
    with open_record(store) as connection:
        gone = texts_of(connection, {("w0.nothing", "0-2"), ("w0.nothing", "")})
    assert gone == {("w0.nothing", "0-2"): None, ("w0.nothing", ""): b""}


def test_statements(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        recorder = await Recorder.open(path)
        decision = {"action_kind": "sql.statement", "action_digest": "d", "verdict": "hold",
                    "rule_id": "drops", "reason": "", "mode": "enforce",
                    "observed": []}  # fmt: skip
        said = {
            "flow_id": "c1", "session_id": "s1", "session_started": None,
            "principal": "https://idp#alice", "subject": "alice", "groups": ["dev"],
            "listener": "orders", "database": "shop", "client": "psql", "n": 1,
            "verbs": ["DROP"], "tables": ["public.orders"], "verdict": "hold", "rule_id": "drops",
            "policy_version": "v1", "approval_id": "ap_1", "decisions": [decision], "findings": [],
        }  # fmt: skip
        seq = await recorder.append("statement", said)
        await recorder.append("statement.end", {**said, "begin_seq": seq, "decisions": []})
        # Nobody decided on what could not be read.
        await recorder.append("statement", {**said, "decisions": [], "verbs": []})
        await recorder.close()

    asyncio.run(main())
    (found,) = recorded_cases(path, "c1")
    assert recorded_session(path, "https://idp#alice", "s1") == [found]
    assert found.case.action.sql is not None
    assert found.case.action.sql.tables == ("public.orders",)
    assert found.case.principal.groups == ("dev",)
    assert (found.verdict, found.rule_id, found.approval_id) == ("hold", "drops", "ap_1")
    assert "novelty.table" in found.hidden
