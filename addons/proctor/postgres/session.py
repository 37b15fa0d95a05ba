"""What passes between a client and its server after sign-in.

    client ─ message ─ judged ─ held ─ record (durable) ─ server        front
    client ─────── masked ─ whose answer is it? ───────── server        back

Messages of the client's are taken one after another; while one waits for a human or for the server,
the rest wait, and what the server says goes on.
"""

import logging
import re
from asyncio import Future, sleep
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from proctor.approval.holder import Why
from proctor.approval.killed import ended
from proctor.approval.model import Kill
from proctor.credentials.echo import ECHOED, told
from proctor.errors import AuthenticationError, InternalError, ProctorError, RefusedError
from proctor.model import Allow, Deny, Finding, RecordMode
from proctor.model import Session as Run
from proctor.postgres.back import Answering, SkippedError
from proctor.postgres.contents import Contents, note
from proctor.postgres.echoing import Echoing
from proctor.postgres.front import Taking, Work
from proctor.postgres.house import House
from proctor.postgres.judge import Judge
from proctor.postgres.keeping import Keeping
from proctor.postgres.knowledge import Shared
from proctor.postgres.leaving import Leaving
from proctor.postgres.masking.content import ContentRows
from proctor.postgres.state import State
from proctor.postgres.statements import Run as Statement
from proctor.postgres.upstream import stamp
from proctor.postgres.wires import Arrival, Wires
from proctor.protocols.postgres.messages import Back, Front, Piece, Reader
from proctor.protocols.postgres.pipeline import IDLE
from proctor.record import Closing, Opening, Ruling, Ticket
from proctor.redaction.operators import Operators
from proctor.runtime.tasks import spawn

try:
    from proctor.postgres._lane import Lane
except ImportError:  # it was installed without a compiler
    from proctor.postgres.lane import Lane

logger = logging.getLogger(__name__)

TOGETHER: Final = 256
"""Messages of one client's that are taken before others have their turn."""

_NAMED: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Session:
    """One client's."""

    def __init__(
        self,
        house: House,
        shared: Shared,
        arrival: Arrival,
        wires: Wires,
        among: set["Session"],
    ) -> None:
        self._house = house
        self._arrival = arrival
        self._wires = wires
        self._among = among
        self._run = _run_of(house, arrival)
        self._state = State()
        masks = house.masks(arrival.principal, arrival.database)
        self._judge = Judge(
            house,
            shared,
            principal=arrival.principal,
            session=lambda: self._run,
            database=arrival.database,
            flow_id=arrival.flow_id,
            masks=masks,
        )
        listener = house.listener
        self._record = Keeping(
            house.gate,
            arrival,
            listener.name,
            session=self._run,
            clock=house.clock,
            limit=listener.results,
            counted=house.figures.statement,
        )
        if not listener.trusted:
            self._record.brought = lambda run, rows: self._judge.brought(
                run, rows, self._state.encoding
            )
        self._taking = Taking(
            house,
            self._state,
            self._judge,
            self._record,
            flow_id=arrival.flow_id,
            admitted=self._admitted,
            send=self._send,
            tell=wires.to_client,
        )
        self._answering = Answering(
            self._state,
            self._judge,
            self._record,
            stamp=(_stamp(arrival).encode(), arrival.application.encode()),
            operators=self._operators,
            changed=lambda: self._changed(shared),
            over=self._over,
        )
        self._echoing = Echoing(house.known, self._echoed)
        self._contents = self._looking(wires)
        self._lane: Lane | None = None
        if masks is None and self._contents is None:
            self._lane = Lane(
                self._state,
                self._record,
                end=self._answering.end,
                admitted=self._admitted,
                limit=house.limit,
                screened=house.screen is not None,
                tainted=self._judge.weighing.tainted,
            )
        data = frozenset({Back.DATA_ROW, Back.COPY_DATA})
        self._front = Reader(
            Front.ALL,
            limit=house.limit,
            runs=frozenset({Front.COPY_DATA}),
            passing=frozenset({Front.COPY_DATA}),
        )
        # A row that is masked or looked at has to be there whole.
        whole = masks is not None or self._contents is not None or not listener.trusted
        passing = frozenset[int]() if whole else data
        self._back = Reader(Back.ALL, limit=house.limit, runs=data, passing=passing)
        self._inbox: deque[Piece] = deque()
        self._busy = False
        self._out: list[bytes] = []
        self._durable: Future[None] | None = None
        self._leaving = Leaving(wires, self._unwritten, lambda: not (self._busy or self._done))
        self._ticket: Ticket | None = None
        self._sent = self._received = 0
        self._error: ProctorError | None = None
        self._done = False

    @property
    def running(self) -> bool:
        """Whether a statement runs, is being judged or waits for humans."""
        looks = self._contents is not None and self._contents.working
        return self._busy or bool(self._leaving) or len(self._state.pipe) > 0 or looks

    @property
    def status(self) -> bytes:
        """As the last ReadyForQuery said it: `I`, `T` or `E`."""
        return self._state.pipe.status

    async def begin(self) -> None:
        """Make the record of the connection durable.

        Raises:
            ProctorError: There is no connection.
        """
        house, arrival = self._house, self._arrival
        principal = arrival.principal
        kill = house.gate.killed(principal, self._run)
        if kill is not None:
            raise ended(kill)
        ruling = Ruling(
            verdict=Allow(rule_id="", reason=""),
            decisions=(),
            digests=(),
            actions=(),
            record=RecordMode.FULL,
            policy_version=house.gate.policy.version,
        )
        upstream = house.listener.upstream
        opening = Opening(
            flow_id=arrival.flow_id,
            listener=house.listener.name,
            protocol="postgres",
            method="",
            scheme="postgresql",
            host=upstream.host or upstream.path,
            port=upstream.port,
            path=f"/{arrival.database}",
            started_at=arrival.started_at,
            client=arrival.application,
        )
        if house.baseline is not None:
            familiar = await house.baseline.load(principal, house.listener.name, arrival.database)
            self._judge.weighing.familiar = self._record.familiar = familiar
            self._record.exceeded = self._exceeded
        self._ticket = await house.gate.begin(opening, principal, self._run, ruling)
        self._among.add(self)

    def ready(self, parameters: Mapping[str, str], status: bytes) -> None:
        """The server is ready for the first query."""
        self._state.pipe.ready(status)
        for name, value in parameters.items():
            self._answering.parameter(name, value)
        left = self._arrival.principal.expires_at - self._house.now().timestamp()
        self._wires.later(max(0.0, left), self._expired)

    def client_data(self, data: bytes) -> None:
        """Bytes of the client's."""
        self._received += len(data)
        if self._lane is not None and self._short(self._lane, data):
            return
        self._inbox.extend(self._front.feed(data))
        if not self._busy:
            self._pump()

    def server_data(self, data: bytes) -> None:
        """Bytes of the server's."""
        if self._contents is not None:
            self._contents.take(self._back.feed(data))
            return
        lane = self._lane
        clean = not self._back.waiting and self._echoing.clean(data)
        if lane is not None:
            if clean and lane.answer(data):
                self._sent += len(data)
                self._wires.to_client(data)
                self._state.wake()
                return
            lane.leave()
        take, pieces = self._answering.take, self._back.feed(data)
        if clean and (not pieces or pieces[-1].count):
            out = [take(piece) for piece in pieces]
        else:
            out = [take(self._echoing.put_out(piece)) for piece in pieces]
        told = out[0] if len(out) == 1 else b"".join(out)
        if told:
            self._sent += len(told)
            self._wires.to_client(told)
        self._state.wake()

    def cancel(self) -> bool:
        """The client wants what runs cancelled; whether the server is to be told."""
        return self._taking.cancel()

    def kill(self, kill: Kill) -> None:
        """End, if a kill reaches so far."""
        if self._house.gate.killed(self._arrival.principal, self._run):
            self._over(ended(kill))
            self.stop_waiting(Why.KILLED)

    def stop_waiting(self, why: Why) -> None:
        """Nobody can wait for humans any longer."""
        self._taking.holding.stop(why)

    async def end(self, error: ProctorError | None) -> None:
        """Both sides are gone: the last records."""
        self._done = True
        self._leaving.stop()
        self._among.discard(self)
        self.stop_waiting(Why.GONE)
        error = self._error or error
        if self._contents is not None:
            await self._contents.close()
        await self._answering.close(f"{error.code}: {error.message}" if error else "")
        if self._ticket is not None:
            closing = Closing(
                status=None,
                request_bytes=self._received,
                response_bytes=self._sent,
                error=str(error) if error else None,
            )
            await self._house.gate.end(self._ticket, closing)

    # The client's messages.

    def _pump(self) -> None:
        inbox, take = self._inbox, self._taking.take
        until = len(inbox) - TOGETHER
        while inbox and not self._busy and not self._done:
            piece = inbox.popleft()
            if piece.kind == Front.TERMINATE:
                self._flush()
                self._wires.to_server(piece.data)
                self._wires.finish()
                return
            work = take(piece)
            if work is None and inbox and len(inbox) <= until:
                work = sleep(0)  # it is others' turn
            if work is not None:
                self._busy = True
                self._flush()
                self._wires.pause_client()
                spawn(self._beside(work), name="statement")
                return
        self._flush()

    def _short(self, lane: Lane, data: bytes) -> bool:
        """Take the short way, where this is for it."""
        if not (self._busy or self._inbox or self._done or self._front.waiting):
            durable = lane.ask(data)
            if durable is not None:
                self._leaving.put(data, durable)
                return True
        lane.leave()
        return False

    async def _beside(self, work: Work) -> None:
        """See to a message that has to wait."""
        if work is None:
            return
        try:
            await work
        except SkippedError:
            pass
        except ProctorError as error:
            self._over(error)
            return
        except Exception as error:
            logger.exception("a statement could not be judged", extra={"event": "pg.failed"})
            self._over(InternalError("pg-failed", "A statement could not be judged"))
            raise InternalError("pg-failed", "A statement could not be judged") from error
        self._busy = False
        if self._done:
            return
        try:
            self._pump()
        except ProctorError as error:
            self._over(error)
            return
        if not self._busy and not self._leaving.full:
            self._wires.resume_client()

    def _send(self, data: bytes, durable: Future[None] | None) -> None:
        """To the server, once the record is durable."""
        if durable is not None:
            self._durable = durable
        self._out.append(data)
        if self._busy:
            self._flush()

    def _flush(self) -> None:
        if not self._out:
            return
        data = b"".join(self._out)
        self._out.clear()
        durable, self._durable = self._durable, None
        self._leaving.put(data, durable)

    def _unwritten(self, error: BaseException) -> None:
        self._done = True
        if not isinstance(error, ProctorError):
            error = InternalError("journal-unwritable", "The record cannot be written")
        self._over(error)

    # Who may still be here.

    def _admitted(self) -> ProctorError | None:
        """Why nothing more may run, or None."""
        kill = self._house.gate.killed(self._arrival.principal, self._run)
        if kill is not None:
            return ended(kill)
        late = self._house.now().timestamp() - self._arrival.principal.expires_at
        if late > 0 and (late > self._house.listener.grace or self.status == IDLE):
            return _expired()
        return None

    def _exceeded(self, run: Statement) -> None:
        """A statement brings far more rows than usual, and no estimate had told so.

        Raises:
            RefusedError: A rule denies so many.
        """
        judge, sql = self._judge, run.judgement.action.sql
        detail = {
            "flow_id": self._arrival.flow_id,
            "principal": self._arrival.principal.key,
            "listener": self._house.listener.name,
            "database": self._arrival.database,
            "begin_seq": run.begin_seq,
            "fingerprint": sql.fingerprint if sql else "",
            "rows": run.rows,
        }
        verdict = judge.weighing.exceeded(run.judgement, run.rows).verdict
        stopped = isinstance(verdict, Deny)
        event = self._house.gate.event("novelty.volume", {**detail, "stopped": stopped})
        spawn(event, name="novelty.volume")
        if isinstance(verdict, Deny):
            raise RefusedError("policy-denied", verdict.reason, rule_id=verdict.rule_id)

    def _expired(self) -> None:
        """The token has ended: what runs may go on for a while."""
        late = self._house.now().timestamp() - self._arrival.principal.expires_at
        grace = self._house.listener.grace
        if late >= grace or (not self.running and self.status == IDLE):
            self._over(_expired())
        else:
            self._wires.later(min(0.5, max(0.05, grace - late)), self._expired)

    def _over(self, error: ProctorError) -> None:
        self._error = self._error or error
        self._wires.fail(error)

    def _operators(self) -> Operators | None:
        screen = self._house.screen
        return screen.operators(self._arrival.principal, self._run) if screen else None

    def _looking(self, wires: Wires) -> Contents | None:
        """What looks at the texts of answers; None where nobody does."""
        wanted, screen = self._judge.content, self._house.screen
        if wanted is None:
            return None
        if screen is None:
            raise InternalError("pg-failed", "Texts are to be looked at, but redaction is off")
        masks, principal, mask = self._judge.masks, self._arrival.principal, wanted == "mask"
        return Contents(
            self._answering,
            lambda: ContentRows(
                screen, principal, self._run, mask=mask, encoding=self._state.encoding
            ),
            wires,
            mask=mask,
            size=screen.parts.settings.max_size,
            texts=lambda: masks.texts if masks is not None else frozenset(),
            put_out=self._echoing.put_out,
            over=self._over,
            sent=self._told,
        )

    def _echoed(self, found: Sequence[tuple[Finding, int]]) -> None:
        """A credential of ours was put out: on record, and told once of each statement."""
        run = self._answering.running
        known = {finding for finding, _ in run.found.values()} if run is not None else set()
        if run is not None:
            note(run, found)
        upstream = self._house.listener.upstream
        for detail in told(
            (finding for finding, _ in found if finding not in known),
            asked_by=self._arrival.principal.key,
            session=self._run.id if self._run else "",
            listener=self._house.listener.name,
            host=upstream.host or upstream.path,
        ):
            spawn(self._house.gate.event(ECHOED, detail), name=ECHOED)

    def _told(self, size: int) -> None:
        self._sent += size

    def _changed(self, shared: Shared) -> None:
        shared.changed(self._arrival.database)
        if self._judge.masks is not None:
            self._judge.masks.changed()


def _run_of(house: House, arrival: Arrival) -> Run | None:
    """The run of an agent that a connection is part of: by the id that its name holds."""
    found = _NAMED.search(arrival.application)
    if found:
        return house.gate.session(
            arrival.principal,
            found[0],
            client=arrival.application,
            correlated_by="application_name",
        )
    return house.gate.joined(arrival.principal, client=arrival.application)


def _stamp(arrival: Arrival) -> str:
    return stamp(arrival.principal.subject, arrival.flow_id, arrival.application)


def _expired() -> ProctorError:
    return AuthenticationError(
        "token-expired",
        "The token has expired, so the connection ends",
        hint="Connect again with a fresh token.",
        retry=True,
    )
