"""The tier `server`, asked for at sign-in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from proctor.errors import RefusedError, UpstreamError
from proctor.model import Principal
from proctor.postgres.settings import MaskingSettings
from proctor.postgres.side import Target
from proctor.postgres.vouching import GOOD, Vouching
from proctor.postgres.wires import Arrival
from tests.postgres.gateway import through
from tests.postgres.hardening.shop import DIRECT, EMAIL, PASSWORD, Shop, shop
from tests.postgres.server import PASSWORDS, Server

MASKING = MaskingSettings.model_validate(
    {
        "tier": "server",
        "columns": ({"table": "public.users", "column": "email"},),
        "unmasked_groups": ("payroll",),
    }
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def arrival(database: str, *groups: str) -> Arrival:
    return Arrival(
        principal=Principal(issuer="i", subject="alice", groups=groups),
        user="x",
        database=database,
        application="",
        parameters={},
        address="",
        started_at=datetime.now(UTC),
        flow_id="f",
    )


def vouching(found: Shop, clock: Clock, *, password: str = PASSWORD, one: bool = False) -> Vouching:
    def target(name: str, database: str) -> Callable[[], Awaitable[Target]]:
        assert name == "db"

        async def made() -> Target:
            return Target(
                host="127.0.0.1",
                port=found.server.port,
                database=database,
                user=found.app,
                password=password,
            )

        return made

    return Vouching(MASKING, target=target, roles=lambda _: (found.app,), clock=clock, one=one)


def test_open_then_closed_then_opened_again(postgres15: Server, tmp_path: Path) -> None:
    found, clock = shop(postgres15, tmp_path), Clock()
    who = vouching(found, clock)

    def check(*groups: str) -> None:
        asyncio.run(who.check(arrival(found.database, *groups), "db"))

    with pytest.raises(RefusedError) as caught:
        check()
    assert caught.value.code == "server-tier-open"
    check("payroll")
    found.apply()
    check()
    found.execute("GRANT SELECT ON users TO {app}")
    check()  # the answer is good for a while
    clock.now += GOOD
    with pytest.raises(RefusedError):
        check()


def test_another_database_has_no_such_column(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    asyncio.run(vouching(found, Clock()).check(arrival("postgres"), "db"))


def test_a_table_that_was_renamed_is_not_taken_for_none(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    found.execute("ALTER TABLE users RENAME TO people")
    with pytest.raises(UpstreamError) as caught:
        asyncio.run(vouching(found, Clock(), one=True).check(arrival(found.database), "db"))
    assert caught.value.code == "server-tier-unknown"
    assert "public.users.email" in caught.value.got


def test_what_cannot_be_asked_lets_nobody_in(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    found.apply()
    wrong = vouching(found, Clock(), password="wrong-one")
    with pytest.raises(UpstreamError) as caught:
        asyncio.run(wrong.check(arrival(found.database), "db"))
    assert caught.value.code == "sql-side"


def test_through_proctor(
    postgres15: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shop(postgres15, tmp_path, DIRECT)
    monkeypatch.setattr("tests.postgres.gateway.PASSWORDS", {**PASSWORDS, found.app: PASSWORD})
    listener = (
        "unknown_functions: allow\n"
        "masking: {tier: server, columns: [{table: public.users, column: email, with: partial},"
        " {table: public.users, column: ssn, with: hash}]}"
    )
    with through(postgres15, listener=listener, user=found.app) as gate:
        with pytest.raises(psycopg.OperationalError, match="kept back by the server, and is not"):
            psycopg.connect(gate.dsn(found.database)).close()
        found.apply()
        with psycopg.connect(gate.dsn(found.database), autocommit=True) as connection:
            asked = connection.execute("SELECT name, email FROM users WHERE id = 1")
            assert asked.fetchall() == [("Ann", "a***@***.com")]
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                connection.execute("SELECT email FROM public.users")
            assert EMAIL not in str(caught.value)
