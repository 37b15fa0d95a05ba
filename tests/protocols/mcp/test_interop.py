"""The MCP SDK's own client and server, with what this package does between them.

Both protocols: `2026-07-28`, and `legacy` with `initialize`, sessions and a GET stream.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult, TextContent
from pydantic import BaseModel

from proctor.errors import ProctorError, RefusedError
from proctor.protocols.mcp.actions import fields_of
from proctor.protocols.mcp.agreement import agree
from proctor.protocols.mcp.answers import (
    Asked,
    Denied,
    Framing,
    McpAnswer,
    Outcome,
    Pass,
    framing,
)
from proctor.protocols.mcp.definitions import digest
from proctor.protocols.mcp.messages import Message, read
from proctor.protocols.mcp.refusals import mcp_refusal
from proctor.redaction.handling import Rewritten

type Mode = Literal["legacy", "2026-07-28"]
MODES: tuple[Mode, ...] = ("legacy", "2026-07-28")
NO = RefusedError("policy-denied", "Not from here.", rule_id="no")


class Name(BaseModel):
    name: str


async def ask_name() -> Elicit[Name]:
    return Elicit("Who are you?", Name)


def server() -> MCPServer:
    mcp = MCPServer("demo", instructions="Greets and adds.")

    @mcp.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @mcp.tool()
    def delete(path: str) -> str:
        """Delete a file."""
        return path

    @mcp.tool()
    async def greet(person: Annotated[Name, Resolve(ask_name)]) -> str:
        """Greet whoever asks."""
        return f"Hello {person.name}, your key is hunter2"

    @mcp.tool()
    async def count(ctx: Context) -> str:
        """Count with progress."""
        for step in range(3):
            await ctx.report_progress(step, 3)
        return "done"

    @mcp.resource("file:///notes")
    def notes() -> str:
        return "hunter2"

    return mcp


class Between(httpx2.AsyncBaseTransport):
    """Does in one process what proctor's stages do: reads, judges, passes on, takes apart."""

    def __init__(self, outcome: Outcome | None) -> None:
        self.outcome = outcome
        self.inner = httpx2.AsyncHTTPTransport()
        self.calls: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.digests: dict[str, str] = {}
        self.answers: list[McpAnswer] = []
        self.came = asyncio.Event()
        self.settled = asyncio.Event()

    def keep(self, tool: Mapping[str, Any]) -> bool:
        self.digests[tool["name"]] = digest(tool)
        return bool(tool["name"] != "delete")

    def instructions(self, text: str) -> bool:
        return "Greets" not in text

    def ask(self, asked: Asked) -> Outcome | None:
        self.asked.append(asked.method)
        self.came.set()
        return self.outcome

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        message = None
        body = await request.aread()
        if body:
            message = read(body)
            try:
                agree(list(request.headers.items()), message)
                for fields in fields_of("demo", message):
                    self.calls.append((fields.method, fields.tool or fields.uri))
                    if fields.tool == "delete" or fields.uri == "file:///etc/passwd":
                        raise NO
            except ProctorError as error:
                said = mcp_refusal(error, message, accept=request.headers.get("accept", ""))
                return httpx2.Response(said.status, headers=list(said.headers), content=said.body)
        response = await self.inner.handle_async_request(request)
        way = framing(response.headers.get("content-type", ""))
        if way is None:
            return response
        headers = [pair for pair in response.headers.raw if pair[0].lower() != b"content-length"]
        return httpx2.Response(
            response.status_code, headers=headers, stream=self._through(response, message, way)
        )

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _through(
        self, response: httpx2.Response, message: Message | None, way: Framing
    ) -> httpx2.AsyncByteStream:
        answer = McpAnswer(
            message,
            way,
            self,
            lambda raw: Rewritten(raw.replace(b"hunter2", b"*"), raw),
            clock=lambda: 0.0,
        )
        self.answers.append(answer)
        settled = self.settled

        class Stream(httpx2.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                async for chunk in response.aiter_raw():
                    yield answer.feed(chunk).client
                    if answer.waiting:
                        await settled.wait()
                        yield answer.released().client
                yield answer.finish().client
                if answer.waiting:
                    await settled.wait()
                    yield answer.released().client

            async def aclose(self) -> None:
                await response.aclose()

        return Stream()


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    config = uvicorn.Config(server().streamable_http_app(), log_level="error", ws="none")
    web = uvicorn.Server(config)
    # Clients that come before it is up wait in the socket's queue.
    door = socket.create_server(("127.0.0.1", 0))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(web.serve(sockets=[door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}/mcp"
        finally:
            web.should_exit = True
            web.force_exit = True


async def alice(
    context: ClientRequestContext,  # noqa: ARG001 - the SDK's signature
    params: ElicitRequestParams,  # noqa: ARG001 - the same
) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "alice"})


@asynccontextmanager
async def connected(between: Between, mode: Mode) -> AsyncIterator[Client]:
    async with (
        served() as url,
        httpx2.AsyncClient(transport=between) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=mode,
            elicitation_callback=alice,
            read_timeout_seconds=20,
        ) as client,
    ):
        yield client


def text(content: object) -> str:
    assert isinstance(content, TextContent)
    return content.text


def run(coroutine: Callable[[], Any]) -> None:
    asyncio.run(coroutine())


@pytest.mark.parametrize("mode", MODES)
def test_lists_calls_and_refusals(mode: Mode) -> None:
    async def main() -> None:
        between = Between(Pass())
        async with connected(between, mode) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == ["add", "greet", "count"]
            assert set(between.digests) == {"add", "delete", "greet", "count"}
            result = await client.call_tool("add", {"a": 1, "b": 2})
            assert (result.is_error, text(result.content[0])) == (False, "3")
            denied = await client.call_tool("delete", {"path": "x"})
            assert denied.is_error
            assert text(denied.content[0]) == "proctor: Not from here. (rule no)"
            steps: list[float] = []

            async def progress(
                progress: float,
                total: float | None,  # noqa: ARG001 - the SDK's signature
                message: str | None,  # noqa: ARG001 - the same
            ) -> None:
                steps.append(progress)

            counted = await client.call_tool("count", {}, progress_callback=progress)
            assert text(counted.content[0]) == "done"
            assert steps == [0, 1, 2]
            read_back = await client.read_resource("file:///notes")
            assert "hunter2" not in read_back.model_dump_json()
            with pytest.raises(MCPError) as caught:
                await client.read_resource("file:///etc/passwd")
            assert caught.value.code == 451
            assert (await client.call_tool("add", {"a": 2, "b": 2})).structured_content == {
                "result": 4
            }
            assert client.instructions is None
        assert ("tools/call", "add") in between.calls

    run(main)


@pytest.mark.parametrize("mode", MODES)
def test_a_question_that_may_pass(mode: Mode) -> None:
    async def main() -> None:
        between = Between(Pass())
        async with connected(between, mode) as client:
            result = await client.call_tool("greet", {})
            assert text(result.content[0]) == "Hello alice, your key is *"
            assert between.asked == ["elicitation/create"]
            assert ("response", "elicitation/create") in between.calls

    run(main)


@pytest.mark.parametrize("mode", MODES)
def test_a_question_that_is_denied_ends_the_call_and_nothing_else(mode: Mode) -> None:
    async def main() -> None:
        between = Between(Denied(NO))
        async with connected(between, mode) as client:
            try:
                result = await client.call_tool("greet", {})
                assert result.is_error
                said = text(result.content[0])
            except MCPError as error:  # the server passes the client's -32601 on
                said = error.message
            assert "alice" not in said
            assert said == (
                "Method not found" if mode == "legacy" else "proctor: Not from here. (rule no)"
            )
            assert between.asked == ["elicitation/create"]
            again = await client.call_tool("add", {"a": 1, "b": 2})
            assert text(again.content[0]) == "3"

    run(main)


@pytest.mark.parametrize("mode", MODES)
def test_a_question_that_waits(mode: Mode) -> None:
    async def main() -> None:
        between = Between(None)
        async with connected(between, mode) as client, asyncio.TaskGroup() as tasks:
            call = tasks.create_task(client.call_tool("greet", {}))
            await between.came.wait()
            other = await client.call_tool("add", {"a": 1, "b": 2})
            assert text(other.content[0]) == "3"
            assert not call.done()
            for answer in between.answers:
                for asked in answer.waiting:
                    answer.settle(asked.number, Pass())
            between.settled.set()
            assert text((await call).content[0]).startswith("Hello alice")

    run(main)
