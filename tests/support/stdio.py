"""A door for standard streams whose house only remembers, between two ends that a test holds."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proctor.credentials.echo import Values
from proctor.gate import Gate
from proctor.mcp.model import Pin, Standing
from proctor.model import Allow, Case, Decision
from proctor.provenance.intake import Intake
from proctor.stdio.door import Door
from proctor.stdio.exchange import House
from tests.support import screened
from tests.support.desks import NOW, FakeDesk
from tests.support.parts import Rules, Store, Tokens

SERVER = "files"


class Token:
    """The agent's token; a test puts another in its place."""

    def __init__(self, token: str = "a") -> None:
        self.token = token

    async def read(self) -> str:
        return self.token


class FakePins:
    """Pins that say what a test says."""

    def __init__(self) -> None:
        self.stands: dict[str, Standing] = {}
        self.known: dict[str, Pin] = {}
        self.accepted: list[tuple[str, str, str]] = []
        self.studied = 0

    def look(self, server: str, tool: Mapping[str, Any]) -> Standing:
        return self.stands.get(tool["name"], Standing.SAME)

    def standing(self, server: str, tool: str) -> Pin | None:
        return self.known.get(tool)

    async def study(self, server: str, tools: Iterable[Mapping[str, Any]]) -> None:
        self.studied += 1

    async def accept(self, server: str, tool: str, digest: str, by: str) -> Pin:
        self.accepted.append((tool, digest, by))
        self.known[tool] = replace(self.known[tool], accepted=digest)
        return self.known[tool]


@dataclass
class ByMethod(Rules):
    """Answers by the method of MCP, or by the tool."""

    said: dict[str, Decision] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    @property
    def current(self) -> "ByMethod":
        return self

    def decide(self, case: Case) -> Decision:
        self.cases.append(case)
        mcp = case.action.mcp
        assert mcp
        allow = Decision(verdict=Allow(rule_id="all"))
        return self.said.get(mcp.tool) or self.said.get(mcp.method) or allow

    def may(self, case: Case) -> bool:
        return case.action.mcp is not None and case.action.mcp.tool not in self.hidden


@dataclass
class Ends:
    """Both ends of a door, and what stands behind it."""

    door: Door
    house: House
    rules: ByMethod
    store: Store
    desk: FakeDesk
    pins: FakePins
    token: Token
    client: list[bytes]
    server: list[bytes]

    async def ask(self, method: str, number: int | str = 1, **params: Any) -> None:
        """A request of the client's."""
        await self.door.client(line(method, number, **params))

    async def call(self, tool: str = "read", number: int | str = 1, **arguments: Any) -> None:
        """A call of a tool."""
        await self.ask("tools/call", number, name=tool, arguments=arguments)

    async def answer(self, number: int | str = 1, **result: Any) -> None:
        """An answer of the server's."""
        said = {"jsonrpc": "2.0", "id": number, "result": result}
        await self.door.server(json.dumps(said).encode())

    @property
    def told(self) -> list[Any]:
        """What the client got, read; the list is empty then."""
        found = [json.loads(each) for each in self.client]
        self.client.clear()
        return found

    @property
    def reached(self) -> list[Any]:
        """What the server got, read; the list is empty then."""
        found = [json.loads(each) for each in self.server]
        self.server.clear()
        return found

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.store.appended if name == kind]

    def content(self, reference: Any) -> bytes:
        """What a reference of the record stands for."""
        return self.store.contents[int(reference["blocks"])]


@contextlib.asynccontextmanager
async def ends(
    folder: Path | None = None,
    *,
    session: str = "run-1",
    reviewers: tuple[str, ...] = (),
    trusted: bool = False,
    values: tuple[Values, ...] = (),
) -> AsyncIterator[Ends]:
    """A door; with a folder, mail addresses are masked.

    Args:
        folder: For the vault; None for no redaction.
        session: What the agent calls its run.
        reviewers: Who accepts definitions.
        trusted: Somebody vouches for the server.
        values: What the server was given.
    """
    rules, store, desk = ByMethod(), Store(), FakeDesk()
    token, pins = Token(), FakePins()
    gate = Gate(authenticator=Tokens(), policies=rules, recorder=store, clock=_now, desk=desk)
    with contextlib.ExitStack() as stack:
        screen = None
        if folder:
            made = stack.enter_context(screened.screens(folder, listeners=["stdio"]))
            screen = made.on("stdio")
        house = House(
            gate=gate,
            pins=pins,
            screen=screen,
            reviewers=reviewers,
            sealing=b"k" * 32,
            tokens=token,
            server=SERVER,
            trusted=trusted,
            intake=Intake(gate.runs, gate.provenance, _now),
            listener="stdio",
            session=session,
            values=values,
            now=_now,
            clock=time.monotonic,
        )
        client: list[bytes] = []
        server: list[bytes] = []
        door = Door(house, client.append, server.append)
        yield Ends(door, house, rules, store, desk, pins, token, client, server)


def line(method: str, number: int | str | None = None, **params: Any) -> bytes:
    """A client's message."""
    named = {} if number is None else {"id": number}
    return json.dumps({"jsonrpc": "2.0", **named, "method": method, "params": params}).encode()


async def until(condition: Any) -> None:
    """Wait until something holds, at most five seconds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


def _now() -> datetime:
    return datetime.now(UTC)


__all__ = ["NOW", "SERVER", "ByMethod", "Ends", "FakePins", "Token", "ends", "line", "until"]
