"""The short way says and does what the long one would, and takes nothing else."""

from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError, InternalError
from proctor.model import Allow, Decision, Deny, RecordMode
from proctor.postgres.forms import Form
from proctor.postgres.lane import Lane
from proctor.postgres.state import State
from proctor.postgres.statements import Judged, Portal, Prepared, Run
from proctor.protocols.postgres import messages
from proctor.protocols.postgres.messages import FLUSH, SYNC, Back, Bind, Front, message
from proctor.protocols.postgres.pipeline import Expected
from proctor.record import Ruling
from tests.postgres.records import a_run
from tests.postgres.trials import judged
from tests.postgres.wire import bind, close, describe, execute, parse, query

SQL = "SELECT b FROM t WHERE a = $1"
LIMIT = 500
ALLOWED = Decision(verdict=Allow(rule_id="all", reason=""), policy_version="1")


def ways() -> list[type[Lane]]:
    try:
        return [Lane, import_module("proctor.postgres._lane").Lane]
    except ImportError:
        return [Lane]


WAYS = ways()
EACH = pytest.mark.parametrize("lane", WAYS, ids=["python", "compiled"][: len(WAYS)])


class Digest:
    """Shows what is added to it."""

    def __init__(self, said: bytes = b"") -> None:
        self.said = said

    def copy(self) -> "Digest":
        return Digest(self.said)

    def update(self, more: bytes) -> None:
        self.said += more

    def hexdigest(self) -> str:
        return f"of {self.said!r}"


@dataclass
class Desk:
    """What stands around a lane; notes what it is told."""

    loop: AbstractEventLoop
    judged: Judged | None
    form: Form | None
    way: type[Lane] = Lane
    state: State = field(default_factory=State)
    admitted: ClientError | None = None
    screened: bool = False
    tainted: bytes = b"from elsewhere"
    told: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    run: Run = field(default_factory=a_run)
    broken: InternalError | None = None

    def __post_init__(self) -> None:
        self.state.prepared[b"p"] = Prepared(text=SQL.encode())
        self.state.known = self.known
        self.durable = self.loop.create_future()

    def lane(self) -> Lane:
        return self.way(
            self.state,
            cast("Any", self),
            end=self.end,
            admitted=lambda: self.admitted,
            limit=LIMIT,
            screened=self.screened,
            tainted=lambda parameters: self.tainted in parameters,
        )

    def known(
        self, text: bytes, types: tuple[int, ...] = (), *, standard: bool = False
    ) -> Judged | None:
        assert text == SQL.encode()
        assert types == ()
        self.told.append(("known", standard))
        return self.judged

    def alike(self, _judged: Judged) -> tuple[Form, bytes] | None:
        return (self.form, b"{}") if self.form else None

    def again(self, _judgement: Any, form: Form, quiet: bytes, *more: Any) -> Any:
        if self.broken:
            raise self.broken
        assert (form, quiet) == (self.form, b"{}")
        self.told.append(("again", *more))
        return self.run, self.durable

    def saw(self, run: Run, rows: bytes, count: int) -> None:
        self.told.append(("saw", rows, count))
        run.rows += count

    def end(self, run: Run) -> None:
        if self.broken:
            raise self.broken
        run.ended = True
        self.told.append(("end", run.description, run.rows))

    def said(self, word: str) -> list[tuple[Any, ...]]:
        return [each[1:] for each in self.told if each[0] == word]


def a_form(*, plain: bool = True) -> Form:
    return Form(
        b"", b"", decisions=(), scope="", fields={}, verdict="allow", seen=None, plain=plain
    )


def ruled(decision: Decision = ALLOWED) -> Ruling:
    return Ruling(
        verdict=decision.verdict,
        decisions=(decision,),
        digests=("of none",),
        actions=(),
        record=RecordMode.FULL,
        policy_version="1",
    )


def a_judged() -> Judged:
    return replace(judged(SQL, "db"), ruling=ruled(), hashers=[Digest(b"it ")])


@pytest.fixture(name="loop", scope="module")
def a_loop() -> Iterator[AbstractEventLoop]:
    loop = new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(params=WAYS, ids=["python", "compiled"][: len(WAYS)])
def desk(loop: AbstractEventLoop, request: pytest.FixtureRequest) -> Desk:
    return Desk(loop, a_judged(), a_form(), request.param)


BOUND = bind(b"7", statement="p")
WHOLE = BOUND + describe("P") + execute() + SYNC
SHORT = BOUND + execute() + SYNC
QUERY = query(SQL)
TOLD = message(Back.ROW_DESCRIPTION, b"\0\0")
ROW = message(Back.DATA_ROW, b"\0\1\0\0\0\1x")
COMPLETE = message(Back.COMMAND_COMPLETE, b"SELECT 2\0")
OK = message(Back.BIND_COMPLETE, b"")


def ready(status: bytes = b"I") -> bytes:
    return message(Back.READY, status)


ANSWER = OK + TOLD + ROW + ROW + COMPLETE + ready()


def kinds(state: State) -> str:
    """What is to be answered."""
    return "".join(chr(each.kind) for each in state.pipe.clear())


def test_a_bound_statement_is_put_on_record_and_expected(desk: Desk) -> None:
    assert desk.lane().ask(WHOLE) is desk.durable
    assert desk.said("known") == [(True,)]
    assert desk.said("again") == [("of b'it 0:1:7'", b'["7"]', ())]
    portal = desk.state.portals[b""]
    assert (portal.run, portal.replaces) == (desk.run, None)
    assert [each.work for each in desk.state.pipe.clear()] == [portal, portal, portal, None]


def test_who_describes_nothing_is_told_nothing(desk: Desk) -> None:
    lane = desk.lane()
    assert lane.ask(SHORT)
    assert not lane.answer(ANSWER)
    assert lane.answer(OK + ROW + ROW + COMPLETE + ready())
    assert desk.said("end") == [(b"", 2)]


def test_a_query_is_put_on_record_and_expected(desk: Desk) -> None:
    lane = desk.lane()
    assert lane.ask(QUERY) is desk.durable
    assert desk.said("known") == [(False,)]
    assert desk.said("again") == [("of none", b"", ())]
    assert not lane.answer(ANSWER)
    assert lane.answer(TOLD + ROW + ROW + COMPLETE + ready())
    assert (desk.said("saw"), desk.said("end")) == ([(ROW + ROW, 2)], [(b"\0\0", 2)])
    assert not len(desk.state.pipe)


def test_formats_of_columns_are_remembered(desk: Desk) -> None:
    data = messages.write_bind(Bind(b"", b"p", (1,), (b"\0", None), (1, 0)))
    assert desk.lane().ask(data + execute() + SYNC)
    assert desk.said("again") == [("of b'it 1:1:\\x00-'", b'["\\\\x00",null]', (1, 0))]


@given(
    values=st.lists(st.none() | st.binary(max_size=9), min_size=1, max_size=4),
    formats=st.lists(st.integers(0, 1), max_size=4),
    screened=st.booleans(),
)
def test_both_ways_say_the_same_of_parameters(
    values: list[bytes | None], formats: list[int], *, screened: bool
) -> None:
    data = messages.write_bind(Bind(b"", b"p", tuple(formats), tuple(values), ()))
    told: list[list[tuple[Any, ...]]] = []
    for way in WAYS:
        desk = Desk(cast("Any", Loop()), a_judged(), a_form(), way, screened=screened)
        desk.lane().ask(data + execute() + SYNC)
        told.append(desk.said("again"))
    assert told[1:] == told[:-1]


def test_without_parameters_the_digest_is_the_rulings(desk: Desk) -> None:
    assert desk.lane().ask(bind(statement="p") + execute() + SYNC)
    assert desk.said("again") == [("of none", b"", ())]


def test_an_answer_ends_it(desk: Desk) -> None:
    lane = desk.lane()
    assert lane.ask(WHOLE)
    assert lane.answer(ANSWER)
    assert (desk.said("saw"), desk.said("end")) == ([(ROW + ROW, 2)], [(b"\0\0", 2)])
    assert (len(desk.state.pipe), desk.state.portals) == (0, {})
    assert not lane.answer(ANSWER), "it was answered"
    assert lane.ask(WHOLE), "and again"


def test_rows_that_were_touched_are_counted(desk: Desk) -> None:
    lane = desk.lane()
    assert lane.ask(WHOLE)
    touched = message(Back.COMMAND_COMPLETE, b"UPDATE 31\0")
    assert lane.answer(OK + message(Back.NO_DATA, b"") + touched + ready())
    assert (desk.said("saw"), desk.said("end")) == ([], [(b"", 31)])


def test_in_a_transaction_the_portal_stays(desk: Desk) -> None:
    desk.state.pipe.ready(b"T")
    lane = desk.lane()
    for _ in range(2):
        assert lane.ask(WHOLE)
        assert lane.answer(ANSWER[:-1] + b"T")
        assert set(desk.state.portals) == {b""}
        desk.run = a_run()
    assert len(desk.said("end")) == 2


def other(part: bytes) -> bytes:
    """The extended protocol, with this in place of its Bind."""
    return part + execute() + SYNC


@pytest.mark.parametrize(
    "data",
    [
        *(WHOLE[:size] for size in range(1, len(WHOLE))),
        *(SHORT[:size] for size in range(1, len(SHORT))),
        *(QUERY[:size] for size in range(1, len(QUERY))),
        WHOLE + SYNC,
        WHOLE + FLUSH,
        WHOLE + WHOLE,
        WHOLE + b"\0",
        QUERY + QUERY,
        QUERY + SYNC,
        parse(SQL) + SHORT,
        SYNC + SHORT,
        other(bind(b"7", statement="q")),
        other(bind(b"7", statement="p", portal="c")),
        other(BOUND[:-1] + b"\1"),
        BOUND + describe("S", "p") + execute() + SYNC,
        BOUND + describe("P", "c") + execute() + SYNC,
        BOUND + execute("c") + SYNC,
        BOUND + execute(rows=1) + SYNC,
        BOUND + execute() + execute() + SYNC,
        BOUND + execute() + FLUSH,
        BOUND + execute() + close("P") + SYNC,
        other(bind(b"7" * LIMIT, statement="p")),
        message(Front.QUERY, SQL.encode()),
        message(Front.QUERY, SQL.encode() + b"\0\0"),
        message(Front.QUERY, SQL.encode() + b"\0x\0"),
        message(Front.TERMINATE, b""),
        message(Front.PARSE, b""),
    ],
)
def test_nothing_else_is_taken(desk: Desk, data: bytes) -> None:
    lane = desk.lane()
    assert lane.ask(data) is None
    assert not desk.said("again")
    assert (kinds(desk.state), desk.state.portals) == ("", {})
    assert not lane.answer(ANSWER)


@EACH
@given(data=st.binary(max_size=60), head=st.sampled_from(["B", "Q", ""]))
def test_whatever_comes(lane: type[Lane], data: bytes, head: str) -> None:
    desk = Desk(cast("Any", Loop()), None, None, lane)
    desk.state.known = State().known
    for each in (head.encode() + data, message(ord(head or "B"), data) + execute() + SYNC):
        assert each == b"" or desk.lane().ask(each) is None
    assert not desk.lane().answer(data)


class Loop:
    """Has no futures."""

    def create_future(self) -> None: ...


def with_judged(**more: Any) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        desk.judged = replace(a_judged(), **more)

    return change


def doubted(desk: Desk) -> None:
    pipe = desk.state.pipe
    pipe.sent(Expected(Front.EXECUTE))
    pipe.answer(Back.COPY_IN)
    pipe.sent(Expected(Front.SYNC))
    pipe.failed()
    pipe.skipping = False
    assert pipe.doubtful
    assert not len(pipe)


def unfinished(desk: Desk) -> None:
    desk.state.pipe.ready(b"T")
    desk.state.portals[b""] = Portal(name=b"", run=a_run())


def crowded(desk: Desk) -> None:
    desk.state.pipe.ready(b"T")
    desk.state.portals.update((b"%d" % n, Portal(name=b"", run=None)) for n in range(10_000))


def broken(desk: Desk) -> None:
    desk.state.pipe.sent(Expected(Front.BIND))
    desk.state.pipe.failed()
    assert desk.state.pipe.skipping


OTHERWISE: dict[str, Callable[[Desk], object]] = {
    "unknown": lambda desk: setattr(desk, "judged", None),
    "refused": with_judged(error=ClientError("sql-several", "No")),
    "unruled": with_judged(ruling=None),
    "denied": with_judged(
        ruling=ruled(Decision(verdict=Deny(rule_id="no", reason="No"), policy_version="1"))
    ),
    "several": with_judged(statements=a_judged().statements * 2),
    "empty": with_judged(statements=()),
    "not steady": with_judged(steady=False),
    "first": lambda desk: setattr(desk, "form", None),
    "not plain": lambda desk: setattr(desk, "form", a_form(plain=False)),
    "ended": lambda desk: setattr(desk, "admitted", ClientError("client-gone", "No")),
    "under way": lambda desk: desk.state.pipe.sent(Expected(Front.SYNC)),
    "thrown away": broken,
    "doubted": doubted,
    "copying": lambda desk: setattr(desk.state.pipe, "taking", True),
    "unsettled": lambda desk: setattr(desk.state, "unsettled", 1),
    "moved": lambda desk: setattr(desk.state, "moved", True),
    "changed": lambda desk: setattr(desk.state, "changed", True),
    "open": lambda desk: desk.state.portals.update({b"c": Portal(name=b"c", run=None)}),
    "unfinished": unfinished,
    "crowded": crowded,
}


@pytest.mark.parametrize("way", OTHERWISE)
@pytest.mark.parametrize("data", [WHOLE, QUERY], ids=["bound", "query"])
def test_where_anything_is_otherwise_it_is_not_taken(desk: Desk, way: str, data: bytes) -> None:
    assert desk.lane().ask(data)
    desk.state.pipe.clear()
    desk.state.portals.clear()
    desk.told.clear()
    OTHERWISE[way](desk)
    lane, before = desk.lane(), len(desk.state.pipe)
    assert lane.ask(data) is None
    assert not desk.said("again")
    assert len(desk.state.pipe) == before
    assert not lane.answer(ANSWER)


def test_a_digest_that_was_not_begun_is_not_completed(desk: Desk) -> None:
    with_judged(hashers=[])(desk)
    assert desk.lane().ask(WHOLE) is None
    assert desk.lane().ask(bind(statement="p") + execute() + SYNC)


def test_texts_in_which_letters_were_put_are_not_taken(desk: Desk) -> None:
    with_judged(inserted=(3,))(desk)
    assert desk.lane().ask(QUERY) is None


@pytest.mark.parametrize(
    ("value", "taken"), [(b"7", True), (None, True), (b"eve@evil.example", False)]
)
def test_parameters_that_might_be_something_are_looked_at(
    desk: Desk, value: bytes | None, *, taken: bool
) -> None:
    desk.screened = True
    assert (desk.lane().ask(other(bind(value, statement="p"))) is not None) is taken


def test_parameters_from_elsewhere_take_the_long_way(desk: Desk) -> None:
    assert desk.lane().ask(other(bind(desk.tainted, statement="p"))) is None
    assert desk.lane().ask(other(bind(b"from nowhere else", statement="p"))) is not None


@pytest.mark.parametrize(
    "data",
    [
        *(ANSWER[:size] for size in range(len(ANSWER))),
        ANSWER + b"\0",
        ANSWER + ready(),
        ANSWER[:-1] + b"T",
        ANSWER[:-1] + b"E",
        ANSWER[len(OK) :],
        OK + ROW + COMPLETE + ready(),
        OK + message(Back.NO_DATA, b"") + ROW + COMPLETE + ready(),
        message(Back.NOTICE, b"\0") + ANSWER,
        OK + message(Back.ERROR, b"\0") + ready(),
        OK + TOLD + message(Back.PORTAL_SUSPENDED, b"") + ready(),
        OK + TOLD + bytes(LIMIT) + ready(),
    ],
)
def test_another_answer_is_for_others(desk: Desk, data: bytes) -> None:
    lane = desk.lane()
    assert lane.ask(WHOLE)
    assert not lane.answer(data)
    assert not desk.said("end")
    assert set(desk.state.portals) == {b""}
    assert kinds(desk.state) == "BDES"


def test_rows_of_a_query_are_described(desk: Desk) -> None:
    lane = desk.lane()
    assert lane.ask(QUERY)
    assert not lane.answer(ROW + COMPLETE + ready())
    assert not lane.answer(message(Back.NO_DATA, b"") + COMPLETE + ready())
    assert lane.answer(COMPLETE + ready())


def test_nobody_answers_what_others_went_on_with(desk: Desk) -> None:
    lane = desk.lane()
    assert lane.ask(WHOLE)
    lane.leave()
    assert not lane.answer(ANSWER)


def test_what_cannot_be_recorded_does_not_run(desk: Desk) -> None:
    desk.broken = InternalError("journal-behind", "No")
    with pytest.raises(InternalError):
        desk.lane().ask(WHOLE)
    assert (kinds(desk.state), desk.state.portals) == ("", {})


def test_an_end_that_cannot_be_recorded_is_said(desk: Desk) -> None:
    lane = desk.lane()
    assert lane.ask(WHOLE)
    desk.broken = InternalError("journal-behind", "No")
    with pytest.raises(InternalError):
        lane.answer(ANSWER)
