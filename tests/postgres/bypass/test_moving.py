"""What names mean is asked anew after whatever may have moved it, where all of it is allowed.

Each case hides `public.ledger`, which nobody may write to, behind a temporary table of that name;
then something takes the way there that is no SET.
"""

from collections.abc import Iterator

import psycopg
import pytest

from proctor.protocols.postgres.messages import FLUSH, Back
from tests.postgres import gateway
from tests.postgres.bypass import planted, wire
from tests.postgres.gateway import Through
from tests.postgres.server import Server
from tests.postgres.wire import Wire, bind, errors, execute, parse, run

pytestmark = pytest.mark.e2e

_RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: ledger
    on: sql.statement
    when: '"public.ledger" in sql.tables && !sql.read_only'
    then: deny
"""
_HIDE = "CREATE TEMP TABLE ledger (id int)"
_WIPE = "DELETE FROM ledger"
_PATH = "'public, pg_temp'"
_UPDATE = f"SET setting = {_PATH} WHERE name = 'search_path'"
_BODY = f"BEGIN PERFORM set_config('search_path', {_PATH}, false); RETURN NULL; END"
_FUNCTION = f"CREATE FUNCTION pg_temp.go() RETURNS text LANGUAGE plpgsql AS $${_BODY}$$"
_TRIGGER = f"CREATE FUNCTION pg_temp.go() RETURNS trigger LANGUAGE plpgsql AS $${_BODY}$$"

CASES = {
    "the settings as a table": (f"UPDATE pg_settings {_UPDATE}", _WIPE),
    "a view of them": (
        "CREATE TEMP VIEW w AS SELECT * FROM pg_settings",
        f"UPDATE w {_UPDATE}",
        _WIPE,
    ),
    "a function": (_FUNCTION, "SELECT pg_temp.go()", _WIPE),
    "a function twice": (_FUNCTION, "SELECT pg_temp.go()", "SELECT pg_temp.go()", _WIPE),
    "a function in one text": (_FUNCTION, f"SELECT pg_temp.go(); {_WIPE}"),
    "a function that was prepared": (
        _FUNCTION,
        "PREPARE p AS SELECT pg_temp.go()",
        "EXECUTE p",
        _WIPE,
    ),
    "a function that was prepared, in one text": (
        _FUNCTION,
        "PREPARE p AS SELECT pg_temp.go()",
        f"EXECUTE p; {_WIPE}",
    ),
    "a view's function": (
        _FUNCTION,
        "CREATE TEMP VIEW w AS SELECT pg_temp.go()",
        "SELECT * FROM w",
        _WIPE,
    ),
    "a trigger": (
        _TRIGGER,
        "CREATE TEMP TABLE x (id int)",
        "CREATE TRIGGER t AFTER INSERT ON x EXECUTE FUNCTION pg_temp.go()",
        "INSERT INTO x VALUES (1)",
        _WIPE,
    ),
}


@pytest.fixture(scope="module")
def template(postgres15: Server) -> str:
    return postgres15.fresh(planted.schema())


@pytest.fixture(scope="module")
def database(postgres15: Server, template: str) -> str:
    return postgres15.copied(template)


@pytest.fixture(scope="module")
def through(postgres15: Server) -> Iterator[Through]:
    listener = "unknown_functions: allow"
    with gateway.through(postgres15, listener=listener, rules=_RULES) as running:
        yield running


def _left(server: Server, database: str) -> object:
    with psycopg.connect(server.dsn(database=database)) as observer:
        found = observer.execute("SELECT count(*) FROM public.ledger").fetchone()
        return found and found[0]


@pytest.mark.parametrize("prepared", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("texts", CASES.values(), ids=CASES)
def test_the_way_to_a_name(
    postgres15: Server, through: Through, database: str, texts: tuple[str, ...], *, prepared: bool
) -> None:
    before = _left(postgres15, database)
    with psycopg.connect(through.dsn(database=database), autocommit=True) as connection:
        for text in (_HIDE, _WIPE, *texts[:-1]):  # at first it is the temporary one
            connection.execute(text, prepare=prepared)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(texts[-1], prepare=prepared and ";" not in texts[-1])
    assert before
    assert _left(postgres15, database) == before


def test_a_function_in_the_midst_of_its_rows(
    postgres15: Server, through: Through, database: str
) -> None:
    """A portal that waits for the client to want more (54.2.3) has run as far as that."""
    before = _left(postgres15, database)
    client = wire.Client(through.host, through.port, through.user, database, through.token())
    for text in (_HIDE, _FUNCTION, "BEGIN", _WIPE):
        client.send(wire.query(text))
        assert not client.until_ready().codes
    more = wire.execute("some", 1) + wire.SYNC
    client.send(
        wire.parse("SELECT pg_temp.go() FROM generate_series(1, 3)")
        + wire.bind((), portal="some")
        + more
    )
    assert client.until_ready().kinds == ["1", "2", "D", "s", "Z"]
    client.send(wire.query("SELECT 1"))  # nothing waits for the portal
    assert client.until_ready().tags == ["SELECT 1"]
    for kinds in (["D", "s", "Z"], ["D", "s", "Z"], ["C", "Z"]):
        client.send(more)
        assert client.until_ready().kinds == kinds
    client.send(wire.query(_WIPE))
    assert client.until_ready().codes == ["42501"]
    client.close()
    assert _left(postgres15, database) == before


def test_directly_each_of_them_empties_it(postgres15: Server, template: str) -> None:
    """So that nothing is refused for another reason."""
    for name, texts in CASES.items():
        copy = postgres15.copied(template)
        with psycopg.connect(postgres15.dsn(database=copy), autocommit=True) as connection:
            for text in (_HIDE, _WIPE, *texts):
                connection.execute(text)
        assert _left(postgres15, copy) == 0, name


def test_to_ask_commits_nothing_of_a_batch(postgres15: Server, through: Through) -> None:
    """What a Sync has not ended yet is one transaction, also where all of it was answered."""
    database = postgres15.fresh(
        "CREATE TABLE t (a int);"
        " CREATE FUNCTION strange() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        " GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC"
    )
    with Wire.open(through, database=database) as client:
        client.send(parse("INSERT INTO t VALUES (strange())") + bind() + execute() + FLUSH)
        client.until(Back.COMMAND_COMPLETE)
        (error,) = errors(client.ask(run("SELECT 1 / (count(*) - 1) FROM t")))
        assert error.code == "22012"
        assert client.query("SELECT 1")
    ((count,),) = postgres15.execute("SELECT count(*) FROM t", database=database)
    assert count == 0
