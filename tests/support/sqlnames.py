"""A small database's names for tests of SQL, made up or asked of a real server."""

from collections.abc import Sequence

import psycopg

from proctor.sql.names import Column, Function, Names, Questions, Relation, answered
from proctor.sql.question import QUESTION
from proctor.sql.reading import read
from proctor.sql.resolving import Resolved, resolve
from proctor.sql.statement import Statement

CATALOG = ("lower", "count", "row_to_json", "generate_series", "pg_sleep", "name", "random")


def relation(name: str, *columns: str, schema: str = "public", kind: str = "r") -> Relation:
    return Relation(
        oid=1,
        schema=schema,
        name=name,
        kind=kind,
        temporary=schema.startswith("pg_temp"),
        rules=kind == "v",
        children=False,
        columns=tuple(Column(column, at + 1, 25) for at, column in enumerate(columns)),
    )


def names(
    *more: Relation,
    functions: Sequence[Function] = (),
    operators: Sequence[Function] = (),
) -> Names:
    """Users and orders in public, `more`, pg_catalog's CATALOG and `functions`."""
    relations = (
        relation("users", "id", "email", "name"),
        relation("orders", "id", "user_id", "total"),
        *more,
    )
    called: dict[tuple[str, str], tuple[Function, ...]] = {}
    for function in (*(Function("pg_catalog", name) for name in CATALOG), *functions):
        for schema in ("", function.schema):
            pair = (schema, function.name)
            called[pair] = (*called.get(pair, ()), function)
    return Names(
        relations={(s, one.name): one for one in relations for s in ("", one.schema)},
        functions=called,
        operators={("", one.name): (one,) for one in operators},
        path=("pg_catalog", "public"),
        schema="public",
        database="shop",
        user="orders_app",
        version=180004,
    )


def statement(text: str) -> Statement:
    (one,) = read(text).statements
    return one


def resolved(text: str, known: Names | None = None) -> Resolved:
    return resolve(statement(text), names() if known is None else known)


def ask(connection: psycopg.Connection, questions: Questions) -> Names:
    """What a real server answers."""
    answer = connection.pgconn.exec_params(QUESTION.encode(), list(questions.parameters()))
    assert answer.status == psycopg.pq.ExecStatus.TUPLES_OK, answer.error_message.decode()
    assert answer.ntuples == answer.nfields == 1
    return answered([(answer.get_value(0, 0),)])
