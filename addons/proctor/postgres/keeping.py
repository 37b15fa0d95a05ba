"""What is put on record of a connection and its statements.

Each statement has two records: `statement`, durable before anything of it goes to the server, and
`statement.end`, with what came of it. What was not let through has the first alone.
"""

import math
from asyncio import Future
from collections.abc import Callable
from typing import Any, Final

import orjson

from proctor.budgets.model import Spent
from proctor.errors import ProctorError
from proctor.gate import Gate
from proctor.model import ActionKind, Finding, Principal, RecordMode, Session, verdict_name
from proctor.novelty.baseline import Familiar
from proctor.novelty.usual import MANY, Seen, seen
from proctor.postgres.forms import NULL, Form, ended, filled, form_of, in_ascii
from proctor.postgres.incoming import alarm
from proctor.postgres.masking.model import Plan
from proctor.postgres.showing import format_of, legible
from proctor.postgres.statements import Judged, Judgement, Run
from proctor.postgres.wires import Arrival
from proctor.protocols.postgres.messages import BEGIN, Bind, each
from proctor.record import Ruling, finding_rows, timestamp

MAX_LIST: Final = 200
"""Tables, columns or functions that one record names."""

MAX_TEXTS: Final = 512
"""Texts of which one connection remembers where they are kept."""

MAX_TEXT: Final = 64 * 1024
MAX_SHORT: Final = 128
"""Bytes of a text, and of other content, whose place is remembered."""

MAX_REMEMBERED: Final = 512 * 1024
"""Bytes of all of them, in one connection."""

_ASK: Final = 1.0  # seconds


class Keeping:
    """For one connection.

    Args:
        gate: Writes.
        arrival: Who came.
        listener: Its name.
        session: The run it is part of, as far as that is known.
        clock: Monotonic, seconds.
        limit: Bytes of a result that are kept.
        counted: Told the verdict on each statement, and how long it took, seconds.
    """

    def __init__(  # noqa: PLR0913 - what a connection is known by
        self,
        gate: Gate,
        arrival: Arrival,
        listener: str,
        *,
        session: Session | None,
        clock: Callable[[], float],
        limit: int,
        counted: Callable[[str, float], None],
    ) -> None:
        self._gate = gate
        self._principal: Principal = arrival.principal
        self._session = session
        self._clock = clock
        self._limit = limit
        self._counted = counted
        self._count = 0
        self._texts: dict[bytes, bytes] = {}
        self._place = ""
        self._weight = 0
        self._held: Any = None
        self._asked = 0.0
        self.familiar: Familiar | None = None
        self.exceeded: Callable[[Run], None] = _nobody
        self.brought: Callable[[Run, bytes], None] = _nobody
        principal = arrival.principal
        self._who: dict[str, object] = {
            "flow_id": arrival.flow_id,
            "session_id": session.id if session else None,
            "session_started": timestamp(session.started) if session else None,
            "principal": principal.key,
            "subject": principal.subject,
            "groups": list(principal.groups),
            "listener": listener,
            "database": arrival.database,
            "client": arrival.application,
        }

    def begin(  # noqa: PLR0913 - what is said of it
        self,
        judged: Judged,
        at: int,
        ruling: Ruling,
        *,
        parameters: bytes = b"",
        findings: tuple[Finding, ...] = (),
        approval: str | None = None,
        formats: tuple[int, ...] = (),
    ) -> tuple[Run, Future[None]]:
        """Put on record that a statement is to run.

        Args:
            judged: The text it stands in.
            at: Which of its statements.
            ruling: What the rules said.
            parameters: As they may be kept; b"" for none.
            findings: What was found in them.
            approval: What let it pass, or None.
            formats: Of its columns.

        Returns:
            What runs, and what is done once the record is durable.

        Raises:
            InternalError: It cannot be written.
        """
        judgement = judged.statements[at]
        alike = judged.steady and not findings and not approval and not ruling.actions[at].tainted
        form = self._form(judged, at, ruling) if alike else None
        new = self._novelty(form, judgement, at, ruling) if form else None
        if form is not None and new is not None:
            self._count += 1
            kept = self._ref(parameters) if parameters else NULL
            said: dict[str, object] | bytes = form.begin(self._count, kept, new, ruling.digests[at])
            both, verdict, keep, ceiling = form.fields, form.verdict, True, math.inf
        else:
            keep = ruling.record is RecordMode.FULL
            said = fields = self._fields(judged, judgement, at, ruling, parameters, keep=keep)
            fields["findings"] = finding_rows((*judged.findings, *findings))
            fields["approval_id"] = approval
            alarm(self._gate, self._who, (*judged.findings, *findings), stopped=False)
            both, verdict = self._both(fields), str(fields["verdict"])
            ceiling = self._ceiling(judgement)
        if self._gate.budgeted:
            self._gate.spend(self._principal, self._session, Spent(requests=1))
        seq, durable = self._gate.statement(said, ended=False)
        run = Run(
            judgement=judgement,
            begin_seq=seq,
            started=self._clock(),
            fields=both,
            n=self._count,
            form=form,
            verdict=verdict,
            keep=keep,
            session=self._session,
            plan=judgement.plan,
            formats=formats,
            ceiling=ceiling,
        )
        return run, durable

    def alike(self, judged: Judged) -> tuple[Form, bytes] | None:
        """What is said each time a text's only statement runs, and of what is new of it: nothing.

        None where that was not said before, or may not hold by now; nothing is put on record.
        """
        form, ruling = judged.forms.get(0), judged.ruling
        if form is None or ruling is None or self._gate.budgeted:
            return None
        if form.decisions is not ruling.decisions or form.scope != self._scope().id:
            return None
        quiet = self._quiet(form)
        return None if quiet is None else (form, quiet)

    def again(  # noqa: PLR0913, PLR0917 - what may differ
        self,
        judgement: Judgement,
        form: Form,
        quiet: bytes,
        digest: str,
        parameters: bytes,
        formats: tuple[int, ...],
    ) -> tuple[Run, Future[None]]:
        """Put on record that a statement is to run of which nothing else is said than before.

        Args:
            judgement: What it is.
            form: And
            quiet: As `alike` gave them.
            digest: Of its action.
            parameters: As `begin`.
            formats: Likewise.

        Raises:
            InternalError: It cannot be written.
        """
        self._count += 1
        kept = self._ref(parameters) if parameters else NULL
        said = form.begin(self._count, kept, quiet, digest)
        seq, durable = self._gate.statement(said, ended=False)
        run = Run(
            judgement, seq, self._clock(), form.fields, form.verdict, True, self._session,  # noqa: FBT003 - content is kept
            self._count, form, formats=formats,
        )  # fmt: skip
        return run, durable

    def refused(  # noqa: PLR0913 - what is said of it
        self,
        judged: Judged,
        ruling: Ruling | None,
        error: ProctorError,
        *,
        parameters: bytes = b"",
        findings: tuple[Finding, ...] = (),
        rule_id: str = "",
    ) -> Future[None] | None:
        """Put on record what is not let through; returns what is done once that is durable.

        Raises:
            InternalError: It cannot be written; that it may not run stands.
        """
        durable: Future[None] | None = None
        alarm(self._gate, self._who, (*judged.findings, *findings), stopped=True)
        for at in range(max(1, len(judged.statements))):
            keep = ruling is None or ruling.record is RecordMode.FULL
            judgement = judged.statements[at] if judged.statements else None
            fields = self._fields(judged, judgement, at, ruling, parameters, keep=keep)
            fields["findings"] = finding_rows((*judged.findings, *findings))
            fields |= {
                "approval_id": None,
                "verdict": "deny",
                "rule_id": rule_id or getattr(error, "rule_id", "") or error.code,
                "reason": error.message,
                "rows": None,
                "masked_columns": [],
                "duration_ms": 0.0,
                "error": f"{error.code}: {error.message}",
                "response": None,
                "response_bytes": 0,
            }
            self._counted("deny", 0.0)
            durable = self._gate.statement(fields, ended=False)[1]
        return durable

    def end(self, run: Run, *, error: str = "", result: bytes | None = None) -> None:
        """Put on record how a statement ended. Again is harmless.

        Args:
            run: What ran.
            error: What went wrong, as it may be kept.
            result: What the client saw, as it may be kept; None for nothing.

        Raises:
            InternalError: It cannot be written.
        """
        if run.ended:
            return
        run.ended = True
        response = self._ref(result) if result and run.keep else NULL
        seconds = self._clock() - run.started
        self._counted(run.verdict, seconds)
        if self._gate.budgeted:
            spent = Spent(records=run.rows or 0, received=run.size)
            self._gate.spend(self._principal, self._session, spent)
        ms, form = round(seconds * 1000, 3), run.form
        if form is not None and not (error or run.found or run.unseen):
            self._gate.statement(
                form.end(run.n, run.begin_seq, run.rows, ms, response, run.size), ended=True
            )
        else:
            fields = ended(
                run.fields,
                run.n,
                begin_seq=run.begin_seq,
                rows=run.rows,
                masked=_masked(run.plan),
                ms=ms,
                error=error,
                response=orjson.loads(response),
                size=run.size,
            )
            self._gate.statement(fields | _found(run), ended=True)
            alarm(
                self._gate, self._who, [finding for finding, _ in run.found.values()], stopped=False
            )
        sql = run.judgement.action.sql
        if self.familiar is not None and sql is not None and not error:
            now = self.familiar.now
            if form is not None and form.seen is not None:
                self.familiar.saw(Seen(*form.seen, run.rows, now))
            else:
                self.familiar.saw(seen(sql, run.judgement.written, run.rows, now))

    def saw(self, run: Run, rows: bytes, count: int) -> None:
        """The client is to see these rows: whole messages, as many.

        Raises:
            ProctorError: So many may not come.
        """
        self.brought(run, rows)
        run.rows += count
        run.size += len(rows) - BEGIN * count
        if run.rows > run.ceiling:
            run.ceiling = math.inf
            self.exceeded(run)
        if not run.keep or run.kept >= self._limit:
            return
        if run.kept + len(rows) <= self._limit:
            run.results.append(rows)
            run.kept += len(rows)
            return
        for row in each(rows):
            run.kept += len(row)
            if run.kept > self._limit:
                return
            run.results.append(row)

    def _fields(  # noqa: PLR0913 - what is said of it
        self,
        judged: Judged,
        judgement: Judgement | None,
        at: int,
        ruling: Ruling | None,
        parameters: bytes,
        *,
        keep: bool,
    ) -> dict[str, object]:
        self._count += 1
        sql = judgement.action.sql if judgement else None
        decision = ruling.decisions[at] if ruling and at < len(ruling.decisions) else None
        verdict = decision.verdict if decision else None
        return {
            **self._who,
            "n": self._count,
            "sql": self._text(judged) if keep else None,
            "parameters": orjson.loads(self._ref(parameters)) if keep and parameters else None,
            "fingerprint": sql.fingerprint if sql else "",
            "verbs": list(sql.verbs[:MAX_LIST]) if sql else [],
            "tables": list(sql.tables[:MAX_LIST]) if sql else [],
            "columns": list(sql.columns[:MAX_LIST]) if sql else [],
            "functions": list(sql.functions[:MAX_LIST]) if sql else [],
            "has_where": sql.has_where if sql else False,
            "read_only": sql.read_only if sql else False,
            "in_transaction": judged.context.in_transaction,
            "verdict": verdict_name(verdict) if verdict else "deny",
            "rule_id": verdict.rule_id if verdict else "",
            "reason": verdict.reason if verdict else "",
            "record": (ruling.record if ruling else RecordMode.FULL).value,
            "policy_version": ruling.policy_version if ruling else "",
            "novelty": self._new(judgement, at, ruling),
            "decisions": [ruling.told(at)] if ruling and decision else [],
        }

    def _new(
        self, judgement: Judgement | None, at: int, ruling: Ruling | None
    ) -> dict[str, Any] | None:
        """What of it is new, as rules saw it or would have; and what it writes, to learn from."""
        sql = judgement.action.sql if judgement else None
        if judgement is None or sql is None or self.familiar is None:
            return None
        known = ruling.actions[at].novelty if ruling and at < len(ruling.actions) else {}
        if not known:
            known = self.familiar.known.look(
                sql, judgement.written, rows=judgement.expected, now=self.familiar.now
            ).fields()
        return {
            **known,
            "tables": list(known["tables"][:MAX_LIST]),
            "written": sorted(judgement.written)[:MAX_LIST],
            "person": self.familiar.person,
        }

    def _ceiling(self, judgement: Judgement) -> float:
        """Rows that are told while they come, where no estimate has told of them before."""
        sql = judgement.action.sql
        policy = self._gate.policy
        if (
            self.familiar is None
            or sql is None
            or not policy.reads(ActionKind.SQL_STATEMENT, "novelty.volume")
        ):
            return math.inf
        usual = self.familiar.known.usual(sql)
        if usual is None:
            return math.inf
        ceiling = MANY * max(1.0, usual)
        return ceiling if (judgement.expected or 0.0) <= ceiling else math.inf

    def _form(self, judged: Judged, at: int, ruling: Ruling) -> Form | None:
        """What the records of this statement have in common; None where they are written in full.

        The rules say the same of it as before, and nothing is compared with what is usual.
        """
        place = self._scope().id
        form = judged.forms.get(at)
        if form is not None and form.decisions is ruling.decisions and form.scope == place:
            return form
        if at not in judged.forms:
            judged.forms[at] = None  # most texts come once
            return None
        judgement, sql = judged.statements[at], judged.statements[at].action.sql
        if ruling.record is not RecordMode.FULL or judgement.expected is not None or sql is None:
            return None
        if ruling.actions[at].novelty or self._gate.policy.reads(
            ActionKind.SQL_STATEMENT, "novelty.volume"
        ):
            return None
        fields = self._fields(judged, judgement, at, ruling, b"", keep=True)
        self._count -= 1
        fields["findings"] = finding_rows(judged.findings)
        fields["approval_id"] = None
        learned = seen(sql, judgement.written, 0, self.familiar.now) if self.familiar else None
        made = form_of(
            fields,
            self._both(fields),
            decisions=ruling.decisions,
            scope=place,
            masked=_masked(judgement.plan),
            seen=(learned.fingerprint, learned.read, learned.written) if learned else None,
            plain=_rows_only(judgement),
        )
        if made is not None:
            judged.forms[at] = made
        return made

    def _both(self, fields: dict[str, object]) -> dict[str, object]:
        """What both records say, but for the number, which has its place there.

        The rule's name, too: what it decided is kept for as long as that rule's is.
        """
        return self._who | {"n": None, "rule_id": fields["rule_id"], "record": fields["record"]}

    def _novelty(self, form: Form, judgement: Judgement, at: int, ruling: Ruling) -> bytes | None:
        """What of it is new, as JSON; None where that is no plain ASCII.

        Where nothing was, nothing is as long as nothing is forgotten, in the same hour: what has
        become usual stays so, and only the history grows.
        """
        quiet = self._quiet(form)
        if quiet is not None or self.familiar is None:
            return quiet
        new = self._new(judgement, at, ruling) or {}
        said = in_ascii(new)
        if said is not None and not (new["statement"] or new["table"] or new["hour"]):
            form.quiet = self._stand(self.familiar), filled(new, ("history", "days"))
        return said

    def _quiet(self, form: Form) -> bytes | None:
        """That nothing of it is new, as JSON; None where that has to be looked at."""
        if self.familiar is None:
            return NULL
        if form.quiet is None or form.quiet[0] != self._stand(self.familiar):
            return None
        known = self.familiar.known
        return form.quiet[1] % (known.history, known.days)

    @staticmethod
    def _stand(familiar: Familiar) -> tuple[int, int, bool]:
        known = familiar.known
        return known.generation, int(familiar.now.timestamp()) // 3600, known.learns

    def _text(self, judged: Judged) -> dict[str, Any] | None:
        """Where a text is kept."""
        return orjson.loads(self._ref(judged.kept, most=MAX_TEXT)) if judged.kept else None

    def _ref(self, data: bytes, *, most: int = MAX_SHORT) -> bytes:
        """Where content is kept, as JSON: once, as long as content goes to the same place."""
        scope = self._scope()
        if scope.id != self._place:
            self._forget()
            self._place = scope.id
        known = self._texts.get(data)
        if known is None:
            known = self._gate.keep(scope, data)
            if len(data) <= most:
                if len(self._texts) >= MAX_TEXTS or self._weight + len(data) > MAX_REMEMBERED:
                    self._forget()
                self._weight += len(data)
                self._texts[data] = known
        return known

    def _forget(self) -> None:
        self._texts.clear()
        self._weight = 0

    def _scope(self) -> Any:
        now = self._clock()
        if self._held is None or now - self._asked > _ASK:
            self._held = self._gate.scope(self._principal, self._session)
            self._asked = now
        return self._held


def _rows_only(judgement: Judgement) -> bool:
    """Whether nothing follows from it for its session, and its rows are passed on as they come."""
    statement = judgement.statement
    return (
        not judgement.changes
        and (judgement.inner, judgement.plan, statement.copies) == (None, None, None)
        and (statement.prepares, statement.deallocates) == (None, None)
        and (statement.declares, statement.closes) == (None, None)
        and "DISCARD" not in statement.verbs
    )


def _masked(plan: Plan | None) -> list[str]:
    return list(plan.names[:MAX_LIST]) if plan else []


def _found(run: Run) -> dict[str, object]:
    """What was found in its rows."""
    found: dict[str, object] = {}
    if run.found:
        told = finding_rows([finding for finding, _ in run.found.values()])
        counts = [count for _, count in run.found.values()]
        found["findings"] = [
            row | {"count": count} for row, count in zip(told, counts, strict=True)
        ]
    if run.unseen:
        found["unseen"] = run.unseen
    return found


def _nobody(*_: object) -> None:
    """Where nobody is told."""


def parameters_of(bind: Bind, encoding: str) -> bytes:
    """Parameters as JSON: a list of texts and nulls."""
    if not bind.values:
        return b""
    return orjson.dumps(
        [
            legible(value, format_of(bind.formats, at), encoding)
            for at, value in enumerate(bind.values)
        ]
    )


def parts_of(bind: Bind) -> list[bytes]:
    """Parameters as they are part of an action's digest."""
    parts: list[bytes] = []
    for at, value in enumerate(bind.values):
        if value is None:
            parts.append(b"-")
        else:
            parts += [b"%d:%d:" % (format_of(bind.formats, at), len(value)), value]
    return parts
