"""What ends a run, whichever side goes first."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from proctor.errors import ProctorError
from proctor.stdio.serving import STOPPED, Run


class Side:
    """What both ends look like from here; a test says what comes."""

    def __init__(self) -> None:
        self.coming: asyncio.Queue[bytes] = asyncio.Queue()
        self.over = asyncio.Event()
        self.gone = asyncio.Event()
        self.took: list[tuple[str, Any]] = []
        self.output = self
        self.broken = False

    async def read(self, _size: int = 0) -> bytes:
        return await self.coming.get()

    async def drain(self) -> None:
        if self.broken:
            raise ConnectionError

    def close_input(self) -> None:
        self.coming.put_nowait(b"")

    async def ended(self) -> int:
        await self.gone.wait()
        return 7

    async def stop(self, grace: float = 0) -> int:
        self.coming.put_nowait(b"")
        return 7

    async def client(self, line: Any) -> None:
        self.took.append(("client", line))

    async def server(self, line: Any) -> None:
        self.took.append(("server", line))

    def stop_waiting(self, why: Any) -> None:
        self.took.append(("why", why.name))

    async def close(self, error: ProctorError) -> None:
        self.took.append(("closed", error.code))


def run(act: Callable[[Side, Side], None]) -> tuple[int, list[tuple[str, Any]]]:
    async def main() -> tuple[int, list[tuple[str, Any]]]:
        client, child, door = Side(), Side(), Side()
        child.over = door.over
        act(client, child)
        async with asyncio.timeout(30):
            status = await Run(door, client, child).run()  # type: ignore[arg-type]  # stand-ins
        return status, door.took

    return asyncio.run(main())


def test_the_client_goes() -> None:
    def act(client: Side, _child: Side) -> None:
        client.coming.put_nowait(b"one\ntw")
        client.coming.put_nowait(b"o")
        client.coming.put_nowait(b"")

    status, took = run(act)
    assert status == 7
    assert took == [
        ("client", b"one"),
        ("client", b"two"),
        ("why", "GONE"),
        ("closed", "mcp-server-ended"),
    ]


@pytest.mark.parametrize("by", ["output", "exit"])
def test_the_server_goes(by: str) -> None:
    def act(_client: Side, child: Side) -> None:
        child.coming.put_nowait(b"said\n")
        if by == "exit":
            child.gone.set()
        else:
            child.coming.put_nowait(b"")

    status, took = run(act)
    assert status == 7
    assert ("server", b"said") in took
    assert took[-1] == ("closed", "mcp-server-ended")


def test_it_is_stopped_by_hand() -> None:
    status, took = run(lambda _client, child: child.over.set())
    assert (status, took) == (STOPPED, [("closed", "killed")])


def test_a_client_that_reads_no_more() -> None:
    def act(client: Side, child: Side) -> None:
        client.broken = True
        child.coming.put_nowait(b"said\n")

    status, took = run(act)
    assert status == 7
    assert ("why", "STOPPING") in took
