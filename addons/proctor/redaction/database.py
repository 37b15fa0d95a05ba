"""Hyperscan's databases: compiled once, then kept for the processes that come after."""

import contextlib
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import hyperscan

from proctor.redaction.compiled import keep, kept, once

type Expression = tuple[str, int]
"""What Hyperscan looks for, and its flags."""


def block_database(
    expressions: Sequence[Expression], cache: Path | None = None
) -> hyperscan.Database:
    """A database for texts that are there whole; ids of expressions are their places.

    Args:
        expressions: At least one.
        cache: Where it is kept once it is compiled; nobody else may be able to write there.
            None to compile it anew.

    Raises:
        hyperscan.HyperscanError: It refuses one of them.
    """
    if cache is None:
        return compiled(expressions)
    what = repr((version("hyperscan"), list(expressions)))
    path = cache / f"hyperscan-{blake2b(what.encode(), digest_size=12).hexdigest()}"
    return once(cache, partial(_loaded, path), partial(_made, path, expressions))


def _loaded(path: Path) -> hyperscan.Database | None:
    dump = kept(path)
    # One for a processor of another kind is none for this (Hyperscan, HS_DB_PLATFORM_ERROR).
    with contextlib.suppress(hyperscan.HyperscanError):
        return hyperscan.loadb(dump, mode=hyperscan.HS_MODE_BLOCK) if dump else None
    return None


def _made(path: Path, expressions: Sequence[Expression]) -> hyperscan.Database:
    database = compiled(expressions)
    keep(path, hyperscan.dumpb(database))
    return database


def compiled(
    expressions: Sequence[Expression], ids: Sequence[int] | None = None
) -> hyperscan.Database:
    """A database that is kept nowhere.

    Args:
        expressions: At least one.
        ids: What hits are called; by default by the expression's place.

    Raises:
        hyperscan.HyperscanError: It refuses one of them.
    """
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression.encode() for expression, _ in expressions],
        ids=list(range(len(expressions)) if ids is None else ids),
        elements=len(expressions),
        flags=[flags for _, flags in expressions],
    )
    return database
