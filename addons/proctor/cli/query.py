"""`proctor query`: the record in SQL, to read and nothing else."""

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proctor.audit.inquiry import open_record, select
from proctor.cli.common import CONFIG, AuditOption, ConfigOption, FormatOption, render
from proctor.config import load

if TYPE_CHECKING:
    import duckdb

__all__ = ["open_record", "query"]

LIMIT = 1000
"""Rows shown unless asked for more: bodies can be large."""


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; `-` reads it from standard input.")],
    *,
    audit: AuditOption = None,
    config: ConfigOption = CONFIG,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="At most so many rows; 0 for all.")
    ] = LIMIT,
    output: FormatOption = None,
) -> None:
    """Ask the record in SQL.

    The views are flows, sessions, turns, tool_calls, statements, findings, decisions, approvals and
    events. Nothing can be written, attached or read from other files.
    """
    text = sys.stdin.read() if sql == "-" else sql

    def take(answer: "duckdb.DuckDBPyConnection") -> tuple[list[str], list[Any], bool]:
        columns = [column[0] for column in answer.description or ()]
        rows = iter(answer.fetchone, None)
        shown = list(islice(rows, limit) if limit else rows)
        return columns, shown, bool(limit) and len(shown) == limit and next(rows, None) is not None

    with open_record(audit or load(config).audit.path) as database:
        columns, shown, more = select(database, text, take)
    names = _distinct(columns)
    render([dict(zip(names, row, strict=True)) for row in shown], names, output)
    if more:
        typer.secho(f"Only the first {limit} rows; --limit shows more.", err=True)


def _distinct(columns: list[str]) -> list[str]:
    """Column names, a number behind those that came before: a row is a mapping."""
    names: list[str] = []
    for column in columns:
        name, count = column, 2
        while name in names:
            name, count = f"{column}_{count}", count + 1
        names.append(name)
    return names
