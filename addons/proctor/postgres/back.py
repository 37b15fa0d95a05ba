"""The server's side: whose answer is it, what of it may be seen, and how did the statement end?

Rows of a masked statement are masked one by one, and only once they were described; a description
that shows a sensitive column where none was foreseen ends the connection. Errors of what was put in
a denied statement's place become the denial.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from proctor.errors import InternalError, ProctorError
from proctor.postgres import showing
from proctor.postgres.judge import Judge
from proctor.postgres.keeping import Keeping
from proctor.postgres.knowledge import Rows
from proctor.postgres.masking.errors import strip, unmasked
from proctor.postgres.masking.rows import Rows as Masker
from proctor.postgres.masking.rows import read_row_description, verify
from proctor.postgres.refusals import placed, unanswered, written
from proctor.postgres.state import MOVING, State
from proctor.postgres.statements import Batch, Denied, Portal, Prepared, Run
from proctor.protocols.postgres import fields
from proctor.protocols.postgres.fields import Fields, read_fields
from proctor.protocols.postgres.messages import (
    BEGIN,
    Back,
    Front,
    Piece,
    each,
    message,
    read_row,
    string,
)
from proctor.protocols.postgres.parameters import codec
from proctor.protocols.postgres.pipeline import ASYNCHRONOUS, IDLE, Expected
from proctor.redaction.operators import Operators
from proctor.runtime.tasks import spawn
from proctor.sql.statement import Change

_FATAL: Final = frozenset({"FATAL", "PANIC"})
_LOOSE: Final = ASYNCHRONOUS | {Back.ERROR}
_DATA: Final = frozenset({Back.DATA_ROW, Back.COPY_DATA})
_COUNTED: Final = frozenset(b"0123456789")
_MAX_DIGITS: Final = 18  # of a BIGINT


class Unread:
    """Stands for a text that we could not read: the server says what is wrong with it."""


class SkippedError(Exception):
    """The server throws a message away, since one before it has failed."""


class Asked:
    """A query of ours: its rows come one by one; `whole` as in Judging."""

    __slots__ = ("_found", "rows", "whole")

    def __init__(self, rows: asyncio.Future[Rows], *, whole: bool = False) -> None:
        self.rows = rows
        self.whole = whole
        self._found: Rows = []

    def row(self, body: bytes) -> None:
        """Take a row."""
        self._found.append(read_row(body))

    def done(self) -> None:
        """All rows are there."""
        if not self.rows.done():
            self.rows.set_result(self._found)

    def failed(self, error: Exception) -> None:
        """There are none."""
        if not self.rows.done():
            self.rows.set_exception(error)
            self.rows.exception()  # whoever waits may have gone


class Answering:
    """Takes what the server says.

    Args:
        state: What the connection is in the midst of.
        judge: Knows what is masked, and looks at what is recorded.
        record: Writes down how statements end.
        stamp: The application's name as the server has it, and as the client gave it.
        operators: Makes what stands in place of masked values.
        changed: Told that the catalog has changed.
        over: Told that the connection is to end, and why.
    """

    def __init__(  # noqa: PLR0913 - what it hands on to
        self,
        state: State,
        judge: Judge,
        record: Keeping,
        *,
        stamp: tuple[bytes, bytes],
        operators: Callable[[], Operators | None],
        changed: Callable[[], None],
        over: Callable[[ProctorError], None],
    ) -> None:
        self._state = state
        self._judge = judge
        self._record = record
        self._stamp = stamp
        self._operators = operators
        self._changed = changed
        self._over = over
        self._passing: Run | None = None
        self._long: Asked | None = None
        self._part: list[bytes] = []
        self._hidden = False
        self._ends: set[asyncio.Task[None]] = set()

    def take(self, piece: Piece) -> bytes:
        """Take a piece of the server's; returns what of it the client gets.

        Raises:
            ProctorError: It cannot be passed on, and nothing after it.
        """
        kind = piece.kind
        if not piece.starts:
            return self._goes_on(piece)
        if kind in _LOOSE:
            return self._failed(piece) if kind == Back.ERROR else self._unasked(piece)
        expected, _ = self._state.pipe.answer(kind)
        if kind == Back.READY:
            return self._ready(expected, piece)
        if expected.ours or isinstance(expected.work, Unread):
            return self._ours(expected, piece)
        if isinstance(expected.work, Denied):
            raise InternalError(
                "pg-not-denied", "The server took what was put in a denied statement's place"
            )
        if kind in _DATA:
            return self._rows(_run(expected.work), piece)
        self._answered(kind, expected.work, piece)
        return piece.data

    def _answered(self, kind: int, work: Any, piece: Piece) -> None:
        """What an answer other than data says of a message."""
        match kind:
            case Back.ROW_DESCRIPTION:
                self._described(work, piece.body)
            case Back.COMMAND_COMPLETE:
                self._complete(work, piece.body)
            case Back.PORTAL_SUSPENDED if run := _run(work):
                self._settle(run)  # so far
            case Back.EMPTY_QUERY:
                self._complete(work, b"")
            case Back.PARSE_COMPLETE:
                name, prepared = work
                self._state.prepared[name] = prepared
            case Back.BIND_COMPLETE:
                self._replaced(work)
                self._state.portals[work.name] = work
            case Back.CLOSE_COMPLETE:
                self._closed(*work)
            case Back.COPY_OUT if run := _run(work):
                run.copied = True
            case _:
                pass

    async def close(self, error: str) -> None:
        """The connection is over: what runs has ended, too."""
        for expected in self._state.pipe.clear():
            if isinstance(expected.work, Asked):
                expected.work.failed(InternalError("pg-gone", "The connection is over"))
            self._broken(expected.work, error)
        for portal in self._state.portals.values():
            if portal.run is not None:
                self._record.end(portal.run, error="" if portal.run.rows else error)
        if self._ends:
            await asyncio.gather(*self._ends, return_exceptions=True)

    # What belongs to a statement.

    def _rows(self, run: Run | None, piece: Piece) -> bytes:
        if run is None:
            return piece.data
        data = self.masked(run, piece)
        if piece.count:
            self._record.saw(run, data, piece.count)
        self._note_passing(run, piece)
        return data

    def masked(self, run: Run, piece: Piece) -> bytes:
        """Rows with the columns masked that must not be seen.

        Raises:
            ProctorError: They cannot be.
        """
        run.copied = run.copied or piece.kind == Back.COPY_DATA
        if run.plan is None or not run.plan.masks:
            return piece.data
        if run.masker is None or piece.kind == Back.COPY_DATA:
            raise unmasked()
        data: bytes = run.masker.run(piece.data)
        run.masker.commit()
        return data

    # For whoever looks at rows before they are passed on.

    @property
    def running(self) -> Run | None:
        """What is answered next, if that is a statement."""
        head = self._state.pipe.head
        return _run(head.work) if head else None

    def whose(self, piece: Piece) -> Run | None:
        """Whose rows these are; None where `take` says what becomes of them.

        Raises:
            ProctorError: They belong to nothing.
        """
        expected, _ = self._state.pipe.answer(piece.kind)
        if expected.ours or isinstance(expected.work, Denied):
            return None
        run = _run(expected.work)
        if run is None:
            raise unmasked()
        return run

    def saw(self, run: Run, rows: bytes, count: int) -> None:
        """The client is about to see these rows: whole messages, as many."""
        self._record.saw(run, rows, count)

    def wake(self) -> None:
        """Something was taken."""
        self._state.wake()

    def _note_passing(self, run: Run, piece: Piece) -> None:
        """Remember whose a long message is that comes in parts."""
        self._passing = run if not piece.count else None
        if not piece.count:
            run.size += len(piece.data) - BEGIN

    def _goes_on(self, piece: Piece) -> bytes:
        if self._long is not None:
            self._part.append(piece.data)
            if piece.count:
                self._long.row(b"".join(self._part)[BEGIN:])
                self._long = None
            return b""
        run = self._passing
        if run is not None:
            run.size += len(piece.data)
            run.rows += piece.count
            if piece.count:
                self._passing = None
        return piece.data

    def _described(self, work: object, body: bytes) -> None:
        masks = self._judge.masks
        run = _run(work)
        told = work if isinstance(work, Prepared) else run
        plan = told.plan if told is not None else None
        found = read_row_description(body) if masks is not None else ()
        if masks is not None:
            if plan is None:
                raise unmasked()
            verify(plan, found, masks.sensitive)
        if run is None:
            return
        run.description = body
        if masks is not None and plan is not None and plan.masks:
            run.masker = Masker(
                plan,
                found,
                run.formats,
                masks.sensitive,
                self._operators(),
                encoding=self._state.encoding,
                texts=masks.texts,
            )

    def _complete(self, work: object, tag: bytes) -> None:
        run = _run(work)
        if run is None:
            return
        if tag:
            count = affected(tag)
            if count is not None and not run.size:
                run.rows = count
        self._settle(run)
        self.end(run)
        if isinstance(work, Batch):
            work.at += 1

    def _settle(self, run: Run) -> None:
        """What a statement that has run means for those to come."""
        state = self._state
        changes = run.judgement.changes
        if not changes.isdisjoint(MOVING):
            state.context = None
            state.moved = True
        if Change.TRANSACTION in changes and state.moved:
            state.context = None
        if Change.CATALOG in changes or Change.UNKNOWN in changes:
            state.changed = True
            self._changed()
        statement = run.judgement.statement
        if statement.prepares is not None:
            self._named(run, self._spelled(statement.prepares))
        if statement.deallocates is not None:
            self._forget(state.prepared, statement.deallocates)
        if statement.declares is not None:
            state.cursors[self._spelled(statement.declares)] = run.judgement
        if statement.closes is not None:
            self._forget(state.cursors, statement.closes)
            self._forget(state.portals, statement.closes)
        if "DISCARD" in statement.verbs:
            state.prepared.clear()
            state.cursors.clear()
        state.over(run)

    def _spelled(self, name: str) -> bytes:
        return name.encode(self._state.encoding, "replace")

    def _forget(self, table: dict[bytes, Any], name: str) -> None:
        if name == "*":
            table.clear()
        else:
            table.pop(self._spelled(name), None)

    def _named(self, run: Run, name: bytes) -> None:
        """PREPARE has made a statement that Bind can use, too."""
        text = run.judgement.statement.text.encode(self._state.encoding, "replace")
        self._state.prepared[name] = Prepared(text=text, plan=run.judgement.plan)

    def end(self, run: Run, error: str = "") -> None:
        """Write how it ended; what the client saw is looked at first where that is asked for."""
        encoding = self._state.encoding
        result: bytes | None = None
        if run.results:
            result = (showing.copied if run.copied else showing.shown)(run, encoding)
            run.results.clear()
        if result and self._judge.looks:
            task = spawn(self._end_looked(run, error, result), name="statement's end")
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)
        else:
            self._record.end(run, error=error, result=result)

    async def _end_looked(self, run: Run, error: str, result: bytes) -> None:
        try:
            self._record.end(run, error=error, result=await self._judge.looked(run, result))
        except InternalError as failure:
            self._over(failure)

    # Errors, and what nobody asked for.

    def _failed(self, piece: Piece) -> bytes:
        said = read_fields(piece.body)
        expected, thrown = self._state.pipe.failed()
        if said.severity not in _FATAL and expected is not None:
            told = self._failed_at(piece, expected, said)
        else:
            if expected is not None:
                self._broken(expected.work, f"{said.code}: {said.severity}")
            told = self._told(piece, said, expected)
        # Last: a query of ours is several messages, and knows why the first of them failed.
        for each_ in thrown:
            self._thrown(each_)
        return told

    def _failed_at(self, piece: Piece, expected: Expected, said: Fields) -> bytes:
        """An error of one message's."""
        work = expected.work
        if isinstance(work, Asked):
            # Where no Sync of ours follows, the client's next messages are thrown away with it.
            skipping = self._state.pipe.skipping and not work.whole
            work.failed(SkippedError() if skipping else unanswered(said))
            return self._told(piece, said, expected) if skipping else b""
        if isinstance(work, Unread):
            return piece.data
        if expected.ours:
            self._state.portals.pop(work.name, None)
            return self._told(piece, said, expected)
        if isinstance(work, Denied):
            if work.terminate:
                self._over(work.error)
                return b""
            return fields.error(written(work))
        self._broken(work, f"{said.code}: {self._shown(said, expected).message}")
        self._unmade(expected)
        return self._told(piece, said, expected)

    def _thrown(self, expected: Expected) -> None:
        """A message that the server throws away because of an error before it."""
        work = expected.work
        if isinstance(work, Asked):
            work.failed(SkippedError())
            return
        self._broken(work, "thrown away after an error before it")
        self._unmade(expected)

    def _unmade(self, expected: Expected) -> None:
        """What a message would have made does not exist."""
        work, state = expected.work, self._state
        if isinstance(work, Denied | Unread):
            return
        if expected.kind == Front.PARSE:
            name, prepared = work
            if state.prepared.get(name) is prepared:
                del state.prepared[name]
        elif (
            isinstance(work, Portal)
            and expected.kind == Front.BIND
            and state.portals.get(work.name) is work
        ):
            del state.portals[work.name]

    def _broken(self, work: object, error: str) -> None:
        """What a message was about has failed."""
        if isinstance(work, Portal):
            self._replaced(work)
        runs = work.runs[work.at :] if isinstance(work, Batch) else [_run(work)]
        for run in runs:
            if run is None:
                continue
            if not run.judgement.changes.isdisjoint(MOVING):
                self._state.context = None
            self._state.over(run)
            self.end(run, error)

    def _replaced(self, portal: Portal) -> None:
        if portal.replaces is not None:
            self._record.end(portal.replaces)
            portal.replaces = None

    def _told(self, piece: Piece, said: Fields, expected: Expected | None) -> bytes:
        shown = self._shown(said, expected)
        return piece.data if shown is said else fields.error(shown)

    def _shown(self, said: Fields, expected: Expected | None) -> Fields:
        if expected is None:
            return self._stripped(said, None)
        run = _run(expected.work)
        shown = self._stripped(said, run, parsing=run is None)
        return placed(shown, expected.inserted) if expected.inserted else shown

    def _stripped(self, said: Fields, run: Run | None, *, parsing: bool = False) -> Fields:
        """Without what might hold a value that is masked."""
        if self._judge.masks is None:
            return said
        plan = run.plan if run is not None else None
        hides = plan.hide_errors if plan is not None else not parsing
        return strip(said) if hides else said

    def _unasked(self, piece: Piece) -> bytes:
        if piece.kind == Back.PARAMETER_STATUS:
            name, at = string(piece.body)
            value, _ = string(piece.body, at)
            self.parameter(name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
            if name == b"application_name" and value == self._stamp[0]:
                return message(piece.kind, b"%b\0%b\0" % (name, self._stamp[1]))
            return piece.data
        if piece.kind == Back.NOTICE and self._judge.masks is not None:
            said = read_fields(piece.body)
            head = self._state.pipe.head
            shown = self._stripped(said, _run(head.work) if head else None)
            return piece.data if shown is said else fields.notice(shown)
        return piece.data

    def parameter(self, name: str, value: str) -> None:
        """A setting of the server's."""
        if name == "client_encoding":
            known = codec(value)
            if known is None:
                raise InternalError(
                    "pg-encoding",
                    "The connection has got an encoding in which statements cannot be read",
                    got=value[:40],
                )
            self._state.encoding = known
        elif name == "standard_conforming_strings":
            self._state.context = None
            self._state.strings = value == "on"

    def _ready(self, expected: Expected, piece: Piece) -> bytes:
        state = self._state
        state.pipe.ready(piece.body)
        if isinstance(expected.work, Batch):
            for run in expected.work.runs[expected.work.at :]:
                state.over(run)
                self.end(run, "it was not run")
        if piece.body == IDLE:
            self._transaction_over()
        return b"" if expected.ours else piece.data

    def _transaction_over(self) -> None:
        state = self._state
        if state.moved:
            state.moved, state.context = False, None
        if state.changed:
            state.changed = False
            self._changed()
        for name in [name for name, portal in state.portals.items() if self._gone(portal)]:
            del state.portals[name]

    def _gone(self, portal: Portal) -> bool:
        """Portals of the protocol's end with the transaction (54.2.3)."""
        if portal.run is not None:
            self._record.end(portal.run)
        return True

    def _ours(self, expected: Expected, piece: Piece) -> bytes:
        work = expected.work
        if isinstance(work, Portal):  # a description that we asked for
            if piece.kind == Back.ROW_DESCRIPTION:
                self._described(work, piece.body)
        elif piece.kind == Back.DATA_ROW and not piece.count:
            self._long, self._part = work, [piece.data]
        elif piece.kind == Back.DATA_ROW:
            for row in each(piece.data):
                work.row(row[BEGIN:])
        elif piece.kind == Back.COMMAND_COMPLETE:
            work.done()
        return b""

    def _closed(self, what: int, name: bytes) -> None:
        if what == ord("S"):
            self._state.prepared.pop(name, None)
            return
        portal = self._state.portals.pop(name, None)
        self._state.cursors.pop(name, None)
        if portal is not None and portal.run is not None:
            self._record.end(portal.run)


def _run(work: object) -> Run | None:
    match work:
        case Batch():
            return work.now
        case Portal():
            return work.run
        case _:
            return None


def affected(tag: bytes) -> int | None:
    """How many rows a command's tag counts: `UPDATE 3`, `INSERT 0 1`; None where it does not."""
    last = tag.rstrip(b"\0").rpartition(b" ")[2]
    return int(last) if last and _COUNTED.issuperset(last) and len(last) <= _MAX_DIGITS else None
