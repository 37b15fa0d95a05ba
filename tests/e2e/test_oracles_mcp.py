"""The MCP SDK's client and server with nothing in between, by both protocols."""

import asyncio

import pytest

from proctor.testing import tls
from proctor.testing.tls import Files

pytestmark = pytest.mark.e2e

# Its pydantic is newer than mitmproxy lets in under Python 3.12.
pytest.importorskip("mcp", reason="the MCP SDK is not installed")

import httpx2  # noqa: E402 - comes with the SDK

from tests.support import mcpclient  # noqa: E402 - imports the SDK
from tests.support.mcpclient import LEGACY, MODERN  # noqa: E402 - the same
from tests.support.mcpserver import CHANGED, DESCRIBED, McpServer  # noqa: E402 - the same


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("answers", ["sse", "json"])
@pytest.mark.parametrize("mode", [LEGACY, MODERN, "auto"])
def test_mcp(files: Files, mode: str, answers: str) -> None:
    as_json = answers == "json"
    back = not (as_json and mode == LEGACY)

    async def main(server: McpServer) -> None:
        async with httpx2.AsyncClient(verify=files.client_context()) as http:
            async with mcpclient.connected(http, server.url, mode) as client:
                got = await mcpclient.use(client, back=back)
                assert got == mcpclient.expected(DESCRIBED, back=back, streamed=not as_json)
                server.change()
                described = (await client.list_tools()).tools
                assert [each.description for each in described if each.name == "add"] == [CHANGED]

    with McpServer(tls=files, as_json=as_json) as server:
        asyncio.run(main(server))
    spoken = {head["mcp-protocol-version"] for *_, head in server.heads[1:]}
    assert spoken == {"2025-11-25" if mode == LEGACY else MODERN}
    methods = {method for method, *_ in server.heads}
    assert methods == ({"POST", "GET", "DELETE"} if mode == LEGACY else {"POST"})
