"""SQL → Actions → Gate: what a client's text does, what its names mean, and what is said of it.

A text is judged once for a connection and a context: its bytes, the schemas that names are looked
up in, the catalog as it was, the rules in force. Never by its fingerprint, which is the same for
DO with any body, for LIMIT 1 and LIMIT 1000000, and for set_config of whatever.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import orjson

from proctor.errors import ClientError, ProctorError, RefusedError, UpstreamError
from proctor.model import (
    Action,
    ActionKind,
    Finding,
    Principal,
    Session,
    SqlFields,
)
from proctor.postgres.house import House
from proctor.postgres.incoming import alarm, came, remember, source_of
from proctor.postgres.knowledge import BUMP, LONG, Ask, Rows, Shared
from proctor.postgres.masking.masks import Masks
from proctor.postgres.masking.model import Context as Meaning
from proctor.postgres.masking.model import Plan
from proctor.postgres.statements import Context, Judged, Judgement, Run
from proctor.postgres.straight import names_something, several, straight
from proctor.postgres.weighing import Weighing
from proctor.provenance.memory import Source
from proctor.record import Ruling
from proctor.redaction.cutting import Cut, Message, cut_http
from proctor.redaction.model import RedactionError
from proctor.sql.alike import like
from proctor.sql.names import Names, wanted
from proctor.sql.resolving import Resolved, resolve
from proctor.sql.statement import Change, Script, SqlError, Statement

MAX_STATEMENTS: Final = 1000
"""Statements in one text."""

_MAX_TARGET: Final = 500
_MAX_INNER: Final = 4
# What must not come before a statement whose names it would change the meaning of.
_THROUGH: Final = frozenset({"EXECUTE", "FETCH", "MOVE"})
_BY_NAME: Final = ("sql.tables", "sql.columns", "sql.functions", "sql.read_only", "novelty")


def copied_as(form: str) -> None:
    """Texts are looked at in these formats of COPY; the binary one does not say what is one.

    Raises:
        RefusedError: Code `sql-copy-binary`.
    """
    if form not in {"text", "csv"}:
        raise RefusedError(
            "sql-copy-binary",
            "What COPY gives in this format cannot be looked at",
            got=form,
            expected="FORMAT text or csv",
            rule_id="masking",
        )


class Named(Protocol):
    """What a connection has made under names."""

    def prepared(self, name: str) -> bytes | None:
        """The SQL of a prepared statement, or None."""
        ...

    def cursor(self, name: str) -> Judgement | None:
        """What a cursor reads, or None."""
        ...


class Judge:
    """For one connection.

    Args:
        house: What stands behind it.
        shared: What its listener's connections know.
        principal: Whose it is.
        session: In which run.
        database: Its name.
        flow_id: Of the connection.
        masks: What is masked in it; None where nothing is.

    Attributes:
        weighing: What the rules say.
    """

    def __init__(  # noqa: PLR0913 - what a connection is known by
        self,
        house: House,
        shared: Shared,
        *,
        principal: Principal,
        session: Callable[[], Session | None],
        database: str,
        flow_id: str,
        masks: Masks | None,
    ) -> None:
        self.masks = masks
        self.content = house.listener.looks_into(principal.groups)
        self.weighing = Weighing(house, principal=principal, session=session, database=database)
        self._house = house
        self._shared = shared
        self.principal = principal
        self._session = session
        self._database = database
        self._flow_id = flow_id
        self._allowed = frozenset(house.listener.functions)
        self._current: tuple[Context, Context] | None = None

    @property
    def session(self) -> Session | None:
        """The run of an agent that the connection is part of."""
        return self._session()

    @property
    def looks(self) -> bool:
        """Whether what is recorded has to be looked at before."""
        return self._house.screen is not None

    @staticmethod
    def context(rows: Rows) -> Context:
        """What the server says of a session: one row, of its schemas, its role and its strings."""
        path, role, strings, login = rows[0]
        return Context(
            path=tuple(orjson.loads(path or b"[]")),
            role=(role or b"").decode(),
            epoch=0,
            encoding="",
            in_transaction=False,
            login=(login or b"").decode(),
            strings=strings == b"on",
        )

    @staticmethod
    def nowhere(encoding: str, *, strings: bool) -> Context:
        """Where nothing can run, so that no name means anything."""
        return Context(
            path=(), role="", epoch=0, encoding=encoding, in_transaction=True, strings=strings
        )

    def current(
        self, context: Context, *, encoding: str, in_transaction: bool, moved: bool
    ) -> Context:
        """The same schemas and role, now."""
        epoch = self._shared.epoch(self._database)
        known = self._current
        if (
            known is not None
            and known[0] is context
            and known[1].epoch == epoch
            and known[1].encoding == encoding
            and known[1].in_transaction == in_transaction
            and known[1].moved == moved
        ):
            return known[1]
        now = replace(
            context, epoch=epoch, encoding=encoding, in_transaction=in_transaction, moved=moved
        )
        self._current = (context, now)
        return now

    @staticmethod
    def unchanged(one: Context, other: Context) -> bool:
        """Whether no change of the catalog has come by between two moments."""
        return one.epoch // BUMP == other.epoch // BUMP

    async def judge(  # noqa: PLR0913 - what a text's meaning depends on
        self,
        text: bytes,
        types: tuple[int, ...],
        context: Context,
        named: Named,
        ask: Ask,
        *,
        standard: bool = False,
    ) -> Judged:
        """Say what a text does and whether it may.

        Args:
            text: As the client sent it, without its end.
            types: Of its parameters as far as the client named them.
            context: Where.
            named: What the connection has made.
            ask: Asks the server, in the client's session.
            standard: It is read as where standard_conforming_strings is on, whatever it is here.

        Returns:
            What was said; an error in it is for the client. Only what keeps us from judging at all
            is raised.
        """
        policy = self._house.gate.policy
        steady = policy.steady(ActionKind.SQL_STATEMENT) and not self._house.gate.budgeted
        found: list[Judgement] = []
        error: ProctorError | None = None
        ruling: Ruling | None = None
        kept = b""
        findings: tuple[Finding, ...] = ()
        sent, inserted = text, tuple[int, ...]()
        try:
            if not context.strings and not standard:
                sent, inserted = await self._shared.conforming(text, context.encoding)
            kept, findings = await self._looked(sent, "text/plain")
            alone = self.masks is None and self.content is None
            shape = self._shared.shape(sent, self._database, context) if alone else None
            known = self._shared.alike(shape) if shape else None
            if known is not None:
                found = [_like(known, sent)]
            else:
                script = await self._shared.read(sent, context.encoding)
                found = await self._statements(script, types, context, named, ask)
                if shape is not None and len(found) == 1:
                    self._shared.remember(shape, found[0])
            if found:
                found = await self.weighing.expected(found, context)
                # Of numbers nobody asks where they came from; of strings somebody may.
                numbers = known is not None and b"'" not in sent
                ruling = self.weighing.ruled(found, findings, known=numbers)
        except (ClientError, RedactionError, UpstreamError) as said:
            error = said
            if isinstance(said, SqlError):
                sent, inserted = text, ()  # the server says what is wrong with it
        return Judged(
            text=sent,
            statements=tuple(found),
            ruling=ruling,
            error=error,
            kept=kept,
            findings=findings,
            policy=policy,
            context=context,
            steady=steady and not findings,
            inserted=inserted,
            types=types,
        )

    def again(
        self, judged: Judged, parameters: Sequence[bytes], findings: tuple[Finding, ...]
    ) -> Ruling:
        """What the rules say of a text with these parameters."""
        ruling = judged.ruling
        alike = judged.steady and not findings and ruling is not None
        if alike and self.weighing.tainted(parameters):
            alike = False
        if alike and ruling is not None:
            if not judged.hashers:
                gate, principal = self._house.gate, self.principal
                judged.hashers.extend(
                    gate.hasher(each.action, principal) for each in judged.statements
                )
            # Not `replace`, which takes thrice the time.
            return Ruling(
                verdict=ruling.verdict,
                decisions=ruling.decisions,
                digests=tuple(completed(each, parameters) for each in judged.hashers),
                actions=ruling.actions,
                record=ruling.record,
                policy_version=ruling.policy_version,
                findings=ruling.findings,
            )
        actions = tuple(
            replace(each.action, content=(*each.action.content, *parameters))
            for each in judged.statements
        )
        return self.weighing.ruled(judged.statements, (*judged.findings, *findings), actions)

    async def parameters(self, text: bytes) -> tuple[bytes, tuple[Finding, ...]]:
        """Parameters as JSON, as they may be recorded, and what was found in them."""
        return await self._looked(text, "application/json")

    def brought(self, run: Run, rows: bytes, encoding: str) -> None:
        """Remember what rows hold that nobody vouches for, before the client gets them.

        Raises:
            InternalError: `met-unavailable`; then it must not get them.
        """
        source = self._source(run)
        remember(self._house.gate, self.principal, run, rows, encoding=encoding, source=source)

    def _source(self, run: Run) -> Source:
        run.source = run.source or source_of(self._who(), run, self._house.now())
        return run.source

    def _who(self) -> dict[str, object]:
        """What is said of the connection where something is found."""
        session = self._session()
        return {
            "flow_id": self._flow_id,
            "principal": self.principal.key,
            "session_id": session.id if session else None,
            "listener": self._house.listener.name,
            "database": self._database,
        }

    async def looked(self, run: Run, text: bytes) -> bytes:
        """A result as JSON, as it may be recorded; nothing of one that cannot be looked at.

        Raises:
            InternalError: `met-unavailable`: what it brings could not be remembered.
        """
        try:
            kept, findings = await self._looked(text, "application/json")
        except (ClientError, RedactionError):
            return b""
        brought = [replace(each, direction="response") for each in findings]
        alarm(self._house.gate, self._who(), brought, stopped=False)
        await came(self._house.gate, self.principal, text, findings, self._source(run))
        return kept

    async def _looked(self, text: bytes, kind: str) -> tuple[bytes, tuple[Finding, ...]]:
        screen = self._house.screen
        if screen is None or not text:
            return text, ()
        cut: Cut = cut_http(Message(b"", (), text), frozenset(), kind, "")
        look = await screen.look(cut.pieces)
        findings = screen.findings(look, {})
        if not findings:
            return text, ()
        return cut.whole(screen.mask(look, {}, self.principal)).content, findings

    async def _statements(
        self,
        script: Script,
        types: tuple[int, ...],
        context: Context,
        named: Named,
        ask: Ask,
    ) -> list[Judgement]:
        if len(script.statements) > MAX_STATEMENTS:
            raise ClientError(
                "sql-statements",
                "Too many statements in one text",
                got=f"{len(script.statements)}",
                expected=f"at most {MAX_STATEMENTS}",
            )
        if self._minds_names():
            straight(script.statements, moved=context.moved)
        where = (self._database, context.role or context.login)
        names = await self._shared.names(where, context, wanted(script), ask)
        own = _Own(named)
        found: list[Judgement] = []
        strange = False
        for statement in script.statements:
            if strange and names_something(statement) and self._minds_names():
                raise several()
            judgement = await self._one(
                statement, script.fingerprint, types, names, context, own, ask
            )
            own.note(judgement)
            found.append(judgement)
            strange = strange or Change.UNKNOWN in judgement.changes
        return found

    def _minds_names(self) -> bool:
        """Whether anything that is said of a statement depends on what its names mean."""
        if self.masks is not None or self._house.listener.unknown_functions != "allow":
            return True
        policy = self._house.gate.policy
        return any(policy.reads(ActionKind.SQL_STATEMENT, field) for field in _BY_NAME)

    async def _one(  # noqa: PLR0913, PLR0917 - all that it means depends on
        self,
        statement: Statement,
        fingerprint: str,
        types: tuple[int, ...],
        names: Names,
        context: Context,
        named: "_Own",
        ask: Ask,
        depth: int = 0,
    ) -> Judgement:
        if len(statement.text) > LONG:
            resolved = await asyncio.to_thread(resolve, statement, names, self._allowed)
        else:
            resolved = resolve(statement, names, self._allowed)
        inner: Judgement | None = None
        plan: Plan | None = None
        if statement.executes is not None:
            inner = await self._executed(statement.executes, context, named, ask, depth)
        elif statement.fetches is not None:
            inner = named.cursor(statement.fetches)
            if inner is None and self.masks is not None:
                raise RefusedError(
                    "sql-cursor",
                    "This cursor was not declared by a statement that came by here",
                    hint="Declare it with DECLARE, or read without a cursor.",
                    rule_id="masking",
                )
        copies = statement.copies
        if self.content == "mask" and copies is not None and copies.outgoing:
            copied_as(copies.format)
        if inner is not None and statement.verbs[0] in _THROUGH:
            plan = inner.plan
        elif self.masks is not None:
            plan = await self._planned(statement, types, names, context)
        fields = self._fields(statement, fingerprint, resolved, inner, context)
        return Judgement(
            statement=statement,
            resolved=resolved,
            action=self._action(statement.text.encode("utf-8", "surrogatepass"), fields),
            plan=plan,
            inner=inner,
        )

    async def _executed(
        self, name: str, context: Context, named: "_Own", ask: Ask, depth: int
    ) -> Judgement:
        """What EXECUTE runs: judged anew, since its names may mean something else by now."""
        text = named.prepared(name)
        if text is None or depth >= _MAX_INNER:
            raise ClientError(
                "sql-prepared",
                f'prepared statement "{name}" does not exist',
                hint="proctor knows those that this connection has prepared with PREPARE or Parse.",
            )
        script = await self._shared.read(text, context.encoding)
        names = await self._shared.names(
            (self._database, context.role or context.login), context, wanted(script), ask
        )
        statement = script.statements[0]
        return await self._one(
            statement, script.fingerprint, (), names, context, named, ask, depth + 1
        )

    async def _planned(
        self, statement: Statement, types: tuple[int, ...], names: Names, context: Context
    ) -> Plan | None:
        if self.masks is None:
            return None
        where = Meaning(
            search_path=context.path,
            role=context.role,
            types=types,
            relations=names.relations,
        )
        return self.masks.cached(statement.text, where) or await self.masks.plan(
            statement.text, where
        )

    def _fields(
        self,
        statement: Statement,
        fingerprint: str,
        resolved: Resolved,
        inner: Judgement | None,
        context: Context,
    ) -> SqlFields:
        below = inner.action.sql if inner else None
        below = below or SqlFields(has_where=statement.has_where, read_only=True)
        return SqlFields(
            database=self._database,
            verbs=_union(statement.verbs, below.verbs),
            tables=_union(resolved.tables, below.tables),
            columns=_union(resolved.columns, below.columns),
            functions=_union(resolved.functions, below.functions),
            has_where=below.has_where,
            read_only=resolved.read_only and below.read_only,
            in_transaction=context.in_transaction,
            fingerprint=fingerprint,
        )

    def _action(self, text: bytes, fields: SqlFields) -> Action:
        listener = self._house.listener.name
        what = " ".join((",".join(fields.verbs), ",".join(fields.tables))).strip()
        return Action(
            kind=ActionKind.SQL_STATEMENT,
            listener=listener,
            target=f"{listener}/{self._database} {what}"[:_MAX_TARGET],
            content=(b"%d:" % len(text), text),
            size=len(text),
            sql=fields,
        )


class _Own:
    """What a connection has made, and what the statements of a text before this one make."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._prepared: dict[str, bytes | None] = {}
        self._cursors: dict[str, Judgement] = {}

    def note(self, judgement: Judgement) -> None:
        statement = judgement.statement
        if statement.prepares is not None:
            self._prepared[statement.prepares] = statement.text.encode("utf-8", "surrogatepass")
        if statement.declares is not None:
            self._cursors[statement.declares] = judgement

    def prepared(self, name: str) -> bytes | None:
        if name in self._prepared:
            return self._prepared[name]
        return self._named.prepared(name)

    def cursor(self, name: str) -> Judgement | None:
        return self._cursors.get(name) or self._named.cursor(name)


def _like(known: Judgement, text: bytes) -> Judgement:
    """A statement that differs from a known one in nothing but constants in its text."""
    statement = like(known.statement, text)
    content = statement.text.encode()
    action = known.action
    return Judgement(
        statement=statement,
        resolved=known.resolved,
        action=Action(
            kind=action.kind,
            listener=action.listener,
            target=action.target,
            content=(b"%d:" % len(content), content),
            size=len(content),
            sql=action.sql,
        ),
    )


def completed(hasher: Any, parameters: Sequence[bytes]) -> str:
    """An action's digest, completed by parameters."""
    state = hasher.copy()
    state.update(b"".join(parameters))
    found: str = state.hexdigest()
    return found


def _union(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
