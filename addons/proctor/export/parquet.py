"""The views as Parquet files, a slice at a time.

Views that hold text join all the content of a session; they are asked session by session, so that
what is in memory is one session at most.
"""

from collections.abc import Iterator, Mapping
from typing import BinaryIO

import pyarrow.parquet as pq

from proctor.audit.reader import Reader
from proctor.export.records import Choice

VIEWS = (
    "flows", "sessions", "turns", "tool_calls", "statements", "findings", "decisions", "approvals",
    "events",
)  # fmt: skip

_HEAVY = frozenset({"turns", "tool_calls", "statements"})
_BATCH = 1024
_FILTER = """($session IS NULL OR starts_with(session_id, $session))
    AND ($principal IS NULL OR principal = $principal OR subject = $principal)
    AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"""
_SESSIONS = f"""SELECT DISTINCT principal AS p, session_id AS s FROM _flows
    WHERE session_id IS NOT NULL AND {_FILTER} ORDER BY p, s"""  # noqa: S608 - the constant above
_LOOSE = f"""SELECT DISTINCT flow_id AS f FROM _flows
    WHERE session_id IS NULL AND {_FILTER} ORDER BY f"""  # noqa: S608 - the same


def write(reader: Reader, view: str, choice: Choice, file: BinaryIO) -> Iterator[int]:
    """Write one view; gives the rows of each batch once it is written.

    Args:
        reader: The record.
        view: One of VIEWS.
        choice: Which rows; its kinds are none of this.
        file: Where.
    """
    if view not in VIEWS:
        raise ValueError(view)
    given = {name: value for name, value in choice.parameters().items() if name != "kinds"}
    schema = reader.arrow(f"SELECT * FROM {view} LIMIT 0", {}, _BATCH).schema  # noqa: S608 - one of VIEWS
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for sql, parameters in _slices(reader, view, given):
            for batch in reader.arrow(sql, parameters, _BATCH):
                writer.write_batch(batch)
                yield batch.num_rows


def _slices(
    reader: Reader, view: str, given: Mapping[str, object]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    every = f"SELECT * FROM {view} WHERE {_FILTER}"  # noqa: S608 - one of VIEWS
    if view not in _HEAVY:
        yield every, given
        return
    for row in list(reader.rows(_SESSIONS, given)):
        where = " AND session_id = $s AND principal IS NOT DISTINCT FROM $p"
        yield every + where, {**given, "s": row["s"], "p": row["p"]}
    for row in list(reader.rows(_LOOSE, given)):
        where = " AND session_id IS NULL AND flow_id IS NOT DISTINCT FROM $f"
        yield every + where, {**given, "f": row["f"]}
