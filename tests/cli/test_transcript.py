"""Parts of a transcript that the golden files of test_show.py do not have."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from proctor.audit.answers import Said, ServerCall
from proctor.audit.exchanges import Exchange
from proctor.audit.reader import Content
from proctor.audit.turns import Call, Result, Totals, Turn
from proctor.cli.screen import put, screen
from proctor.cli.transcript import Transcript
from tests.support.recorded import START

TOTALS = Totals(
    session_id=None, principal=None, subject=None, groups=(), client="", started_at=START,
    ended_at=START, runs=1, exchanges=1, turns=1, outside=0, statements=0,
    tool_calls=0, refused=0,
    input_tokens=0, output_tokens=0, cache_read_tokens=0, cache_write_tokens=0,
)  # fmt: skip
EXCHANGE = Exchange(
    writer="w0", seq=0, flow_id="f", session_id="s", principal="i#a", subject="a", groups=(),
    client="", run=None, listener="l", correlated_by="header", protocol="h2", method="POST",
    scheme="https", host="api.example", port=443, path="/v1/messages?x=1", status=200,
    request_bytes=1, response_bytes=1, started_at=START, ended=START + timedelta(seconds=1),
    ended_at=START + timedelta(seconds=1), verdict="allow", rule_id="r", reason="", observed=(),
    passed=False, approval_id=None, kinds=("llm.request",), policy_version="v",
    record="full", error=None, coverage="full", model="m", request_class="messages",
    stop_reason=None, input_tokens=0, output_tokens=0, cache_read_tokens=0, cache_write_tokens=0,
    tools=(), results=(), outcomes=(), prompt=None, output=None, request=None, response=None,
)  # fmt: skip


def of(text: str) -> Content:
    return Content(text=text, size=len(text.encode()))


def call(arguments: object, name: str = "Bash", **more: Any) -> Call:
    return Call(
        id="t",
        name=name,
        source=more.pop("source", "llm"),
        input=of(arguments if isinstance(arguments, str) else json.dumps(arguments)),
        verdict=more.pop("verdict", "allow"),
        rule_id=more.pop("rule_id", None),
        result=more.pop("result", None),
    )


def shown(
    *parts: Said | ServerCall | Call,
    whole: bool = False,
    exchange: Exchange = EXCHANGE,
    **more: Any,
) -> str:
    fields: dict[str, Any] = {
        "seconds": 1.0, "pause": None, "beside": (), "new_run": False, "same_as": None,
    }  # fmt: skip
    turn = Turn(number=1, exchange=exchange, parts=parts, **fields | more)
    out = io.StringIO()
    transcript = Transcript(totals=TOTALS, whole=whole, day=START.date())
    put(screen(out, 100), transcript.turn(turn))
    return out.getvalue()


def test_the_head_of_what_has_no_session() -> None:
    out = io.StringIO()
    put(screen(out, 60), Transcript(totals=TOTALS, whole=False).head())
    assert "an exchange of no session" in out.getvalue()
    assert "nobody proved" in out.getvalue()


def test_a_long_command_is_cut_and_its_rest_counted() -> None:
    command = "\n".join(f"echo {n}" for n in range(100))
    assert "more characters; --full shows them" in shown(call({"command": command}))
    assert "echo 99" not in shown(call({"command": command}))
    assert "echo 99" in shown(call({"command": command}), whole=True)


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({}, "{}"),
        ("not json", "not json"),
        ([1, 2], "[1, 2]"),
        ({"command": 5}, '{"command": 5}'),
        ({"command": "a\ud800b"}, "a\\ud800b"),
        ("[" * 100_000, "more characters"),
    ],
)
def test_inputs_of_any_shape(arguments: object, seen: str) -> None:
    assert seen in shown(call(arguments))


def test_verdicts() -> None:
    text = shown(call({}, verdict="deny", rule_id="no-rm"), call({}, source="mcp"))
    assert "deny by no-rm" in text
    assert "mcp, allow" in text


def test_a_result_without_content_and_one_erased() -> None:
    empty = Result(tool_use_id="t", content=None, is_error=False, turn=2, after=1.0)
    gone = replace(empty, content=Content(size=3, omitted=3, erased=True), is_error=True)
    text = shown(call({}, result=empty), call({}, result=gone))
    assert "in turn 2, 1.0 s later  no content" in text
    assert "erased from the record" in text


def test_erased_words() -> None:
    gone = Content(size=3, omitted=3, erased=True)
    text = shown(Said(kind="text", content=gone), prompt=gone)
    assert text.count("erased from the record") == 2


def test_calls_at_the_provider() -> None:
    text = shown(
        ServerCall(name="web_search", server="", input=of('{"query": "x"}')),
        ServerCall(name="find", server="jira", input=of("{}")),
        Said(kind="web_search_tool_result", content=of("")),
    )
    assert "web_search  run at the provider" in text
    assert "find  run on jira" in text
    assert "[web_search_tool_result]" in text


def test_a_reminder_is_folded_and_shown_in_full() -> None:
    prompt = of("<system-reminder>secret</system-reminder>hello<system-reminder>open")
    folded = shown(prompt=prompt)
    assert "secret" not in folded
    assert "[system reminder, 41 characters]hello[system reminder, 21" in folded
    assert "<system-reminder>secret" in shown(prompt=prompt, whole=True)


def test_a_turn_sent_again() -> None:
    assert "hello" not in shown(prompt=of("hello"), same_as=3)
    assert "hello" in shown(prompt=of("hello"), same_as=3, whole=True)


def test_a_refusal_before_the_rules() -> None:
    exchange = replace(
        EXCHANGE, verdict="deny", rule_id="body-not-json", reason="No JSON.", policy_version="",
        record="metadata", model=None, status=400,
    )  # fmt: skip
    text = shown(exchange=exchange)
    assert "POST /v1/messages ─" in text
    assert "refused before the rules were asked" in text
    assert "by body-not-json: No JSON." in text
    assert "refused in 1.0 s · status 400" in text


def test_another_day_and_global_observe() -> None:
    exchange = replace(EXCHANGE, started_at=START + timedelta(days=1), passed=True)
    text = shown(exchange=exchange)
    assert "2026-01-03 03:04:05" in text
    assert "allow by r, by global observe" in text
