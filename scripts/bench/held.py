"""Clients whose requests wait for a human, and the human: in this process, so with one clock."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self, override

import httpx
import wire

from proctor.identity import local

HELD = 77
"""`max_tokens` of requests that are held by `rules`."""

REQUEST, CALL = "json", "delete"
"""What is held: a request, or the tool call in the answer to one."""

ROLES = "roles: {reviewer: {groups: [reviewers]}}\n"
RULES = f"""\
rules:
  - id: bench-held
    on: llm.request
    when: llm.max_tokens == {HELD}
    then: hold
    approval: {{from: [reviewers], wait: 9m}}
    reason: It is measured how long this takes.
  - id: bench-deletes
    on: llm.tool_use
    match: Bash(rm -r *)
    then: hold
    approval: {{from: [reviewers], wait: 9m}}
    reason: It is measured how long this takes.
"""
_GOOD = b"HTTP/1.1 200 "
_OPENED = b'"tool_use"'  # stands in the answer once its tool call was let go
_ERROR = b"event: error"
_PATIENCE = 120.0  # seconds
_LOOK = 0.02  # seconds between two looks whether something has come about


class Client(asyncio.Protocol):
    """One request on a connection of its own.

    Attributes:
        released: When what was held came, on `time.perf_counter`.
    """

    __slots__ = ("_sign", "_tail", "_transport", "released")

    def __init__(self, kind: str) -> None:
        self.released: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._sign = _GOOD if kind == REQUEST else _OPENED
        self._tail = b""
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a stream")
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        seen = self._tail + data
        self._tail = seen[-len(self._sign) :]
        if self.released.done():
            return
        if self._sign in seen:
            self.released.set_result(now)
        elif _ERROR in seen or (seen.startswith(b"HTTP/1.1 ") and not seen.startswith(_GOOD)):
            self._fail(seen.decode(errors="replace"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("hung up")

    def _fail(self, why: str) -> None:
        if not self.released.done():
            self.released.set_exception(RuntimeError(f"what was held did not come: {why[-500:]}"))

    def close(self) -> None:
        """Hang up."""
        self.released.cancel()
        self._transport.abort()


async def ask(port: int, token: str, *, kind: str, session: str, nonce: str) -> Client:
    """Send what will be held.

    Args:
        port: Of the gateway, plain HTTP.
        token: An agent's.
        kind: `REQUEST` or `CALL`.
        session: Its id.
        nonce: Not used before.
    """
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_connection(lambda: Client(kind), "127.0.0.1", port)
    tokens = HELD if kind == REQUEST else 1024
    body = wire.small_request(kind, nonce, max_tokens=tokens)
    fields = wire.head(token=token, session=session, host=f"127.0.0.1:{port}", size=len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    transport.write(f"POST /v1/messages HTTP/1.1\r\n{lines}\r\n".encode() + body)
    return client


class Reviewer:
    """Whoever decides, through the console's API.

    Args:
        console: Its address.
        state: The gateway's folder of keys.
    """

    def __init__(self, console: str, state: Path) -> None:
        token = local.load(state / local.FILE).issue(
            subject="reviewer",
            groups=["reviewers"],
            audience="proctor-console",
            ttl=3600,
            now=time.time(),
        )
        headers = {"authorization": f"Bearer {token}"}
        self._api = httpx.AsyncClient(
            base_url=f"http://{console}", headers=headers, timeout=_PATIENCE, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.aclose()

    async def waiting(self) -> int:
        """How many actions wait."""
        text = (await self._got("/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith("proctor_waiting{")]
        return round(sum(float(line.rpartition(" ")[2]) for line in lines))

    async def until(self, least: int, most: int, clients: Iterable[Client] = ()) -> None:
        """Wait until so many wait.

        Args:
            least: No fewer.
            most: No more.
            clients: Theirs.

        Raises:
            RuntimeError: One of them was refused.
            TimeoutError: They do not.
        """
        async with asyncio.timeout(_PATIENCE):
            while not least <= await self.waiting() <= most:
                for client in clients:
                    if client.released.done():
                        client.released.result()
                await asyncio.sleep(_LOOK)

    async def find(self, session: str) -> str:
        """The approval that a session waits for."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                query = {"state": "pending", "session": session}
                found = (await self._got("/api/v1/approvals", query)).json()["approvals"]
                if found:
                    return str(found[0]["id"])
                await asyncio.sleep(_LOOK)

    async def approve(self, name: str) -> tuple[float, float]:
        """Say yes; returns when that was sent and when it was answered."""
        sent = time.perf_counter()
        answer = await self._api.post(f"/api/v1/approvals/{name}/approve", json={"reason": "ok"})
        answered = time.perf_counter()
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"not approved: {answer.status_code} {answer.text[:500]}")
        return sent, answered

    async def _got(self, path: str, query: dict[str, Any] | None = None) -> httpx.Response:
        answer = await self._api.get(path, params=query)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{path} said {answer.status_code} {answer.text[:500]}")
        return answer
