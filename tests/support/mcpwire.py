"""An MCP server and its client, of which a test says every byte, with a live proxy in between."""

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proctor.approval.model import Approval, State
from proctor.mcp.model import Pin, Sighting, Standing, accepted, sighted, unknown_pin
from proctor.model import Allow, Case, Decision, Deny
from proctor.protocols.mcp.definitions import digest
from proctor.protocols.mcp.messages import PROTOCOL_VERSION, dumped
from proctor.protocols.mcp.suspicion import suspicious
from tests.support.desks import FakeDesk
from tests.support.live import Live
from tests.support.parts import Rules
from tests.support.redacted import Seen, Upstream, answered
from tests.support.screened import screens
from tests.support.stand import Stand, house, listener, post, running

SERVER = "tools"
"""The listener, and with that the server."""

MODERN = "2026-07-28"
EVENTS = "text/event-stream"
SLOWLY = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
WHEN = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Known:
    """Tool definitions, kept in memory only."""

    def __init__(self) -> None:
        self.pins: dict[tuple[str, str], Pin] = {}

    def look(self, server: str, tool: Mapping[str, Any]) -> Standing:
        name, mark = tool["name"], digest(tool)
        before = self.pins.get((server, name))
        seen = Sighting(
            server=server,
            tool=name,
            digest=mark,
            text=json.dumps(tool),
            signs=tuple(suspicious(tool)),
            at=WHEN,
        )
        now = self.pins[server, name] = sighted(before, seen)
        return Standing.NEW if before is None and not now.open else now.standing

    def standing(self, server: str, tool: str) -> Pin | None:
        return self.pins.get((server, tool))

    def lose(self, tool: str) -> None:
        """As with a definition that is too large to be kept."""
        for (server, name), pin in self.pins.items():
            if name == tool:
                self.pins[server, name] = replace(pin, newest_text="")

    async def accept(self, server: str, tool: str, digest: str, by: str) -> Pin:
        pin = self.pins.get((server, tool))
        if pin is None:
            raise unknown_pin()
        self.pins[server, tool] = made = accepted(pin, digest, by, "", WHEN)
        return made


class ByMethod(Rules):
    """Rules that go by the method of a message, or by a tool's name; all else passes."""

    def decide(self, case: Case) -> Decision:
        self.cases.append(case)
        mcp = case.action.mcp
        names = (mcp.tool, mcp.method) if mcp else ()
        found = (self.answers[name] for name in names if name in self.answers)
        return next(found, Decision(verdict=Allow(rule_id="all")))

    def may(self, case: Case) -> bool:
        return not isinstance(self.decide(case).verdict, Deny)


@dataclass(slots=True, kw_only=True)
class Wire:
    """A stand with one MCP server behind it.

    Attributes:
        stand: The suite and its parts.
        live: The proxy.
        seen: What another addon sees.
        pins: Tool definitions.
        desk: Where humans are asked.
    """

    stand: Stand
    live: Live
    seen: Seen
    pins: Known
    desk: FakeDesk = field(default_factory=FakeDesk)

    @property
    def rules(self) -> dict[str, Decision]:
        """By method, or tool, what the rules say."""
        return self.stand.rules.answers

    @property
    def record(self) -> bytes:
        """All that was kept, and what other addons saw."""
        kept = b"".join(self.stand.store.contents) + json.dumps(self.stand.store.appended).encode()
        return kept + b"".join(self.seen.flows)

    @property
    def endings(self) -> list[dict[str, Any]]:
        """The last records of exchanges."""
        return [fields for kind, fields in self.stand.store.appended if kind == "flow.end"]

    def ask(self, data: bytes) -> "Future[Said]":
        """Send one request from a client of its own."""
        future: Future[Said] = Future()

        def work() -> None:
            try:
                future.set_result(self.say(data, timeout=30))
            except BaseException as error:  # noqa: BLE001 - told to the test
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def pending(self, count: int = 1) -> list[Approval]:
        """What waits for a human."""
        return self.live.do(lambda: self.desk.pending(count))

    def decide(self, name: str, state: State, reason: str = "") -> None:
        """Have somebody decide."""
        self.live.do(lambda: self.desk.change(name, state, reason))

    def say(self, data: bytes, *, timeout: float = 30) -> "Said":
        """Send one request; what came back."""
        return Said(self.live.request(SERVER, data, timeout=timeout))


class Said:
    """What a client was answered."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        chunked = self.headers.get("transfer-encoding") == "chunked"
        self.body = _unchunked(body) if chunked else body

    @property
    def json(self) -> dict[str, Any]:
        """The one message of a body of JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Those of an event stream."""
        lines = self.body.decode().splitlines()
        return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:]]

    @property
    def text(self) -> str:
        """What the model is told by a tool's result."""
        parts = [each["text"] for each in self.json["result"]["content"]]
        return "".join(parts)


def _unchunked(rest: bytes) -> bytes:
    """As much of it as came."""
    body = b""
    while rest:
        size, mark, rest = rest.partition(b"\r\n")
        if not mark:
            break
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@contextmanager
def wire(
    upstream: Upstream, folder: Path | None = None, *, reviewers: bool = True, **settings: Any
) -> Iterator[Wire]:
    """A live proxy before an MCP server; what is redacted where a folder is given."""
    pins, desk, seen = Known(), FakeDesk(), Seen()
    groups = ("reviewers",) if reviewers else ()
    server = listener(upstream.port, name=SERVER, speaks="mcp")

    @contextmanager
    def made() -> Iterator[Stand]:
        if folder is None:
            yield house(server, pins=pins, desk=desk, reviewers=groups, rules=ByMethod())
            return
        with screens(folder / "state", listeners=(SERVER,), **settings) as ours:
            yield house(
                server, screens=ours, pins=pins, desk=desk, reviewers=groups, rules=ByMethod()
            )

    with made() as this, running(this, SERVER, extra=(seen,)) as proxy:
        yield Wire(stand=this, live=proxy, seen=seen, pins=pins, desk=desk)


def message(method: str, params: Mapping[str, Any] | None = None, *, named: Any = 1) -> bytes:
    """A request of a client's; a notification where `named` is None."""
    told = {} if named is None else {"id": named}
    return dumped({"jsonrpc": "2.0", **told, "method": method, "params": dict(params or {})})


def asking(body: bytes, *more: str, method: str = "POST", token: str | None = "a") -> bytes:
    """The same on the wire."""
    accept = f"accept: application/json, {EVENTS}"
    lines = "".join(f"{line}\r\n" for line in (accept, *more))
    sent = post(body, path="/mcp", token=token, more=lines.encode("latin-1"))
    return method.encode() + sent.removeprefix(b"POST")


def calling(tool: str, arguments: Mapping[str, Any], *more: str, **how: Any) -> bytes:
    """A call of a tool."""
    return asking(message("tools/call", {"name": tool, "arguments": arguments}), *more, **how)


def modern(method: str, params: Mapping[str, Any], *more: str, token: str = "a") -> bytes:
    """A request of the revision in which each stands for itself."""
    meta = {PROTOCOL_VERSION: MODERN, **params.get("_meta", {})}
    named = params.get("name") or params.get("uri")
    headers = [f"mcp-protocol-version: {MODERN}", f"mcp-method: {method}"]
    headers += [f"mcp-name: {named}"] if named else []
    return asking(message(method, {**params, "_meta": meta}), *headers, *more, token=token)


def result(given: Mapping[str, Any], *, named: Any = 1) -> bytes:
    """What a server answers."""
    return dumped({"jsonrpc": "2.0", "id": named, "result": dict(given)})


def text(words: str, **more: Any) -> dict[str, Any]:
    """What a tool gives back."""
    return {"content": [{"type": "text", "text": words}], **more}


def event(body: bytes) -> bytes:
    """A message in a stream."""
    return b"event: message\ndata: " + body + b"\n\n"


def said_json(given: Mapping[str, Any]) -> bytes:
    """An answer as JSON, on the wire."""
    return answered(result(given))


def said_events(*messages: bytes) -> bytes:
    """An answer as events, on the wire."""
    return answered(b"".join(map(event, messages)), EVENTS)


def body_sent(request: bytes) -> dict[str, Any]:
    """What reached the server."""
    found: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2])
    return found


def tool(name: str, description: str = "Does it.") -> dict[str, Any]:
    """A tool's definition."""
    return {"name": name, "description": description, "inputSchema": {"type": "object"}}
