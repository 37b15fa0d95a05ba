"""The real Claude Code through proctor: tools really run, refusals read, the record asked."""

import json
import uuid
from pathlib import Path

import pytest

from proctor.testing.gateway import Gateway
from proctor.testing.standin import StandIn
from tests.e2e.conftest import ClaudeCode
from tests.support.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def work(claude_code: ClaudeCode, name: str) -> Path:
    return claude_code.folder / "work" / name


def test_tools_really_run_and_are_on_record(
    claude_code: ClaudeCode, home: Installation, standin: StandIn
) -> None:
    session_id = str(uuid.uuid4())
    work(claude_code, "notes.txt").write_text("remember the lemons\n")
    token = home.token()
    first = claude_code.run(
        "--session-id", session_id, "run: echo really ran | tee made.txt", token=token
    )
    assert (first.returncode, first.stdout) == (0, "The tool said: really ran\n"), first.stderr
    assert work(claude_code, "made.txt").read_text() == "really ran\n"
    prompt = f"read: {work(claude_code, 'notes.txt')}"
    second = claude_code.run("--resume", session_id, prompt, token=token)
    assert "remember the lemons" in second.stdout, second.stderr
    assert standin.leaks == []

    tools = home.query(
        "select name, input, result, is_error, verdict from tool_calls"
        " where session_id = $session order by seq",
        session_id,
    )
    assert [tool["name"] for tool in tools] == ["Bash", "Read"]
    assert json.loads(tools[0]["input"])["command"] == "echo really ran | tee made.txt"
    assert tools[0]["result"] == "really ran"
    assert "remember the lemons" in tools[1]["result"]
    assert not any(tool["is_error"] for tool in tools)
    turns = home.query(
        "select prompt, stop_reason from turns where session_id = $session order by seq", session_id
    )
    assert [turn["stop_reason"] for turn in turns] == ["tool_use", "end_turn"] * 2
    assert "run: echo really ran" in turns[0]["prompt"]
    (session,) = home.query("select * from sessions where session_id = $session", session_id)
    assert session["client"].startswith("claude-cli/")
    assert (session["turns"], session["tool_calls"], session["denied"]) == (4, 2, 0)
    bodies = home.query(
        "select request_body from turns where session_id = $session order by seq", session_id
    )
    sent = [request.body.decode() for request in standin.requests]
    assert [row["request_body"] for row in bodies] == sent


def test_the_token_is_nowhere_in_the_record(
    claude_code: ClaudeCode, gateway: Gateway, home: Installation
) -> None:
    token = home.token()
    assert claude_code.run("say: hello", token=token).returncode == 0
    signature = token.rsplit(".", 1)[1].encode()
    for path in (home.folder / "recordings").rglob("*"):
        assert not path.is_file() or signature not in path.read_bytes(), path
    assert signature.decode() not in json.dumps(gateway.log)


def test_a_denied_web_search_reads_well_and_the_session_goes_on(
    claude_code: ClaudeCode, home: Installation, standin: StandIn
) -> None:
    session_id = str(uuid.uuid4())
    done = claude_code.run(
        "--session-id",
        session_id,
        'call: WebSearch {"query": "lemons"}',
        token=home.token(),
        tools="WebSearch",
    )
    assert done.returncode == 0, done.stderr
    assert "proctor" in done.stdout
    assert "no-web-search" in done.stdout
    assert all(b"web_search_2" not in request.body for request in standin.requests)
    (row,) = home.query(
        "select count(*) as n from flows where session_id = $session and verdict = 'deny'",
        session_id,
    )
    assert row["n"] == 1


def test_no_token(claude_code: ClaudeCode, standin: StandIn) -> None:
    done = claude_code.run("say: hello", token="not-a-token")
    assert done.returncode == 1
    assert "Failed to authenticate" in done.stdout + done.stderr
    assert "proctor" in done.stdout + done.stderr
    assert not standin.requests


def test_an_expired_token_ends_at_once(
    claude_code: ClaudeCode, home: Installation, standin: StandIn
) -> None:
    before = len(home.query("select seq from flows where status = 401"))
    done = claude_code.run("say: hello", token=home.token(age=3600, ttl=600))
    assert done.returncode == 1
    assert "expired" in done.stdout + done.stderr
    assert len(home.query("select seq from flows where status = 401")) == before + 1
    assert not standin.requests


def test_an_expired_token_makes_its_helper_fetch_a_fresh_one(
    claude_code: ClaudeCode, home: Installation, standin: StandIn
) -> None:
    # Claude Code asks its apiKeyHelper again after a 401 even when told not to retry, so the
    # refusal of an expired token needs no exception, and a fixed token fails at once.
    settings = claude_code.helper([home.token(age=3600, ttl=600), home.token()])
    done = claude_code.run("--settings", settings, "say: fresh", token=None)
    assert (done.returncode, done.stdout) == (0, "fresh\n"), done.stderr
    assert claude_code.helper_runs() == 2
    assert len(standin.requests) == 1


def test_a_model_that_a_rule_denies(claude_code: ClaudeCode, home: Installation) -> None:
    rule = home.folder / "rules/team.yaml"
    rule.write_text(
        "rules:\n"
        "  - id: no-mythos\n"
        "    on: llm.request\n"
        "    when: llm.model.startsWith('claude-mythos')\n"
        "    then: deny\n"
        "    reason: The large model is not for this team.\n"
    )
    try:
        with_rule = home.start()
        try:
            here = ClaudeCode(folder=claude_code.folder, url=with_rule.url("claude"))
            done = here.run("--model", "claude-mythos-5-2", "say: hello", token=home.token())
        finally:
            with_rule.terminate()
            with_rule.wait()
    finally:
        rule.unlink()
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "The large model is not for this team." in said
    assert "no-mythos" in said
