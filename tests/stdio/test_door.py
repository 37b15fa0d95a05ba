"""What passes the door, what does not, and what is on record of both."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.approval.model import Kill, KillScope, State
from proctor.credentials.echo import ECHOED, Values
from proctor.errors import UpstreamError
from proctor.mcp.model import Standing
from proctor.model import Decision, Deny, Hold
from proctor.protocols.mcp.messages import PROTOCOL_VERSION
from proctor.stdio.door import MAX_OPEN
from proctor.stdio.lines import TooLong
from tests.support import screened
from tests.support.desks import NOW, terms
from tests.support.screened import BROKEN, MAIL
from tests.support.stdio import SERVER, ends, line, until

DENIED = Decision(verdict=Deny(rule_id="no-writes", reason="Nobody writes here."))
HELD = Decision(verdict=Hold(rule_id="look", reason="Somebody looks.", terms=(terms(),)))
ENDED = UpstreamError("mcp-server-ended", "The MCP server has ended")


def run(test: Any) -> None:
    asyncio.run(test())


def kill() -> Kill:
    return Kill(id="k_1", scope=KillScope.ALL, target="", reason="enough", by="carol", at=NOW)


def test_a_server_that_repeats_its_own_credential_is_cut_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = "sk-Zq81vT7hJ2mW9"

    async def main() -> None:
        async with ends(values=(Values({key: "files"}),)) as this:
            await this.call(path="a.txt")
            await this.answer(content=[{"type": "text", "text": f"KEY={key}."}])
            assert this.told[0]["result"]["content"][0]["text"] == f"KEY={'*' * len(key)}."
            assert key.encode() not in b"".join(this.store.contents)

    run(main)
    (said,) = [each for each in caplog.records if each.__dict__.get("event") == ECHOED]
    assert (said.__dict__["credential"], said.__dict__["host"]) == ("files", SERVER)


def test_a_request_and_its_answer() -> None:
    async def main() -> None:
        async with ends() as this:
            await this.call(path="a.txt")
            assert this.server == [
                line("tools/call", 1, name="read", arguments={"path": "a.txt"}) + b"\n"
            ]
            (begin,) = this.records("flow.begin")
            assert this.records("flow.end") == []
            assert (begin["method"], begin["scheme"], begin["host"]) == ("STDIO", "stdio", "files")
            assert (begin["path"], begin["session_id"]) == ("/tools/call", "run-1")
            await this.answer(content=[{"type": "text", "text": "hello"}])
            assert this.told[0]["result"]["content"][0]["text"] == "hello"
            (end,) = this.records("flow.end")
            (call,), (result,) = end["tools"], end["results"]
            assert (call["name"], call["source"], call["verdict"]) == (
                "mcp__files__read",
                "mcp",
                "allow",
            )
            assert this.content(call["input"]) == b'{"path": "a.txt"}'
            assert b"hello" in this.content(result["content"])
            assert call["id"] == result["tool_use_id"] == begin["flow_id"]
            assert this.door.idle

    run(main)


def test_the_models_name_of_a_call_is_kept() -> None:
    async def main() -> None:
        async with ends() as this:
            meta = {"claudecode/toolUseId": "toolu_1"}
            await this.ask("tools/call", name="read", arguments={}, _meta=meta)
            await this.answer(content=[])
            (end,) = this.records("flow.end")
            assert (end["tools"][0]["id"], end["results"][0]["tool_use_id"]) == ("toolu_1",) * 2

    run(main)


def test_what_a_rule_denies_does_not_reach_the_server() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["write"] = DENIED
            await this.call("write", text="x")
            assert this.server == []
            (told,) = this.told
            assert told["id"] == 1
            assert told["result"]["isError"] is True
            assert "Nobody writes here." in told["result"]["content"][0]["text"]
            (end,) = this.records("flow.end")
            assert (end["verdict"], end["rule_id"], end["begin_seq"]) == ("deny", "no-writes", None)
            assert [each["verdict"] for each in end["tools"]] == ["deny"]
            this.rules.said["tools/list"] = DENIED
            await this.ask("tools/list")
            assert this.told[0]["error"]["code"] == 451
            assert this.server == []

    run(main)


def test_what_is_held_waits_and_the_rest_goes_on() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["write"] = HELD
            await this.call("write", 1)
            (approval,) = await this.desk.pending()
            await this.call("read", 2)
            assert [each["id"] for each in this.reached] == [2]
            await this.desk.change(approval.id, State.APPROVED)
            await until(lambda: this.server)
            assert [each["id"] for each in this.reached] == [1]
            begin = this.records("flow.begin")[-1]
            assert (begin["verdict"], begin["approval_id"]) == ("hold", approval.id)
            assert this.desk.approvals[approval.id].state is State.USED
            await this.answer(1, content=[])
            assert this.records("flow.end")[-1]["tools"][0]["verdict"] == "hold"

    run(main)


def test_what_is_held_and_denied_is_told() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["write"] = HELD
            await this.call("write")
            (approval,) = await this.desk.pending()
            await this.desk.change(approval.id, State.DENIED, "not today")
            await until(lambda: this.client)
            assert "not today" in this.told[0]["result"]["content"][0]["text"]
            assert this.server == []
            assert this.door.idle

    run(main)


def test_a_held_call_that_is_cancelled_is_given_up() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["write"] = HELD
            await this.call("write", 7)
            (approval,) = await this.desk.pending()
            await this.door.client(line("notifications/cancelled", requestId=7))
            await until(lambda: this.door.idle)
            await until(lambda: this.desk.approvals[approval.id].state is State.CANCELLED)
            assert (this.client, this.server) == ([], [])

    run(main)


def test_a_call_that_is_cancelled_on_its_way_gets_no_answer() -> None:
    async def main() -> None:
        async with ends() as this:
            await this.call(number=7)
            await this.door.client(line("notifications/cancelled", requestId=7))
            assert [each["method"] for each in this.reached] == [
                "tools/call",
                "notifications/cancelled",
            ]
            await this.answer(7, content=[])
            assert this.client == []
            ended = [each["error"] for each in this.records("flow.end")]
            assert ended == [None, "The client cancelled it"]
            await this.call(number=7)  # the name is free again
            assert len(this.reached) == 1

    run(main)


def test_who_is_not_proved_reaches_nothing() -> None:
    async def main() -> None:
        async with ends() as this:
            this.token.token = "a stranger's"
            await this.call()
            await this.ask("initialize", 2)
            assert this.server == []
            call, first = this.told
            assert call["result"]["isError"] is True
            assert first["error"]["code"] == 401
            (end, _) = this.records("flow.end")
            assert (end["principal"], end["rule_id"]) == (None, "token-signature")

    run(main)


def test_somebody_elses_token_is_refused() -> None:
    async def main() -> None:
        async with ends() as this:
            this.token.token = "b"
            await this.call(number=1)
            assert len(this.reached) == 1
            this.door._caller._token = ""
            this.token.token = "a"
            await this.call(number=2)
            assert this.server == []
            assert "somebody else" in this.told[0]["result"]["content"][0]["text"]

    run(main)


def test_without_a_record_nothing_passes() -> None:
    async def main() -> None:
        async with ends() as this:
            this.store.broken = True
            await this.call()
            assert this.server == []
            assert this.told[0]["result"]["isError"] is True
            this.store.broken = False
            await this.call()
            this.store.broken = True
            await this.answer(content=[{"type": "text", "text": "secret"}])
            (told,) = this.told
            assert told["result"]["isError"] is True
            assert "secret" not in json.dumps(told)

    run(main)


@pytest.mark.parametrize(
    "part", ["mcp_actions", "cut_http", "pinned", "framed", "Answer", "kept_result"]
)
def test_whatever_raises_nothing_goes_on(
    part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def raises(*_args: Any, **_more: Any) -> None:
        raise RuntimeError(MAIL)

    async def main() -> None:
        async with ends(tmp_path) as this:
            for module in ("asking", "door"):
                if hasattr(__import__(f"proctor.stdio.{module}", fromlist=["x"]), part):
                    monkeypatch.setattr(f"proctor.stdio.{module}.{part}", raises)
            if part == "framed":
                with pytest.raises(RuntimeError):  # not even the refusal can be written
                    await this.call()
                assert (this.client, this.server) == ([], [])
                return
            await this.call()
            after = part in {"Answer", "kept_result"}
            assert bool(this.reached) is after
            if after:
                await this.answer(content=[{"type": "text", "text": "unseen"}])
            (told,) = this.told
            assert told["result"]["isError"] is True
            assert "unseen" not in json.dumps(told)
            assert MAIL not in json.dumps(told)
            assert MAIL not in json.dumps(this.store.appended)

    run(main)


@pytest.mark.parametrize(
    "said",
    [
        b"no json",
        b"[]",
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":\r{}\r}}',
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        b"\xff\xfe",
        TooLong(),
    ],
)
def test_what_is_no_message_is_answered_and_goes_no_further(said: bytes | TooLong) -> None:
    async def main() -> None:
        async with ends() as this:
            await this.door.client(said)
            assert this.server == []
            (told,) = this.told
            assert (told["id"], told["error"]["code"]) == (None, -32600)
            assert len(this.records("flow.end")) == 1

    run(main)


def test_a_name_in_use_is_refused() -> None:
    async def main() -> None:
        async with ends() as this:
            await this.call("read", 1)
            await this.call("write", 1)
            assert [each["params"]["name"] for each in this.reached] == ["read"]
            assert "error" in this.told[0]
            await this.answer(1, content=[])
            assert "result" in this.told[0]

    run(main)


def test_too_many_open_requests() -> None:
    async def main() -> None:
        async with ends() as this:
            for number in range(MAX_OPEN):
                this.door._open[number] = this.door._new()
            await this.call(number="one more")
            assert this.server == []
            assert len(this.client) == 1

    run(main)


def test_an_unknown_revision_is_named() -> None:
    async def main() -> None:
        async with ends() as this:
            await this.ask("server/discover", 3, _meta={PROTOCOL_VERSION: "2031-01-01"})
            (told,) = this.told
            assert (told["id"], told["error"]["code"]) == (3, -32022)
            assert "2026-07-28" in told["error"]["data"]["supported"]
            assert this.server == []

    run(main)


def test_strays_of_the_server_are_dropped() -> None:
    async def main() -> None:
        async with ends() as this:
            await this.call(number=1)
            await this.answer(2, content=[])
            await this.answer("1", content=[])
            await this.door.server(b"Listening on standard input")
            assert this.client == []
            await this.answer(1, content=[])
            await this.answer(1, content=[])
            assert len(this.client) == 1

    run(main)


@pytest.mark.parametrize("said", [TooLong(), b'{"id":1,"result":', b'{"id":1,\r"result":{}}'])
def test_an_unreadable_answer_fails_whoever_waits(said: bytes | TooLong) -> None:
    async def main() -> None:
        async with ends() as this:
            await this.call(number=1)
            await this.ask("tools/list", 2)
            await this.door.server(said)
            call, listed = this.told
            assert call["result"]["isError"] is True
            assert listed["error"]["code"] == 502
            assert all(each["error"] for each in this.records("flow.end"))
            await this.answer(1, content=[])
            assert this.client == []

    run(main)


def test_what_must_not_pass_is_taken_out_both_ways(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            await this.call(to=MAIL)
            assert MAIL.encode() not in this.server[0]
            await this.answer(
                content=[{"type": "text", "text": f"sent to {MAIL}"}],
                structuredContent={"to": MAIL},
            )
            assert MAIL.encode() not in this.client[0]
            assert MAIL.encode() not in b"".join(this.store.contents)
            (end,) = this.records("flow.end")
            assert {each["direction"] for each in end["findings"]} == {"request", "response"}
            assert set(end["receipt"]) == {"request", "response"}

    run(main)


def test_canaries_raise_alarms_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(screened._PATTERNS, "CANARY", re.compile("bait-[0-9]{6}"))

    async def main() -> None:
        async with ends(tmp_path) as this:
            await this.call(to="bait-123456")
            await this.answer(content=[{"type": "text", "text": "bait-654321"}])
            await until(lambda: len(this.records("event")) == 2)
            asked, answered = (each["detail"] for each in this.records("event"))
            assert (asked["direction"], answered["direction"]) == ("request", "response")
            assert asked["host"] == SERVER
            assert asked["seen_by"]
            assert asked["stopped"] is False
            assert "bait-" not in json.dumps([asked, answered])

    run(main)


def test_what_cannot_be_looked_at_does_not_leave(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            await this.call(text=BROKEN)
            assert this.server == []
            (told,) = this.told
            assert told["result"]["isError"] is True
            assert BROKEN.encode() not in b"".join(this.store.contents)
            await this.call(text="fine")
            await this.answer(content=[{"type": "text", "text": BROKEN}])
            assert BROKEN not in json.dumps(this.told)

    run(main)


def test_the_name_of_a_request_may_not_hold_what_is_taken_out(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            await this.call(number=MAIL)
            assert this.server == []
            assert this.door.idle

    run(main)


def test_the_servers_own_tokens_go_back_as_they_came(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            await this.ask("tools/list")
            await this.answer(tools=[], nextCursor=MAIL)
            assert this.told[0]["result"]["nextCursor"] == MAIL
            await this.ask("tools/list", cursor=MAIL)
            assert this.reached[-1]["params"]["cursor"] == MAIL
            await this.ask("tools/list", 2, cursor="other.one@acme.test")
            assert "other.one" not in json.dumps(this.reached)
            assert MAIL.encode() not in b"".join(this.store.contents)

    run(main)


def test_tools_that_may_not_be_called_are_not_listed() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.hidden.add("write")
            this.pins.stands["twisted"] = Standing.CHANGED
            await this.ask("tools/list")
            names = ("read", "write", "twisted", "read")
            await this.answer(tools=[{"name": name} for name in names])
            assert this.told[0]["result"]["tools"] == [{"name": "read"}]
            assert this.pins.studied == 1

    run(main)


def test_a_question_inside_of_an_answer_waits_for_a_human() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["elicitation/create"] = HELD
            await this.call(number=1)
            asked = {"why": {"method": "elicitation/create", "params": {"message": "Why?"}}}
            await this.answer(1, resultType="input_required", inputRequests=asked)
            (approval,) = await this.desk.pending()
            await this.ask("tools/list", 2)
            await this.answer(2, tools=[])
            assert [each["id"] for each in this.told] == [2]
            await this.desk.change(approval.id, State.APPROVED)
            await until(lambda: this.client)
            assert this.told[0]["result"]["inputRequests"] == asked
            decided = this.records("flow.end")[-1]["decisions"]
            assert [each["rule_id"] for each in decided] == ["look"]

    run(main)


def test_a_kill_ends_what_runs_and_what_waits() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["write"] = HELD
            await this.call("write", 1)
            await this.call("read", 2)
            await this.desk.pending()
            this.desk.kill = kill()
            this.door.kill(kill())
            await until(lambda: len(this.client) == 2)
            assert all("enough" in each["result"]["content"][0]["text"] for each in this.told)
            assert this.door.over.is_set()
            await this.answer(2, content=[])
            await this.call("read", 3)
            assert [each["id"] for each in this.told] == [3]
            assert [each["id"] for each in this.reached] == [2]

    run(main)


def test_the_end_answers_whoever_waits() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["write"] = HELD
            await this.call("write", 1)
            await this.call("read", 2)
            await this.desk.pending()
            await this.door.close(ENDED)
            assert sorted(each["id"] for each in this.told) == [1, 2]
            assert len(this.records("flow.end")) == 2

    run(main)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: json.dumps(text).encode()))
def test_no_bytes_of_either_side_upset_it(said: bytes) -> None:
    async def main() -> None:
        async with ends() as this:
            await this.door.client(said)
            await this.door.server(said)
            assert this.server == []
            assert len(this.client) == 1

    run(main)
