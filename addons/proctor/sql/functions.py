"""The allow-list of functions that ships: PostgreSQL's own, and those of well-known extensions."""

from collections.abc import Set as AbstractSet
from functools import cache
from importlib.resources import files
from typing import Final

from proctor.sql.identifiers import written
from proctor.sql.names import Function

EXTENSIONS: Final = frozenset(
    {
        "btree_gin", "btree_gist", "citext", "cube", "earthdistance", "fuzzystrmatch", "hstore",
        "intarray", "isn", "ltree", "pg_trgm", "pgcrypto", "seg", "unaccent", "uuid-ossp",
        "vector",
    }
)  # fmt: skip
"""Extensions whose functions neither read tables, files or the network nor run text as SQL.

Not among them, of those PostgreSQL brings: adminpack, dblink, file_fdw, lo, pageinspect,
pg_buffercache, pg_stat_statements, pg_visibility, pg_walinspect, pgstattuple, postgres_fdw,
sslinfo, tablefunc (crosstab runs text), xml2 (xpath_table runs text).
"""

_CATALOG: Final = "pg_catalog"


@cache
def _listed() -> dict[str, str]:
    text = files("proctor.sql").joinpath("functions.txt").read_text(encoding="utf-8")
    listed = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, reason = line.partition(": ")
            listed[name] = reason
    return listed


def refusal(name: str) -> str:
    """Why "pg_catalog.pg_sleep" is not on the allow-list, in one word; "" if it is on it."""
    schema, _, function = name.partition(".")
    return _listed().get(function, "unknown") if schema == _CATALOG else "unknown"


def known(function: Function, allowed: AbstractSet[str] = frozenset()) -> bool:
    """Whether a function may be called without being asked about.

    Args:
        function: As the server has it.
        allowed: More of them: "public.fullname", "extension:name" or "schema:name".
    """
    return (
        (function.schema == _CATALOG and not _listed().get(function.name, "unknown"))
        or function.extension in EXTENSIONS
        or written(function.schema, function.name) in allowed
        or f"schema:{function.schema}" in allowed
        or (bool(function.extension) and f"extension:{function.extension}" in allowed)
    )


def known_operator(operator: Function, allowed: AbstractSet[str] = frozenset()) -> bool:
    """Whether an operator outside pg_catalog may be used without being asked about.

    Those of any extension may: an administrator chose it, and where one brings an `=` of its own,
    as PostGIS does, every comparison could mean it. One that a user made may hide any function;
    `allowed` names it "public.operator ===".
    """
    return (
        bool(operator.extension)
        or f"{written(operator.schema)}.operator {operator.name}" in allowed
        or f"schema:{operator.schema}" in allowed
    )
