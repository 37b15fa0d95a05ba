"""What proctor adds to a call of an MCP server's tool: from the question to the whole answer.

Client and server are in this process and cost next to nothing, so that neither is what is measured.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from figures import Figure, added, percentile
from lab import ENV, ROUTES, Lab
from wire import words

from proctor.testing import gateway

COUNT = 60  # of each kind, in each of the rounds
ARGUMENTS, RESULT = 1_000, 2_000  # bytes
TOOLS = 20
VERSION = "2025-11-25"
CALL, LIST = "tools/call", "tools/list"
KINDS = (("JSON answer", CALL), ("SSE answer", CALL), (f"list of {TOOLS} tools", LIST))
_SSE = KINDS[1][0]
_PATIENCE = 30.0


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """The same calls directly, and through a gateway with redaction and the rules that ship."""
    yield from asyncio.run(_measure(lab, max(10, int(COUNT * rounds * scale))))


async def _measure(lab: Lab, count: int) -> list[Figure]:
    server = _Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port: int = listening.sockets[0].getsockname()[1]
        config = lab.config("mcp", ROUTES, "redaction: {profile: default}\n", mcp=port)
        # Starting it takes seconds, in which the loop has nothing to do.
        with gateway.running(config, env=ENV) as running:
            ours = int(running.listeners["tools"].rpartition(":")[2])
            return list(_figures(await _taken(server, port, ours, lab.token, count)))


async def _taken(
    server: "_Server", port: int, ours: int, token: str, count: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds by kind, directly and through the gateway; the first tenth does not count."""
    clients = [await _Client.open(server, at, token) for at in (port, ours)]
    taken: dict[str, tuple[list[float], list[float]]] = {what: ([], []) for what, _ in KINDS}
    first = count // 10 + 1
    try:
        for number in range(count + first):
            for what, method in KINDS:
                server.streams = what == _SSE
                question = _question(method)
                for index in (0, 1) if number % 2 else (1, 0):
                    async with asyncio.timeout(_PATIENCE):
                        came = await clients[index].ask(question)
                    if number >= first:
                        taken[what][index].append(came)
    finally:
        for client in clients:
            client.close()
    return taken


def _figures(taken: dict[str, tuple[list[float], list[float]]]) -> Iterator[Figure]:
    for what, (direct, through) in taken.items():
        more = added(direct, through)
        listed = what == KINDS[-1][0]
        for percent, goal in ((50, 2), (99, 10)):
            yield Figure(
                what=f"MCP {LIST if listed else CALL}, {what}, added, p{percent}",
                value=percentile(more, percent),
                unit="ms",
                goal=None if listed else goal,
                note=f"direct {percentile(direct, percent):.2f}, through "
                f"{percentile(through, percent):.2f} ms; {len(more)} pairs",
                details={"direct": direct, "through": through},
            )


def _question(method: str) -> dict[str, Any]:
    """A question that was never asked before."""
    nonce = uuid.uuid4().hex
    given: dict[str, Any] = {}
    if method == CALL:
        given = {
            "name": "search_issues",
            "arguments": {"query": words(nonce, ARGUMENTS), "limit": 20, "order": "newest"},
        }
    return {"jsonrpc": "2.0", "id": nonce, "method": method, "params": given}


def _result(question: dict[str, Any]) -> dict[str, Any]:
    """What the server says to it; what is structured stands in the text, too (2025-11-25)."""
    if question["method"] == "initialize":
        return {
            "protocolVersion": VERSION,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tickets", "version": "1.0"},
        }
    if question["method"] == LIST:
        return {"tools": [_tool(number) for number in range(TOOLS)]}
    found = {"issues": [{"title": words(question["id"], RESULT // 2), "open": True}]}
    return {
        "content": [{"type": "text", "text": json.dumps(found)}],
        "structuredContent": found,
        "isError": False,
    }


def _tool(number: int) -> dict[str, Any]:
    return {
        "name": "search_issues" if number == 0 else f"get_field_{number}",
        "description": words(f"tool {number}", 300),
        "inputSchema": {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": words(f"{number} {name}", 60)}
                for name in ("query", "limit", "order")
            },
        },
    }


class _Server:
    """An MCP server over streamable HTTP.

    Attributes:
        streams: It answers with a stream of events.
    """

    def __init__(self) -> None:
        self.streams = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                _, headers = await _head(reader)
                body = await reader.readexactly(int(headers["content-length"]))
                writer.write(self._answer(json.loads(body)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, question: dict[str, Any]) -> bytes:
        if "id" not in question:
            return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        said = {"jsonrpc": "2.0", "id": question["id"], "result": _result(question)}
        data = json.dumps(said).encode()
        session = b"mcp-session-id: of-the-day\r\n" if question["method"] == "initialize" else b""
        if self.streams:
            event = b"event: message\r\ndata: %s\r\n\r\n" % data
            return (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%s"
                b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
            ) % (session, len(event), event)
        return (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s"
        ) % (session, len(data), data)


class _Client:
    """Asks, one after the other, over one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, token: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        direct = {"host": f"127.0.0.1:{port}", "content-type": "application/json"}
        both = "application/json, text/event-stream"
        self._headers = {**direct, "accept": both, "authorization": f"Bearer {token}"}

    @classmethod
    async def open(cls, server: _Server, port: int, token: str) -> "_Client":
        """Connect, and get to know each other."""
        server.streams = False
        client = cls(*await asyncio.open_connection("127.0.0.1", port), port, token)
        hello = {
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        }
        first = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
        headers, _ = await client._exchange(first)
        client._headers["mcp-session-id"] = headers["mcp-session-id"]
        client._headers["mcp-protocol-version"] = VERSION
        await client._exchange({"jsonrpc": "2.0", "method": "notifications/initialized"})
        await client.ask(_question(LIST))
        return client

    async def ask(self, question: dict[str, Any]) -> float:
        """Milliseconds until the whole answer is there.

        Raises:
            RuntimeError: It is not what the server said.
        """
        start = time.perf_counter()
        headers, body = await self._exchange(question)
        took = (time.perf_counter() - start) * 1e3
        if headers.get("content-type", "").startswith("text/event-stream"):
            lines = body.decode().replace("\r\n", "\n").split("\n")
            body = next(line[6:] for line in lines if line.startswith("data: ")).encode()
        if json.loads(body).get("result") != _result(question):
            raise RuntimeError(f"{question['method']} was answered wrongly: {body[:1000]!r}")
        return took

    async def _exchange(self, question: dict[str, Any]) -> tuple[dict[str, str], bytes]:
        body = json.dumps(question).encode()
        sent = {**self._headers, "content-length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._writer.write(f"POST /tickets HTTP/1.1\r\n{lines}\r\n".encode() + body)
        status, headers = await _head(self._reader)
        if "chunked" in headers.get("transfer-encoding", ""):
            pieces = []
            while size := int(await self._reader.readline(), 16):
                pieces.append(await self._reader.readexactly(size))
                await self._reader.readline()
            await self._reader.readline()
            data = b"".join(pieces)
        else:
            data = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if status not in {200, 202}:
            raise RuntimeError(f"status {status}: {data[:1000]!r}")
        return headers, data

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status, where it is an answer's, and headers by lower-case name."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return int(first.split(" ")[1]) if first.startswith("HTTP/") else 0, headers
