"""Cases of SQL as somebody writes it, for `proctor explain --sql`.

There is no server to ask what the names mean, so they are taken as they are written: a table
without a schema is one of `public`, a function that PostgreSQL has is PostgreSQL's. What only the
server could tell is named as not known, and a rule that needs it stays open.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from proctor.model import Action, ActionKind, Case, Principal, SqlFields
from proctor.sql.functions import refusal
from proctor.sql.identifiers import written
from proctor.sql.reading import read
from proctor.sql.statement import Call, CallKind, Statement

NOT_KNOWN: Final = "is not known without the server"

HIDDEN: Final[Mapping[str, str]] = dict.fromkeys(
    (
        "sql.columns", "sql.in_transaction", "findings",
        "novelty.statement", "novelty.table", "novelty.tables", "novelty.volume", "novelty.hour",
        "novelty.history", "novelty.days",
    ),
    NOT_KNOWN,
)  # fmt: skip
"""Fields that only the server, the connection or the record could tell."""


def cases_of_sql(
    text: str, *, listener: str, database: str, groups: Sequence[str], now: datetime
) -> list[Case]:
    """The actions that a text would be, one a statement.

    Args:
        text: SQL, of one statement or several.
        listener: As proctor.yaml calls it.
        database: As the client would ask for it.
        groups: Of whoever asks.
        now: When.

    Raises:
        SqlError: PostgreSQL's parser does not take it.
    """
    who = Principal(
        issuer="local", subject="someone", groups=tuple(groups), issued_at=now.timestamp()
    )
    script = read(text)
    size = len(text.encode("utf-8", "surrogatepass"))
    found = [_fields(statement, database, script.fingerprint) for statement in script.statements]
    return [
        Case(
            principal=who,
            session=None,
            action=Action(
                kind=ActionKind.SQL_STATEMENT,
                listener=listener,
                target=f"{listener}/{database} {','.join(each.verbs)}",
                size=size,
                sql=each,
            ),
            now=now,
        )
        for each in found
    ]


def _fields(statement: Statement, database: str, fingerprint: str) -> SqlFields:
    tables = [written(each.schema or "public", each.name) for each in statement.references]
    functions = [_function(each) for each in statement.calls if each.kind is CallKind.FUNCTION]
    return SqlFields(
        database=database,
        verbs=statement.verbs,
        tables=tuple(dict.fromkeys(tables)),
        functions=tuple(dict.fromkeys(functions)),
        has_where=statement.has_where,
        read_only=statement.read_only and not any(map(refusal, functions)),
        fingerprint=fingerprint,
    )


def _function(call: Call) -> str:
    if call.schema:
        return written(call.schema, call.name)
    own = f"pg_catalog.{call.name}"
    return own if refusal(own) != "unknown" else written("public", call.name)
