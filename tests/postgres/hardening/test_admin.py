"""Who changes rights at a server."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proctor.errors import ClientError, ConfigurationError
from proctor.postgres.hardening.admin import Admin, transaction, url_of, verifier
from tests.postgres.hardening.shop import shop
from tests.postgres.server import Server


def test_a_url() -> None:
    assert url_of("postgresql://dba@h/shop") == Admin(url="postgresql://dba@h/shop")


@pytest.mark.parametrize(
    "url", ["postgresql://a:hunter2@h/d", "postgresql://h/d?password=hunter2", "postgresql://[x"]
)
def test_no_url(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        url_of(url)
    assert caught.value.code in {"harden-password", "harden-url"}
    assert "hunter2" not in str(caught.value)


def test_no_password_is_shown() -> None:
    assert "hunter2" not in repr(Admin(user="x", password="hunter2"))


def test_a_verifier_is_taken_for_its_password(postgres18: Server) -> None:
    made = verifier("a-secret !~")
    assert made != verifier("a-secret !~")
    postgres18.execute(f"CREATE ROLE verified LOGIN PASSWORD '{made}'")
    asked = "SELECT rolpassword FROM pg_authid WHERE rolname = 'verified'"
    assert postgres18.execute(asked) == [(made,)]
    with psycopg.connect(postgres18.dsn("verified", password="a-secret !~")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("verified",)
    postgres18.execute("DROP ROLE verified")


def test_only_what_is_meant_is_committed(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)

    async def made(connection: Any, name: str, more: str = "") -> None:
        async with transaction(connection) as commit:
            await connection.execute(f"CREATE TABLE public.{name} ()")
            if name != "dropped":
                commit()
            if more:
                await connection.execute(more)
            if name == "cut":
                raise asyncio.CancelledError

    async def work(connection: Any) -> None:
        await made(connection, "dropped")
        await made(connection, "kept")
        with pytest.raises(ClientError) as caught:
            await made(connection, "lost", "SELECT 1 / 0")
        assert (caught.value.code, "22012" in caught.value.got) == ("harden-refused", True)
        with pytest.raises(asyncio.CancelledError):
            await made(connection, "cut")

    found.asked(work)
    names = found.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {name for (name,) in names} == {"users", "orders", "kept"}
