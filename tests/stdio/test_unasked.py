"""What a server says unasked is one exchange, judged like answers are."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.model import State
from proctor.errors import UpstreamError
from proctor.model import Decision, Deny, Hold
from proctor.stdio import unasked
from tests.support.desks import terms
from tests.support.screened import MAIL
from tests.support.stdio import Ends, ends, line, until

DENIED = Decision(verdict=Deny(rule_id="no", reason="Nobody samples here."))
HELD = Decision(verdict=Hold(rule_id="look", reason="Somebody looks.", terms=(terms(),)))
ENDED = UpstreamError("mcp-server-ended", "The MCP server has ended")
SAMPLE = line("sampling/createMessage", 9, messages=[], maxTokens=5)
PROGRESS = line("notifications/progress", progressToken=1, progress=1)


def run(test: Any) -> None:
    asyncio.run(test())


async def begun(this: Ends) -> None:
    """The client has come, and nothing of that is in the way."""
    await this.door.client(line("notifications/initialized"))
    this.store.appended.clear()
    this.server.clear()


def test_before_anyone_has_come_nothing_passes() -> None:
    async def main() -> None:
        async with ends() as this:
            await this.door.server(PROGRESS)
            await this.door.server(SAMPLE)
            assert this.client == []
            assert [each["id"] for each in this.reached] == [9]
            assert this.store.appended == []

    run(main)


def test_all_of_it_is_one_exchange() -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            await this.door.server(PROGRESS)
            await this.door.server(line("notifications/message", level="info", data="hello"))
            assert len(this.told) == 2
            (begin,) = this.records("flow.begin")
            assert begin["path"] == "/GET"
            assert this.records("flow.end") == []
            await this.door.close(ENDED)
            (end,) = this.records("flow.end")
            assert b"hello" in this.content(end["response"])

    run(main)


def test_where_rules_deny_it_nothing_of_it_passes() -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            this.rules.said["GET"] = DENIED
            for _ in range(3):
                await this.door.server(PROGRESS)
            await this.door.server(SAMPLE)
            assert this.client == []
            assert this.reached[0]["error"]["code"] == 451
            (end,) = this.records("flow.end")  # once is enough
            assert end["verdict"] == "deny"

    run(main)


def test_a_question_is_passed_and_only_its_answer_comes_back() -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            said = json.dumps({"jsonrpc": "2.0", "id": 9, "result": {"role": "assistant"}}).encode()
            await this.door.client(said)
            assert this.server == []
            await this.door.server(SAMPLE)
            assert this.told[-1]["method"] == "sampling/createMessage"
            await this.door.client(said)
            await this.door.client(said)
            assert len(this.reached) == 1

    run(main)


def test_a_denied_question_is_answered_for_the_client() -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            this.rules.said["sampling/createMessage"] = DENIED
            await this.door.server(SAMPLE)
            assert this.client == []
            (told,) = this.reached
            assert told["id"] == 9
            assert "Nobody samples here." in told["error"]["message"]
            await this.door.close(ENDED)
            (end,) = this.records("flow.end")
            assert [each["verdict"] for each in end["decisions"]] == ["deny"]

    run(main)


def test_a_denied_answer_is_told_to_the_server() -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            this.rules.said["response"] = DENIED
            await this.door.server(SAMPLE)
            await this.door.client(b'{"jsonrpc":"2.0","id":9,"result":{"role":"assistant"}}')
            (told,) = this.reached
            assert (told["id"], told["error"]["code"]) == (9, 451)

    run(main)


@pytest.mark.parametrize("state", [State.APPROVED, State.DENIED])
def test_a_held_question_waits_beside_the_rest(state: State) -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            this.rules.said["sampling/createMessage"] = HELD
            await this.door.server(SAMPLE)
            (approval,) = await this.desk.pending()
            await this.door.server(PROGRESS)
            assert [each["method"] for each in this.told] == ["notifications/progress"]
            await this.desk.change(approval.id, state)
            await until(lambda: this.client or this.server)
            asked = [each["method"] for each in this.told]
            assert asked == (["sampling/createMessage"] if state is State.APPROVED else [])
            assert len(this.reached) == (state is State.DENIED)

    run(main)


def test_what_must_not_pass_is_taken_out(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            await begun(this)
            await this.door.server(line("notifications/message", level="info", data=MAIL))
            assert MAIL.encode() not in this.client[0]
            await this.door.close(ENDED)
            (end,) = this.records("flow.end")
            assert MAIL.encode() not in b"".join(this.store.contents)
            assert [each["entity_type"] for each in end["findings"]] == ["EMAIL_ADDRESS"]
            assert end["receipt"]["response"]["looked"] > 0

    run(main)


def test_once_the_token_is_no_good_nothing_passes() -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            await this.door.server(PROGRESS)
            this.door._caller._token = ""
            this.token.token = "stranger"
            await this.door.server(PROGRESS)
            assert len(this.client) == 1

    run(main)


def test_without_a_record_nothing_passes() -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            this.store.broken = True
            await this.door.server(PROGRESS)
            assert this.client == []

    run(main)


def test_a_server_that_asks_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with ends() as this:
            await begun(this)
            monkeypatch.setattr(unasked, "MAX_ASKED", 2)
            for number in range(3):
                await this.door.server(line("roots/list", number))
            assert [each["id"] for each in this.told] == [0, 1]
            assert [each["id"] for each in this.reached] == [2]

    run(main)
