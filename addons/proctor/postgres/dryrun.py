"""What a held statement would do, found out for those who decide: planned, tried, taken back.

It is tried on a connection of our own, in a transaction that is always rolled back, and only where
nothing of it outlives that. DROP, TRUNCATE, ALTER and the like are never run. What cannot be found
out is said in words, and holds nothing up: the approval is asked for anyway.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.approval.model import Part
from proctor.errors import ProctorError, RefusedError
from proctor.model import Principal
from proctor.postgres import describing
from proctor.postgres.counting import within
from proctor.postgres.literals import UnreadableError, formats, substituted
from proctor.postgres.masking.shape import read_shape
from proctor.postgres.roles import as_member
from proctor.postgres.settings import DryRunSettings
from proctor.postgres.side import Connection, Side, Target
from proctor.postgres.statements import Judged, Judgement
from proctor.postgres.trial import ASKING, Findings, Trial, words_of
from proctor.protocols.postgres.messages import Bind
from proctor.sql.nodes import unwrap

log = logging.getLogger(__name__)

MAX_SIDES: Final = 64
"""Databases and logins that connections are kept for; clients choose the names of databases."""

_LOCK: Final = "250ms"

_QUERIES: Final = frozenset(
    f"{kind}Stmt" for kind in ("Select", "Insert", "Update", "Delete", "Merge")
)
# They have a query in them.
_AROUND: Final = frozenset(
    f"{kind}Stmt" for kind in ("Explain", "DeclareCursor", "CreateTableAs", "Copy")
)
_TYPES: Final = (
    "SELECT ARRAY(SELECT pg_catalog.format_type(t, NULL)"
    " FROM pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY u(t, n) ORDER BY n)"
)
_INFERRED: Final = (
    "SELECT parameter_types::pg_catalog.oid[]::pg_catalog.int8[]"
    " FROM pg_catalog.pg_prepared_statements WHERE name OPERATOR(pg_catalog.=) 'proctor_tries'"
)


class DryRun:
    """Of one listener.

    Args:
        settings: How long, and how much.
        credential: Name of what signs in for a principal; None where nothing does.
        target: Where a credential's connections to a database go.
        hide: Constants of statements are not shown, nor the server's words about them.
        allowed: Functions that somebody has looked at, as functions.known has them.
        groups: Whose rights sessions have, where that is not one role; the login makes it.
    """

    def __init__(  # noqa: PLR0913 - all but the first by name
        self,
        settings: DryRunSettings,
        *,
        credential: Callable[[Principal], str | None],
        target: Callable[[str, str], Callable[[], Awaitable[Target]]],
        hide: bool,
        allowed: AbstractSet[str] = frozenset(),
        groups: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._credential = credential
        self._target = target
        self._hide = hide
        self._allowed = allowed
        self._groups = groups
        self._sides: OrderedDict[tuple[str, str], Side] = OrderedDict()

    async def evidence(
        self, principal: Principal, judged: Judged, at: int, bind: Bind | None
    ) -> tuple[Part, ...]:
        """What one statement would do, as parts of a card: `rows`, `dependents`, `plan`.

        Args:
            principal: Whose it is.
            judged: The text it stands in.
            at: Which of its statements.
            bind: Its parameters; None for a text that has none.
        """
        judgement = judged.statements[at]
        found = Findings()
        try:
            async with asyncio.timeout(2 * self._settings.statement_timeout):
                await self._look(principal, judged, judgement, bind, found)
        except TimeoutError:
            _failed(found, "that took too long")
        except asyncpg.PostgresError as error:
            _failed(found, words_of(error, hide=self._hide))
        except UnreadableError as error:
            _failed(found, str(error))
        except ProctorError as error:
            _failed(found, " ".join(filter(None, (error.message, error.got))))
        except Exception as error:  # noqa: BLE001 - whatever it is: humans are asked all the same
            # Its text may hold values.
            log.error(  # noqa: TRY400
                "A held statement could not be tried: %s",
                type(error).__name__,
                extra={"event": "postgres.dryrun.failed"},
            )
            _failed(found, "of an error of proctor's own")
        if judged.context.in_transaction:
            found.notes.append(
                "The session is in a transaction: what it has not committed is not counted here."
            )
        if at:
            found.notes.append("What the statements before it in the same text do is left out.")
        return found.parts()

    async def close(self) -> None:
        """Close its connections."""
        for side in self._sides.values():
            await side.close()

    async def _look(
        self,
        principal: Principal,
        judged: Judged,
        judgement: Judgement,
        bind: Bind | None,
        found: Findings,
    ) -> None:
        statement, tables = judgement.statement, judgement.resolved.named
        kind, _ = unwrap(statement.tree)
        said = describing.started(statement, tables)
        found.rows = said.sentence
        if statement.executes is not None:
            self._executed(judgement, found)
            return
        fields = judgement.action.sql
        if fields is None:
            return
        if kind not in _QUERIES | _AROUND:
            if kind not in describing.DESCRIBED:
                return
            try:
                async with self._transaction(principal, judged, fields.database) as connection:
                    await describing.describe(connection, statement, tables, said)
            finally:
                found.rows = said.sentence
                found.notes += said.notes
                found.dependents += said.dependents
            return
        if any(name.startswith("pg_temp") for name in tables):
            raise UnreadableError("it names temporary tables, which only the session itself has")
        body = statement.text if kind in _QUERIES else read_shape(statement.text).body
        if not body or (statement.copies is not None and not statement.copies.outgoing):
            return
        async with self._transaction(principal, judged, fields.database) as connection:
            if bind is not None and bind.values:
                body = await _filled(connection, body, bind, judged)
            trial = Trial(self._settings, judgement, found, hide=self._hide, allowed=self._allowed)
            await trial.run(connection, body)

    @contextlib.asynccontextmanager
    async def _transaction(
        self, principal: Principal, judged: Judged, database: str
    ) -> AsyncIterator[Connection]:
        name = self._credential(principal)
        if name is None:
            raise RefusedError("credential-none", "No credential of this listener is for you")
        side = self._sides.get((database, name))
        if side is None:
            side = Side(self._target(name, database), timeout=self._settings.statement_timeout)
            self._sides[database, name] = side
            if len(self._sides) > MAX_SIDES:
                _, oldest = self._sides.popitem(last=False)
                await oldest.close()
        self._sides.move_to_end((database, name))
        context = judged.context
        path = ["pg_temp" if one.startswith("pg_temp") else one for one in context.path]
        idle = int(1000 * self._settings.statement_timeout) + 1000
        async with side.transaction(path=path, role=context.role) as connection:
            if self._groups and not context.role:
                await connection.execute(as_member(self._groups))
            await connection.execute(
                f"SET LOCAL lock_timeout = '{_LOCK}';"
                f" SET LOCAL idle_in_transaction_session_timeout = {idle}"
            )
            await within(connection, self._settings.statement_timeout * ASKING)
            yield connection

    def _executed(self, judgement: Judgement, found: Findings) -> None:
        """Of EXECUTE: what was prepared, which is not tried."""
        inner = judgement.inner
        tables = inner.resolved.named if inner else ()
        found.rows = describing.started(judgement.statement, tables).sentence
        found.notes.append("Not tried, since it runs what was prepared before.")
        if inner is not None and not self._hide:
            found.prepared = inner.statement.text


def _failed(found: Findings, why: str) -> None:
    found.notes.append(f"It could not be tried: {why}.")


async def _filled(connection: Connection, body: str, bind: Bind, judged: Judged) -> str:
    """The statement with its parameters in it."""
    count = len(bind.values)
    types = [*judged.types, *(0 for _ in range(count))][:count]
    binary = any(
        form and not oid and value is not None
        for form, oid, value in zip(formats(bind), types, bind.values, strict=True)
    )
    if binary:
        types = await _inferred(connection, body, types)
    names = await connection.fetchval(_TYPES, types)
    written = [name if oid else "" for oid, name in zip(types, names, strict=True)]
    return substituted(body, bind, types, written, judged.context.encoding)


async def _inferred(connection: Connection, body: str, types: Sequence[int]) -> list[int]:
    """Types of parameters as the server makes them out."""
    known = await connection.fetchval(_TYPES, types)
    said = ", ".join(name if oid else "unknown" for oid, name in zip(types, known, strict=True))
    # Preparing is no part of the transaction.
    await connection.fetch(f"PREPARE proctor_tries({said}) AS {body}")
    try:
        return list(await connection.fetchval(_INFERRED))
    finally:
        await connection.execute("DEALLOCATE proctor_tries")
