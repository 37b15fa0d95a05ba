"""Asks a record in SQL and prints how long each answer took, in milliseconds.

ask.py AUDIT.DUCKDB SQL KEY…: the SQL takes each key in turn, if it takes one.
"""

import json
import sys
import time

import duckdb


def main(path: str, sql: str, *keys: str) -> None:
    """One connection, one answer for each key; opening the database is part of the first."""
    asked = []
    begin = time.perf_counter()
    with duckdb.connect(path, read_only=True) as database:
        for key in keys:
            rows = database.execute(sql, [key] if "?" in sql else []).fetchall()
            end = time.perf_counter()
            asked.append({"ms": (end - begin) * 1e3, "rows": len(rows)})
            begin = end
    print(json.dumps(asked))


if __name__ == "__main__":
    main(*sys.argv[1:])
