"""Connections over which much goes, and sides that do not read."""

import asyncio
from typing import cast

from tests.postgres.relaying import (
    Hooks,
    Relay,
    Run,
    Wire,
    connect,
    listening,
    query,
    until,
)
from tests.postgres.server import Server


def test_a_client_that_does_not_read_stops_the_server(run: Run, postgres: Server) -> None:
    seen = [0]

    def server(_session: Relay, data: bytes) -> None:
        seen[0] += len(data)

    async def go() -> None:
        async with listening(postgres, hooks=Hooks(server=server)) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            transport = listener.connections[0].transport
            assert transport is not None
            reading = cast("asyncio.Transport", wire.writer.transport)
            reading.pause_reading()
            wire.say(
                query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 24000)) TO STDOUT")
            )
            upstream = listener.connections[0]._server
            await until(lambda: upstream is not None and upstream._held)
            before = seen[0]
            await asyncio.sleep(0.1)
            assert seen[0] == before < 20_000_000
            assert transport.get_write_buffer_size() < 2_000_000
            reading.resume_reading()
            await wire.until(b"Z")
            assert seen[0] > 24_000_000
            wire.close()

    run(go())


def test_a_server_that_does_not_read_stops_the_client(run: Run, postgres: Server) -> None:
    async def go() -> None:
        async with listening(postgres) as listener:
            wire = await Wire.open(listener)
            await wire.sign_in()
            wire.say(query("SELECT pg_sleep(0.3)"))
            await until(lambda: listener.sessions[0].running)
            (connection,) = listener.connections
            wire.say(query(f"SELECT length('{'x' * 12_000_000}')"))
            await until(lambda: connection._held)
            assert connection._server is not None
            assert connection._server.transport is not None
            assert connection._server.transport.get_write_buffer_size() < 2_000_000
            await wire.until(b"D")
            assert (await wire.until(b"D"))[6:] == b"12000000"
            wire.close()

    run(go())


def test_copies_and_pipelines_pass(run: Run, every_postgres: Server) -> None:
    async def go() -> None:
        async with listening(every_postgres) as listener:
            async with await connect(listener) as one:
                await one.execute("CREATE TEMP TABLE many (id int, text text)")
                cursor = one.cursor()
                async with cursor.copy("COPY many FROM STDIN") as copy:
                    for number in range(2000):
                        await copy.write_row((number, "text" * 20))
                async with one.pipeline():
                    asked = [await one.execute("SELECT %s::int", [number]) for number in range(200)]
                assert [await each.fetchone() for each in asked] == [(n,) for n in range(200)]
                rows = 0
                async with cursor.copy("COPY many TO STDOUT") as copy:
                    async for _ in copy:
                        rows += 1
                assert rows == 2000

    run(go())
