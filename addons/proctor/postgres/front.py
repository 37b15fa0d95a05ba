"""The client's side: each message is judged, held, recorded and sent on, or put in another's place.

What may not run is replaced by something that cannot: a text that is no SQL for Query and Parse, a
name that does not exist for Bind, Describe and Execute. The server answers it with an error, at its
place and with all that follows from an error, and `back` writes that error anew.
"""

from asyncio import Future
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from proctor.errors import ClientError, ProctorError, RefusedError
from proctor.model import Allow, Finding
from proctor.postgres import keeping
from proctor.postgres.back import Unread
from proctor.postgres.holding import Holding
from proctor.postgres.house import House
from proctor.postgres.judge import Judge
from proctor.postgres.judging import Judging, Send
from proctor.postgres.keeping import Keeping
from proctor.postgres.refusals import denied, harmless, missing, nonce, refusal, text_of
from proctor.postgres.restoring import Restoring
from proctor.postgres.state import State
from proctor.postgres.statements import (
    MAX_NAMED,
    Batch,
    Denied,
    Judged,
    Portal,
    Prepared,
    Run,
)
from proctor.protocols.postgres import messages
from proctor.protocols.postgres.messages import FLUSH, SYNC, Bind, Front, Parse, Piece
from proctor.protocols.postgres.pipeline import Expected
from proctor.record import Ruling
from proctor.sql.statement import SqlError

_SETTLED: Final = frozenset(
    {
        Front.QUERY,
        Front.PARSE,
        Front.BIND,
        Front.DESCRIBE,
        Front.EXECUTE,
        Front.CLOSE,
        Front.FUNCTION_CALL,
    }
)
"""What is thrown away after an error, and is judged by what names mean."""

type Work = Coroutine[Any, Any, None] | None


class Taking:
    """Takes a client's messages, one after another.

    Args:
        house: What stands behind the connection.
        state: What it is in the midst of.
        judge: Says what may run.
        record: Writes it down.
        send: Sends bytes to the server once a record is durable; None: nothing is waited for.
        tell: Sends bytes to the client.
    """

    def __init__(  # noqa: PLR0913 - what it hands messages to
        self,
        house: House,
        state: State,
        judge: Judge,
        record: Keeping,
        *,
        flow_id: str,
        admitted: Callable[[], ProctorError | None],
        send: Send,
        tell: Callable[[bytes], None],
    ) -> None:
        self._house = house
        self._state = state
        self._judge = judge
        self._record = record
        self._admitted = admitted
        self._send = send
        self._texts = Judging(house, state, judge, send)
        self.holding = Holding(
            house, judge, self._texts, flow_id=flow_id, admitted=admitted, tell=tell
        )
        self._restoring = Restoring(house.screen, judge.principal)
        self._begun = False  # the server has the head of a message that comes in parts
        self._takes: dict[int, Callable[[Piece], Work]] = {
            Front.QUERY: self._query,
            Front.PARSE: self._parse,
            Front.BIND: self._bind,
            Front.DESCRIBE: self._describe,
            Front.EXECUTE: self._execute,
            Front.CLOSE: self._close,
            Front.SYNC: self._sync,
            Front.FLUSH: self._flush,
            Front.COPY_DATA: self._copy,
            Front.COPY_DONE: self._copy,
            Front.COPY_FAIL: self._copy,
            Front.FUNCTION_CALL: self._function,
        }

    def take(self, piece: Piece) -> Work:
        """Take a message.

        Returns:
            What is to be awaited before the next one is taken; None: it is done.
        """
        if piece.kind in _SETTLED:
            if self._state.pipe.doubtful:
                return self._once_certain(piece)
            if self._state.pipe.skipping:
                return None
            if self._state.unsettled:
                return self._once_settled(piece)
            self._texts.whole = piece.kind == Front.QUERY
        return self._takes[piece.kind](piece)

    def cancel(self) -> bool:
        """The client wants what runs cancelled; whether the server is to be told."""
        if self.holding.cancel():
            return False
        if not self._state.pipe.theirs:
            self._texts.cancel()
        return True  # what runs may be a question of ours

    # Query.

    def _query(self, piece: Piece) -> Work:
        text = text_of(piece)
        judged = self._texts.known(text)
        if judged is None:
            return self._query_unknown(text)
        return self._query_judged(judged)

    async def _query_unknown(self, text: bytes) -> None:
        work = self._query_judged(await self._texts.judgement(text))
        if work is not None:
            await work

    def _query_judged(self, judged: Judged) -> Work:
        error = judged.error or self._admitted()
        if error is None and not judged.statements:
            self._send_query(judged.text, Batch(()), inserted=judged.inserted)
            return None
        ruling = None if error else self._ruling(judged, (), ())
        if error is None and ruling is not None:
            if isinstance(ruling.verdict, Allow):
                self._run_query(judged, ruling, None)
                return None
            error = refusal(ruling)
            if error is None:
                return self._query_held(judged, ruling)
        self._deny_query(judged, ruling, error)
        return None

    async def _query_held(self, judged: Judged, ruling: Ruling) -> None:
        try:
            release = await self.holding.held(judged, ruling, b"", ())
        except ProctorError as error:
            self._deny_query(judged, ruling, error)
            return
        self._run_query(judged, ruling, release)

    def _run_query(self, judged: Judged, ruling: Ruling, approval: str | None) -> None:
        try:
            text = self._restoring.text(judged, self._state.encoding)
        except RefusedError as error:
            self._deny_query(judged, ruling, error)
            return
        runs: list[Run] = []
        durable: Future[None] | None = None
        for at in range(len(judged.statements)):
            run, durable = self._record.begin(judged, at, ruling, approval=approval)
            runs.append(run)
        self._send_query(text, Batch(runs), durable, judged.inserted)

    def _send_query(
        self,
        text: bytes,
        work: object,
        durable: Future[None] | None = None,
        inserted: tuple[int, ...] = (),
    ) -> None:
        data = messages.message(Front.QUERY, text + b"\0")
        self._put(Expected(Front.QUERY, work, inserted=inserted), data, durable)

    def _deny_query(
        self, judged: Judged, ruling: Ruling | None, error: ProctorError | None
    ) -> None:
        error = error or RefusedError("policy-denied", "It may not run")
        durable = self._record.refused(judged, ruling, error)
        if isinstance(error, SqlError):
            self._put_unread(judged.text, error, durable)
            self._put(Expected(Front.SYNC), SYNC)
            return
        self._send_query(nonce(), denied(error, ruling), durable)

    def _put_unread(self, text: bytes, error: SqlError, durable: Future[None] | None) -> None:
        """Have the server say what is wrong with a text that we cannot read.

        A Parse runs nothing. Should the server take it, since its grammar is another version's,
        then what comes next fails, and says that it was us who could not.
        """
        data = messages.write_parse(Parse(nonce(), text, ()))
        self._put(Expected(Front.PARSE, Unread()), data, durable)
        failing = Expected(Front.PARSE, denied(error, None))
        self._put(failing, messages.write_parse(Parse(nonce(), nonce(), ())))

    # Parse, Bind, Describe, Execute, Close, Sync.

    def _parse(self, piece: Piece) -> Work:
        parse = messages.read_parse(piece.body)
        judged = self._texts.known(parse.query, parse.types)
        if judged is None:
            return self._parse_unknown(parse, piece)
        return self._parse_judged(parse, piece, judged)

    async def _parse_unknown(self, parse: Parse, piece: Piece) -> None:
        work = self._parse_judged(
            parse, piece, await self._texts.judgement(parse.query, parse.types)
        )
        if work is not None:
            await work

    def _parse_judged(self, parse: Parse, piece: Piece, judged: Judged) -> Work:
        error = judged.error or self._admitted()
        if error is None and judged.ruling is not None:
            error = refusal(judged.ruling)
        state, text = self._state, judged.text
        try:
            text = self._restoring.text(judged, self._state.encoding)
        except RefusedError as refused:
            error = error or refused
        if error is not None:
            durable = self._record.refused(judged, judged.ruling, error)
            if isinstance(error, SqlError):
                self._put_unread(parse.query, error, durable)
                return None
            failing = Expected(Front.PARSE, denied(error, judged.ruling))
            self._put(failing, messages.write_parse(Parse(parse.name, nonce(), ())), durable)
            if not parse.name:
                state.prepared.pop(b"", None)
            return None
        plan = judged.statements[0].plan if judged.statements else None
        prepared = Prepared(text=judged.text, types=parse.types, plan=plan)
        there = parse.name and parse.name in state.prepared
        if len(state.prepared) >= MAX_NAMED and not there:
            raise ClientError("pg-names", "Too many prepared statements", expected=f"{MAX_NAMED}")
        expected = Expected(Front.PARSE, (parse.name, prepared), inserted=judged.inserted)
        data = piece.data
        if text is not judged.text or judged.inserted:
            data = messages.write_parse(Parse(parse.name, text, parse.types))
        if not self._put(expected, data):
            return None
        if there:
            # The server refuses a name that it has; whether it has it shows in its answer.
            return self._answered(lambda: not state.pipe.expects(expected))
        state.prepared[parse.name] = prepared
        return None

    def _bind(self, piece: Piece) -> Work:
        state = self._state
        bind = messages.read_bind(piece.body)
        prepared = state.prepared.get(bind.statement)
        if prepared is None:
            self._deny_bind(bind, missing("prepared statement", bind.statement, state))
            return None
        judged = self._texts.known(prepared.text, prepared.types, standard=True)
        if judged is None or self._house.screen is not None:
            return self._bind_later(piece, bind, prepared)
        return self._bind_judged(piece, bind, judged, None, ())

    async def _bind_later(self, piece: Piece, bind: Bind, prepared: Prepared) -> None:
        judged = self._texts.known(prepared.text, prepared.types, standard=True) or (
            await self._texts.judgement(prepared.text, prepared.types, standard=True)
        )
        kept: bytes | None = None
        findings: tuple[Finding, ...] = ()
        if self._house.screen is not None and not harmless(bind):
            try:
                kept, findings = await self._judge.parameters(
                    keeping.parameters_of(bind, self._state.encoding)
                )
            except ProctorError as error:
                self._refuse_bind(bind, judged, None, error, b"", ())
                return
        work = self._bind_judged(piece, bind, judged, kept, findings)
        if work is not None:
            await work

    def _bind_judged(
        self,
        piece: Piece,
        bind: Bind,
        judged: Judged,
        kept: bytes | None,
        findings: tuple[Finding, ...],
    ) -> Work:
        error = judged.error or self._admitted()
        if kept is None:
            kept = keeping.parameters_of(bind, self._state.encoding)
        ruling: Ruling | None = None
        if error is None and judged.statements:
            ruling = self._ruling(judged, keeping.parts_of(bind), findings)
            if isinstance(ruling.verdict, Allow):
                return self._run_bind(piece, bind, judged, ruling, kept, findings, None)
            error = refusal(ruling)
            if error is None:
                return self._bind_held(piece, bind, judged, ruling, kept, findings)
        if error is None:
            return self._pass_bind(piece.data, bind, None, None)
        self._refuse_bind(bind, judged, ruling, error, kept, findings)
        return None

    async def _bind_held(  # noqa: PLR0913, PLR0917 - what is held
        self,
        piece: Piece,
        bind: Bind,
        judged: Judged,
        ruling: Ruling,
        kept: bytes,
        findings: tuple[Finding, ...],
    ) -> None:
        try:
            release = await self.holding.held(judged, ruling, kept, findings, bind)
        except ProctorError as error:
            self._refuse_bind(bind, judged, ruling, error, kept, findings)
            return
        work = self._run_bind(piece, bind, judged, ruling, kept, findings, release)
        if work is not None:
            await work

    def _run_bind(  # noqa: PLR0913, PLR0917 - what runs
        self,
        piece: Piece,
        bind: Bind,
        judged: Judged,
        ruling: Ruling,
        kept: bytes,
        findings: tuple[Finding, ...],
        approval: str | None,
    ) -> Work:
        try:
            data = self._restoring.bind(piece, bind, judged, self._state.encoding)
        except RefusedError as error:
            self._refuse_bind(bind, judged, ruling, error, kept, findings)
            return None
        run, durable = self._record.begin(
            judged,
            0,
            ruling,
            parameters=kept,
            findings=findings,
            approval=approval,
            formats=bind.results,
        )
        return self._pass_bind(data, bind, run, durable)

    def _pass_bind(
        self, data: bytes, bind: Bind, run: Run | None, durable: Future[None] | None
    ) -> Work:
        state = self._state
        there = bind.portal and bind.portal in state.portals
        if len(state.portals) >= MAX_NAMED and not there:
            raise ClientError("pg-names", "Too many portals", expected=f"{MAX_NAMED}")
        portal = Portal(name=bind.portal, run=run)
        expected = Expected(Front.BIND, portal)
        if not self._put(expected, data, durable):
            return None
        masks = run is not None and run.plan is not None and run.plan.masks
        if run is not None and (masks or self._judge.content is not None):
            # Who has described the statement need not describe this: its rows are told to us.
            ours = Expected(Front.DESCRIBE, portal, ours=True)
            self._put(ours, messages.write_named(Front.DESCRIBE, ord("P"), bind.portal))
        if there:
            # The server refuses a name that it has; whether it has it shows in its answer.
            return self._answered(lambda: not state.pipe.expects(expected))
        old = state.portals.get(bind.portal)
        if old is not None and old.run is not None and not old.run.ended:
            portal.replaces = old.run  # its own answers may be on their way
        state.portals[bind.portal] = portal
        return None

    def _refuse_bind(  # noqa: PLR0913, PLR0917 - what is refused
        self,
        bind: Bind,
        judged: Judged,
        ruling: Ruling | None,
        error: ProctorError,
        kept: bytes,
        findings: tuple[Finding, ...],
    ) -> None:
        durable = self._record.refused(
            judged, ruling or judged.ruling, error, parameters=kept, findings=findings
        )
        self._deny_bind(bind, denied(error, ruling), durable)

    def _deny_bind(self, bind: Bind, denied: Denied, durable: Future[None] | None = None) -> None:
        data = messages.write_bind(Bind(bind.portal, nonce(), (), (), ()))
        self._put(Expected(Front.BIND, denied), data, durable)

    def _describe(self, piece: Piece) -> Work:
        state = self._state
        what, name = messages.read_named(piece.body)
        if what == ord("S"):
            work: object = state.prepared.get(name)
        else:
            work = state.portals.get(name) or state.cursors.get(name)
        if work is None:
            kind = "prepared statement" if what == ord("S") else "portal"
            data = messages.write_named(Front.DESCRIBE, what, nonce())
            self._put(Expected(Front.DESCRIBE, missing(kind, name, state)), data)
            return None
        self._put(Expected(Front.DESCRIBE, work), piece.data)
        return None

    def _execute(self, piece: Piece) -> Work:
        state = self._state
        name, rows = messages.read_execute(piece.body)
        portal = state.portals.get(name)
        if portal is None:
            # A cursor that DECLARE has made is read by FETCH, which is judged.
            unknown = Expected(Front.EXECUTE, missing("portal", name, state))
            self._put(unknown, messages.write_execute(nonce(), rows))
            return None
        self._put(Expected(Front.EXECUTE, portal), piece.data)
        return None

    def _close(self, piece: Piece) -> Work:
        self._put(Expected(Front.CLOSE, messages.read_named(piece.body)), piece.data)
        return None

    def _sync(self, piece: Piece) -> Work:
        if self._state.pipe.sent(Expected(Front.SYNC)):
            self._send(piece.data, None)
        return None

    def _flush(self, piece: Piece) -> Work:
        if not self._state.pipe.taking:
            self._send(piece.data, None)
        return None

    # COPY, and what does not pass.

    def _copy(self, piece: Piece) -> Work:
        pipe = self._state.pipe
        if not piece.starts:
            # The server reads a message that it has the head of to its end, even where the COPY
            # has failed since: without the rest it would take what follows for it.
            if self._begun:
                self._send(piece.data, None)
            return None
        self._begun = pipe.taking
        if not pipe.taking:
            if not len(pipe):
                return None  # what is left of a COPY that has failed (54.2.6)
            return self._copy_early(piece)
        if piece.kind != Front.COPY_DATA:
            pipe.took()
        self._send(piece.data, None)
        return None

    async def _copy_early(self, piece: Piece) -> None:
        """Data that comes before the server has asked for it, or after it has given up."""
        state = self._state
        self._send(FLUSH, None)
        await state.until(lambda: state.pipe.taking or not state.pipe.running)
        if state.pipe.taking:
            self._copy(piece)

    def _function(self, _piece: Piece) -> Work:
        error = RefusedError(
            "pg-function-call",
            "Function calls of the protocol's own do not pass",
            hint="Call the function by SELECT.",
            rule_id="sql",
        )
        self._send_query(nonce(), Denied(error=error))
        return None

    # What all of them share.

    def _put(self, expected: Expected, data: bytes, durable: Future[None] | None = None) -> bool:
        """Send a message whose answers are to come; False: the server would throw it away."""
        state, work = self._state, expected.work
        runs: Sequence[Run | None] = ()
        if isinstance(work, Batch):
            runs = work.runs
        elif isinstance(work, Portal) and not expected.ours:
            runs = (work.run,)
        if not state.pipe.sent(expected):
            for run in runs:
                if run is not None:
                    self._record.end(run, error="thrown away after an error before it")
            return False
        if expected.kind in {Front.QUERY, Front.EXECUTE}:
            for run in runs:
                if run is not None:
                    state.sent(run)
        self._send(data, durable)
        return True

    async def _once_settled(self, piece: Piece) -> None:
        """Take a message once it is known what names mean by now."""
        state = self._state
        if not state.pipe.synced:
            self._send(FLUSH, None)
        await state.until(lambda: not state.unsettled)
        work = self.take(piece)
        if work is not None:
            await work

    async def _once_certain(self, piece: Piece) -> None:
        """Take a message once it is known which Syncs a COPY has thrown away (54.2.6)."""
        state = self._state
        self._send(FLUSH, None)
        await state.until(lambda: not state.pipe.running)
        if state.pipe.doubtful:
            state.pipe.ask()
            closing = messages.write_named(Front.CLOSE, ord("S"), nonce())
            self._send(SYNC + closing + SYNC, None)
            await state.until(lambda: not state.pipe.doubtful)
        work = self.take(piece)
        if work is not None:
            await work

    async def _answered(self, holds: Callable[[], bool]) -> None:
        self._send(FLUSH, None)
        await self._state.until(holds)

    def _ruling(
        self, judged: Judged, parameters: Sequence[bytes], findings: tuple[Finding, ...]
    ) -> Ruling:
        if judged.steady and not parameters and not findings and judged.ruling is not None:
            return judged.ruling
        return self._judge.again(judged, parameters, findings)
