"""A real worker in front of a real PostgreSQL, whose sessions hand everything on."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import AsyncConnection

from proctor.config import Config, load
from proctor.identity import local
from proctor.postgres import child
from proctor.postgres.listening import Workers
from proctor.postgres.worker import loop_factory, parse_arguments
from proctor.runtime.permissions import prepare
from tests.postgres.server import Server
from tests.support.databases import LISTENER, configuration
from tests.support.envelopes import ask
from tests.support.installation import REPOSITORY


class Lab:
    """Workers, and a client's way to them."""

    def __init__(self, config: Config, workers: Workers) -> None:
        self.config = config
        self.workers = workers

    async def connect(self, *, token: str = "", **more: Any) -> AsyncConnection[Any]:
        host, _, port = self.workers.addresses["orders"].rpartition(":")
        made = local.make(self.config.state / local.FILE).issue(
            subject="alice", groups=[], audience="proctor", ttl=600, now=time.time()
        )
        own = {"host": host, "port": port, "user": "x", "dbname": "postgres", "sslmode": "disable"}
        return await AsyncConnection.connect(**(own | {"password": token or made} | more))


@asynccontextmanager
async def lab(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch, *, workers: int = 1
) -> AsyncIterator[Lab]:
    monkeypatch.setattr(child, "COMMAND", (sys.executable, "-m", "tests.support.databaseworker"))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("DB_PASSWORD", "orders-password")
    text = LISTENER.replace("6432", "0").replace("5432", str(server.port))
    file = configuration(
        folder,
        f"{text}, workers: {workers}",
        more="redaction: {profile: none}\nlimits: {drain: 2s}\n",
    )
    file.write_text(
        file.read_text().replace("    - {issuer: https://idp.internal, audience: proctor}\n", "")
    )
    config = load(file)
    prepare(config, file)
    made = Workers(config, file, note=lambda *_: None)
    try:
        await made.start()
        made.open()
        yield Lab(config, made)
    finally:
        await made.drain(5)
        await made.stop()


def process() -> psutil.Process:
    """The worker's."""
    children = psutil.Process().children()
    (found,) = [each for each in children if "tests.support.databaseworker" in each.cmdline()]
    return found


@pytest.mark.e2e
def test_what_a_client_sees(
    tmp_path: Path, postgres15: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> Config:
        async with lab(tmp_path, postgres15, monkeypatch, workers=2) as house:
            async with await house.connect() as connection:
                cursor = await connection.execute("select current_user")
                assert await cursor.fetchone() == ("orders_app",)
            with pytest.raises(psycopg.OperationalError, match="token-malformed"):
                await house.connect(token="wrong")
            async with asyncio.timeout(30):
                while house.workers.totals.connections or not told(house):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
            # A cancel may come to the other worker; with ten connections both have some.
            many = [await house.connect() for _ in range(10)]
            sleeping = [asyncio.ensure_future(each.execute("select pg_sleep(30)")) for each in many]
            asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
            while await asyncio.to_thread(postgres15.execute, asleep) != [(10,)]:
                pass
            await asyncio.gather(*(each.cancel_safe() for each in many))
            ended = await asyncio.gather(*sleeping, return_exceptions=True)
            assert [type(each) for each in ended] == [psycopg.errors.QueryCanceled] * 10
            for each in many:
                await each.close()
            return house.config

    def told(house: Lab) -> bool:
        return any(
            sample.name == "proctor_postgres_connected_total" and sample.value == 2
            for metric in house.workers.totals.collect()
            for sample in metric.samples
        )

    config = asyncio.run(run())
    said = ask(config.audit.path, "select kind, writer from events order by writer, seq")
    assert said == [("start", "w0"), ("stop", "w0"), ("start", "w1"), ("stop", "w1")]
    refused = ask(config.audit.path, "select listener, protocol, verdict, rule_id from flows")
    assert refused == [("orders", "postgres", "deny", "token-malformed")]


@pytest.mark.e2e
def test_a_worker_that_is_killed(
    tmp_path: Path, postgres15: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with lab(tmp_path, postgres15, monkeypatch) as house:
            connection = await house.connect()
            cursor = await connection.execute("select pg_backend_pid()")
            (pid,) = await cursor.fetchone() or (0,)
            process().kill()
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("select 1")
            await connection.close()
            # It is back, and the server has let go of what was open.
            async with await house.connect() as again, asyncio.timeout(30):
                left = "select count(*) from pg_stat_activity where pid = %s"
                while await (await again.execute(left, (pid,))).fetchone() != (0,):  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.05)

    asyncio.run(run())


@pytest.mark.e2e
def test_a_worker_goes_with_its_gateway(
    tmp_path: Path, postgres15: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with lab(tmp_path, postgres15, monkeypatch) as house:
            connection = await house.connect()
            ours = process()
            # As if this process had ended: its end of the pipe is closed.
            house.workers._workers[0]._child.close_input()  # type: ignore[union-attr]
            assert await asyncio.to_thread(ours.wait, 10) in {0, None}
            with pytest.raises(psycopg.OperationalError, match="stopping"):
                await connection.execute("select 1")
            await connection.close()

    asyncio.run(run())


def test_arguments() -> None:
    asked = parse_arguments(
        ["--config=/a/b.yaml", "--number=2", "--listener=x=5", "--listener=y=6"]
    )
    assert (asked.config, asked.number) == (Path("/a/b.yaml"), 2)
    assert asked.handles == {"x": 5, "y": 6}


def test_the_loop() -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(asyncio.sleep(0, "done")) == "done"
