"""Statements as the session knows them, made by hand."""

from proctor.model import Action, ActionKind
from proctor.postgres.statements import Judgement, Run
from proctor.sql.names import NO_NAMES
from proctor.sql.reading import read
from proctor.sql.resolving import resolve


def a_judgement(sql: str = "SELECT 1") -> Judgement:
    """One statement that names nothing."""
    statement = read(sql).statements[0]
    return Judgement(
        statement=statement,
        resolved=resolve(statement, NO_NAMES),
        action=Action(kind=ActionKind.SQL_STATEMENT, listener="db", target="db/x"),
    )


def a_run(sql: str = "SELECT 1") -> Run:
    """One that runs."""
    return Run(
        judgement=a_judgement(sql),
        begin_seq=0,
        started=0.0,
        fields={},
        verdict="allow",
        keep=True,
        session=None,
    )
