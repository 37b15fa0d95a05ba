"""Judgements of a connection's texts: remembered as long as they hold, made where they are not.

What a text's names mean is asked in the client's own session, between its messages, so that its
search_path, temporary tables and uncommitted definitions hold.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from proctor.errors import ClientError, ProctorError, UpstreamError
from proctor.postgres.back import Asked, SkippedError
from proctor.postgres.house import House
from proctor.postgres.judge import Judge
from proctor.postgres.knowledge import Ask, Rows
from proctor.postgres.refusals import nonce
from proctor.postgres.state import State
from proctor.postgres.statements import Context, Judged, Judgement
from proctor.protocols.postgres import messages
from proctor.protocols.postgres.messages import FLUSH, SYNC, Bind, Front, Parse
from proctor.protocols.postgres.pipeline import FAILED, Expected

MAX_REMEMBERED: Final = 512
"""Texts whose judgement one connection remembers."""

_CONTEXT: Final = (
    "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text,"
    " CASE WHEN current_user OPERATOR(pg_catalog.=) session_user THEN ''"
    " ELSE current_user::pg_catalog.text END,"
    " pg_catalog.current_setting('standard_conforming_strings'), session_user::pg_catalog.text"
)
_TEXT_ARRAY: Final = 1009  # pg_type.dat

type Send = Callable[[bytes, Future[None] | None], None]
"""Sends bytes to the server once a record is durable; None: nothing is waited for."""


class Judging:
    """For one connection.

    Args:
        house: What stands behind it.
        state: What it is in the midst of.
        judge: Says what may run.
        send: To the server.

    Attributes:
        whole: What is judged is a Query, which no Sync of the client's follows.
    """

    def __init__(self, house: House, state: State, judge: Judge, send: Send) -> None:
        self._house = house
        self._state = state
        self._judge = judge
        self._send = send
        self.whole = False
        self._cancelled = False
        self._judged: dict[tuple[bytes, tuple[int, ...], bool], Judged] = {}
        state.known = self.known

    def known(
        self, text: bytes, types: tuple[int, ...] = (), *, standard: bool = False
    ) -> Judged | None:
        """What was said of a text, if it still holds; `standard` as in Judge.judge."""
        context = self._context()
        if context is None:
            return None
        key = (text, types, standard or context.strings)
        judged = self._judged.get(key)
        if judged is None:
            return None
        if judged.context != context or judged.policy is not self._house.gate.policy:
            del self._judged[key]
            return None
        return judged

    def _context(self) -> Context | None:
        return self._state.context and self._judge.current(
            self._state.context,
            encoding=self._state.encoding,
            in_transaction=self._state.pipe.status != b"I",
            moved=self._state.moved,
        )

    def cancel(self) -> None:
        """The client wants what is being judged no more."""
        self._cancelled = True

    async def judgement(
        self, text: bytes, types: tuple[int, ...] = (), *, standard: bool = False
    ) -> Judged:
        """Judge a text; `standard` as in Judge.judge.

        Raises:
            SkippedError: The server throws away what comes here.
            ProctorError: It cannot be judged.
        """
        state = self._state
        context = self._context()
        failed: ProctorError | None = None
        self._cancelled = False
        if context is None and not self._dead:
            try:
                state.context = Judge.context(await self._ask(_CONTEXT, ()))
            except (ClientError, UpstreamError) as error:
                failed = error
            context = self._context()
        judged = await self._judge.judge(
            text,
            types,
            context or Judge.nowhere(state.encoding, strings=state.strings),
            self,
            _failing(failed) if failed else self._ask,
            standard=standard,
        )
        if self._cancelled:
            failed = failed or ClientError(
                "sql-cancelled", "canceling statement due to user request"
            )
        if failed is not None:
            judged = replace(judged, error=judged.error or failed)
        # What EXECUTE and FETCH do depends on a name that may come to mean something else.
        named = any(each.inner is not None for each in judged.statements)
        kept = judged.error is None and not named
        if kept and context is not None and context == self._context():
            if len(self._judged) >= MAX_REMEMBERED:
                self._judged.clear()
            self._judged[text, types, standard or context.strings] = judged
        return judged

    @property
    def _dead(self) -> bool:
        """Whether the transaction has failed, so that nothing but its end can run."""
        return self._state.pipe.status == FAILED and self._state.pipe.synced

    async def _ask(self, sql: str, parameters: Sequence[bytes]) -> Rows:
        """Run a query of ours in the client's session, at this place.

        Raises:
            SkippedError: The server throws away what comes here.
            ProctorError: It failed.
        """
        state = self._state
        if self._dead:
            raise ClientError(
                "sql-aborted",
                "current transaction is aborted, commands ignored until end of transaction block",
            )
        asked = Asked(asyncio.get_running_loop().create_future(), whole=self.whole)
        name = nonce()
        values = tuple(parameters)
        types = (_TEXT_ARRAY,) * len(values)
        alone = not state.pipe.open
        sent = (
            (Front.PARSE, messages.write_parse(Parse(name, sql.encode(), types))),
            (Front.BIND, messages.write_bind(Bind(name, name, (), values, ()))),
            (Front.EXECUTE, messages.write_execute(name)),
            (Front.CLOSE, messages.write_named(Front.CLOSE, ord("P"), name)),
            (Front.CLOSE, messages.write_named(Front.CLOSE, ord("S"), name)),
        )
        for kind, data in sent:
            if not state.pipe.sent(Expected(kind, asked, ours=True)):
                raise SkippedError
            self._send(data, None)
        if alone:
            state.pipe.sent(Expected(Front.SYNC, asked, ours=True))
        self._send(SYNC if alone else FLUSH, None)
        try:
            return await asked.rows
        except ProctorError:
            if state.pipe.skipping:  # all but a Sync, of which a Query has none (54.2.3)
                state.pipe.sent(Expected(Front.SYNC, ours=True))
                self._send(SYNC, None)
            raise

    def prepared(self, name: str) -> bytes | None:
        """The SQL of a prepared statement, or None."""
        found = self._state.prepared.get(name.encode(self._state.encoding, "replace"))
        return found.text if found else None

    def cursor(self, name: str) -> Judgement | None:
        """What a cursor reads, or None."""
        raw = name.encode(self._state.encoding, "replace")
        portal = self._state.portals.get(raw)
        if portal is not None and portal.run is not None:
            return portal.run.judgement
        return self._state.cursors.get(raw)

    def still(self, judged: Judged) -> bool:
        """Whether names mean what they meant, but for the time that has gone by."""
        now = self._context()
        return (
            now is not None
            and judged.context.path == now.path
            and (judged.context.role == now.role and self._judge.unchanged(judged.context, now))
        )


def _failing(error: ProctorError) -> Ask:
    """Asks nothing more, since what was asked before has failed."""

    async def ask(_sql: str, _parameters: Sequence[bytes]) -> Rows:
        raise error

    return ask
