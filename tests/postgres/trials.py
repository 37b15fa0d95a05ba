"""Statements as they are when they are held, and what is found out about them."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from proctor.approval.model import Part
from proctor.model import Action, ActionKind, Principal, SqlFields
from proctor.postgres.dryrun import DryRun
from proctor.postgres.settings import DryRunSettings
from proctor.postgres.side import Connection, Target
from proctor.postgres.statements import Context, Judged, Judgement
from proctor.protocols.postgres.messages import Bind
from proctor.sql.names import NO_NAMES
from proctor.sql.reading import read
from proctor.sql.resolving import resolve
from tests.postgres.masking.database import side
from tests.postgres.server import PASSWORDS, SUPERUSER, Server

ALICE = Principal(issuer="i", subject="alice", groups=())


def judged(
    sql: str,
    database: str,
    *,
    path: Sequence[str] = ("pg_catalog", "public"),
    types: tuple[int, ...] = (),
    in_transaction: bool = False,
) -> Judged:
    """A text, with what can be known of it without its server."""
    script = read(sql)
    statements = []
    for statement in script.statements:
        resolved = resolve(statement, NO_NAMES)
        fields = SqlFields(
            database=database,
            verbs=statement.verbs,
            tables=resolved.tables,
            columns=(),
            functions=(),
            has_where=statement.has_where,
            read_only=statement.read_only,
            in_transaction=in_transaction,
            fingerprint=script.fingerprint,
        )
        action = Action(
            kind=ActionKind.SQL_STATEMENT,
            listener="orders-db",
            target="orders-db",
            content=(),
            size=len(sql),
            sql=fields,
        )
        statements.append(Judgement(statement=statement, resolved=resolved, action=action))
    return Judged(
        text=sql.encode(),
        statements=tuple(statements),
        ruling=None,
        error=None,
        kept=sql.encode(),
        policy=None,
        context=Context(
            path=tuple(path), role="", epoch=0, encoding="utf-8", in_transaction=in_transaction
        ),
        steady=True,
        types=types,
    )


def dry_run(
    server: Server,
    *,
    user: str = SUPERUSER,
    settings: DryRunSettings | None = None,
    hide: bool = False,
    allowed: Sequence[str] = (),
    groups: Sequence[str] = (),
    passwords: Mapping[str, str] = PASSWORDS,
) -> DryRun:
    """Signs in as `user`."""

    async def target(database: str) -> Target:
        return Target(
            host=server.host,
            port=server.port,
            database=database,
            user=user,
            password=passwords[user],
        )

    return DryRun(
        settings or DryRunSettings(),
        credential=lambda _principal: user,
        target=lambda _name, database: lambda: target(database),
        hide=hide,
        allowed=frozenset(allowed),
        groups=groups,
    )


def found(
    server: Server,
    statement: Judged,
    *,
    at: int = 0,
    bind: Bind | None = None,
    user: str = SUPERUSER,
    settings: DryRunSettings | None = None,
    hide: bool = False,
    allowed: Sequence[str] = (),
    groups: Sequence[str] = (),
    passwords: Mapping[str, str] = PASSWORDS,
) -> dict[str, str]:
    """The parts of a card, by name."""

    async def main() -> tuple[Part, ...]:
        made = dry_run(
            server,
            user=user,
            settings=settings,
            hide=hide,
            allowed=allowed,
            groups=groups,
            passwords=passwords,
        )
        try:
            return await made.evidence(ALICE, statement, at, bind)
        finally:
            await made.close()

    return {part.name: part.text for part in asyncio.run(main())}


def asking[T](
    server: Server, ask: Callable[[Connection], Awaitable[T]], *, user: str = SUPERUSER
) -> T:
    """What `ask` finds out, in a transaction of a side connection."""

    async def main() -> T:
        made = side(server, database(server), user)
        try:
            async with made.transaction() as connection:
                return await ask(connection)
        finally:
            await made.close()

    return asyncio.run(main())


SETUP = """
GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE TABLE orders(id int PRIMARY KEY, who text, total numeric, at timestamptz DEFAULT now());
INSERT INTO orders SELECT n, 'c' || n % 10, n FROM generate_series(1, 4031) n;
CREATE TABLE items(
  id serial PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE, name text);
INSERT INTO items(order_id, name) SELECT n, 'x' FROM generate_series(1, 100) n;
CREATE VIEW v_orders AS SELECT id, who FROM orders;
CREATE VIEW v_again AS SELECT id FROM v_orders;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE noted(a int);
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON noted FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE quiet(a int);
CREATE TRIGGER note BEFORE UPDATE ON quiet FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE quiet DISABLE TRIGGER note;
CREATE TABLE ruled(a int);
CREATE RULE also AS ON DELETE TO ruled DO ALSO UPDATE noted SET a = 1;
CREATE TABLE parts(id int, a text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts SELECT n, 'x' FROM generate_series(0, 19) n;
CREATE SEQUENCE counter;
CREATE FUNCTION step() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT nextval(''counter'')::int';
CREATE FUNCTION sure(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT step() > 0';
CREATE TABLE checked(a int);
INSERT INTO checked VALUES (1);
ALTER TABLE checked ADD CHECK (sure(a)) NOT VALID;
CREATE TABLE stepped(a int, b int DEFAULT step());
INSERT INTO stepped VALUES (1, 1);
CREATE TABLE identified(id int GENERATED ALWAYS AS IDENTITY, a int);
INSERT INTO identified(a) VALUES (1);
CREATE DOMAIN fine AS int CHECK (sure(VALUE));
CREATE TABLE tamed(a int);
CREATE TYPE mood AS ENUM ('glad');
CREATE FUNCTION stepping(mood) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT step()';
CREATE CAST (mood AS int) WITH FUNCTION stepping(mood) AS IMPLICIT;
CREATE VIEW stepping AS SELECT step() AS n;
CREATE TABLE secret(a int, b text);
INSERT INTO secret VALUES (1, 'planted');
CREATE TABLE rowwise(a int);
INSERT INTO rowwise VALUES (1);
CREATE POLICY moving ON rowwise USING (nextval('counter') > 0);
ALTER TABLE rowwise ENABLE ROW LEVEL SECURITY;
CREATE TABLE fallback(id int PRIMARY KEY);
INSERT INTO fallback VALUES (1);
CREATE TABLE falling(
  id int DEFAULT nextval('counter') REFERENCES fallback ON DELETE SET DEFAULT);
INSERT INTO falling VALUES (1);
SELECT nextval('counter');
ANALYZE;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC;
REVOKE ALL ON secret FROM PUBLIC;
"""
_TABLES = (
    *("orders", "items", "noted", "quiet", "ruled", "parts", "checked", "stepped", "identified"),
    *("tamed", "secret", "rowwise", "fallback", "falling"),
)


@functools.cache
def database(server: Server) -> str:
    """The name of one, for all tests: nothing in it changes."""
    return server.fresh(SETUP)


def everything(server: Server) -> list[tuple[Any, ...]]:
    """All rows, all sequences, all that there is."""
    content = " UNION ALL ".join(
        f"SELECT '{name}', count(*)::text, md5(string_agg(t::text, '' ORDER BY t::text))"  # noqa: S608
        f" FROM {name} t"
        for name in _TABLES
    )
    sequences = " UNION ALL ".join(
        f"SELECT '{name}', last_value::text, is_called::text FROM {name}"  # noqa: S608
        for name in ("counter", "items_id_seq", "identified_id_seq")
    )
    objects = (
        "SELECT 'objects', count(*)::text, md5(string_agg(concat(oid, relname), '' ORDER BY oid))"
        " FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_'"
        " UNION ALL SELECT 'functions', count(*)::text, '' FROM pg_proc"
    )
    asked = f"{content} UNION ALL {sequences} UNION ALL {objects} ORDER BY 1, 2, 3"
    return server.execute(asked, database=database(server))
