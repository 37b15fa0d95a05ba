"""What an agent reaches through proctor in the demo: an internal API, and an MCP server."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from proctor.testing.tls import Files

KEY = "the-key-of-the-ticket-system"
TICKETS = {"T-1": "Buy lemons", "T-2": "Water the tree"}
TOOL = {
    "name": "get_ticket",
    "description": "Reads one ticket.",
    "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
}


@dataclass(slots=True)
class Outside:
    """Both, on one port, over TLS.

    Attributes:
        port: Where they listen, as localhost.
        keys: What came as `x-api-key`, request by request; "" for none.
        others: Paths that came with an Authorization.
        calls: Tools that were called.
    """

    port: int = 0
    keys: list[str] = field(default_factory=list[str])
    others: list[str] = field(default_factory=list[str])
    calls: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        """Where clients ask."""
        return f"https://localhost:{self.port}"


@contextlib.contextmanager
def serving(files: Files) -> Iterator[Outside]:
    """Serve from a thread until the block ends."""
    outside = Outside()

    class Handler(_Handler):
        seen = outside

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = files.server_context().wrap_socket(server.socket, server_side=True)
    outside.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    seen: Outside

    def do_GET(self) -> None:
        """The API: without its key it says nothing."""
        key = self.headers.get("x-api-key", "")
        self.seen.keys.append(key)
        if "authorization" in self.headers:
            self.seen.others.append(self.path)
        if key == KEY:
            self._answer(200, {"tickets": TICKETS})
        else:
            self._answer(401, {"error": "Who are you?"})

    def do_POST(self) -> None:
        """The MCP server (2025-11-25, without sessions)."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer(200, {"jsonrpc": "2.0", "id": asked["id"], "result": self._result(asked)})

    def _result(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if asked["method"] == "tools/list":
            return {"tools": [TOOL]}
        self.seen.calls.append(asked["params"]["name"])
        text = TICKETS[asked["params"]["arguments"]["id"]]
        return {"content": [{"type": "text", "text": text}], "isError": False}

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Nothing: the demo shows what there is to see."""
