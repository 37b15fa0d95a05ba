"""Where a value stands, in whatever spelling: in bytes, and in all that a gateway keeps."""

import base64
import html
import itertools
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb

_BREAKS = re.compile(rb"\\u000[aAdD]|\\+[rn]|%0[AaDd]|\s+")
_VIEWS = "select view_name from duckdb_views() where not internal"


def forms(value: str) -> frozenset[bytes]:
    """A value as it is, and as JSON, URLs, HTML, base64 and hex spell it.

    In base64 a value's first and last characters depend on what stands beside it: they are left
    out, for each of the three ways it may begin.
    """
    data = value.encode()
    quoted = json.dumps(value)[1:-1]
    spelled = {
        value,
        quoted,
        quoted.replace("/", "\\/"),
        json.dumps(quoted)[1:-1],
        "".join(f"\\u{ord(character):04x}" for character in value),
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value),
        "".join(f"%{byte:02x}" for byte in data),
        html.escape(value),
        data.hex(),
        data.hex().upper(),
    }
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode()
        first = (before * 8 + 5) // 6
        inner = coded[first : (before + len(data)) * 8 // 6]
        spelled |= {inner, inner.translate(str.maketrans("+/", "-_"))}
    return frozenset(each.encode() for each in spelled)


def found(planted: Mapping[str, str], *places: bytes) -> list[str]:
    """Names of the values that stand in one of the places, line breaks or none among them."""
    everything = b"\n".join(
        itertools.chain.from_iterable((each, _BREAKS.sub(b"", each)) for each in places)
    )
    return [
        name for name, value in planted.items() if any(form in everything for form in forms(value))
    ]


def files(folder: Path, without: str = "") -> list[Path]:
    """All files under a folder but those of this name."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != without)


def contents(folder: Path, without: str = "") -> Iterator[bytes]:
    """What is in them, and what is packed in those of DuckDB and Parquet."""
    for path in files(folder, without):
        yield path.read_bytes()
        if path.suffix == ".parquet":
            yield from _rows(duckdb.sql(f"from '{path}'"))
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as database:
                for (name,) in database.sql(_VIEWS).fetchall():
                    yield from _rows(database.sql(f"from {name}"))


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[bytes]:
    rows: Iterable[tuple[object, ...]] = relation.fetchall()
    for row in rows:
        for cell in row:
            yield cell if isinstance(cell, bytes) else str(cell).encode()
