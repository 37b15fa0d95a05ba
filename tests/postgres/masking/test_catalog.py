"""What the catalog says, read from real servers."""

import asyncio

from proctor.postgres.masking.catalog import Catalog, changes, load
from tests.postgres.masking.database import SENSITIVE, database, side
from tests.postgres.server import ORDERS_APP, Server

TRUSTED = frozenset({"public.v_safe"})


def loaded(server: Server, user: str = ORDERS_APP) -> Catalog:
    async def main() -> Catalog:
        asked = side(server, database(server), user)
        async with asked.transaction(snapshot=True) as connection:
            found = await load(connection, SENSITIVE, TRUSTED, {})
            assert await changes(connection, found) == await changes(connection, found)
        await asked.close()
        return found

    return asyncio.run(main())


def named(server: Server, found: Catalog) -> set[str]:
    rows = server.execute("SELECT oid::int, relname FROM pg_class", database=database(server))
    names = dict(rows)
    return {f"{names[oid]}.{number}" for oid, number in found.known}


def test_columns_by_name_and_by_inheritance(every_postgres: Server) -> None:
    found = loaded(every_postgres)
    assert named(every_postgres, found) == {
        *("users.3", "users.4", "events.2", "events_1.2", "staff.2", "folk.1", "folk_child.1"),
        "wéird :t.2",
    }
    assert [one.name for one in found.missing] == ["public.nowhere.email"]


def test_what_is_closed_or_linked(postgres: Server) -> None:
    found = loaded(postgres)
    rows = postgres.execute(
        "SELECT relname, oid::int, reltoastrelid::int FROM pg_class", database=database(postgres)
    )
    oids = {name: oid for name, oid, _ in rows}
    toast = {name: oid for name, _, oid in rows}
    assert found.closed(oids["pg_stats"])
    assert found.closed(toast["users"])
    assert not found.closed(toast["orders"] or 1)
    assert found.ruled(oids["log"])
    assert not found.ruled(oids["users"])
    assert {name for name in ("teams", "noted", "orders") if found.linked(oids[name])} == {
        "teams",
        "noted",
    }
    assert found.trusts(oids["v_safe"])
    assert found.view(oids["v_safe"]) is None
    assert found.touches(oids["users"])
    assert not found.touches(oids["orders"])
