# ruff: noqa: S608 - made of this package's own names and quoted paths
"""Parquet files: how they are named, made from journals, and merged.

A file's name says whose rows it holds, how often they were merged, and which numbers it covers:
`w0-0-000000000000-000000001234.parquet`. A name appears only when the file is whole and durable,
so a range that has a file is done, whatever happened before.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor.audit import views
from proctor.audit.journal import Slot
from proctor.audit.state import HOT
from proctor.audit.store import CONTENT, SEGMENTS, Store, replace, whole
from proctor.errors import InternalError

_NAME = re.compile(r"(w\d{1,6})-(\d)-(\d{12,})-(\d{12,})\.parquet")
# Small row groups: a query for one session reads few rows, and a merge holds one in memory.
_ROWS = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 4096, ROW_GROUP_SIZE_BYTES '8MB'"
# Of envelopes, which are much alike, the least effort makes the smallest files, a tenth sooner.
_QUICK = ", COMPRESSION_LEVEL 1"
_EMPTY = "seed.parquet"
_AT_ONCE = 2048


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One Parquet file. Numbers are `seq` in segments/ and `n` in content/."""

    writer: str
    level: int
    first: int
    last: int

    @property
    def name(self) -> str:
        """Its file name."""
        return f"{self.writer}-{self.level}-{self.first:012d}-{self.last:012d}.parquet"


def segments(folder: Path, writer: str) -> list[Segment]:
    """A writer's files in segments/ or content/, by level and number."""
    found = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted(each for each in map(named, found) if each.writer == writer)


def named(path: Path) -> Segment:
    """What a file's name says.

    Raises:
        ValueError: It is not the name of a segment.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError("no segment has such a name")
    return Segment(match[1], int(match[2]), int(match[3]), int(match[4]))


class Workshop:
    """Makes files with a DuckDB of its own: one thread, little memory, nothing kept open."""

    def __init__(self, store: Store, tmp: Path) -> None:
        import duckdb  # noqa: PLC0415 - some 100 ms that the start of a gateway need not wait for

        self._store = store
        self._tmp = tmp
        self._db: duckdb.DuckDBPyConnection = duckdb.connect(
            config={
                "threads": 1,
                "memory_limit": "96MB",
                "temp_directory": str(tmp),
                # What the bound on a row group's bytes asks for; one thread keeps the order anyway.
                "preserve_insertion_order": False,
            }
        )

    def close(self) -> None:
        """Lets go of the memory."""
        self._db.close()

    def seed(self) -> None:
        """Empty files, so that the views bind where nothing is yet.

        Raises:
            duckdb.Error, OSError: They cannot be made.
        """
        nothing = [str(self._tmp / "nothing.jsonl")]
        Path(nothing[0]).touch(0o600)
        for folder, select in (
            (self._store.segments, views.envelopes(nothing)),
            (self._store.content, views.blocks(nothing)),
        ):
            if not (folder / _EMPTY).exists():
                self._write(
                    folder / _EMPTY, f"SELECT CAST({HOT} AS TINYINT) AS tier, * FROM ({select})"
                )

    def publish_views(self) -> None:
        """Writes audit.duckdb if it is not there, of another version, or of another place.

        Raises:
            duckdb.Error, OSError: It cannot be written.
        """
        if has_views(self._store):
            return
        with whole(self._store.views, self._tmp) as draft:
            # A format that DuckDB reads since 1.0, whatever writes it.
            self._db.execute(f"ATTACH '{_escape(draft)}' AS fresh (STORAGE_VERSION 'v1.0.0')")
            try:
                self._db.execute("USE fresh")
                for statement in views.statements(self._store.path):
                    self._db.execute(statement)
            finally:
                self._db.execute("USE memory")
                self._db.execute("DETACH fresh")
        replace(self._store.path / "views.sql", _made_from(self._store), self._tmp)

    def rows(self, folder: str, segment: Segment) -> int:
        """Rows in a file.

        Raises:
            duckdb.Error: It cannot be read.
        """
        path = _escape(self._store.path / folder / segment.name)
        found = self._db.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchall()
        return int(found[0][0])

    def convert(self, slot: Slot, folder: str, segment: Segment) -> int:
        """Makes a journal's envelopes or blocks a small segment.

        Returns:
            Its rows.

        Raises:
            duckdb.Error, OSError: It cannot be made.
            InternalError: It would not hold every line.
        """
        paths = [str(slot.path)]
        select, number, expected = {
            SEGMENTS: (views.envelopes(paths), "seq", slot.records),
            CONTENT: (views.blocks(paths), "n", slot.blocks),
        }[folder]
        # The newest first: ORDER BY ts DESC LIMIT n finds them in the first row group.
        self._write(
            self._store.path / folder / segment.name,
            f"SELECT CAST(0 AS TINYINT) AS tier, * FROM ({select}) ORDER BY {number} DESC",
            expected=expected,
            more=_QUICK if folder == SEGMENTS else "",
        )
        return expected

    def merge(self, folder: str, parts: Sequence[Segment]) -> tuple[Segment, int]:
        """Makes adjacent files of one level one file of the next.

        Returns:
            The new one, and its rows.

        Raises:
            duckdb.Error, OSError: It cannot be made.
            InternalError: It would not hold every row.
        """
        first, last = parts[0], parts[-1]
        made = Segment(first.writer, first.level + 1, first.first, last.last)
        root = self._store.path / folder
        paths = ", ".join(f"'{_escape(root / part.name)}'" for part in reversed(parts))
        rows = self._db.execute(f"SELECT count(*) FROM read_parquet([{paths}])").fetchall()[0][0]
        self._write(
            root / made.name,
            f"""SELECT CAST({made.level} AS TINYINT) AS tier, * EXCLUDE (tier)
                FROM read_parquet([{paths}])""",
            expected=rows,
        )
        return made, rows

    def ask(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement of proctor's own.

        Raises:
            duckdb.Error: It cannot be done.
        """
        return self._db.execute(sql, list(parameters)).fetchall()

    def each(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        """The first column of a statement's rows, few of them in memory at once.

        Raises:
            duckdb.Error: It cannot be done.
        """
        rows = self._db.execute(sql, list(parameters))
        while some := rows.fetchmany(_AT_ONCE):
            yield from (row[0] for row in some)

    def names(self, table: str, column: str, values: Iterable[str]) -> None:
        """Keeps values in a table of its own memory, for others to be compared with.

        Raises:
            duckdb.Error: It cannot be done.
        """
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({column} VARCHAR)")
        self._db.execute(f"INSERT INTO {table} SELECT unnest(?::VARCHAR[])", [list(values)])

    def without(self, path: Path, keep: str) -> tuple[Path, int]:
        """Makes a copy of a file of those rows for which `keep` holds.

        Returns:
            The copy, for whoever called to put somewhere or to remove; and its rows.

        Raises:
            duckdb.Error: It cannot be made.
        """
        draft = self._tmp / f".{path.name}.less"
        try:
            done = self._db.execute(
                f"""COPY (SELECT * FROM read_parquet('{_escape(path)}') c WHERE {keep})
                TO '{_escape(draft)}' ({_ROWS})"""
            ).fetchall()
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return draft, int(done[0][0])

    def _write(self, target: Path, select: str, expected: int = 0, more: str = "") -> None:
        if target.exists():
            return
        with whole(target, self._tmp) as draft:
            copy = f"COPY ({select}) TO '{_escape(draft)}' ({_ROWS}{more})"
            done = self._db.execute(copy).fetchall()
            if done[0][0] != expected:
                raise InternalError(
                    "segment-incomplete",
                    "A segment does not hold all that it was made from",
                    got=f"{done[0][0]} rows",
                    expected=str(expected),
                    hint=f"See {target.name}; the journal is kept.",
                )


def has_views(store: Store) -> bool:
    """Whether audit.duckdb is there and was made for this place by this version."""
    note = store.path / "views.sql"
    return store.views.exists() and note.exists() and note.read_bytes() == _made_from(store)


def _made_from(store: Store) -> bytes:
    return (";\n".join(views.statements(store.path)) + ";\n").encode()


def _escape(path: Path) -> str:
    return str(path).replace("'", "''")
