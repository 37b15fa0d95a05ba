"""EXPLAIN, without running anything: the plan as text, and what the planner expects."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from proctor.postgres.side import Connection

# Names in quotes and estimates are left as they are; texts and numbers are constants.
_TOKENS: Final = re.compile(
    r"""(?P<kept>"(?:[^"]|"")*"|\((?:cost|actual)[^()']*\)|[^\W\d][\w$]*|\$\d+)"""
    r"""|(?P<constant>'(?:[^']|'')*'|\d[\d.]*(?:e[+-]?\d+)?)""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the planner says.

    Attributes:
        text: The plan.
        rows: How many come out, or go in where it writes.
        cost: In the planner's own units.
    """

    text: str
    rows: int
    cost: float


async def planned(connection: Connection, body: str, *, hide: bool) -> Planned:
    """Ask for the plan of a statement.

    Args:
        connection: With the search path and role of the session.
        body: One statement, without parameters.
        hide: Constants are taken out of the text.

    Raises:
        asyncpg.PostgresError: The server cannot plan it.
    """
    rows = await connection.fetch(f"EXPLAIN {body}")
    text = "\n".join(row[0] for row in rows)
    answer = orjson.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {body}"))
    # Rules make several of one statement, or none.
    plans = [each["Plan"] for each in answer if isinstance(each, dict) and "Plan" in each]
    written = [rows for plan in plans for rows in _written(plan)]
    read = (int(plan.get("Plan Rows", 0)) for plan in plans)
    return Planned(
        text=hidden(text) if hide else text,
        rows=sum(written or read),
        cost=sum(float(plan.get("Total Cost", 0)) for plan in plans),
    )


def hidden(plan: str) -> str:
    """A plan's text without the constants in its conditions."""
    return _TOKENS.sub(lambda match: match["kept"] or "…", plan)


def _written(plan: dict[str, Any]) -> Iterator[int]:
    """Rows that each ModifyTable of a plan gets."""
    inner = plan.get("Plans", ())
    if plan.get("Node Type") == "ModifyTable":
        # What stands beside it is a subplan, or the WITH of this one.
        outer = (each for each in inner if each.get("Parent Relationship") in {"Outer", "Member"})
        yield sum(int(each.get("Plan Rows", 0)) for each in outer)
    for each in inner:
        yield from _written(each)
