"""What the rules deny has no effect at the server, in whatever words it is said.

The role owns the ledger, so that only the rules stand before it; nobody may see the payroll.
`cases.py` says how to read policy/*.txt; a case that expects nothing must have neither effect,
and has one direct, as `test_direct` says.
"""

from collections.abc import Iterator

import psycopg
import pytest

from tests.postgres import gateway
from tests.postgres.bypass import cases, planted
from tests.postgres.bypass.cases import Case, Connect, Sessions
from tests.postgres.bypass.wire import Client
from tests.postgres.gateway import Through
from tests.postgres.server import PASSWORDS, Server

pytestmark = pytest.mark.e2e

type Observer = psycopg.Connection[tuple[object, ...]]
type State = tuple[object, ...] | None

CHANNELS = cases.channels("policy")
_DIRECT = "orders_cleartext"
_SECRET = b"42424242"
_LISTENER = "unknown_functions: deny"
_RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: ledger
    on: sql.statement
    when: '"public.ledger" in sql.tables && !sql.read_only'
    then: deny
  - id: payroll
    on: sql.statement
    when: '"public.payroll" in sql.tables'
    then: deny
  - id: structure
    on: sql.statement
    when: sql.verbs.exists(v, v in ["CREATE", "ALTER", "DROP", "TRUNCATE"])
    then: deny
"""
_STATE = """\
SELECT to_regclass('public.ledger')::text, to_regclass('public.v_ledger')::text,
  (SELECT md5(string_agg(query, '' ORDER BY query)) FROM (
    SELECT concat_ws(' ', attrelid::regclass, attname, atttypid, atthasdef) FROM pg_attribute
      WHERE attrelid IN (to_regclass('public.ledger'), to_regclass('public.v_ledger'))
    UNION ALL SELECT concat_ws(' ', relname, relowner, relrowsecurity, relhasrules, relhastriggers,
      relhassubclass, relnamespace) FROM pg_class
      WHERE oid IN (to_regclass('public.ledger'), to_regclass('public.v_ledger'))
    UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index
      WHERE indrelid = to_regclass('public.ledger')
    UNION ALL SELECT concat_ws(' ', polname, polrelid) FROM pg_policy
    UNION ALL SELECT inhrelid::text FROM pg_inherits WHERE inhparent = to_regclass('public.ledger')
    UNION ALL SELECT query_to_xml('TABLE public.ledger ORDER BY id', true, true, '')::text
      WHERE to_regclass('public.ledger') IS NOT NULL
  ) AS all_of_it (query))
"""
_RESTORE = """\
BEGIN; DELETE FROM public.ledger;
INSERT INTO public.ledger SELECT n, n * 100, 'entry ' || n FROM generate_series(1, 20) n; COMMIT
"""


@pytest.fixture(scope="module")
def template(postgres15: Server) -> str:
    """A database with the ledger, to be copied."""
    postgres15.execute(f"GRANT orders_app TO {_DIRECT}")
    return postgres15.fresh(planted.schema())


@pytest.fixture
def database(postgres15: Server, template: str) -> str:
    """A copy of its own for each test."""
    return _copy(postgres15, template)


@pytest.fixture(scope="module")
def through(postgres15: Server) -> Iterator[Through]:
    with gateway.through(postgres15, listener=_LISTENER, rules=_RULES) as running:
        yield running


@pytest.mark.parametrize("channel", CHANNELS)
def test_through(postgres15: Server, through: Through, database: str, channel: str) -> None:
    token = through.token()

    def connect() -> Client:
        return Client(through.host, through.port, through.user, database, token)

    wrong = _all(postgres15, database, connect, channel)
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("channel", CHANNELS)
def test_direct(postgres15: Server, template: str, channel: str) -> None:
    with _observer(postgres15, template) as observer:
        before = _state(observer)
    wrong = []
    database = ""
    for case in cases.read("policy", channel):
        database = database or _copy(postgres15, template)
        with Sessions(_connecting(postgres15, database)) as sessions:
            received = sessions.run(case)
        with _observer(postgres15, database) as observer:
            changed, whole = _state(observer) != before, _restored(observer, before)
        if (changed or _SECRET in received.raw) == (case.expected in {"=", "~"}):
            wrong.append(f"changed: {changed} {received.codes}: {case}")
        if not whole:
            database = ""
    assert not wrong, "\n".join(wrong)


def _connecting(server: Server, database: str) -> Connect:
    return lambda: Client(server.host, server.port, _DIRECT, database, PASSWORDS[_DIRECT])


def _restored(observer: Observer, before: State) -> bool:
    """Put the ledger's rows back; whether all is as it was then."""
    try:
        observer.execute(_RESTORE)
    except psycopg.Error:
        return False
    return _state(observer) == before


def _all(server: Server, database: str, connect: Connect, channel: str) -> list[str]:
    wrong = []
    with Sessions(connect) as sessions, _observer(server, database) as observer:
        state = _state(observer)
        for case in cases.read("policy", channel):
            if bad := _judged(sessions, case):
                wrong.append(f"{bad}: {case}")
            if (found := _state(observer)) != state:
                if case.expected != "!":
                    wrong.append(f"had an effect: {case}")
                state = found
    return wrong


def _judged(sessions: Sessions, case: Case) -> str:
    received = sessions.run(case)
    if _SECRET in received.raw:
        return "told of the payroll"
    if case.expected == "=":
        return f"is refused {received.codes} {received.said}" if received.codes else ""
    return "" if received.codes or case.expected in {"~", "!"} else "is not refused"


def _observer(server: Server, database: str) -> Observer:
    return psycopg.connect(server.dsn(database=database), autocommit=True)


def _state(observer: Observer) -> State:
    return observer.execute(_STATE).fetchone()


def _copy(server: Server, template: str) -> str:
    name = server.copied(template)
    server.execute(f"ALTER ROLE {_DIRECT} IN DATABASE {name} SET role = 'orders_app'")
    return name
