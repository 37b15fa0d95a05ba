# ruff: noqa: S608 - made of this package's own names and quoted paths
"""Do the columns of a segment say what the records in it say? They are made anew and compared."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proctor.audit.views import FIELDS, quote
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.snapshot import File

if TYPE_CHECKING:
    import duckdb

_ROWS: Final = 20_000
_NAMED: Final = 20
_MEMORY = "1GB"


def check_columns(
    root: Path, files: Sequence[File], findings: Findings, tick: Callable[[int], None]
) -> None:
    """Compares every column of these segments with the bytes of the records.

    Args:
        root: The record's folder.
        files: Which segments.
        findings: Takes what is wrong.
        tick: Told the rows that have been compared.
    """
    if not files:
        return
    import duckdb  # noqa: PLC0415 - some 100 ms

    with duckdb.connect(
        config={
            "memory_limit": _MEMORY,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    ) as database:
        # DuckDB takes some processes without a terminal for a person's, and draws on their output.
        database.execute("SET enable_progress_bar = false")
        for file in files:
            try:
                _check(database, root, file, findings, tick)
            except duckdb.Error as error:
                findings.problem(
                    "file-unreadable",
                    "The columns of a segment cannot be compared with its records",
                    writer=file.writer,
                    file=file.name,
                    found=type(error).__name__,
                )


def _check(
    database: "duckdb.DuckDBPyConnection",
    root: Path,
    file: File,
    findings: Findings,
    tick: Callable[[int], None],
) -> None:
    source = f"read_parquet({quote(str(root / file.name))})"
    names = {row[0] for row in database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    if names != {*FIELDS, "raw", "tier"}:
        _say(file, None, "other columns than a segment has", findings)
        return
    shape = quote(json.dumps(FIELDS))
    differs = {
        name: f'"{name}" IS DISTINCT FROM '
        + (f'CAST(_e."{name}" AS VARCHAR)' if kind == "JSON" else f'_e."{name}"')
        for name, kind in FIELDS.items()
    } | {"tier": f"tier IS DISTINCT FROM {file.level}"}
    which = ", ".join(f"CASE WHEN {test} THEN {quote(name)} END" for name, test in differs.items())
    shown = 0
    for first in range(file.first, file.last + 1, _ROWS):
        # A table of its own: else each of the comparisons would read the JSON again.
        database.execute(
            f"CREATE OR REPLACE TEMP TABLE part AS SELECT *, from_json(CAST(raw AS JSON), {shape})"
            f" AS _e FROM {source} WHERE seq BETWEEN {first} AND {first + _ROWS - 1}"
        )
        rows = database.execute(
            f"SELECT seq, list_filter([{which}], x -> x IS NOT NULL) FROM part"
            f" WHERE {' OR '.join(differs.values())} ORDER BY seq"
        ).fetchall()
        for number, columns in rows:
            shown += 1
            if shown <= _NAMED:
                _say(file, number, f"column {', '.join(columns)}", findings)
        tick(min(_ROWS, file.last + 1 - first))
    if shown > _NAMED:
        _say(file, None, f"columns of {shown} records", findings)
    database.execute("DROP TABLE IF EXISTS part")
    outside = database.execute(
        f"SELECT count(*) FROM {source}"
        f" WHERE seq IS NULL OR NOT seq BETWEEN {file.first} AND {file.last}"
    ).fetchall()[0][0]
    if outside:
        _say(file, None, f"{outside} rows that its name does not cover", findings)


def _say(file: File, number: int | None, found: str, findings: Findings) -> None:
    findings.problem(
        "columns-differ",
        "A segment's columns are not what its records say: SQL would show something else",
        writer=file.writer,
        seq=number,
        file=file.name,
        expected="what the record says",
        found=found,
    )
