"""The way to the server: real ones, and such as lie."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from proctor.errors import ProctorError
from proctor.postgres import upstream
from proctor.postgres.settings import Server as Where
from proctor.postgres.tls import Contexts
from proctor.postgres.upstream import Target, Welcome, cancel, dial, stamp
from proctor.postgres.wires import Login
from proctor.protocols.postgres.messages import message
from proctor.protocols.postgres.startup import SSL_REQUEST, read_startup
from tests.postgres.relaying import until_active
from tests.postgres.server import PASSWORDS, Server

LOGIN = Login(user="alice", password="a-secret")
OK = message(ord("R"), bytes(4))
READY = message(ord("Z"), b"I")


def target(server: Server, *, tls: bool = False, **more: Any) -> Target:
    contexts = Contexts()
    return Target(
        server=more.pop("where", Where(host=server.host, port=server.port)),
        tls=(lambda: contexts.trusted(**more)) if tls else None,
    )


async def welcome(
    where: Target, user: str, password: str | None = None, **parameters: str
) -> Welcome:
    login = Login(user=user, password=PASSWORDS[user] if password is None else password)
    end, found = await dial(where, login, parameters.pop("database", "postgres"), parameters)
    end.close()
    await end.gone
    return found


@pytest.mark.parametrize("user", ["postgres", "orders_app", "orders_md5", "orders_trust"])
def test_the_ways_of_signing_in_without_tls(every_postgres: Server, user: str) -> None:
    found = asyncio.run(welcome(target(every_postgres), user, application_name="me"))
    assert found.status == b"I"
    assert found.parameters["application_name"] == "me"
    assert found.parameters["server_version"].startswith(every_postgres.version)
    assert found.pid
    assert found.secret


@pytest.mark.parametrize(
    "user", ["postgres", "orders_tls", "orders_md5", "orders_cleartext", "orders_trust"]
)
def test_the_ways_of_signing_in_over_tls(postgres15: Server, user: str) -> None:
    where = target(postgres15, tls=True, ca=postgres15.tls.ca)
    assert asyncio.run(welcome(where, user)).status == b"I"


def test_scram_is_bound_to_the_channel(postgres15: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hash of another certificate the server has to refuse."""
    where = target(postgres15, tls=True, ca=postgres15.tls.ca)
    monkeypatch.setattr(upstream, "end_point", lambda _certificate: b"another")
    with pytest.raises(ProctorError, match="does not take proctor's credential"):
        asyncio.run(welcome(where, "postgres"))


def test_a_certificate_signs_in(postgres15: Server) -> None:
    tls = postgres15.tls
    where = target(postgres15, tls=True, ca=tls.ca, cert=tls.cert, key=tls.key)
    assert asyncio.run(welcome(where, "orders_cert")).status == b"I"


def test_over_the_socket(every_postgres: Server) -> None:
    path = str(every_postgres.folder / f".s.PGSQL.{every_postgres.port}")
    where = target(every_postgres, where=Where(path=path))
    assert asyncio.run(welcome(where, "orders_app")).status == b"I"


@pytest.mark.parametrize(
    ("user", "password", "more", "code"),
    [
        ("postgres", "wrong", {}, "upstream-credential"),
        ("orders_cleartext", None, {}, "upstream-authentication"),
        ("postgres", None, {"database": "nowhere"}, "pg-database"),
        ("postgres", None, {"no_such_setting": "1"}, "pg-parameter"),
        ("postgres", None, {"statement_timeout": "soon"}, "pg-parameter"),
    ],
)
def test_what_the_server_refuses_is_said_in_our_words(
    postgres: Server,
    caplog: pytest.LogCaptureFixture,
    user: str,
    password: str | None,
    more: dict[str, str],
    code: str,
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(ProctorError) as raised:
        asyncio.run(welcome(target(postgres), user, password, **more))
    assert raised.value.code == code
    assert user not in str(raised.value)
    assert (code == "upstream-authentication") == (not caplog.records)


@pytest.mark.parametrize("name", ["another.internal", ""])
def test_a_server_that_cannot_prove_itself_gets_nothing(postgres15: Server, name: str) -> None:
    contexts = Contexts()
    ca = postgres15.tls.ca if name else None
    where = Target(
        server=Where(host=postgres15.host, port=postgres15.port),
        tls=lambda: contexts.trusted(ca),
        server_name=name,
    )
    with pytest.raises(ProctorError) as raised:
        asyncio.run(welcome(where, "postgres"))
    assert raised.value.code == "upstream-tls"


def test_a_server_without_tls_gets_nothing(postgres18: Server) -> None:
    with pytest.raises(ProctorError, match="got no TLS"):
        asyncio.run(welcome(target(postgres18, tls=True, ca=postgres18.tls.ca), "postgres"))


def test_nobody_there() -> None:
    async def ask() -> None:
        server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        for where in (Where(host="127.0.0.1", port=port), Where(path="/nowhere/.s.PGSQL.1")):
            with pytest.raises(ProctorError) as raised:
                await dial(Target(server=where), LOGIN, "postgres", {})
            assert raised.value.code == "upstream-unreachable"
            await cancel(Target(server=where), 1, b"1234")

    asyncio.run(ask())


type Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def pretending(script: Script) -> AsyncIterator[Target]:
    """A server that says what a test wants it to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
            await writer.drain()
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Target(server=Where(host="127.0.0.1", port=server.sockets[0].getsockname()[1]))


def says(*chunks: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(size - 4)
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return script


async def dialled(script: Script) -> tuple[Welcome, bytes]:
    async with pretending(script) as where:
        end, found = await dial(where, LOGIN, "orders", {})
        rest = end.attach(lambda _data: None)
        end.close()
        await end.gone
        return found, rest


def test_what_follows_the_welcome_is_kept() -> None:
    async def ask() -> None:
        hello = OK + message(ord("S"), b"a\0b\0") + message(ord("K"), b"\0\0\0\7" + b"s" * 32)
        found, rest = await dialled(says(hello + READY + b"N..."))
        assert found == Welcome(parameters={"a": "b"}, status=b"I", pid=7, secret=b"s" * 32)
        assert rest == b"N..."
        assert "ssss" not in repr(found)

    asyncio.run(ask())


def test_a_welcome_may_come_byte_by_byte() -> None:
    async def ask() -> None:
        whole = message(ord("N"), b"SWARNING\0C01000\0Mhello\0\0") + OK + READY
        found, _ = await dialled(says(*(bytes([byte]) for byte in whole)))
        assert found.status == b"I"
        assert found.pid == 0

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (READY, "upstream-protocol"),
        (message(ord("S"), b"a\0b\0"), "upstream-protocol"),
        (message(ord("K"), b"\0\0\0\7ssss"), "upstream-protocol"),
        (message(ord("D"), b""), "upstream-protocol"),
        (OK + message(ord("T"), b""), "upstream-protocol"),
        (OK + message(ord("S"), b"a\0b"), "upstream-protocol"),
        (OK + OK, "upstream-authentication"),
        (message(ord("R"), b"\0"), "upstream-authentication"),
        (b"R\0\0\0\3", "upstream-protocol"),
        (b"R\x7f\xff\xff\xff", "upstream-protocol"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "upstream-protocol"),
        (OK + message(ord("S"), b"a\0b\0") * 1001, "upstream-protocol"),
        (message(ord("E"), b"SFATAL\0C53300\0Mno room for alice\0\0"), "pg-too-many"),
        (message(ord("E"), b"SFATAL\0C57P03\0Mstarting\0\0"), "pg-cannot-connect"),
        (message(ord("E"), b"SFATAL\0C99999\0Mfor alice\0\0"), "upstream-refused"),
        (message(ord("E"), b"SFATAL"), "upstream-protocol"),
    ],
)
def test_a_server_that_lies_is_not_believed(said: bytes, code: str) -> None:
    with pytest.raises(ProctorError) as raised:
        asyncio.run(dialled(says(said)))
    assert raised.value.code == code
    assert "alice" not in str(raised.value)


def test_a_server_that_leaves_is_gone() -> None:
    async def leave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with pytest.raises(ProctorError) as raised:
        asyncio.run(dialled(leave))
    assert raised.value.code in {"upstream-gone", "upstream-unreachable"}


@pytest.mark.parametrize("answer", [b"N", b"E", b"Sx", b"S\x16", b"S" + OK])
def test_nothing_is_believed_that_stands_behind_the_answer(answer: bytes) -> None:
    """CVE-2021-23222, from the client's side."""
    asked: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readexactly(8))
        writer.write(answer)

    async def ask() -> None:
        async with pretending(script) as plain:
            where = Target(server=plain.server, tls=ssl.create_default_context)
            with pytest.raises(ProctorError) as raised:
                await dial(where, LOGIN, "orders", {})
            assert raised.value.code == "upstream-tls"

    asyncio.run(ask())
    assert asked == [SSL_REQUEST]


def test_nothing_is_left_open_where_it_takes_too_long() -> None:
    ended: list[bytes] = []

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        ended.append(await reader.read(8))
        while data := await reader.read():
            ended.append(data)

    async def ask() -> None:
        async with pretending(script) as where:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await dial(where, LOGIN, "orders", {})

    asyncio.run(ask())
    assert ended


def test_a_start_says_who_we_are() -> None:
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(4)
        heard.append(head + await reader.readexactly(int.from_bytes(head, "big") - 4))
        writer.write(OK + READY)

    async def ask() -> None:
        async with pretending(script) as where:
            end, _ = await dial(where, LOGIN, "orders", {"geqo": "off"})
            end.abort()
            await end.gone

    asyncio.run(ask())
    startup = read_startup(heard[0])
    assert startup.parameters == {"user": "alice", "database": "orders", "geqo": "off"}
    assert startup.minor == 0


@pytest.mark.parametrize("tls", [True, False])
def test_a_cancel_cancels(postgres15: Server, tls: bool) -> None:  # noqa: FBT001 - a column
    where = target(postgres15, tls=tls, ca=postgres15.tls.ca)
    login = Login(user="postgres", password=PASSWORDS["postgres"])

    async def ask() -> None:
        end, found = await dial(where, login, "postgres", {})
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        end.attach(heard.put_nowait)
        end.send(message(ord("Q"), b"SELECT pg_sleep(30)\0"))
        end.flush()
        await asyncio.to_thread(until_active, postgres15, found.pid)
        await cancel(where, found.pid, found.secret)
        said = b""
        while b"\0C57014\0" not in said:
            said += await heard.get()
        end.abort()
        await end.gone

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("subject", "application", "expected"),
    [
        ("alice", "psql", "alice 12345678 psql"),
        ("alice", "", "alice 12345678"),
        ("a\nb\x1b[2J", "x\ty", "a?b?[2J 12345678 x?y"),
        ("s" * 99, "p" * 99, "s" * 40 + " 12345678 " + "p" * 13),
        ("ä" * 99, "ä" * 99, "ä" * 31),
    ],
)
def test_who_it_is_stands_in_the_servers_views(
    subject: str, application: str, expected: str
) -> None:
    found = stamp(subject, "12345678-9abc", application)
    assert found == expected
    assert len(found.encode()) <= 63
