"""Who is at the other end, and in which run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proctor.errors import AuthenticationError, RefusedError
from proctor.protocols.mcp.messages import read
from proctor.stdio.caller import Caller
from tests.support.parts import ALICE
from tests.support.screened import MAIL
from tests.support.stdio import ends, line

INFO = {"name": "claude-code", "version": "2.1.330"}


def run(test: Any) -> None:
    asyncio.run(test())


def test_a_token_is_read_again_when_it_is_no_good_any_more() -> None:
    async def main() -> None:
        async with ends() as this:
            caller = Caller(this.house)
            this.token.token = "stranger"
            with pytest.raises(AuthenticationError):
                await caller.admit()
            this.token.token = "a"
            assert await caller.admit() == ALICE
            this.token.token = "stranger"
            assert await caller.admit() == ALICE  # what holds is not read again

    run(main)


def test_whoever_comes_first_stays() -> None:
    async def main() -> None:
        async with ends() as this:
            caller = Caller(this.house)
            this.token.token = "b"
            await caller.admit()
            this.token.token = "a"
            with pytest.raises(RefusedError, match="somebody else"):
                await caller.admit()

    run(main)


@pytest.mark.parametrize(
    "message",
    [
        line("initialize", 1, clientInfo=INFO),
        line("tools/list", 1, _meta={"io.modelcontextprotocol/clientInfo": INFO}),
    ],
)
def test_the_run_and_the_client(message: bytes) -> None:
    async def main() -> None:
        async with ends() as this:
            caller = Caller(this.house)
            session = caller.session(ALICE, read(message))
            assert session
            assert (session.id, session.client) == ("run-1", "claude-code/2.1.330")
            assert session.correlated_by == "environment"
            later = caller.session(ALICE, read(line("ping", 2)))
            assert later
            assert later.client == "claude-code/2.1.330"

    run(main)


def test_without_a_name_the_run_is_the_models_call() -> None:
    async def main() -> None:
        async with ends(session="") as this:
            caller = Caller(this.house)
            assert caller.session(ALICE, None) is None
            known = this.house.gate.session(ALICE, "run-7")
            this.house.gate.called(ALICE, known, "toolu_1")
            meta = {"claudecode/toolUseId": "toolu_1"}
            found = caller.session(ALICE, read(line("tools/call", 1, name="x", _meta=meta)))
            assert found
            assert (found.id, found.correlated_by) == ("run-7", "tool_use")

    run(main)


@pytest.mark.parametrize("name", ["a\nb", "x" * 201, MAIL])
def test_names_that_the_record_does_not_take(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with ends(tmp_path, session=name) as this:
            assert Caller(this.house).session(ALICE, None) is None

    run(main)


def test_a_client_that_says_too_much(tmp_path: Path) -> None:
    async def main() -> None:
        async with ends(tmp_path) as this:
            info = {"name": MAIL, "version": "1"}
            session = Caller(this.house).session(ALICE, read(line("ping", 1, clientInfo=info)))
            assert session is None

    run(main)
