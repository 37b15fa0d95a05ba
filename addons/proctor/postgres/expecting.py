"""How many rows a statement will bring or touch, as the planner expects it; nothing is run.

Asked on a connection of our own, and only of what calls nothing unknown: planning runs functions
that say of themselves that they are immutable.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.errors import ProctorError
from proctor.model import Principal
from proctor.postgres.planning import planned
from proctor.postgres.roles import as_member
from proctor.postgres.side import Connection, Side, Target
from proctor.postgres.statements import Context, Judgement
from proctor.sql.nodes import unwrap

log = logging.getLogger(__name__)

MAX_SIDES: Final = 64
"""Databases and logins that connections are kept for; clients choose the names of databases."""

_QUERIES: Final = frozenset(
    f"{kind}Stmt" for kind in ("Select", "Insert", "Update", "Delete", "Merge")
)
_NAME: Final = "proctor_expects"


class Expecting:
    """Of one listener.

    Args:
        credential: Name of what signs in for a principal; None where nothing does.
        target: Where a credential's connections to a database go.
        groups: Whose rights sessions have, where that is not one role; the login makes it.
    """

    def __init__(
        self,
        credential: Callable[[Principal], str | None],
        target: Callable[[str, str], Callable[[], Awaitable[Target]]],
        groups: Sequence[str] = (),
    ) -> None:
        self._credential = credential
        self._target = target
        self._groups = groups
        self._sides: OrderedDict[tuple[str, str], Side] = OrderedDict()

    async def rows(
        self, principal: Principal, database: str, judgement: Judgement, context: Context
    ) -> float | None:
        """How many rows are expected; None where that cannot be told.

        Args:
            principal: Whose statement it is.
            database: Where.
            judgement: The statement.
            context: In which it would run.
        """
        if judgement.inner is not None and judgement.statement.executes is not None:
            judgement = judgement.inner
        name = self._credential(principal)
        if name is None or not _plain(judgement):
            return None
        side = await self._side(database, name)
        path = ["pg_temp" if one.startswith("pg_temp") else one for one in context.path]
        try:
            async with side.transaction(path=path, role=context.role) as connection:
                if self._groups and not context.role:
                    await connection.execute(as_member(self._groups))
                return await _planned(connection, judgement)
        except (asyncpg.PostgresError, ProctorError) as error:
            log.info(
                "It is not known how many rows a statement would bring",
                extra={"event": "novelty.unplanned", "got": type(error).__name__},
            )
            return None

    async def close(self) -> None:
        """Close its connections."""
        for side in self._sides.values():
            await side.close()

    async def _side(self, database: str, name: str) -> Side:
        side = self._sides.get((database, name))
        if side is None:
            side = self._sides[database, name] = Side(self._target(name, database))
            if len(self._sides) > MAX_SIDES:
                _, oldest = self._sides.popitem(last=False)
                await oldest.close()
        self._sides.move_to_end((database, name))
        return side


def _plain(judgement: Judgement) -> bool:
    statement, resolved = judgement.statement, judgement.resolved
    kind, _ = unwrap(statement.tree)
    return (
        kind in _QUERIES
        and not statement.dangerous
        and not resolved.unknown_functions
        and not any(name.startswith("pg_temp") for name in resolved.tables)
    )


async def _planned(connection: Connection, judgement: Judgement) -> float:
    """Raises asyncpg.PostgresError where the server cannot plan it."""
    statement = judgement.statement
    if not statement.parameters:
        return float((await planned(connection, statement.text, hide=True)).rows)
    # Prepared statements outlive the transaction, so this one goes whatever happens.
    await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE {_NAME} AS {statement.text}")
    await connection.execute(f"SAVEPOINT {_NAME}")
    try:
        values = ", ".join(["NULL"] * statement.parameters)
        return float((await planned(connection, f"EXECUTE {_NAME}({values})", hide=True)).rows)
    finally:
        await connection.execute(f"ROLLBACK TO SAVEPOINT {_NAME}")
        await connection.execute(f"DEALLOCATE {_NAME}")
