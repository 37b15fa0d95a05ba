"""Those who say nothing do not keep others out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from proctor.runtime import prompt
from proctor.runtime.health import listen
from proctor.runtime.prompt import PromptProtocol
from proctor.runtime.tasks import spawn
from proctor.units import parse_address

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    head = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"ok"})


type Play = Callable[[int], Awaitable[None]]


def run(play: Play) -> None:
    async def main() -> None:
        opened = listen(parse_address("127.0.0.1:0"))
        config = uvicorn.Config(
            answer, http=PromptProtocol, ws="none", lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        task = spawn(server.serve(sockets=[opened]), name="prompt")
        try:
            async with asyncio.timeout(30):
                await play(opened.getsockname()[1])
        finally:
            server.should_exit = True
            await task
            opened.close()

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"", GET[:1], GET[:-1]])
def test_a_head_that_does_not_come(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "HEAD_SECONDS", 0.05)

    async def play(port: int) -> None:
        for before in (b"", GET):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if before:
                writer.write(before)
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.write(sent)
            assert await reader.read() == b""
            writer.close()

    run(play)


def test_one_address_has_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PromptProtocol, "most", 2)

    async def play(port: int) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in held:
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        for _, other in held:
            other.close()
            await other.wait_closed()

    run(play)


def test_behind_a_proxy_all_are_one_address() -> None:
    async def play(port: int) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        for reader, writer in held:
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        for _, other in held:
            other.close()
            await other.wait_closed()

    run(play)
