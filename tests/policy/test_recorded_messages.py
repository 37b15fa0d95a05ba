"""Messages of WebSockets in a backtest: as rules saw them, as far as they are kept."""

from pathlib import Path

import pytest

from proctor.model import ActionKind, Finding
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.policy.recorded import Recorded
from proctor.policy.recordedrows import recorded_cases
from tests.support.judged import rules
from tests.support.recorded import record
from tests.support.talked import FLOW, talked

RULES = """\
rules:
  - {id: talk, on: ws.message, then: allow}
  - id: subscribing
    on: ws.message
    when: 'has(ws.json.op) && ws.json.op == "subscribe"'
    then: deny
  - {id: bytes, on: ws.message, then: deny, when: 'ws.type == "binary"'}
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    store = record(tmp_path_factory.mktemp("messages") / "r", talked)
    cases = recorded_cases(store, FLOW)
    return [each for each in cases if each.case.action.kind is ActionKind.WS_MESSAGE]


def test_what_rules_saw_of_a_message_is_known(found: list[Recorded]) -> None:
    seen = [each.case.action.ws for each in found]
    told = [(ws.direction, ws.type, ws.json) for ws in seen if ws]
    assert told == [
        ("client", "text", {"op": "subscribe"}),
        *[(who, "text", None) for who in ("server", "client", "server")],
        ("client", "binary", None),
        ("server", "text", None),
        ("client", "text", "drop"),
    ]
    for each in found:
        assert not {"ws.direction", "ws.type", "findings"} & set(each.hidden)
        assert "http.headers" in each.hidden
    assert (found[-1].verdict, found[-1].rule_id) == ("deny", "no-drop")
    http = found[0].case.action.http
    assert http is not None
    assert (http.method, http.host, http.path) == ("GET", "feed.internal", "/v1/feed")


def test_what_was_not_kept_is_not_known(found: list[Recorded]) -> None:
    assert [each.case.action.ws for each in found if "ws.json" in each.hidden] == [
        found[3].case.action.ws
    ]


def test_what_was_found_is_known_and_that_it_was_taken_out(found: list[Recorded]) -> None:
    assert [each.cut for each in found] == [False, False, True, *[False] * 4]
    assert found[2].case.findings == (
        Finding(type="API_KEY", location="message", direction="request", score=1.0),
    )


def test_changed_rules_are_asked_of_them(tmp_path: Path, found: list[Recorded]) -> None:
    policy = load_policy(rules(tmp_path, RULES), features=Features(kinds=frozenset(ActionKind)))
    verdicts = [policy.decide(each.case).verdict.rule_id for each in found]
    assert verdicts == ["subscribing", *["talk"] * 3, "bytes", "talk", "subscribing"]
