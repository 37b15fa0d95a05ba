"""The question, asked of real servers under hostile circumstances; the answer, read whole."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import InternalError
from proctor.sql.names import NO_NAMES, Function, Questions, answered, wanted
from proctor.sql.reading import read
from proctor.sql.statement import Call, CallKind, Reference
from tests.postgres.conftest import every_postgres  # noqa: F401  # a fixture
from tests.postgres.server import Server
from tests.support.sqlnames import ask


def question(text: str) -> Questions:
    return wanted(read(text))


@pytest.fixture
def shop(every_postgres: Server) -> Iterator[psycopg.Connection]:  # noqa: F811
    """A transaction with some objects, which is rolled back."""
    with psycopg.connect(every_postgres.dsn()) as connection:
        connection.execute("CREATE SCHEMA app")
        connection.execute("CREATE SCHEMA closed")
        connection.execute('CREATE TABLE app.users (id int, email text, gone int, "Na.me" text)')
        connection.execute("ALTER TABLE app.users DROP gone")
        connection.execute("CREATE VIEW app.v AS SELECT email FROM app.users")
        connection.execute("CREATE TABLE closed.secret (a int)")
        connection.execute(
            "CREATE FUNCTION app.lower(text) RETURNS text LANGUAGE sql AS $$SELECT $1$$"
        )
        connection.execute("CREATE ROLE passer_by")
        connection.execute("SET search_path = app, public")
        yield connection
        connection.rollback()


def test_names_are_what_they_are_to_this_session(shop: psycopg.Connection) -> None:
    shop.execute("CREATE TEMP TABLE v (a int)")
    names = ask(shop, question(
        "SELECT lower(a), app.lower(b), x.email, nope() FROM users x, v, app.v y, pg_temp.v z,"
        " gone, app.gone, gone.gone, pg_class, closed.secret"
    ))  # fmt: skip
    users = names.relations["", "users"]
    assert (users.schema, users.name, users.kind, users.temporary) == ("app", "users", "r", False)
    assert [(column.name, column.number) for column in users.columns] == [
        ("id", 1),
        ("email", 2),
        ("Na.me", 4),
    ]
    assert names.relations["", "v"].temporary
    assert names.relations["", "v"] == names.relations["pg_temp", "v"]
    assert names.relations["app", "v"].kind == "v"
    assert names.relations["app", "v"].rules
    assert names.relations["", "pg_class"].schema == "pg_catalog"
    assert set(names.relations) == {
        ("", "users"), ("", "v"), ("app", "v"), ("pg_temp", "v"), ("", "pg_class"),
        ("closed", "secret"),
    }  # fmt: skip
    assert set(names.functions["", "lower"]) == {
        Function("pg_catalog", "lower"),
        Function("app", "lower"),
    }
    assert names.functions["app", "lower"] == (Function("app", "lower"),)
    assert ("", "nope") not in names.functions
    assert names.schema == "app"
    assert names.path[1:] == ("pg_catalog", "app", "public")
    assert names.version == shop.info.server_version
    assert names.database == shop.info.dbname


def test_what_may_not_be_used_is_missing_and_nothing_fails(shop: psycopg.Connection) -> None:
    shop.execute("SET ROLE passer_by")
    names = ask(
        shop, question("SELECT 1 FROM closed.secret, app.users, users, gone.gone, closed.f()")
    )
    assert names.relations == {}
    assert names.user == "passer_by"
    assert names.path == ("pg_catalog", "public")
    shop.execute("SELECT 1")  # the transaction lives


def test_a_users_own_functions_and_operators_are_not_used(shop: psycopg.Connection) -> None:
    for kind in ("text", "name", "oid"):
        shop.execute(
            f"CREATE FUNCTION app.fooled({kind}, {kind}) RETURNS bool LANGUAGE plpgsql"
            " AS $$BEGIN RAISE 'fooled'; END$$"
        )
        shop.execute(
            f"CREATE OPERATOR app.= (FUNCTION = fooled, LEFTARG = {kind}, RIGHTARG = {kind})"
        )
        shop.execute(
            f"CREATE OPERATOR app.<> (FUNCTION = fooled, LEFTARG = {kind}, RIGHTARG = {kind})"
        )
    shop.execute(
        "CREATE FUNCTION app.quote_ident(text) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$"
    )
    shop.execute("CREATE TABLE app.pg_class (a int)")
    shop.execute("SET search_path = app, pg_catalog")
    names = ask(shop, question("SELECT * FROM users, pg_class WHERE a = b"))
    assert names.relations["", "users"].schema == names.relations["", "pg_class"].schema == "app"
    assert names.operators["", "="] == (Function("app", "="),)


def test_it_is_asked_in_transactions_that_only_read(shop: psycopg.Connection) -> None:
    shop.execute("SET TRANSACTION READ ONLY")
    assert ask(shop, question("SELECT * FROM users")).relations


def test_functions_and_operators_of_extensions_are_told(shop: psycopg.Connection) -> None:
    try:
        shop.execute("CREATE EXTENSION citext SCHEMA app")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server's programs come without citext")
    names = ask(shop, question("SELECT citext_eq(a, b) FROM t WHERE a = b"))
    assert names.functions["", "citext_eq"] == (Function("app", "citext_eq", "citext"),)
    assert names.operators["", "="] == (Function("app", "=", "citext"),)


def test_lexing_is_asked_for(shop: psycopg.Connection) -> None:
    assert ask(shop, question("TABLE users")).standard_conforming_strings
    shop.execute("SET standard_conforming_strings = off")
    assert not ask(shop, question("TABLE users")).standard_conforming_strings


def test_nothing_is_asked_where_nothing_is_named() -> None:
    for text in ("BEGIN", "COMMIT", "SHOW a", "SELECT 1", "SET a = 1", ""):
        assert not question(text)
    assert question("SELECT lower($1)")


def test_names_cannot_leave_their_parameter(shop: psycopg.Connection) -> None:
    name = 'x","y\\}{\'; DROP TABLE users --'
    quoted = '"' + name.replace('"', '""') + '"'
    shop.execute(f"CREATE TABLE app.{quoted} (a int)")
    names = ask(shop, question(f"TABLE {quoted}"))
    assert names.relations["", name].name == name


def test_references_to_other_databases_mean_nothing() -> None:
    assert NO_NAMES.relation(Reference("other", "public", "users")) is None
    assert NO_NAMES.called(Call("", "=", CallKind.OPERATOR)) == ()


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["relations", "functions", "operators", "path", "schema", "version"]), inner
    ),
))  # fmt: skip
def test_an_answer_that_is_none_is_refused(value: object) -> None:
    import orjson  # noqa: PLC0415  # here only

    try:
        data = orjson.dumps(value)
    except TypeError:
        return
    with pytest.raises(InternalError) as raised:
        answered([(data,)])
    assert raised.value.code == "sql-names"


@pytest.mark.parametrize("rows", [[], [(b"{}",), (b"{}",)], [(None,)], [(b"{", b"}")], [(b"[]",)]])
def test_rows_that_are_no_answer_are_refused(rows: list[tuple[bytes | None, ...]]) -> None:
    with pytest.raises(InternalError):
        answered(rows)
