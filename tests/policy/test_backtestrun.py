"""A backtest over a real record: alone, in worker processes, and for the console."""

import io
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.errors import ClientError, ConfigurationError
from proctor.policy import backtestjob, backtestrun
from proctor.policy.backtest import Change
from proctor.policy.backtestrun import Job, backtest
from proctor.policy.features import Features
from tests.support.judged import START, Desk, judged, rules
from tests.support.parts import BOB

OLD = """
rules:
  - {id: all, on: [llm.request, llm.tool_use, mcp.call, http.request], then: allow}
  - {id: rm, on: llm.tool_use, match: "Bash(rm *)", then: hold, approval: {from: [ops]}}
"""
NEW = """
rules:
  - {id: all, on: [llm.request, llm.tool_use, mcp.call, http.request], then: allow}
  - {id: rm, on: llm.tool_use, match: "Bash(rm *)", then: hold, approval: {from: [ops], count: 2}}
  - {id: evil, on: http.request, when: 'http.host == "evil.example"', then: deny}
  - {id: json, on: http.request, when: 'has(http.json.x) && http.json.x == 1', then: deny}
  - {id: jira, on: mcp.call, match: 'mcp__jira__create(project:SEC*)', then: deny}
  - id: late
    on: llm.tool_use
    when: session.turns == 1 && session.repository == "/r" && tool.name == "Write"
    then: deny
"""


async def play(desk: Desk) -> None:
    await desk.turn(("Bash", {"command": "rm x"}), ("Write", {"file_path": "/x"}), folder="/r")
    await desk.turn(("Bash", {"command": "rm x"}), ("Write", {"file_path": "/x"}), folder="/r")
    await desk.http("GET", "evil.example", "/", principal=BOB)
    await desk.http("POST", "ok.example", "/", body=b'{"x": 1}', content_type="application/json")
    await desk.mcp("jira", "create", {"project": "SEC-1"})
    desk.seen = False
    await desk.http("POST", "ok.example", "/", body=b'{"x": 1}', content_type="application/json")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("backtest")
    then = rules(folder / "rules", OLD)
    return Job(
        recordings=judged(folder / "recordings", then, play),
        rules=rules(folder / "new", NEW),
        now=then,
        features=Features(),
        features_now=Features(),
        since=START - timedelta(days=1),
        until=START + timedelta(days=1),
    )


CHANGES = {Change.SAME: 5, Change.DENIED: 4, Change.UNKNOWN: 1}


def test_the_whole_of_it(job: Job) -> None:
    seen: list[tuple[int, int]] = []
    report = backtest(job, lambda done, of: seen.append((done, of)))
    assert dict(report.changes) == CHANGES
    assert {row.rule for row in report.rows} == {"evil", "json", "jira", "late"}
    assert report.settings == (("rm", "count", "1", "2"),)
    assert (report.load.asks, report.load_then.asks, dict(report.load.groups)) == (1, 1, {"ops": 2})
    assert report.lacking == {"http.json is not on record": 1}
    assert report.decide_us is not None
    assert seen == [(0, 1), (1, 1)]
    json.dumps(report.as_json())


def test_the_same_in_worker_processes(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtestrun, "ALONE", 0)
    report = backtest(job, workers=2)
    assert dict(report.changes) == CHANGES
    assert report.load.asks == 1


def test_a_limit_of_time(job: Job) -> None:
    with pytest.raises(ClientError) as caught:
        backtest(job, seconds=0)
    assert caught.value.code == "backtest-too-long"


def test_wrong_rules_and_no_record(job: Job, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        backtest(replace(job, rules=tmp_path))
    with pytest.raises(ConfigurationError, match="no record"):
        backtest(replace(job, recordings=tmp_path))
    # Rules in force that are broken keep nobody from trying better ones.
    assert dict(backtest(replace(job, now=tmp_path)).changes) == CHANGES


def test_a_span_without_records(job: Job) -> None:
    report = backtest(replace(job, since=START + timedelta(hours=1)))
    assert (report.actions, report.rows, report.load.asks) == (0, (), 0)


def test_a_process_of_its_own(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backtestjob.read(backtestjob.order(job, 5.0)) == (job, 5.0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(backtestjob.order(job, 60.0))))
    backtestjob.main()
    *steps, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert steps == [{"done": 0, "of": 1}, {"done": 1, "of": 1}]
    assert last["report"]["changes"]["newly-denied"] == 4
    assert last["report"]["words"]
