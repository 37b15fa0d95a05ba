"""The views that others rely on, over a record that has everything in it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from tests.support.envelopes import (
    ALICE,
    BOB,
    MOMENT,
    QUICK,
    STILL,
    ask,
    begin,
    decision,
    end,
    flow,
    run,
    turn,
    until,
)

# DESIGN: "beyond writer, seq, ts, flow_id, session_id, principal, subject, groups".
COMMON = ["writer", "seq", "ts", "flow_id", "session_id", "principal", "subject", "groups"]
VIEWS = {
    "flows": "listener protocol method scheme host port path status request_bytes response_bytes"
    " started_at ended_at verdict rule_id reason error record coverage correlated_by",
    "sessions": "client started_at ended_at flows turns tool_calls statements held denied findings"
    " input_tokens output_tokens",
    "turns": "model stop_reason input_tokens output_tokens cache_read_tokens cache_write_tokens"
    " prompt output request_body response_body",
    "tool_calls": "tool_use_id source name input verdict rule_id result is_error approval_id",
    "statements": "sql parameters fingerprint verbs tables verdict rule_id rows masked_columns"
    " duration_ms error result approval_id",
    "findings": "direction location entity_type detector action digest",
    "decisions": "action_kind action_digest verdict rule_id reason policy_version mode",
    "approvals": "approval_id action_digest state rule_id by reason expires_at",
    "events": "kind detail",
}
FOUND = {
    "direction": "request", "location": "$.x", "entity_type": "EMAIL_ADDRESS",
    "detector": "regex", "action": "mask", "digest": "d",
}  # fmt: skip
BINARY = b"\xff\x00abc"
MIXED = b"text, then \xff"


async def _fill(path: Path) -> None:
    recorder = await Recorder.open(path, pace=STILL)
    for session in (run(), None):
        named = {
            "session_id": session.id if session else None,
            "session_started": MOMENT if session else None,
        }
        scope = recorder.scope(ALICE, session)
        prompt, answer = recorder.put(scope, b"list \0 the files"), recorder.put(scope, b"I do.")
        body = recorder.put(scope, ("€" * 50_000).encode())
        tool, result = recorder.put(scope, b'{"command":"ls"}'), recorder.put(scope, b"a.txt")
        again = recorder.put(scope, b"another answer")
        answered = turn(prompt, answer)
        number = f"{session.id if session else 'none'}-"
        seq = await begin(
            recorder,
            number + "1",
            **named,
            request=body.as_json(),
            turn=turn(prompt),
            findings=[FOUND],  # the end says it again
            decisions=[
                decision(observed=[{"rule_id": "strict", "verdict": "deny", "reason": "Why not."}])
            ],
        )
        await end(
            recorder,
            number + "1",
            seq,
            **named,
            request=body.as_json(),
            response=recorder.put(scope, BINARY).as_json(),
            turn=answered,
            tools=[
                {"id": f"{number}tool", "source": "llm", "name": "Bash", "input": tool.as_json(),
                 "verdict": None, "rule_id": None},
            ],
            findings=[FOUND],
        )  # fmt: skip
        for ref in (result, again):  # the client sends the result with every later turn
            results = [{"tool_use_id": f"{number}tool", "content": ref.as_json(),
                        "is_error": ref is again}]  # fmt: skip
            await begin(recorder, f"{number}{ref.hash[:4]}", **named, results=results)
    # Refused: no begin, and then the end says what the rules said.
    await end(recorder, "refused", None, verdict="deny", rule_id="no", status=451,
              decisions=[decision("deny", rule_id="no")], **_named(run()))  # fmt: skip
    await end(recorder, "other", None, principal=BOB, subject="bob", **_named(run()))
    empty = recorder.put(recorder.scope(ALICE, None), b"")
    mixed = recorder.stream(recorder.scope(ALICE, None))
    for start in range(0, len(MIXED), 3):
        mixed.feed(MIXED[start : start + 3])
    await end(recorder, "odd", None, turn=turn(empty), response=mixed.close().as_json())
    who: dict[str, Any] = flow("later", run())
    sql = recorder.put(recorder.scope(ALICE, run()), b"SELECT 1").as_json()
    await recorder.append("statement", who | {
        "sql": sql, "parameters": None, "fingerprint": "f", "verbs": ["SELECT"], "tables": [],
        "rows": 1, "masked_columns": ["email"], "duration_ms": 1.5, "error": None})  # fmt: skip
    rows = recorder.put(recorder.scope(ALICE, run()), b'{"columns":["a"],"rows":[["1"]]}').as_json()
    begun = await recorder.append("statement", who | {
        "sql": sql, "parameters": None, "fingerprint": "g", "verbs": ["UPDATE"],
        "tables": ["public.t"], "verdict": "allow", "approval_id": "a1", "findings": [],
        "decisions": []})  # fmt: skip
    await recorder.append("statement.end", who | {
        "begin_seq": begun, "rows": 3, "masked_columns": ["public.t.a"], "duration_ms": 2.5,
        "error": None, "response": rows})  # fmt: skip
    await recorder.append("approval", who | {
        "approval_id": "a1", "action_digest": "d", "state": "pending", "by": None,
        "expires_at": MOMENT})  # fmt: skip
    await recorder.append("finding", who | {
        "direction": "response", "location": "$.y", "entity_type": "IBAN", "detector": "x",
        "action": "none", "digest": "e"})  # fmt: skip
    await recorder.append("event", {"event_kind": "stop", "detail": {}})
    await recorder.event("started", {"version": "0"})
    await recorder.close()


def _named(session: Any) -> dict[str, Any]:
    return {"session_id": session.id, "session_started": MOMENT}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("contract") / "recordings"
    asyncio.run(_fill(path))
    with duckdb.connect(str(path / "audit.duckdb"), read_only=True) as database:
        yield database


@pytest.mark.parametrize("view", VIEWS)
def test_columns(database: duckdb.DuckDBPyConnection, view: str) -> None:
    found = database.execute(f"FROM {view} LIMIT 0").description
    assert [column[0] for column in found] == COMMON + VIEWS[view].split()


def test_no_type_needs_more_than_duckdb(database: duckdb.DuckDBPyConnection) -> None:
    """TIMESTAMP WITH TIME ZONE would need pytz in Python, and the reader's zone everywhere."""
    types = database.execute("SELECT DISTINCT data_type FROM information_schema.columns").fetchall()
    assert not [kind for (kind,) in types if "TIME ZONE" in kind]


def rows(database: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return database.execute(sql).fetchall()


def test_flows(database: duckdb.DuckDBPyConnection) -> None:
    assert rows(database, "SELECT count(*), count(DISTINCT flow_id) FROM flows") == [(9, 9)]
    assert rows(database, "SELECT flow_id FROM flows WHERE verdict = 'deny'") == [("refused",)]
    assert rows(database, "SELECT count(*) FROM flows WHERE ended_at IS NULL") == [(4,)]


def test_texts(database: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        database,
        "SELECT prompt, output, request_body = repeat('€', 50000), from_base64(response_body)"
        " FROM turns WHERE flow_id LIKE '%-1'",
    )
    assert found == [("list \0 the files", "I do.", True, BINARY)] * 2


def test_odd_texts(database: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        database,
        "SELECT prompt, output, from_base64(response_body) FROM turns WHERE flow_id = 'odd'",
    )
    assert found == [("", None, MIXED)]


def test_tool_calls(database: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        database,
        "SELECT session_id, source, name, input, verdict, rule_id, result, is_error"
        " FROM tool_calls ORDER BY session_id NULLS LAST",
    )
    same = ("llm", "Bash", '{"command":"ls"}', "allow", None, "a.txt", False)
    assert found == [("s1", *same), (None, *same)]


def test_sessions(database: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        database,
        "SELECT session_id, principal, client, flows, turns, tool_calls, held, denied, findings,"
        " input_tokens, output_tokens FROM sessions ORDER BY principal",
    )
    client = "claude-cli/2.1.330"
    assert found == [
        ("s1", ALICE, client, 4, 1, 1, 0, 1, 1, 10, 20),
        ("s1", BOB, client, 1, 0, 0, 0, 0, 0, None, None),
    ]


def _tool(number: str, source: str, name: str, ref: Any, verdict: str = "allow") -> dict[str, Any]:
    return {"id": number, "source": source, "name": name, "input": ref and ref.as_json(),
            "verdict": verdict, "rule_id": "r", "approval_id": None}  # fmt: skip


async def _over_mcp(recorder: Recorder, session: Any) -> None:
    """A call of the model's that comes by over MCP, twice, and others that only do that."""
    named = _named(session) if session else {"session_id": None, "session_started": None}
    scope = recorder.scope(ALICE, session)
    asked, handed, came, again = (
        recorder.put(scope, each) for each in (b'{"n":1}', b"handed on", b"came", b"again")
    )
    seq = await begin(recorder, "model", **named)
    made = _tool("toolu_1", "llm", "mcp__s__t", asked, "hold")
    await end(recorder, "model", seq, **named, turn=turn(), tools=[made])
    for flow_id, number, ref in (
        ("m1", "toolu_1", came), ("m2", "toolu_1", again), ("m3", "m3", came),
    ):  # fmt: skip
        seq = await begin(recorder, flow_id, **named)
        result = {"tool_use_id": number, "content": ref.as_json(), "is_error": ref is again}
        await end(recorder, flow_id, seq, **named, verdict="hold", results=[result],
                  tools=[_tool(number, "mcp", "mcp__s__t", asked, "hold")])  # fmt: skip
    refused = [_tool("m4", "mcp", "mcp__s__t", None, "deny")]
    await end(recorder, "m4", None, **named, verdict="deny", tools=refused, results=[])
    brought = [{"tool_use_id": "toolu_1", "content": handed.as_json(), "is_error": False}]
    await begin(recorder, "later", **named, results=brought)


OVER = [
    ("model", "llm", "toolu_1", '{"n":1}', "hold", "handed on", False),
    ("m1", "mcp", "toolu_1", '{"n":1}', "hold", "came", False),
    ("m2", "mcp", "toolu_1", '{"n":1}', "hold", "again", True),
    ("m3", "mcp", "m3", '{"n":1}', "hold", "came", False),
    ("m4", "mcp", "m4", None, "deny", None, None),
]


@pytest.mark.parametrize("session", [run(), None])
@pytest.mark.parametrize(("pace", "tier"), [(STILL, -1), (replace(QUICK, journal_bytes=1), 1)])
def test_each_call_has_its_own_result(
    tmp_path: Path, session: Any, pace: Pace, tier: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the journal, and in segments that were merged."""
    monkeypatch.setattr("proctor.audit.keeper.FAN_IN", 2)
    path = tmp_path / "recordings"

    def tiers() -> int:
        names = (path / "segments").glob("w0-*.parquet")
        return max((int(each.name.split("-")[1]) for each in names), default=-1)

    async def main() -> None:
        recorder = await Recorder.open(path, pace=pace)
        await _over_mcp(recorder, session)
        await until(lambda: tiers() >= tier)
        await recorder.close()

    asyncio.run(main())
    sql = "SELECT flow_id, source, tool_use_id, input, verdict, result, is_error FROM tool_calls"
    assert ask(path, f"{sql} ORDER BY seq") == OVER


def test_a_call_counts_once(tmp_path: Path) -> None:
    """The model's call came by over MCP; what else came by counts, whatever id it claims."""

    async def main() -> None:
        recorder = await Recorder.open(tmp_path / "recordings", pace=STILL)
        await _over_mcp(recorder, run())
        await recorder.close()

    asyncio.run(main())
    # Held: three flows, and the model's call. What is said of a call over MCP is its flow's.
    found = ask(tmp_path / "recordings", "SELECT tool_calls, flows, held, denied FROM sessions")
    assert found == [(4, 6, 4, 1)]


def test_what_the_rules_said_of_questions(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = await Recorder.open(tmp_path / "recordings", pace=STILL)
        seq = await begin(recorder, "asked", decisions=[decision(action_kind="mcp.call")])
        sampling = decision("deny", action_kind="mcp.call", rule_id="no-sampling")
        await end(recorder, "asked", seq, decisions=[sampling])
        await recorder.close()

    asyncio.run(main())
    found = "SELECT flow_id, action_kind, verdict, rule_id FROM decisions ORDER BY seq"
    assert ask(tmp_path / "recordings", found) == [
        ("asked", "mcp.call", "allow", "claude"), ("asked", "mcp.call", "deny", "no-sampling"),
    ]  # fmt: skip


def test_a_tunnel(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = await Recorder.open(tmp_path / "recordings", pace=STILL)
        more: dict[str, Any] = {"method": "CONNECT", "coverage": "none: passed unread",
                                "request_bytes": 7, "response_bytes": 9,
                                "status": None}  # fmt: skip
        await end(recorder, "tunnel", None, **more)
        await recorder.close()

    asyncio.run(main())
    found = "SELECT method, host, port, status, request_bytes, response_bytes, coverage FROM flows"
    assert ask(tmp_path / "recordings", found) == [
        ("CONNECT", "api.internal", 443, None, 7, 9, "none: passed unread")
    ]


def test_decisions(database: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        database,
        "SELECT verdict, rule_id, mode, count(*) FROM decisions GROUP BY ALL ORDER BY ALL",
    )
    assert found == [
        ("allow", "claude", "enforce", 6),
        ("deny", "no", "enforce", 1),
        ("deny", "strict", "observe", 2),
    ]


def test_what_comes_later(database: duckdb.DuckDBPyConnection) -> None:
    wanted = (
        "SELECT sql, parameters, verbs, rows, masked_columns, duration_ms, result, approval_id"
        " FROM statements ORDER BY seq"
    )
    assert rows(database, wanted) == [
        ("SELECT 1", None, ["SELECT"], 1, ["email"], 1.5, None, None),
        ("SELECT 1", None, ["UPDATE"], 3, ["public.t.a"], 2.5,
         '{"columns":["a"],"rows":[["1"]]}', "a1"),
    ]  # fmt: skip
    assert rows(database, "SELECT approval_id, state, rule_id FROM approvals") == [
        ("a1", "pending", "claude")
    ]
    columns = "entity_type, direction, location, detector, action, digest, flow_id"
    mail = ("EMAIL_ADDRESS", "request", "$.x", "regex", "mask", "d")
    assert database.sql("FROM findings").project(columns).order("ALL").fetchall() == [
        (*mail, "none-1"), (*mail, "s1-1"), ("IBAN", "response", "$.y", "x", "none", "e", "later"),
    ]  # fmt: skip
    assert rows(database, "SELECT kind, detail FROM events ORDER BY seq") == [
        ("stop", "{}"), ("started", '{"version":"0"}'),
    ]  # fmt: skip


def test_a_text_whose_content_is_gone_is_null(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        recorder = await Recorder.open(path, pace=STILL)
        for name in ("erased", "kept"):
            scope = recorder.scope(ALICE, run(name))
            body = recorder.put(scope, f"first, {name}".encode() * 20, [100])
            await end(recorder, name, None, turn=turn(body))
        await recorder.close()

    asyncio.run(main())
    journal = path / "writers/w0/0.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    first = next(line for line in lines if b'"no":0' in line and b"erased" in line)
    journal.write_bytes(b"".join(line for line in lines if line != first))
    with duckdb.connect(str(path / "audit.duckdb"), read_only=True) as database:
        assert database.execute("SELECT flow_id, prompt FROM turns ORDER BY seq").fetchall() == [
            ("erased", None), ("kept", "first, kept" * 20),
        ]  # fmt: skip


def test_what_is_not_selected_is_not_put_together(database: duckdb.DuckDBPyConnection) -> None:
    def plan(sql: str) -> str:
        return str(rows(database, f"EXPLAIN {sql}")[0][1])

    assert "string_agg" in plan("SELECT prompt FROM turns")
    for sql in (
        "SELECT model, input_tokens FROM turns ORDER BY ts DESC LIMIT 50",
        "SELECT name, count(*) FROM tool_calls GROUP BY ALL",
    ):
        assert "string_agg" not in plan(sql)


def test_findings_of_what_has_not_ended_and_of_old_records(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = await Recorder.open(tmp_path / "recordings", pace=STILL)
        await begin(recorder, "open", findings=[FOUND, FOUND], **_named(run()))
        await begin(recorder, "old", **_named(run()))  # from before begins had findings
        old = {"direction": "request", "location": "$.x", "entity_type": "PERSON", "detector": "y"}
        await end(recorder, "older", None, findings=[old], **_named(run()))
        await recorder.close()

    asyncio.run(main())
    with duckdb.connect(str(tmp_path / "recordings/audit.duckdb"), read_only=True) as database:
        found = "SELECT flow_id, entity_type, action, digest FROM findings ORDER BY ALL"
        assert rows(database, found) == [
            ("older", "PERSON", None, None), *[("open", "EMAIL_ADDRESS", "mask", "d")] * 2,
        ]  # fmt: skip
        assert rows(database, "SELECT findings FROM sessions") == [(3,)]
