"""How much of a harmless day the rules that ship would stop.

Each item of `day` is read by the stages' own readers and judged by the rules; that this is what a
gateway says, too, is tried with a part of them.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import wire
from day import FOLDER, Asked, Called, Item, day
from figures import Figure
from lab import ENV, Lab
from mitmproxy import http
from mitmproxy.connection import Client, Server

from proctor.config import load
from proctor.egress.targets import targets_of
from proctor.errors import RefusedError
from proctor.gate import strongest
from proctor.model import Action, Case, Decision, Principal, Session, verdict_name
from proctor.policy.engine import load_policy
from proctor.protocols.anthropic.tools import tool_action
from proctor.runtime.door import Site
from proctor.runtime.features import features_of
from proctor.stages.admission import take_credentials
from proctor.stages.aiming import aim
from proctor.stages.exchange import Exchange
from proctor.stages.inspection import Inspection
from proctor.testing import gateway
from proctor.testing.ports import free_ports

RARE = 12
"""Kinds with no more items than these are tried with a gateway whole."""

_NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
_WHO = Principal(issuer="local", subject="alice", groups=("dev",), issued_at=_NOW.timestamp())
# As Claude Code names its run, and the folder it works in.
_RUN = Session(id="run", client="claude-cli/2.1.330", started=_NOW, repository=FOLDER)


@dataclass(frozen=True, slots=True)
class Said:
    """`allow`, `hold` or `deny`, and the rule."""

    verdict: str
    rule: str


class Judge:
    """The readers and the rules of an installation, without its wires.

    Args:
        path: Its proctor.yaml.
    """

    def __init__(self, path: Path) -> None:
        config = load(path)
        self._policy = load_policy(config.rules, features=features_of(config))
        self._listeners = {item.name: item for item in config.listeners}
        self._targets = {item.name: targets_of(item) for item in config.listeners}
        self._exchange: Exchange
        self._refused: BaseException | None = None
        named = SimpleNamespace(session=lambda *_, **__: None, joined=lambda *_, **__: None)
        self._inspection = Inspection(
            cast(
                "Any",
                SimpleNamespace(
                    exchange=lambda _flow: self._exchange,
                    refuse=self._refuse,
                    gate=named,
                    specs={},
                    screen=lambda _name: None,  # only the rules are asked here
                    resolver=SimpleNamespace(known=lambda *_: ("192.0.2.1",)),
                ),
            )
        )

    def said(self, item: Item) -> Said:
        """What becomes of an item."""
        if isinstance(item, Called):
            action = tool_action("claude", item.name, json.dumps(item.input))
            return _said([self._decided(action)])
        self._read(item)
        if self._refused is not None:
            error = self._refused
            rule = error.rule_id if isinstance(error, RefusedError) else ""
            return Said("deny", rule or getattr(error, "code", type(error).__name__))
        return _said([self._decided(action) for action in self._exchange.actions])

    def _read(self, item: Asked) -> None:
        flow = http.HTTPFlow(
            Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0),
            Server(address=None),
        )
        url = item.url if "://" in item.url else f"http://127.0.0.1{item.url}"
        headers = http.Headers(
            (name.encode(), value.encode()) for name, value in item.headers.items()
        )
        flow.request = http.Request.make(item.method, url, item.body, headers)
        flow.request.timestamp_start = _NOW.timestamp()
        taken = take_credentials(flow.request)
        own = tuple((name, value) for name, values in taken.items() for value in values)
        listener = self._listeners[item.listener]
        self._refused = None
        self._exchange = exchange = Exchange(listener=item.listener, own=own, principal=_WHO)
        site = Site(
            name=item.listener,
            tls=False,
            forward=listener.kind == "forward",
            upstream=("", 0),
            first_request=0,
            connections=0,
        )
        aim(flow, exchange, self._targets[item.listener], None, site)
        self._refused = exchange.astray
        if self._refused is None:
            self._inspection.request(flow)

    def _refuse(self, _flow: object, error: BaseException) -> None:
        self._refused = error

    def _decided(self, action: Action) -> Decision:
        return self._policy.decide(Case(principal=_WHO, session=_RUN, action=action, now=_NOW))


def _said(decisions: list[Decision]) -> Said:
    verdict = strongest(tuple(decisions))
    return Said(verdict_name(verdict), verdict.rule_id)


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """The share that is stopped, and whether a gateway stops the same."""
    del rounds
    items = day()
    judge = Judge(lab.config("day", _listeners(items)))
    said = [(item, judge.said(item)) for item in items]
    yield _share("a day's harmless requests stopped", said, goal=2)
    own = [(item, found) for item, found in said if item.kind not in _BY_ITSELF]
    yield _share("the same, packages and handshakes of MCP left out", own)
    # The rarest kinds whole, of the others a part.
    counts = Counter(item.kind for item in items)
    part = max(1, round(8 / scale))
    chosen = [
        (item, found)
        for number, (item, found) in enumerate(said)
        if isinstance(item, Asked) and (counts[item.kind] <= RARE or number % part == 0)
    ]
    yield asyncio.run(_live(lab, items, chosen))


_BY_ITSELF = frozenset({"packages", "MCP: conversation"})


def _share(what: str, said: list[tuple[Item, Said]], goal: float | None = None) -> Figure:
    stopped = Counter(
        (item.kind, found.verdict, found.rule) for item, found in said if found.verdict != "allow"
    )
    verdicts = Counter(found.verdict for _, found in said)
    kinds = Counter(item.kind for item, _ in said)
    shown = Counter[str]()
    for (kind, *_), count in stopped.items():
        shown[kind] += count
    return Figure(
        what=what,
        value=100 * stopped.total() / len(said),
        unit="%",
        goal=goal,
        note=f"{verdicts['hold']} held, {verdicts['deny']} denied of {len(said)}; "
        + ", ".join(f"{kind} {count} of {kinds[kind]}" for kind, count in shown.most_common(4)),
        details={
            "of": dict(kinds),
            "stopped": [[*key, count] for key, count in stopped.most_common()],
        },
    )


def _listeners(items: Iterable[Item], proxy: int = 0, port: int = 443) -> str:
    """Listeners whose clients may go wherever the day goes: that is the operator's part.

    Args:
        items: The day.
        proxy: Port of a stand-in for the company's own proxy, and for all upstreams behind it.
        port: Of the destinations; 80 is spoken to in the clear.
    """
    asked = [item for item in items if isinstance(item, Asked)]
    hosts = {urlsplit(item.url).hostname or "" for item in asked if item.listener == "egress"}
    servers = {item.url for item in asked if item.listener == "tools"}
    upstream = f"http://127.0.0.1:{proxy}" if proxy else "https://mcp.internal"
    model = f"http://127.0.0.1:{proxy}" if proxy else "https://api.anthropic.com"
    claude, tools, egress = free_ports(3)
    lines = [
        *("  - name: claude", "    kind: reverse", f"    listen: 127.0.0.1:{claude}"),
        *(f"    upstream: {model}", "    speaks: anthropic", "    credential: anthropic"),
        *("  - name: tools", "    kind: reverse", f"    listen: 127.0.0.1:{tools}"),
        *("    speaks: mcp", "    routes:"),
    ]
    for path in sorted(servers):
        lines += [f"      - path: {path}", f"        upstream: {upstream}{path}"]
    lines += ["  - name: egress", "    kind: forward", f"    listen: 127.0.0.1:{egress}"]
    lines += [f"    via: http://127.0.0.1:{proxy}"] if proxy else []
    lines += ["    destinations:"]
    for host in sorted(hosts):
        speaks = "anthropic" if host.endswith(".anthropic.com") else "http"
        lines += [f"      - host: {host}", f"        port: {port}", f"        speaks: {speaks}"]
        lines += [f"        plaintext: {str(port == _CLEAR).lower()}"]
        lines += ["        credential: anthropic"] if host.endswith(".internal") else []
    return "\n".join(lines) + "\n"


_CLEAR = 80
_PATIENCE = 30.0


async def _live(lab: Lab, items: list[Item], chosen: list[tuple[Asked, Said]]) -> Figure:
    """The same requests through a gateway, one after the other; its record says what became."""
    async with await asyncio.start_server(_serve, "127.0.0.1", 0) as listening:
        port: int = listening.sockets[0].getsockname()[1]
        config = lab.config("day-live", _listeners(items, port, _CLEAR))
        with gateway.running(config, env=ENV) as running:
            got = await _answers(running.listeners, lab.token, [item for item, _ in chosen])
    asked = "select verdict, rule_id, path from flows order by started_at"
    done = gateway.command("query", asked, "--format", "json", cwd=config.parent)
    if done.returncode:
        raise RuntimeError(f"proctor query failed:\n{done.stderr}")
    kept = [Said(row["verdict"], row["rule_id"]) for row in json.loads(done.stdout)]
    other = [
        f"{item.method} {item.url}: {said}, live {live}, {'passed' if passed else 'stopped'}"
        for (item, said), live, passed in zip(chosen, kept, got, strict=True)
        # What was held, and then given up, is on record as denied by that rule.
        if live.rule != said.rule or passed != (said.verdict == "allow")
    ]
    return Figure(
        what="judged otherwise by a live gateway",
        value=len(other),
        unit="",
        goal=0,
        note=f"of {len(chosen)} requests of the day, those to the model and to tools among them",
        details={"otherwise": other},
    )


async def _answers(listeners: Mapping[str, str], token: str, items: list[Asked]) -> list[bool]:
    """Whether each has come through to the upstream."""
    proxy = f"http://bench:{token}@{listeners['egress']}"
    passed = []
    async with (
        httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=_PATIENCE) as outward,
        httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as inward,
    ):
        for item in items:
            # Who cannot wait is told so at once.
            headers = {**item.headers, "prefer": "respond-async"}
            url = item.url.replace("https://", "http://")
            if item.listener != "egress":
                parts = urlsplit(item.url)
                path = f"{parts.path}?{parts.query}" if parts.query else parts.path
                url = f"http://{listeners[item.listener]}{path}"
                headers["authorization"] = f"Bearer {token}"
            client = outward if item.listener == "egress" else inward
            said = await client.request(item.method, url, headers=headers, content=item.body)
            passed.append(_MARK in said.headers)
    return passed


_MARK = "x-bench"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every upstream there is: its answers say nothing but that it was asked."""
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).lower():
            if head.startswith(b"connect "):  # as a proxy on the way there
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                continue
            _, found, rest = head.partition(b"content-length:")
            body = await reader.readexactly(int(rest.split(b"\r\n")[0]) if found else 0)
            status, answer = _answer(head, body)
            writer.write(
                b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n%s: 1\r\n"
                b"content-length: %d\r\n\r\n" % (status, _MARK.encode(), len(answer))
            )
            writer.write(b"" if head.startswith(b"head ") else answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _answer(head: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Status and body; an MCP server without a stream of its own says 405 (2025-11-25)."""
    if b"accept: text/event-stream\r\n" in head:
        return b"405 Method Not Allowed", b""
    try:
        asked = json.loads(body)
    except ValueError:
        return b"200 OK", b"{}"
    if "jsonrpc" in asked and "id" not in asked:
        return b"202 Accepted", b""
    said: object = {}
    if "jsonrpc" in asked:
        said = {"jsonrpc": "2.0", "id": asked["id"], "result": _RESULTS.get(asked["method"], {})}
    elif "messages" in asked:
        said = wire.message("x", [], "end_turn")
    return b"200 OK", json.dumps(said).encode()


_RESULTS: Mapping[str, object] = {
    "tools/list": {"tools": []},
    "tools/call": {"content": [{"type": "text", "text": "done"}]},
}
