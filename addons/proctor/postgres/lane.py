"""The short way of a statement that was judged, and of which nothing is new when it runs again.

    client ─ Bind, perhaps Describe, Execute, Sync; or Query ─ record ─ server
    client ───────────────────── counted ──────────────────── the whole answer

It is for what comes in one piece while nothing else is under way, and for answers that come in one
piece of a statement that ended well. Whatever is otherwise takes the way of `front` and `back`:
`ask` and `answer` have done nothing then. After `ask` the pipe and the portals hold what they
would hold after `front`, so that everybody else can go on from there.

The compiled one (`_lane.pyx`) does the same, and passes the same tests.
"""

from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Final

from proctor.errors import ProctorError
from proctor.model import Allow
from proctor.postgres.back import affected
from proctor.postgres.forms import Form
from proctor.postgres.judge import completed
from proctor.postgres.keeping import Keeping, parameters_of, parts_of
from proctor.postgres.refusals import harmless
from proctor.postgres.state import State
from proctor.postgres.statements import MAX_NAMED, Batch, Judged, Portal, Run
from proctor.protocols.postgres.messages import (
    BEGIN,
    SYNC,
    Back,
    Bind,
    Front,
    write_execute,
    write_named,
)
from proctor.protocols.postgres.pipeline import IDLE, Expected

try:
    from proctor.protocols.postgres._scan import answered, bound
except ImportError:  # it was installed without a compiler
    from proctor.protocols.postgres.scanning import answered, bound

_EXECUTED: Final = write_execute(b"") + SYNC
_DESCRIBED: Final = write_named(Front.DESCRIBE, ord("P"), b"") + _EXECUTED


class Lane:
    """Of one connection, in which no rows are masked or looked at.

    Args:
        state: What it is in the midst of.
        record: Writes down that they run.
        end: Writes down how they ended.
        admitted: Why nothing more may run, or None.
        screened: Parameters in which anything may be found are looked at before.
        tainted: Whether one of such parameters came from an answer that nobody vouches for.
        limit: Bytes of the longest message that is taken.
    """

    def __init__(  # noqa: PLR0913 - what it goes by
        self,
        state: State,
        record: Keeping,
        *,
        end: Callable[[Run], None],
        admitted: Callable[[], ProctorError | None],
        limit: int,
        screened: bool,
        tainted: Callable[[Sequence[bytes]], bool],
    ) -> None:
        self._state = state
        self._record = record
        self._end = end
        self._admitted = admitted
        self._screened = screened
        self._tainted = tainted
        self._limit = limit
        self._run: Run | None = None
        self._described = self._query = False
        # Used again each time: the pipe is empty whenever they are put there.
        self._portal = portal = Portal(name=b"", run=None)
        self._batch = Batch(())
        bind, sync = Expected(Front.BIND, portal), Expected(Front.SYNC)
        describe, execute = Expected(Front.DESCRIBE, portal), Expected(Front.EXECUTE, portal)
        self._expected = {
            True: (bind, describe, execute, sync),
            False: (bind, execute, sync),
        }
        self._expected_query = (Expected(Front.QUERY, self._batch),)

    def leave(self) -> None:
        """Somebody else goes on with what is under way."""
        self._run = None

    def ask(self, data: bytes) -> Future[None] | None:
        """Take what a client says.

        Returns:
            What is done once it is on record, and may go to the server as it is; None: it is not
            for this way, and nothing was done.

        Raises:
            InternalError: It cannot be written.
        """
        if len(data) > self._limit or not self._free():
            return None
        match data[0]:
            case Front.BIND:
                return self._bound(data)
            case Front.QUERY:
                return self._queried(data)
            case _:
                return None

    def answer(self, data: bytes) -> bool:
        """Take what the server says; False: it is not for this way, and nothing was done.

        Raises:
            InternalError: What came of it cannot be written; the client must not see it.
        """
        run, state = self._run, self._state
        if run is None or len(data) > self._limit:
            return False
        found = answered(data)
        if found is None:
            return False
        was_bound, kind, description, rows, count, tag, status = found
        if was_bound is self._query or status != state.pipe.status:
            return False
        if self._query:
            fits = kind == Back.ROW_DESCRIPTION or (not kind and not count)
        else:
            fits = bool(kind) is self._described and not (kind == Back.NO_DATA and count)
        if not fits:
            return False
        self._run = None
        state.pipe.clear()
        run.description = description
        if count:
            self._record.saw(run, rows, count)
        else:
            run.rows = affected(tag) or 0
        self._end(run)
        if status == IDLE:
            state.portals.clear()
        return True

    def _free(self) -> bool:
        """Whether nothing is under way, half undone, or still to be read from."""
        state, pipe, portals = self._state, self._state.pipe, self._state.portals
        # Syncs that a COPY has thrown away, or not.
        if len(pipe) or pipe.skipping or pipe.taking or pipe.doubtful:
            return False
        if state.unsettled or state.moved or state.changed:
            return False
        if not portals:
            return True
        old = portals.get(b"")
        ended = old is None or old.run is None or old.run.ended
        return ended and pipe.status != IDLE and len(portals) < MAX_NAMED

    def _bound(self, data: bytes) -> Future[None] | None:
        state = self._state
        end = 1 + int.from_bytes(data[1:BEGIN], "big")
        rest = data[end:]
        described = rest == _DESCRIBED
        found = bound(data[BEGIN:end]) if described or rest == _EXECUTED else None
        prepared = state.prepared.get(found[1]) if found else None
        if found is None or prepared is None or found[0]:
            return None
        judged = state.known(prepared.text, prepared.types, standard=True)
        alike = self._alike(judged) if judged else None
        if alike is None or judged is None or judged.ruling is None:
            return None
        bind = Bind(*found)
        digest, parameters = judged.ruling.digests[0], b""
        if bind.values:
            if self._screened and not harmless(bind):
                return None
            if not judged.hashers:
                return None
            parts = parts_of(bind)
            if self._tainted(parts):
                return None
            digest = completed(judged.hashers[0], parts)
            parameters = parameters_of(bind, state.encoding)
        run, durable = self._record.again(
            judged.statements[0], *alike, digest, parameters, bind.results
        )
        self._portal.run = run
        state.portals[b""] = self._portal
        state.pipe.begun(self._expected[described])
        self._run, self._described, self._query = run, described, False
        return durable

    def _queried(self, data: bytes) -> Future[None] | None:
        state, text = self._state, data[BEGIN:-1]
        if (
            int.from_bytes(data[1:BEGIN], "big") != len(data) - 1
            or data.find(0, BEGIN) != len(data) - 1
        ):
            return None
        judged = state.known(text)
        alike = self._alike(judged) if judged else None
        if alike is None or judged is None or judged.ruling is None or judged.inserted:
            return None
        digest = judged.ruling.digests[0]
        run, durable = self._record.again(judged.statements[0], *alike, digest, b"", ())
        self._batch.runs, self._batch.at = (run,), 0
        state.pipe.begun(self._expected_query)
        self._run, self._query = run, True
        return durable

    def _alike(self, judged: Judged) -> tuple[Form, bytes] | None:
        """What is said of it each time, where nothing else is to be said."""
        ruling = judged.ruling
        if judged.error is not None or ruling is None or len(judged.statements) != 1:
            return None
        if not judged.steady or not isinstance(ruling.verdict, Allow):
            return None
        found = self._record.alike(judged)
        if found is None or not found[0].plain or self._admitted() is not None:
            return None
        return found
