"""Whole connections, under both loops, with real clients and servers."""

import asyncio
import os
import struct
from dataclasses import replace

import psycopg
import pytest

from proctor.errors import ClientError, InternalError, RefusedError, UpstreamError
from proctor.postgres.settings import Server as Where
from proctor.postgres.shared import Bounds
from proctor.postgres.stream import LOOKED
from proctor.postgres.upstream import Target
from proctor.postgres.wires import Arrival, Login
from proctor.protocols.postgres.fields import read_fields
from proctor.protocols.postgres.messages import message
from proctor.protocols.postgres.startup import write_cancel, write_startup
from tests.postgres.relaying import (
    TOKEN,
    Hooks,
    Relay,
    Run,
    Wire,
    connect,
    listening,
    query,
    refusal,
    until,
    until_active,
    until_gone,
)
from tests.postgres.server import PASSWORDS, SUPERUSER, Server

# Protocol 3.2, and cancels.


def start(minor: int) -> bytes:
    raw = write_startup({"user": "bob", "database": "postgres"})
    return raw[:6] + minor.to_bytes(2, "big") + raw[8:]


@pytest.mark.parametrize(("minor", "size"), [(0, 4), (2, 32), (9999, 32)])
def test_the_secret_is_ours_and_as_long_as_the_version_has_it(
    run: Run, postgres: Server, minor: int, size: int
) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            wire.say(start(minor))
            if minor == 9999:
                assert await wire.hear() == (b"v", struct.pack("!II", 196610, 0))
            assert await wire.hear() == (b"R", b"\0\0\0\3")
            wire.say(message(ord("p"), TOKEN.encode() + b"\0"))
            key = await wire.until(b"K")
            await wire.until(b"Z")
            assert len(key) == 4 + size
            assert key[4:] != listener.connections[0]._secret
            wire.say(query("SELECT pg_backend_pid()"))
            row = await wire.until(b"D")
            assert int(row[6:]) == int.from_bytes(key[:4], "big")
            wire.close()

    run(go())


@pytest.mark.parametrize("version", ["3.0", "3.2"])
def test_a_cancel_reaches_the_server(run: Run, every_postgres: Server, version: str) -> None:
    async def go() -> None:
        async with listening(every_postgres) as listener:
            async with await connect(listener, max_protocol_version=version) as one:

                async def stop() -> None:
                    await asyncio.to_thread(until_active, every_postgres, one.info.backend_pid)
                    await one.cancel_safe()

                found, _ = await asyncio.gather(
                    one.execute("SELECT pg_sleep(30)"), stop(), return_exceptions=True
                )
                assert isinstance(found, psycopg.errors.QueryCanceled)
                await one.execute("SELECT 1")
            assert listener.sessions[0].cancels == 1

    run(go())


def test_what_comes_after_a_cancel_is_not_cancelled_by_it(run: Run, postgres: Server) -> None:
    async def go() -> None:
        came, goes = asyncio.Event(), asyncio.Event()

        async def cancels(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Take one cancel, and hand it on when the test says so."""
            packet = await reader.readexactly(16)
            came.set()
            await goes.wait()
            there, on = await asyncio.open_connection(postgres.host, postgres.port)
            on.write(packet)
            await there.read()
            on.close()
            writer.close()

        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            key = await wire.sign_in()
            slow = await asyncio.start_server(cancels, "127.0.0.1", 0)
            where = Where(host="127.0.0.1", port=slow.sockets[0].getsockname()[1])
            listener.connections[0]._house = replace(
                listener.house, target=replace(listener.house.target, server=where)
            )
            other = await Wire.open(listener)
            other.say(write_cancel(int.from_bytes(key[:4], "big"), key[4:]))
            await came.wait()
            wire.say(query("SELECT pg_sleep(0.5)"))
            one, session = listener.connections[0], listener.sessions[0]
            await until(lambda: one._ahead or session.running)
            assert not session.running
            goes.set()
            kinds = [(await wire.hear())[0] for _ in range(4)]
            assert kinds == [b"T", b"D", b"C", b"Z"]  # and no error
            slow.close()

    run(go())


def test_a_session_may_keep_a_cancel(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres, hooks=Hooks(cancel=lambda _session: False)) as listener:
            async with await connect(listener) as one:
                asked, _ = await asyncio.gather(
                    one.execute("SELECT pg_sleep(0.2)"), one.cancel_safe()
                )
                assert await asked.fetchone() == ("",)
            assert listener.sessions[0].cancels == 1

    run(go())


def test_a_cancel_of_nobody_here_is_handed_on(run: Run, postgres: Server) -> None:
    async def go() -> None:
        strangers: list[tuple[int, bytes]] = []

        async def stranger(pid: int, secret: bytes) -> None:
            strangers.append((pid, secret))

        async with listening(postgres, stranger=stranger) as listener:
            one = await Wire.open(listener)
            key = await one.sign_in()
            pid = int.from_bytes(key[:4], "big")
            for number, secret in ((pid, b"xxxx"), (pid + 1, key[4:]), (pid, key[4:])):
                wire = await Wire.open(listener)
                wire.say(write_cancel(number, secret))
                await wire.closed()
                wire.close()
            assert strangers == [(pid, b"xxxx"), (pid + 1, key[4:])]
            assert listener.sessions[0].cancels == 1
            assert not listener.refused
            one.close()

    run(go())


# The relay.


def test_what_a_session_raises_ends_it_and_reaches_nobody(run: Run, postgres: Server) -> None:
    def client(session: Relay, data: bytes) -> None:
        if b"DROP" in data:
            session.wires.to_server(data)
            raise ValueError("a secret in a cause")

    async def go() -> None:
        table = f"kept_{os.urandom(4).hex()}"
        postgres.execute(f"CREATE TABLE {table} (id int)")
        async with listening(postgres, hooks=Hooks(client=client)) as listener:
            one = await connect(listener)
            with pytest.raises(psycopg.Error) as raised:
                await one.execute(f"DROP TABLE {table}".encode())
            assert "A part of proctor failed" in str(raised.value)
            assert "secret" not in str(raised.value)
            await one.close()
            await until(lambda: listener.sessions[0].ended)
            (error,) = listener.sessions[0].ended
            assert isinstance(error, InternalError)
            assert error.code == "stage-failed"
        postgres.execute(f"DROP TABLE {table}")  # it was there

    run(go())


def test_an_answer_that_fails_reaches_nobody(run: Run, postgres: Server) -> None:
    def server(session: Relay, data: bytes) -> None:
        if b"secret" in data:
            session.wires.to_client(data)
            raise ValueError

    async def go() -> None:
        async with listening(postgres, hooks=Hooks(server=server)) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            wire.say(query("SELECT 'sec' || 'ret'"))
            kind, body = await wire.hear()
            assert (kind, read_fields(body).code) == (b"E", "XX000")
            await wire.closed()
            wire.close()

    run(go())


@pytest.mark.parametrize("error", [RefusedError("no", "Not today"), ValueError("secret")])
def test_without_a_record_there_is_no_session(run: Run, postgres: Server, error: Exception) -> None:
    async def begin(_session: Relay) -> None:
        raise error

    async def go() -> None:
        async with listening(postgres, hooks=Hooks(begin=begin)) as listener:
            said = await refusal(listener)
            assert ("Not today" if isinstance(error, RefusedError) else "proctor failed") in said
            assert "secret" not in said
            await until(lambda: listener.refused)
            assert listener.refused[0].principal is not None
            assert listener.sessions[0].ended == []

    run(go())


def test_without_a_credential_there_is_no_server(run: Run, postgres: Server) -> None:
    async def sign(_arrival: Arrival) -> Login:
        raise RefusedError("pg-no-credential", "There is no credential for you")

    async def go() -> None:
        async with listening(postgres, sign=sign) as listener:
            assert "no credential for you" in await refusal(listener)
            await until(lambda: listener.sessions[0].ended)
            (error,) = listener.sessions[0].ended
            assert isinstance(error, RefusedError)
            assert not listener.refused  # the session's own record says so

    run(go())


def test_a_server_that_is_not_there_is_said(run: Run) -> None:
    async def go() -> None:
        nowhere = Target(server=Where(path="/nowhere/.s.PGSQL.5432"))
        async with listening(nowhere) as listener:
            assert "does not answer" in await refusal(listener)
            await until(lambda: listener.sessions[0].ended)
            assert isinstance(listener.sessions[0].ended[0], UpstreamError)

    run(go())


def test_a_client_that_leaves_on_the_way_leaves_nothing(run: Run, postgres: Server) -> None:
    async def go() -> None:
        waiting = asyncio.Event()

        async def sign(_arrival: Arrival) -> Login:
            waiting.set()
            await asyncio.Event().wait()
            raise AssertionError

        async with listening(postgres, sign=sign) as listener:
            wire = await Wire.open(listener)
            wire.say(write_startup({"user": "bob"}) + message(ord("p"), TOKEN.encode() + b"\0"))
            await waiting.wait()
            wire.close()
            await listener.connections[0].closed.wait()
            (error,) = listener.sessions[0].ended
            assert isinstance(error, ClientError)
            assert error.code == "client-gone"

    run(go())


@pytest.mark.parametrize("password", [PASSWORDS[SUPERUSER], "wrong"])
def test_who_made_the_login_is_told_once_that_it_is_over(
    run: Run, postgres: Server, password: str
) -> None:
    """Also where the server did not take it."""

    async def go() -> None:
        over: list[int] = []

        async def sign(_arrival: Arrival) -> Login:
            return Login(user=SUPERUSER, password=password, done=lambda: over.append(1))

        async with listening(postgres, sign=sign) as listener:
            wire = await Wire.open(listener)
            if password == "wrong":
                assert "credential" in await refusal(listener)
            else:
                await wire.sign_in()
                assert over == []
            wire.close()
            await asyncio.gather(*(each.closed.wait() for each in listener.connections))
            assert over == [1]

    run(go())


def test_a_client_that_leaves_takes_its_server_along(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            key = await wire.sign_in()
            wire.close()
            await listener.connections[0].closed.wait()
            (error,) = listener.sessions[0].ended
            assert error is not None
            assert error.code == "client-gone"
            pid = int.from_bytes(key[:4], "big")
            await asyncio.to_thread(until_gone, postgres, pid)

    run(go())


def test_what_the_server_says_last_is_heard(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            key = await wire.sign_in()
            pid = int.from_bytes(key[:4], "big")
            await asyncio.to_thread(postgres.execute, f"SELECT pg_terminate_backend({pid})")
            assert read_fields(await wire.until(b"E")).code == "57P01"
            await wire.closed()
            wire.close()
            await until(lambda: listener.sessions[0].ended)
            (error,) = listener.sessions[0].ended
            assert isinstance(error, UpstreamError)
            assert error.code == "upstream-gone"

    run(go())


def test_a_paused_client_is_kept_and_its_leaving_noticed(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            (session,) = listener.sessions
            session.wires.pause_client()
            wire.say(query("SELECT 1"))
            wire.say(query("SELECT 2"))
            await until(lambda: len(listener.connections[0]._ahead) == 2 * len(query("SELECT 1")))
            assert not session.running
            session.wires.resume_client()
            session.wires.resume_client()
            for expected in (b"1", b"2"):
                assert (await wire.until(b"D"))[6:] == expected
                await wire.until(b"Z")
            session.wires.pause_client()
            wire.say(query("SELECT 3"))
            wire.close()
            await listener.connections[0].closed.wait()
            assert session.ended
            assert not session.running

    run(go())


def test_a_paused_server_is_read_no_more(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            (session,), (connection,) = listener.sessions, listener.connections
            assert connection._server
            session.wires.pause_server()
            wire.say(query("SELECT 1"))
            await until(lambda: session.running)
            assert connection._server._held == LOOKED
            session.wires.resume_server()
            session.wires.resume_server()
            assert (await wire.until(b"D"))[6:] == b"1"
            await wire.until(b"Z")
            wire.close()

    run(go())


def test_a_paused_server_that_goes_is_heard_to_the_end(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            key = await wire.sign_in()
            (session,), (connection,) = listener.sessions, listener.connections
            assert connection._server
            session.wires.pause_server()
            connection._server.release(LOOKED)  # so that its end is noticed, as under TLS
            pid = int.from_bytes(key[:4], "big")
            await asyncio.to_thread(postgres.execute, f"SELECT pg_terminate_backend({pid})")
            assert read_fields(await wire.until(b"E")).code == "57P01"
            await connection._server.gone
            assert not connection._stopping
            session.wires.to_client(b"N\0\0\0\5\0")
            session.wires.resume_server()
            assert await wire.hear() == (b"N", b"\0")
            await wire.closed()
            await until(lambda: session.ended)
            (error,) = session.ended
            assert isinstance(error, UpstreamError)
            assert error.code == "upstream-gone"

    run(go())


def test_a_paused_client_is_read_ahead_only_so_far(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            (session,), (connection,) = listener.sessions, listener.connections
            session.wires.pause_client()
            text = "x" * 8_000_000
            wire.say(query(f"SELECT length('{text}')"))
            await until(lambda: connection._held)
            assert len(connection._ahead) < 2_000_000
            session.wires.resume_client()
            assert (await wire.until(b"D"))[6:] == b"8000000"
            wire.close()

    run(go())


def test_wires_send_finish_and_call_back(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            wires = listener.sessions[0].wires
            wires.later(0.001, lambda: wires.to_client(b"N\0\0\0\5\0"))
            assert await wire.hear() == (b"N", b"\0")
            cancelled = wires.later(0.001, lambda: wires.to_client(b"no"))
            cancelled.cancel()
            wires.to_server(query("SELECT 5"))
            assert (await wire.until(b"D"))[6:] == b"5"
            await wire.until(b"Z")
            wires.finish(b"E\0\0\0\5\0")
            wires.to_client(b"nothing more")
            wires.fail(ClientError("late", "Too late"))
            assert await wire.hear() == (b"E", b"\0")
            await wire.closed()
            wire.close()
            await until(lambda: listener.sessions[0].ended)
            assert listener.sessions[0].ended == [None]

    run(go())


def test_a_callback_that_raises_ends_it(run: Run, postgres: Server) -> None:
    def wrong() -> None:
        raise ValueError

    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            listener.sessions[0].wires.later(0, wrong)
            assert read_fields((await wire.hear())[1]).code == "XX000"
            wire.close()

    run(go())


def test_an_idle_connection_ends_also_in_a_transaction(run: Run, postgres: Server) -> None:
    async def go() -> None:
        bounds = Bounds(head=5, idle=0.2, drain=1)
        async with listening(postgres, bounds=bounds) as listener:
            idle, busy = await Wire.open(listener), await Wire.open(listener)
            await idle.sign_in()
            await busy.sign_in()
            idle.say(query("BEGIN"))
            assert await idle.until(b"Z") == b"T"
            busy.say(query("SELECT pg_sleep(0.6)"))
            assert read_fields(await idle.until(b"E")).code == "57P05"
            await idle.closed()
            assert await busy.until(b"Z") == b"I"  # what runs is not idle
            assert read_fields(await busy.until(b"E")).code == "57P05"
            idle.close()
            busy.close()

    run(go())


# The end.


def test_draining_lets_what_runs_end(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            unsigned, idle, busy, inside = [await Wire.open(listener) for _ in range(4)]
            for wire in (idle, busy, inside):
                await wire.sign_in()
            inside.say(query("BEGIN"))
            await inside.until(b"Z")
            busy.say(query("SELECT pg_sleep(0.3)"))
            await until(lambda: any(session.running for session in listener.sessions))

            async def look() -> None:
                for wire in (unsigned, idle):
                    assert read_fields(await wire.until(b"E")).code == "57P01"
                late = await Wire.open(listener)
                late.say(write_startup({"user": "bob"}))
                assert read_fields(await late.until(b"E")).code == "57P03"
                late.close()
                assert await busy.until(b"Z") == b"I"
                assert read_fields(await busy.until(b"E")).code == "57P01"
                inside.say(query("COMMIT"))
                assert await inside.until(b"Z") == b"I"
                assert read_fields(await inside.until(b"E")).code == "57P01"
                for wire in (unsigned, idle, busy, inside):
                    wire.close()

            await asyncio.gather(listener.house.reception.drain(), look())

    run(go())


def test_draining_ends_in_any_case(run: Run, postgres: Server) -> None:
    async def go() -> None:
        bounds = Bounds(head=5, idle=0, drain=0.1)
        async with listening(postgres, bounds=bounds) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            wire.say(query("SELECT pg_sleep(30)"))
            await until(lambda: listener.sessions[0].running)

            async def look() -> None:
                assert read_fields(await wire.until(b"E")).code == "57P01"
                wire.close()

            await asyncio.gather(listener.house.reception.drain(), look())

    run(go())
