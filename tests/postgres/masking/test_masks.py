"""Which statements pass and what is masked of them, by real servers' own analysis."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from proctor.errors import InternalError, RefusedError
from proctor.postgres.masking import Context, Kind, Masks, Plan
from tests.postgres.masking.database import SENSITIVE, database, sensitive, side
from tests.postgres.masking.plans import CLOSED, MASKED, OTHER, PASSES, TOKEN, UNRESOLVED
from tests.postgres.server import ORDERS_APP, SUPERUSER, Server


@dataclass(slots=True)
class Time:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def run[T](server: Server, work: Callable[[Masks], Awaitable[T]], **more: Any) -> T:
    name = more.pop("name", None) or database(server)
    user = more.pop("user", SUPERUSER)
    more.setdefault("trusted", frozenset({"public.v_safe"}))
    more.setdefault("restoring", True)
    columns = more.pop("columns", SENSITIVE)

    async def main() -> T:
        asked = side(server, name, user)
        try:
            return await work(Masks(asked, columns, **more))
        finally:
            await asked.close()

    return asyncio.run(main())


def plan(server: Server, sql: str, context: Context | None = None, **more: Any) -> Plan:
    async def work(masks: Masks) -> Plan:
        return await masks.plan(sql, context or Context())

    return run(server, work, **more)


def shown(found: Plan) -> tuple[int, ...]:
    return tuple(int(bool(column)) for column in found.columns)


def test_what_passes(every_postgres: Server) -> None:
    async def work(masks: Masks) -> dict[str, tuple[int, ...]]:
        return {sql: shown(await masks.plan(sql, Context())) for sql in PASSES}

    assert run(every_postgres, work) == PASSES


@pytest.mark.parametrize(
    ("code", "statements"),
    [
        ("sql-masked", MASKED),
        ("sql-masked-closed", CLOSED),
        ("sql-masked-unresolved", UNRESOLVED),
    ],
)
def test_what_is_refused(every_postgres: Server, code: str, statements: list[str]) -> None:
    async def work(masks: Masks) -> dict[str, str]:
        codes = {}
        for sql in statements:
            try:
                found = await masks.plan(sql, Context())
            except RefusedError as error:
                codes[sql] = "it tells" if "planted" in str(error) else error.code
            else:
                codes[sql] = f"passes: {found}"
        return codes

    assert run(every_postgres, work) == dict.fromkeys(statements, code)


def test_what_else_a_plan_says(postgres: Server) -> None:
    async def work(masks: Masks) -> None:
        async def of(sql: str) -> Plan:
            return await masks.plan(sql, Context())

        found = await of("SELECT id, email, ssn FROM users")
        assert (found.names, found.kind, found.masks) == (
            ("public.users.email", "public.users.ssn"),
            Kind.ROWS,
            True,
        )
        assert (await of("DECLARE c CURSOR FOR SELECT email FROM users")).kind is Kind.CURSOR
        assert (await of("PREPARE p AS SELECT email FROM users")).kind is Kind.PREPARED
        explained = await of("EXPLAIN SELECT email FROM users")
        assert (explained.kind, explained.content) == (Kind.TEXT, False)
        hides = {
            "SELECT id FROM users": True,
            "SELECT mail FROM v_users": True,
            "SELECT * FROM v_safe": True,
            "SELECT * FROM orders": False,
            "INSERT INTO orders VALUES (1)": False,
            "INSERT INTO noted VALUES (1)": True,  # its trigger says what it likes
            "DELETE FROM teams": True,  # users refer to it, and are changed with it
            "SELECT * FROM teams": False,
            "COPY noted FROM STDIN": True,
            "COMMIT": True,  # constraints that are checked late
            "ROLLBACK": False,
            "VACUUM users": True,
        }
        assert {sql: (await of(sql)).hide_errors for sql in hides} == hides
        found = await of(f"SELECT id FROM users WHERE email = '{TOKEN}' OR '{OTHER}' = email")  # noqa: S608 - the tests' own words
        assert found.restores.literals == (TOKEN, OTHER)
        found = await of("SELECT id FROM users WHERE id = $1 AND email = $2")
        assert found.restores.parameters == {2}
        with pytest.raises(InternalError, match="what they name"):
            await of("EXECUTE p")

    run(postgres, work)


def test_the_servers_own_words_help_to_mend_a_statement(postgres: Server) -> None:
    with pytest.raises(RefusedError) as caught:
        plan(postgres, "SELECT emial FROM users")
    assert caught.value.message == 'column "emial" does not exist'
    assert caught.value.got == "42703"


def test_where_nobody_restores_nothing_is_compared(postgres: Server) -> None:
    for sql in (
        f"SELECT id FROM users WHERE email = '{TOKEN}'",  # noqa: S608 - the tests' own words
        "SELECT id FROM users WHERE email = $1",
    ):
        with pytest.raises(RefusedError, match="is masked here"):
            plan(postgres, sql, restoring=False)


@dataclass(frozen=True, slots=True)
class Named:
    oid: int
    name: str
    kind: str
    columns: tuple["Typed", ...] = ()
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    name: str
    type: int


def oid(server: Server, name: str) -> int:
    rows = server.execute(f"SELECT '{name}'::regclass::oid::int", database=database(server))
    return int(rows[0][0])


def test_temporary_tables_of_the_session_are_known(postgres: Server) -> None:
    users, orders = oid(postgres, "users"), oid(postgres, "orders")
    own = Named(9_000_001, "users", "r", (Typed("email", 25), Typed("a b", 1007)), temporary=True)
    path = ("pg_temp_3", "pg_catalog", "public")
    hiding = Context(search_path=path, relations={("", "users"): own})
    assert shown(plan(postgres, 'SELECT lower(email), "a b" FROM users', hiding)) == ()
    both = Context(
        search_path=path,
        relations={
            ("", "t"): Named(9_000_002, "t", "r", (Typed("a", 25),), temporary=True),
            ("", "users"): Named(users, "users", "r"),
        },
    )
    assert shown(plan(postgres, "SELECT a, email FROM t, users", both)) == (0, 1)
    with pytest.raises(RefusedError, match="is masked here"):
        plan(postgres, "SELECT lower(users.email) FROM t, users", both)
    # A name that means something else to the session than here.
    other = Context(relations={("", "orders"): Named(orders + 999_999, "orders", "r")})
    with pytest.raises(RefusedError, match="another relation"):
        plan(postgres, "SELECT * FROM orders", other)


def test_what_the_session_has_not_committed(postgres: Server) -> None:
    users = oid(postgres, "users")
    new = Named(9_000_003, "fresh_table", "r", (Typed("a", 25),))
    alone = Context(relations={("", "fresh_table"): new})
    assert plan(postgres, "SELECT upper(a) FROM fresh_table", alone) == Plan(kind=Kind.ROWS)
    # Nothing is known to the session either: its server says so itself.
    assert plan(postgres, "SELECT * FROM nowhere", Context(relations={})) == Plan(kind=Kind.ROWS)
    refused = {
        "SELECT mails() FROM fresh_table": alone,
        "SELECT * FROM fresh_table, renamed": Context(
            relations={
                **(alone.relations or {}),
                ("", "renamed"): Named(users, "renamed", "r"),
            }
        ),
        "SELECT * FROM fresh_table, gone": Context(
            relations={
                **(alone.relations or {}),
                ("", "gone"): Named(oid(postgres, "v_users"), "gone", "v"),
            }
        ),
    }
    for sql, context in refused.items():
        with pytest.raises(RefusedError, match="does not exist"):
            plan(postgres, sql, context)


def test_the_search_path_decides(postgres: Server) -> None:
    name = postgres.fresh(
        "CREATE TABLE users(id int, email text); CREATE SCHEMA other;"
        "CREATE TABLE other.users(id int, email text)"
    )

    async def work(masks: Masks) -> list[tuple[int, ...]]:
        paths = [("public",), ("other", "public"), ("pg_catalog", "public"), ("pg_temp", "public")]
        return [
            shown(await masks.plan("SELECT email FROM users", Context(search_path=path)))
            for path in paths
        ]

    columns = [sensitive("users", "email")]
    assert run(postgres, work, name=name, columns=columns) == [(1,), (), (1,), (1,)]
    # A schema that the login may not use is none of the session's; this one is another's.
    with pytest.raises(RefusedError, match=r"search path|does not exist"):
        plan(
            postgres,
            "SELECT email FROM users",
            Context(search_path=("other", "public")),
            name=name,
            columns=columns,
            user=ORDERS_APP,
        )


def test_a_role_sees_what_its_own_schemas_hold(postgres: Server) -> None:
    name = postgres.fresh(
        "CREATE TABLE users(id int, email text); CREATE SCHEMA secret;"
        "CREATE TABLE secret.users(email text); GRANT USAGE ON SCHEMA secret TO orders_app"
    )
    context = Context(search_path=("secret", "public"), role="orders_app")
    columns = [sensitive("users", "email")]
    found = plan(postgres, "SELECT email FROM users", context, name=name, columns=columns)
    assert shown(found) == ()


def test_a_weak_login_is_enough(every_postgres: Server) -> None:
    found = plan(every_postgres, "SELECT id, email FROM users", user=ORDERS_APP)
    assert shown(found) == (0, 1)


def test_without_the_right_to_make_temporary_functions_nothing_passes(postgres: Server) -> None:
    name = postgres.fresh("CREATE TABLE users(id int, email text)")
    postgres.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    columns = [sensitive("users", "email")]
    with pytest.raises(RefusedError, match="TEMPORARY"):
        plan(postgres, "SELECT 1", name=name, columns=columns, user=ORDERS_APP)


def test_many_parameters(postgres: Server) -> None:
    values = ", ".join(f"(${2 * n + 1}, ${2 * n + 2})" for n in range(200))
    found = plan(
        postgres,
        f"INSERT INTO users(id, name) VALUES {values} RETURNING id, email -- $401",  # noqa: S608 - the tests' own words
    )
    assert shown(found) == (0, 1)


def test_types_that_parse_names(postgres: Server) -> None:
    sql = "SELECT email, $1 FROM users WHERE id = $2"
    assert shown(plan(postgres, sql, Context(types=(23, 0)))) == (1, 0)


def test_the_catalog_is_watched(postgres: Server) -> None:
    name = postgres.fresh(
        "CREATE TABLE users(id int, email text); CREATE TABLE orders(email text);"
        "CREATE VIEW seen AS SELECT email FROM orders"
    )
    time = Time()
    sql = "SELECT email FROM seen"

    async def work(masks: Masks) -> None:
        async def now(text: str = sql) -> tuple[int, ...]:
            return shown(await masks.plan(text, Context()))

        def others(ddl: str) -> None:
            postgres.execute(ddl, database=name)

        assert masks.cached(sql, Context()) is None
        assert await now() == ()
        assert masks.cached(sql, Context()) is not None
        others("CREATE OR REPLACE VIEW seen AS SELECT email FROM users")
        assert await now() == ()  # for two seconds
        time.now += 2.1
        assert masks.cached(sql, Context()) is None
        assert await now() == (1,)
        others("CREATE OR REPLACE VIEW seen AS SELECT email FROM orders")
        masks.changed()
        assert masks.cached(sql, Context()) is None
        assert await now() == ()
        # Another name for the table does not show its column.
        others("ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME email TO mail")
        time.now += 2.1
        assert await now("SELECT mail FROM people") == (1,)
        assert [one.name for one in masks.missing] == ["public.users.email"]
        # Nor does another table under its name.
        others("CREATE TABLE users(email text)")
        time.now += 2.1
        assert await now("SELECT email FROM users") == (1,)
        assert await now("SELECT mail FROM people") == (1,)
        others("CREATE SCHEMA early; CREATE TABLE early.users(email text)")
        assert masks.cached("SELECT email FROM users", Context()) is not None
        time.now += 2.1
        assert await now("SELECT email FROM users") == (1,)

    run(postgres, work, name=name, columns=[sensitive("users", "email")], clock=time)


def test_a_column_that_comes_to_inherit(postgres: Server) -> None:
    name = postgres.fresh(
        "CREATE TABLE users(email text) PARTITION BY LIST (email);"
        "CREATE TABLE part(email text); CREATE VIEW v AS SELECT email FROM part"
    )
    time = Time()

    async def work(masks: Masks) -> None:
        async def now() -> tuple[int, ...]:
            return shown(await masks.plan("SELECT email FROM v", Context()))

        assert await now() == ()
        postgres.execute("ALTER TABLE users ATTACH PARTITION part DEFAULT", database=name)
        time.now += 2.1
        assert await now() == (1,)
        postgres.execute("ALTER TABLE users DETACH PARTITION part", database=name)
        time.now += 2.1
        assert await now() == (1,)  # the rows are the same

    run(postgres, work, name=name, columns=[sensitive("users", "email")], clock=time)


def test_a_table_that_is_locked_is_not_waited_for_long(postgres: Server) -> None:
    name = postgres.fresh("CREATE TABLE users(email text)")
    import psycopg  # noqa: PLC0415 - for this test alone

    with psycopg.connect(postgres.dsn(database=name)) as locking:
        locking.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(RefusedError, match="lock timeout"):
            plan(
                postgres,
                "SELECT email FROM users",
                name=name,
                columns=[sensitive("users", "email")],
            )


def test_a_statement_that_is_nested_deeply_is_refused_or_read(postgres: Server) -> None:
    sums = "SELECT " + "+".join(["1"] * 3000)
    with pytest.raises(RefusedError, match=r"nested|stack"):
        plan(postgres, sums)
