"""What a human accepts is what is called: definitions that changed, values that are hidden."""

import asyncio
import json
from pathlib import Path
from typing import Any

from proctor.approval.model import State
from proctor.mcp.model import Pin
from proctor.model import Decision, Hold
from proctor.protocols.mcp.messages import read
from proctor.stdio.asking import Given
from tests.support.desks import NOW, terms
from tests.support.screened import MAIL
from tests.support.stdio import Ends, ends, line, until

HELD = Decision(verdict=Hold(rule_id="look", reason="Somebody looks.", terms=(terms(),)))
BEFORE, AFTER = {"name": "read", "description": "Reads."}, {"name": "read", "description": "Other."}


def run(test: Any) -> None:
    asyncio.run(test())


def twist(this: Ends) -> None:
    """The tool `read` is described otherwise than when it was accepted."""
    this.pins.known["read"] = Pin(
        server="files",
        tool="read",
        accepted="one",
        seen="two",
        accepted_text=json.dumps(BEFORE),
        newest_text=json.dumps(AFTER),
        first_seen=NOW,
        changed_at=NOW,
    )


def test_a_changed_definition_is_shown_and_accepted_with_the_call() -> None:
    async def main() -> None:
        async with ends(reviewers=("sec",)) as this:
            twist(this)
            await this.call("read")
            (approval,) = await this.desk.pending()
            assert (this.server, this.client) == ([], [])
            part = approval.asking.card.parts[0]
            assert (part.name, part.kind) == ("definition", "diff")
            assert "Other." in part.text
            await this.desk.change(approval.id, State.APPROVED)
            await until(lambda: this.server)
            assert this.pins.accepted == [("read", "two", f"approval {approval.id}")]
            this.server.clear()
            await this.call("read", 2)
            assert len(this.server) == 1  # it is the accepted one by now

    run(main)


def test_without_reviewers_a_changed_definition_is_denied() -> None:
    async def main() -> None:
        async with ends() as this:
            twist(this)
            await this.call("read")
            assert this.server == []
            assert this.told[0]["result"]["isError"] is True

    run(main)


def test_a_card_hides_what_is_taken_out(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            this.rules.said["send"] = this.rules.said["resources/read"] = HELD
            await this.call("send", 1, to=MAIL)
            await this.ask("resources/read", 2, uri=f"mail://{MAIL}")
            call, reading = await this.desk.pending(2)
            assert call.asking.card.title == "mcp__files__send"
            assert reading.asking.card.title == "files resources/read"
            for each in (call, reading):
                assert MAIL not in repr(each.asking.card)
            await this.door.close(RuntimeError())  # type: ignore[arg-type]  # nobody is told

    run(main)


def test_given_tokens_are_known_again() -> None:
    given = Given()
    answer = read(b'{"jsonrpc":"2.0","id":1,"result":{"nextCursor":"real"}}')
    clean = b'{"jsonrpc":"2.0","id":1,"result":{"nextCursor":"masked"}}'
    assert json.loads(given.out(answer, clean))["result"]["nextCursor"] == "real"
    for cursor, expected in (("real", "real"), ("other", "masked")):
        asked = read(line("tools/list", 1, cursor=cursor))
        back = given.back(asked, line("tools/list", 1, cursor="masked"))
        assert json.loads(back)["params"]["cursor"] == expected
