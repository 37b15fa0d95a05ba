# ruff: noqa: S608 - made of this package's own names and quoted paths
"""The record in SQL: what a line becomes, and the views of the contract.

The same SELECT turns lines into rows for the views' hot part and for Parquet, so the two cannot
drift apart. Only functions that DuckDB has had since 1.2 are used: any recent one
opens the views.

No MATERIALIZED above a scan of segments: a filter on the newest rows (ORDER BY ts DESC LIMIT n)
would not reach the scan through it. The bounds come in by a semi join, through which it does.
"""

import json
from pathlib import Path

from proctor.audit import contract
from proctor.audit.state import HOT, OPEN

_REF = {"scope": "VARCHAR", "enc": "VARCHAR", "size": "BIGINT", "blocks": "VARCHAR"}
_TURN = {
    "model": "VARCHAR",
    "request_class": "VARCHAR",
    "stream": "BOOLEAN",
    "stop_reason": "VARCHAR",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "cache_read_tokens": "BIGINT",
    "cache_write_tokens": "BIGINT",
    "prompt": _REF,
    "output": _REF,
}
# Members of an envelope that have a column. What is not here is still in `raw`.
FIELDS: dict[str, object] = {
    "writer": "VARCHAR",
    "seq": "BIGINT",
    "kind": "VARCHAR",
    "ts": "TIMESTAMP",
    "flow_id": "VARCHAR",
    "session_id": "VARCHAR",
    "session_started": "TIMESTAMP",
    "principal": "VARCHAR",
    "subject": "VARCHAR",
    "groups": ["VARCHAR"],
    "client": "VARCHAR",
    "correlated_by": "VARCHAR",
    "listener": "VARCHAR",
    "protocol": "VARCHAR",
    "method": "VARCHAR",
    "scheme": "VARCHAR",
    "host": "VARCHAR",
    "port": "INTEGER",
    "path": "VARCHAR",
    "status": "INTEGER",
    "request_bytes": "BIGINT",
    "response_bytes": "BIGINT",
    "started_at": "TIMESTAMP",
    "ended_at": "TIMESTAMP",
    "verdict": "VARCHAR",
    "rule_id": "VARCHAR",
    "reason": "VARCHAR",
    "error": "VARCHAR",
    "record": "VARCHAR",
    "coverage": "VARCHAR",
    "policy_version": "VARCHAR",
    "begin_seq": "BIGINT",
    "request": _REF,
    "response": _REF,
    "turn": _TURN,
    "decisions": "JSON",
    "tools": "JSON",
    "results": "JSON",
    "findings": "JSON",
    "event_kind": "VARCHAR",
    "detail": "JSON",
}


RECORD = "proctor_record"
"""Variable of a connection: the folder whose views it has."""
BOUNDS = "proctor_bounds"
"""Variable of a connection: the bounds of all tiers as JSON, where they are not to be read anew."""
_TIER = {"kind": "VARCHAR", "tier": "TINYINT", "above": "BIGINT", "upto": "BIGINT"}


def quote(text: str) -> str:
    """`text` as a string in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _files(paths: list[str]) -> str:
    return "[" + ", ".join(quote(path) for path in paths) + "]"


def _columns(prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{name}"' for name in FIELDS)


def envelopes(paths: list[str]) -> str:
    """SELECT of the envelopes in journals: FIELDS and `raw`."""
    shape = quote(json.dumps(FIELDS))
    columns = ", ".join(
        f'CAST(e."{name}" AS VARCHAR) AS "{name}"' if kind == "JSON" else f'e."{name}" AS "{name}"'
        for name, kind in FIELDS.items()
    )
    return f"""SELECT {columns}, raw FROM (
        SELECT CAST(json AS VARCHAR) AS raw, from_json(json, {shape}) AS e
        FROM read_ndjson_objects({_files(paths)}, ignore_errors=true)
        WHERE CAST(json AS VARCHAR) LIKE '{{"v":1,%')"""


def blocks(paths: list[str]) -> str:
    """SELECT of the blocks in journals. `salt` stands in the line that begins a scope."""
    shape = quote(
        json.dumps(
            {
                "c": "INTEGER",
                "writer": "VARCHAR",
                "n": "BIGINT",
                "scope": "VARCHAR",
                "no": "BIGINT",
                "hash": "VARCHAR",
                "text": "VARCHAR",
                "b64": "INTEGER",
                "salt": "VARCHAR",
                "principal": "VARCHAR",
                "session_id": "VARCHAR",
            }
        )
    )
    return f"""SELECT b.writer AS writer, b.n AS n, b."scope" AS "scope", b."no" AS "no",
        b.hash AS hash, b.text AS text, b.b64 IS NOT NULL AS b64, b.salt AS salt,
        b.principal AS principal, b.session_id AS session_id FROM (
        SELECT from_json(json, {shape}) AS b
        FROM read_ndjson_objects({_files(paths)}, ignore_errors=true)
        WHERE CAST(json AS VARCHAR) LIKE '{{"c":%')"""


BLOCK_COLUMNS = 'writer, n, "scope", "no", hash, text, b64, salt, principal, session_id'


def statements(store: Path) -> list[str]:
    """CREATE VIEW for everything in the contract and what it stands on, for a store at `store`."""
    root = str(store)
    journals = f"{root}/writers/*/[0-9]*.jsonl"
    opened = f"{root}/writers/*/open.jsonl"
    state = f"{root}/writers/*/state.json"
    views = {
        "_bounds": f"""SELECT s.writer AS writer, t.kind AS kind, t.tier AS tier,
            t.above AS above, t.upto AS upto
            FROM (SELECT writer, unnest(tiers) AS t FROM read_json({quote(state)},
                format='unstructured', columns={{'writer': 'VARCHAR', 'tiers':
                'STRUCT(kind VARCHAR, tier TINYINT, above BIGINT, upto BIGINT)[]'}})
                WHERE getvariable('{BOUNDS}') IS NULL) s
            UNION ALL SELECT h.b.writer, h.b.kind, h.b.tier, h.b.above, h.b.upto
            FROM (SELECT unnest(from_json(CAST(getvariable('{BOUNDS}') AS JSON),
                {quote(json.dumps([{"writer": "VARCHAR", **_TIER}]))})) AS b) h""",
        "_records": f"""SELECT {_columns("e.")}, e.raw AS raw FROM (
            SELECT CAST({HOT} AS TINYINT) AS tier, {_columns()}, raw FROM ({envelopes([journals])})
            UNION ALL
            SELECT tier, {_columns()}, raw FROM read_parquet({quote(f"{root}/segments/*.parquet")})
            ) e {_counts("segments", "seq")}""",
        "_content": f"""SELECT e.writer AS writer, e.n AS n, e."scope" AS "scope", e."no" AS "no",
            e.text AS text, e.b64 AS b64, e.salt AS salt, e.hash AS hash, e.principal AS principal,
            e.session_id AS session_id FROM (
            SELECT CAST({HOT} AS TINYINT) AS tier, {BLOCK_COLUMNS} FROM ({blocks([journals])})
            UNION ALL
            SELECT tier, {BLOCK_COLUMNS} FROM read_parquet({quote(f"{root}/content/*.parquet")})
            ) e {_counts("content", "n")}""",
        # A flow is its end, or its begin as long as there is no end; a statement, or a message, is
        # one within a flow, and stands beside them. The journals are read once,
        # so that a flow that ends meanwhile is there once.
        "_flows": f"""SELECT {_columns("e.")} FROM (
            (WITH hot AS MATERIALIZED (SELECT * FROM ({envelopes([journals, opened])})
                WHERE kind IN ('flow.begin', 'flow.end', 'statement', 'message'))
            SELECT CAST({HOT} AS TINYINT) AS tier, {_columns()} FROM hot
                WHERE kind IN ('flow.end', 'statement', 'message')
            UNION ALL
            SELECT CAST({OPEN} AS TINYINT) AS tier, {_columns()} FROM (
                SELECT DISTINCT ON (writer, seq) * FROM hot WHERE kind = 'flow.begin') b
                WHERE NOT EXISTS (SELECT 1 FROM hot e WHERE e.kind = 'flow.end'
                    AND e.writer = b.writer AND e.begin_seq = b.seq))
            UNION ALL
            SELECT tier, {_columns()} FROM read_parquet({quote(f"{root}/segments/*.parquet")})
                WHERE kind IN ('flow.end', 'statement', 'message')
            ) e {_counts("segments", "seq")}""",
        **contract.views(),
    }
    return [f"CREATE OR REPLACE VIEW {name} AS {sql}" for name, sql in views.items()]


def _counts(kind: str, number: str) -> str:
    """Only rows between the bounds of their tier count (see state.py)."""
    return f"""SEMI JOIN (SELECT writer AS w, tier AS t, above AS a, upto AS u FROM _bounds
        WHERE kind = '{kind}') b
        ON e.writer = b.w AND e.tier = b.t AND e.{number} > b.a AND e.{number} <= b.u"""
