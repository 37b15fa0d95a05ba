"""A listener whose sessions hand everything on, in front of a real PostgreSQL, for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from proctor.errors import AuthenticationError, ProctorError
from proctor.model import Principal
from proctor.postgres.connection import Connection
from proctor.postgres.reception import Reception
from proctor.postgres.settings import Server as Where
from proctor.postgres.shared import Bounds, House, Refused
from proctor.postgres.upstream import Target
from proctor.postgres.wires import Arrival, Login, Session, Wires
from proctor.protocols.postgres.messages import Back, Front, Reader, message
from proctor.protocols.postgres.startup import write_startup
from tests.postgres.server import PASSWORDS, Server

TOKEN = "a-token-of-alice"
ALICE = Principal(issuer="https://idp.test", subject="alice", groups=("dba",), expires_at=2e9)


async def _nothing(_session: "Relay") -> None:
    """Begin."""


@dataclass
class Hooks:
    """What a test puts into its sessions."""

    begin: Callable[["Relay"], Any] = _nothing
    client: Callable[["Relay", bytes], None] = lambda _session, _data: None
    server: Callable[["Relay", bytes], None] = lambda _session, _data: None
    cancel: Callable[["Relay"], bool] = lambda _session: True


@dataclass(eq=False)
class Relay:
    """A session that looks at nothing but where messages end."""

    arrival: Arrival
    wires: Wires
    status: bytes = b"I"
    running: bool = False
    begun: bool = False
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    ended: list[ProctorError | None] = field(default_factory=list[ProctorError | None])
    cancels: int = 0
    hooks: Hooks = field(default_factory=Hooks)

    def __post_init__(self) -> None:
        self._front = Reader(Front.ALL, limit=1 << 28)
        kinds = frozenset((Back.DATA_ROW, Back.COPY_DATA))
        self._back = Reader(Back.ALL, limit=1 << 28, runs=kinds, passing=kinds)

    async def begin(self) -> None:
        await self.hooks.begin(self)
        self.begun = True

    def ready(self, parameters: Mapping[str, str], status: bytes) -> None:
        self.parameters, self.status = dict(parameters), status

    def client_data(self, data: bytes) -> None:
        self.hooks.client(self, data)
        self.running = True
        over = any(piece.kind == Front.TERMINATE for piece in self._front.feed(data))
        self.wires.to_server(data)
        if over:
            self.wires.finish()

    def server_data(self, data: bytes) -> None:
        self.hooks.server(self, data)
        for piece in self._back.feed(data):
            if piece.kind == Back.READY:
                self.running, self.status = False, piece.body
        self.wires.to_client(data)

    def cancel(self) -> bool:
        self.cancels += 1
        return self.hooks.cancel(self)

    async def end(self, error: ProctorError | None) -> None:
        self.ended.append(error)


@dataclass
class Listener:
    """A listener under test.

    Attributes:
        port: Where.
        house: As it was made.
        sessions: All that were opened.
        connections: All that came.
        refused: Who was not let in.
        wires: Of tests, closed in the end.
    """

    house: House
    hooks: Hooks = field(default_factory=Hooks)
    port: int = 0
    sessions: list[Relay] = field(default_factory=list[Relay])
    connections: list[Connection] = field(default_factory=list[Connection])
    refused: list[Refused] = field(default_factory=list[Refused])
    wires: list["Wire"] = field(default_factory=list["Wire"])

    def open(self, arrival: Arrival, wires: Wires) -> Session:
        self.sessions.append(Relay(arrival, wires, hooks=self.hooks))
        return self.sessions[-1]

    def connection(self) -> Connection:
        self.connections.append(Connection(self.house))
        return self.connections[-1]

    async def record(self, refused: Refused) -> None:
        self.refused.append(refused)

    def dsn(self, **more: object) -> str:
        own = {"host": "127.0.0.1", "port": self.port, "user": "bob", "dbname": "postgres"}
        own |= {"password": TOKEN, "sslmode": "disable", "gssencmode": "disable"}
        own |= {"connect_timeout": 10}
        return " ".join(f"{name}='{value}'" for name, value in (own | more).items())


async def admit(token: str) -> Principal:
    if token != TOKEN:
        raise AuthenticationError("token-signature", "The token's signature is not its issuer's")
    return ALICE


def signing(user: str) -> Callable[[Arrival], Any]:
    async def sign(_arrival: Arrival) -> Login:
        return Login(user=user, password=PASSWORDS[user] or None)

    return sign


@asynccontextmanager
async def listening(
    server: Server | Target,
    *,
    hooks: Hooks | None = None,
    user: str = "postgres",
    connections: int = 100,
    unsigned: int = 20,
    bounds: Bounds | None = None,
    **more: Any,
) -> AsyncIterator[Listener]:
    """A listener in front of `server`; in the end nothing of it is left open."""
    if isinstance(server, Server):
        server = Target(server=Where(host=server.host, port=server.port))
    house = House(
        **(
            {
                "sessions": None,
                "recall": lambda _token: None,
                "admit": admit,
                "sign": signing(user),
                "target": server,
                "reception": Reception[Connection](connections, unsigned),
                "plaintext": True,
                "bounds": bounds or Bounds(head=5.0, idle=0, drain=5.0),
            }
            | more
        )
    )
    listener = Listener(house=house, hooks=hooks or Hooks())
    listener.house = replace(house, sessions=listener, refused=listener.record)
    troubles: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: troubles.append(context))
    accepting = await loop.create_server(listener.connection, "127.0.0.1", 0)
    listener.port = accepting.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        accepting.close()
        for wire in listener.wires:
            wire.close()
        for connection in listener.connections:
            connection.abort()
        async with asyncio.timeout(30):
            for connection in listener.connections:
                await connection.closed.wait()
    assert not troubles
    assert house.reception.signed == house.reception.unsigned == 0


def until_active(server: Server, pid: int) -> None:
    """Return once a statement runs there."""
    with psycopg.connect(server.dsn()) as connection:
        active = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
        while not connection.execute(active, [pid]).fetchone():
            connection.rollback()


def until_gone(server: Server, pid: int) -> None:
    """Return once this backend has ended."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        there = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        while connection.execute(there, [pid]).fetchone():
            pass


type Run = Callable[[Coroutine[Any, Any, None]], None]
type Loop = Callable[[], asyncio.AbstractEventLoop]


def runs(loop: Loop) -> Run:
    """What runs a test under this kind of loop; one that hangs fails."""

    def go(work: Coroutine[Any, Any, None]) -> None:
        async def timed() -> None:
            async with asyncio.timeout(30):
                await work

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(timed())

    return go


async def connect(listener: Listener, **more: Any) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(listener.dsn(**more), autocommit=True)


async def refusal(listener: Listener, **more: Any) -> str:
    with pytest.raises(psycopg.OperationalError) as raised:
        await connect(listener, **more)
    return str(raised.value)


async def until(done: Callable[[], object]) -> None:
    """Let others go on until it is so."""
    while not done():  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0.002)


class Wire:
    """A client that says what a test wants it to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, listener: Listener) -> "Wire":
        wire = cls(*await asyncio.open_connection("127.0.0.1", listener.port))
        listener.wires.append(wire)
        return wire

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self) -> tuple[bytes, bytes]:
        kind = await self.reader.readexactly(1)
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        return kind, await self.reader.readexactly(size - 4)

    async def until(self, wanted: bytes) -> bytes:
        while True:
            kind, body = await self.hear()
            if kind == wanted:
                return body

    async def sign_in(self, **parameters: str) -> bytes:
        """Sign in; the body of BackendKeyData."""
        self.say(write_startup({"user": "bob", "database": "postgres"} | parameters))
        assert await self.hear() == (b"R", b"\0\0\0\3")
        self.say(message(ord("p"), TOKEN.encode() + b"\0"))
        key = await self.until(b"K")
        await self.until(b"Z")
        return key

    async def closed(self) -> None:
        assert await self.reader.read() == b""

    def close(self) -> None:
        self.writer.close()


def query(text: str) -> bytes:
    return message(ord("Q"), text.encode() + b"\0")
