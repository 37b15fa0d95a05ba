"""One message of the server's, judged and redacted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proctor.errors import InternalError, ProctorError
from proctor.model import Decision, Deny
from proctor.protocols.mcp.messages import Message, read
from proctor.stdio.answering import Answer
from proctor.stdio.asking import Given
from proctor.stdio.exchange import Exchange
from tests.support.desks import NOW
from tests.support.parts import ALICE
from tests.support.screened import MAIL
from tests.support.stdio import Ends, ends, line

ASKED = read(line("tools/list", 1))


def exchange(this: Ends) -> Exchange:
    made = Exchange(flow_id="f", listener="stdio", server="files", started_at=NOW)
    made.principal = ALICE
    made.ruling = this.house.gate.decide(ALICE, None, ())
    return made


def answer(this: Ends, said: bytes, request: Message | None = ASKED) -> Answer:
    return Answer(this.house, Given(), exchange(this), request, read(said))


def run(test: Any) -> None:
    asyncio.run(test())


def test_what_nobody_changes_passes_as_it_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            said = b'{"jsonrpc": "2.0", "id": 1, "result": { "tools": [] }}'
            made = answer(this, said)
            out = await made.start()
            assert (out.client, out.record, made.waits) == (said, said, False)
            assert made.receipt.looked > 0
            assert made.findings == ()

    run(main)


def test_what_is_found_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            said = b'{"jsonrpc":"2.0","id":1,"result":{"text":"%s"}}' % MAIL.encode()
            made = answer(this, said)
            out = await made.start()
            assert MAIL.encode() not in out.client + out.record
            assert [each.type for each in made.findings] == ["EMAIL_ADDRESS"]

    run(main)


def test_an_answer_to_another_request() -> None:
    async def main() -> None:
        async with ends() as this:
            made = answer(this, b'{"jsonrpc":"2.0","id":2,"result":{}}')
            with pytest.raises(ProctorError, match="not asked"):
                await made.start()

    run(main)


def test_a_denied_question() -> None:
    async def main() -> None:
        async with ends() as this:
            this.rules.said["roots/list"] = Decision(verdict=Deny(rule_id="no", reason="No."))
            made = answer(this, line("roots/list", 5), None)
            await made.start()
            assert made.denied
            assert made.denied.message == "No."

    run(main)


def test_what_nobody_decided_about_has_no_answer() -> None:
    async def main() -> None:
        async with ends() as this:
            made = exchange(this)
            made.ruling = None
            with pytest.raises(InternalError):
                Answer(this.house, Given(), made, ASKED, ASKED)

    run(main)
