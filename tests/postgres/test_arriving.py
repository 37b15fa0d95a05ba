"""Until a client has signed in, under both loops, with real clients and servers."""

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # has no marker for typed use
import pytest

from proctor.model import Principal
from proctor.postgres.shared import Bounds
from proctor.postgres.tls import Contexts
from proctor.protocols.postgres.fields import read_fields
from proctor.protocols.postgres.messages import message
from proctor.protocols.postgres.signin import Discovery
from proctor.protocols.postgres.startup import write_startup
from proctor.testing import tls
from tests.postgres.relaying import (
    TOKEN,
    Run,
    Wire,
    connect,
    listening,
    refusal,
    until,
)
from tests.postgres.server import Server


def test_clients_pass(run: Run, every_postgres: Server) -> None:
    async def go() -> None:
        async with listening(every_postgres) as listener:
            async with await connect(listener, application_name="report") as one:
                cursor = await one.execute("SELECT %s::int + 1, current_user", [41])
                assert await cursor.fetchone() == (42, "postgres")
                name = await (await one.execute("SHOW application_name")).fetchone()
                arrival = listener.sessions[0].arrival
                assert name == (f"alice {arrival.flow_id[:8]} report",)
                assert one.info.backend_pid == one.pgconn.backend_pid != 0
                assert one.info.parameter_status("server_version")
            two = await asyncpg.connect(
                host="127.0.0.1", port=listener.port, user="bob", password=TOKEN, ssl=False,
                database="postgres",
            )  # fmt: skip
            assert await two.fetchval("SELECT count(*) FROM generate_series(1, $1::int)", 9) == 9
            await two.close()
            await until(lambda: all(session.ended for session in listener.sessions))
            assert [session.ended for session in listener.sessions] == [[None], [None]]
            assert (arrival.user, arrival.database) == ("bob", "postgres")
            assert arrival.application == "report"
            assert not arrival.tls
            assert arrival.address.startswith("127.0.0.1:")
            assert not listener.refused

    run(go())


def test_psql_passes(run: Run, every_postgres: Server) -> None:
    async def go() -> None:
        async with listening(every_postgres) as listener:
            process = await asyncio.create_subprocess_exec(
                every_postgres.bin / "psql", listener.dsn(), "-XAtc", "SELECT 1", "-c", "TABLE x",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
            assert out == b"1\n"
            assert b'relation "x" does not exist' in err

    run(go())


def test_without_a_database_the_user_names_it(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            async with await connect(listener, dbname="", user="postgres") as one:
                assert one.info.dbname == "postgres"
            assert listener.sessions[0].arrival.database == "postgres"
        async with listening(postgres, database="postgres") as listener:
            wire = await Wire.open(listener)
            wire.say(write_startup({"user": "nobody"}))
            wire.say(message(ord("p"), TOKEN.encode() + b"\0"))
            await wire.until(b"Z")
            wire.close()
            assert "one database" in await refusal(listener, dbname="template1")

    run(go())


def test_a_token_that_proves_nothing_is_refused(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            said = await refusal(listener, password="not-a-token")
            assert "The token's signature is not its issuer's" in said
            assert "proctor: token-signature" in said
            assert "not-a-token" not in said
            assert "no password supplied" in await refusal(listener, password="")
            await until(lambda: listener.refused)
            (refused,) = listener.refused
            assert refused.error.code == "token-signature"
            assert (refused.user, refused.principal) == ("bob", None)
            assert "not-a-token" not in repr(refused)
            assert not listener.sessions

    run(go())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"options": "-c role=orders_app"}, "role"),
        ({"replication": "database"}, "Replication"),
        ({"client_encoding": "SJIS"}, "SJIS"),
    ],
)
def test_a_start_that_asks_too_much_is_refused(
    run: Run, postgres: Server, more: dict[str, str], said: str
) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            assert said in await refusal(listener, **more)
            assert not listener.sessions

    run(go())


def test_harmless_settings_reach_the_server(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            options = "-c statement_timeout=12s -c search_path=sales"
            async with await connect(listener, options=options) as one:
                asked = (
                    "SELECT current_setting('statement_timeout'), current_setting('search_path')"
                )
                assert await (await one.execute(asked)).fetchone() == ("12s", "sales")

    run(go())


def test_there_is_an_end_to_waiting_for_a_token(run: Run, postgres: Server) -> None:
    async def go() -> None:
        bounds = Bounds(head=0.1, idle=0, drain=1)
        async with listening(postgres, bounds=bounds) as listener:
            silent, half, asked = [await Wire.open(listener) for _ in range(3)]
            half.say(b"\0\0")
            asked.say(write_startup({"user": "bob"}))
            assert await asked.hear() == (b"R", b"\0\0\0\3")
            for wire in (silent, half, asked):
                kind, body = await wire.hear()
                assert (kind, read_fields(body).code) == (b"E", "57014")
                await wire.closed()
                wire.close()

    run(go())


def test_who_only_takes_places_holds_up_nobody(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres, unsigned=5) as listener:
            idle = [await Wire.open(listener) for _ in range(30)]
            for wire in idle:
                wire.say(b"\0")
            async with await connect(listener) as one:
                await one.execute("SELECT 1")
            assert listener.house.reception.unsigned <= 5
            for wire in idle:
                wire.close()

    run(go())


def test_there_is_room_for_so_many(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres, connections=1) as listener:
            async with await connect(listener):
                assert "Too many clients" in await refusal(listener)
            await until(lambda: listener.house.reception.signed == 0)
            async with await connect(listener):
                pass

    run(go())


@pytest.mark.parametrize(
    "raw",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 300_000, struct.pack("!II", 8, 2 << 16), b"\0" * 9],
    ids=["http", "much", "old", "zeros"],
)
def test_what_is_no_client_is_shown_out(run: Run, postgres: Server, raw: bytes) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            wire.say(raw)
            kind, _ = await wire.hear()
            assert kind == b"E"
            await wire.closed()
            wire.close()
            assert not listener.sessions

    run(go())


# TLS.


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tls.Files:
    return tls.make(tmp_path_factory.mktemp("tls"))


def shown(files: tls.Files, client_ca: Path | None = None) -> dict[str, Any]:
    contexts = Contexts()
    return {"tls": lambda: contexts.served(files.cert, files.key, client_ca), "plaintext": False}


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_tls_both_ways(run: Run, postgres15: Server, files: tls.Files, negotiation: str) -> None:
    async def go() -> None:
        async with listening(postgres15, **shown(files)) as listener:
            secure = {
                "sslmode": "verify-full", "sslrootcert": files.ca, "sslnegotiation": negotiation,
            }  # fmt: skip
            async with await connect(listener, host="localhost", **secure) as one:
                text = "x" * 100_000
                cursor = await one.execute("SELECT repeat(%s, 50)", [text])
                assert await cursor.fetchone() == (text * 50,)
                assert one.pgconn.ssl_in_use
            assert listener.sessions[0].arrival.tls
            assert "spoken to over TLS" in await refusal(listener, sslmode="disable")

    run(go())


def test_a_client_may_have_to_show_a_certificate(
    run: Run, postgres: Server, files: tls.Files
) -> None:
    async def go() -> None:
        async with listening(postgres, **shown(files, files.ca)) as listener:
            secure = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": files.ca}
            own = {"sslcert": files.cert, "sslkey": files.key}
            async with await connect(listener, **secure, **own):
                pass
            await refusal(listener, **secure, sslcert="/nowhere")
            assert len(listener.sessions) == 1

    run(go())


def test_direct_tls_needs_alpn(run: Run, postgres: Server, files: tls.Files) -> None:
    async def go() -> None:
        async with listening(postgres, **shown(files)) as listener:
            for alpn in ([], ["http/1.1"]):
                context = files.client_context()
                context.set_alpn_protocols(alpn)
                reader, writer = await asyncio.open_connection(
                    "localhost", listener.port, ssl=context
                )
                assert await reader.read() == b""
                writer.close()
            assert not listener.sessions

    run(go())


def test_nothing_in_the_clear_is_taken_for_encrypted(
    run: Run, postgres: Server, files: tls.Files
) -> None:
    """CVE-2021-23222."""

    async def go() -> None:
        async with listening(postgres, **shown(files)) as listener:
            wire = await Wire.open(listener)
            wire.say(struct.pack("!II", 8, 80877103) + write_startup({"user": "bob"}))
            kind, body = await wire.hear()
            assert (kind, read_fields(body).code) == (b"E", "08P01")
            wire.close()

    run(go())


def test_a_failing_handshake_ends_it(run: Run, postgres: Server, files: tls.Files) -> None:
    async def go() -> None:
        async with listening(postgres, **shown(files)) as listener:
            wire = await Wire.open(listener)
            wire.say(struct.pack("!II", 8, 80877103))
            assert await wire.reader.readexactly(1) == b"S"
            wire.say(write_startup({"user": "bob"}))
            assert (await wire.reader.read())[:1] in {b"", b"\x15"}
            wire.close()
            assert "certificate verify failed" in await refusal(
                listener, sslmode="verify-full", sslrootcert=_other(files)
            )

    run(go())


def _other(files: tls.Files) -> Path:
    return tls.make(files.ca.parent / "other").ca


# OAUTHBEARER.

WHERE = Discovery(configuration="https://idp.test/.well-known/openid-configuration", scope="x")


def initial(auth: str) -> bytes:
    data = f"n,,\x01auth={auth}\x01\x01".encode()
    return message(ord("p"), b"OAUTHBEARER\0" + len(data).to_bytes(4, "big") + data)


def test_a_bearer_is_told_where_to_get_a_token_and_comes_again(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres, discovery=WHERE) as listener:
            for auth, code in (("", "token-missing"), ("Bearer wrong", "token-signature")):
                wire = await Wire.open(listener)
                wire.say(write_startup({"user": "bob", "database": "postgres"}))
                assert await wire.hear() == (b"R", b"\0\0\0\x0aOAUTHBEARER\0\0")
                wire.say(initial(auth))
                kind, body = await wire.hear()
                assert (kind, body[:4]) == (b"R", b"\0\0\0\x0b")
                assert json.loads(body[4:])["openid-configuration"] == WHERE.configuration
                wire.say(message(ord("p"), b"\x01"))
                said = read_fields(await wire.until(b"E"))
                assert said.code == "28P01"
                assert said.detail.startswith(f"proctor: {code}")
                await wire.closed()
            wire = await Wire.open(listener)
            wire.say(write_startup({"user": "bob", "database": "postgres"}))
            wire.say(initial(f"Bearer {TOKEN}"))
            assert await wire.until(b"Z") == b"I"

    run(go())


def test_who_proves_nothing_has_no_more_time_than_others(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async def admit(_token: str) -> Principal:
            await asyncio.Event().wait()
            raise AssertionError

        bounds = Bounds(head=0.2, idle=0, drain=1)
        async with listening(postgres, admit=admit, bounds=bounds) as listener:
            wire = await Wire.open(listener)
            wire.say(write_startup({"user": "bob"}) + message(ord("p"), b"a-token\0"))
            assert read_fields(await wire.until(b"E")).code == "57014"
            await wire.closed()

    run(go())
