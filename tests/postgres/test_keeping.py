"""Both records of a statement, written in full and from a form; parameters in them."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from proctor.gate import Gate
from proctor.model import Action, Finding, RecordMode, Session
from proctor.novelty.baseline import Familiar
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import Kind, Known, Seen, Usual, no_counts
from proctor.postgres import keeping
from proctor.postgres.keeping import Keeping
from proctor.postgres.statements import Judged, Run
from proctor.postgres.wires import Arrival
from proctor.protocols.postgres.messages import Bind
from tests.postgres.trials import judged
from tests.support.parts import ALICE, Rules, Store, Tokens

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OTHER = Seen("other", (), (), 1, MONDAY)
FOUND = Finding(type="PERSON", location="[0]", direction="request", score=0.9)


@dataclass(frozen=True)
class Place:
    id: str


@dataclass
class Places(Store):
    """A recorder whose scopes have names, as the real one's."""

    place: str = "w0.1"

    def scope(self, principal: str, session: Session | None) -> Any:
        return Place(self.place)

    def put(self, scope: Any, data: bytes, cuts: Any = ()) -> Any:
        return super().put(scope.id, data, cuts)


class Quiet(Rules):
    """No rule reads what is new."""

    asked: str = ""

    def reads(self, kind: Any, prefix: str) -> bool:
        return prefix == self.asked


@dataclass
class Habits:
    """What is usual, at a time that a test moves."""

    known: Known
    now: datetime = MONDAY
    person: str = "alice"

    def saw(self, statement: Seen) -> None:
        self.known.saw(statement)


@dataclass
class Desk:
    """A connection's record, and the one it is compared with: every statement is in both."""

    text: str = "SELECT count(*) FROM public.orders"
    learn: int = 1
    store: Places = field(default_factory=Places)
    rules: Quiet = field(default_factory=Quiet)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.gate = Gate(
            authenticator=Tokens(), policies=self.rules, recorder=self.store, clock=lambda: MONDAY
        )
        self.habits = [Habits(self.known()), Habits(self.known())]
        self.keeps = [self.keeping(each) for each in self.habits]
        self.judged = self.ruled()

    def known(self) -> Known:
        known = Known(NoveltySettings(learn=self.learn), "alice")
        if self.learn == 1:
            known.saw(OTHER)
        return known

    def keeping(self, habits: Habits) -> Keeping:
        arrival = Arrival(
            principal=ALICE, user="alice", database="x", application="50 % psql", parameters={},
            address="", started_at=MONDAY, flow_id="f",
        )  # fmt: skip
        found = Keeping(
            self.gate, arrival, "orders-db", session=None, clock=lambda: self.now,
            limit=1000, counted=lambda _verdict, _seconds: None,
        )  # fmt: skip
        found.familiar = cast("Familiar", habits)
        return found

    def ruled(self) -> Judged:
        text = judged(self.text, "x", path=("public",))
        actions = tuple(each.action for each in text.statements)
        found = replace(text, ruling=self.gate.decide(ALICE, None, actions))
        found.forms[0] = None  # as for a text that has come before
        return found

    def both(self, change: Callable[[Run], None] = lambda _run: None, **more: Any) -> list[Any]:
        """The last two records, of the one way and of the other."""
        assert self.judged.ruling is not None
        found = []
        for each, steady in zip(self.keeps, (True, False), strict=True):
            text = self.judged if steady else replace(self.judged, steady=False)
            ruling = more.get("ruling") or self.judged.ruling
            own = {"ruling", "error", "result"}
            rest = {name: value for name, value in more.items() if name not in own}
            run, _ = each.begin(text, 0, ruling, **rest)
            change(run)
            each.end(run, error=more.get("error", ""), result=more.get("result"))
            records = [dict(record) for _, record in self.store.appended[-2:]]
            for record in records:
                for name in ("sql", "parameters", "response", "begin_seq"):
                    record[name] = record.get(name) is not None
            found.append(records)
        return found

    def compare(self, *, form: bool = True, **more: Any) -> list[dict[str, Any]]:
        written: list[bool] = []
        one, other = self.both(lambda run: written.append(run.form is not None), **more)
        assert one == other
        assert list(one[0]) == list(other[0])
        assert written == [form, False]
        return cast("list[dict[str, Any]]", one)


def run(work: Callable[[], None]) -> None:
    async def main() -> None:
        work()

    asyncio.run(main())


def test_a_form_says_what_would_be_said_in_full() -> None:
    def work() -> None:
        desk = Desk()
        first = desk.compare(parameters=b'["1"]')[0]
        assert first["novelty"]["statement"]
        assert first["client"] == "50 % psql"
        for at in range(3):
            begin, end = desk.compare(parameters=b'["%d"]' % at)
            assert begin["n"] == end["n"] == at + 2
            assert begin["novelty"]["history"] == at + 2
            assert not begin["novelty"]["statement"]
        desk.store.place = "w0.2"
        desk.now += 10
        desk.compare()
        form = desk.judged.forms[0]
        assert form is not None
        assert form.scope == "w0.2"

    run(work)


@pytest.mark.parametrize("learn", [1, 3])
def test_what_is_new_is_looked_at_again_when_it_may_be_so_again(learn: int) -> None:
    def work() -> None:
        desk = Desk(learn=learn)
        for at in range(5):
            # What has failed is not learned: it is new as soon as there is history enough.
            begin = desk.compare(error="" if at < 2 else "42P01: no")[0]
            assert begin["novelty"]["statement"] == (at == 0 and learn == 1)
        for each in desk.habits:
            each.now += timedelta(days=8)
        desk.compare()
        for each in desk.habits:
            counts = no_counts()
            counts[Kind.DAY]["2026-03-02"] = Usual()
            counts[Kind.DAY]["2026-03-02"].count = learn
            each.known.learned(counts, ())
        assert desk.compare()[0]["novelty"]["statement"]

    run(work)


def test_a_statement_that_never_ended_well_becomes_new_with_the_history() -> None:
    def work() -> None:
        desk = Desk(learn=3)
        assert not desk.compare(error="no")[0]["novelty"]["statement"]
        for each in desk.habits:
            for _ in range(3):
                each.saw(OTHER)
        assert desk.compare(error="no")[0]["novelty"]["statement"]

    run(work)


@pytest.mark.parametrize(
    "more",
    [{"findings": (FOUND,)}, {"approval": "a-1"}, {"metadata": True}, {"novelty": True}],
    ids=str,
)
def test_what_is_said_otherwise_is_written_in_full(more: dict[str, Any]) -> None:
    def work() -> None:
        desk = Desk()
        desk.compare()
        given = dict(more)
        ruling = desk.judged.ruling
        assert ruling is not None
        if given.pop("metadata", False):
            other = replace(ruling, record=RecordMode.METADATA, decisions=(*ruling.decisions,))
            desk.judged.forms[0] = None
            given["ruling"] = other
        if given.pop("novelty", False):
            desk.judged.forms[0] = None
            action: Action = replace(ruling.actions[0], novelty={"tables": [], "statement": True})
            given["ruling"] = replace(ruling, actions=(action,))
        desk.compare(form=False, **given)

    run(work)


def test_other_decisions_are_not_written_from_an_old_form() -> None:
    def work() -> None:
        desk = Desk()
        desk.compare()
        ruling = desk.judged.ruling
        assert ruling is not None
        verdict = replace(ruling.decisions[0].verdict, reason="another one")
        decisions = (replace(ruling.decisions[0], verdict=verdict),)
        begin = desk.compare(ruling=replace(ruling, decisions=decisions))[0]
        assert begin["reason"] == "another one"

    run(work)


def test_content_goes_on_record_once() -> None:
    def work() -> None:
        desk = Desk()
        for _ in range(3):
            desk.compare(parameters=b'["1"]', result=b'{"rows":[]}')
        texts = [b'["1"]', b'{"rows":[]}', desk.text.encode()]
        assert [desk.store.contents.count(each) for each in texts] == [2, 2, 2]  # two connections

    run(work)


def test_what_comes_once_needs_no_form() -> None:
    def work() -> None:
        desk = Desk()
        desk.judged.forms.clear()
        desk.compare(form=False)
        desk.compare()

    run(work)


def test_places_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        desk = Desk()
        (keep, _), kept = desk.keeps, desk.store.contents
        for data, times in ((b"a" * 128, 1), (b"b" * 129, 2)):
            for _ in range(2):
                keep._ref(data)
            assert kept.count(data) == times
        monkeypatch.setattr(keeping, "MAX_REMEMBERED", 300)
        for data in (b"c" * 128, b"d" * 128, b"a" * 128):
            keep._ref(data)
            assert sum(map(len, keep._texts)) <= 300
        assert kept.count(b"a" * 128) == 2

    run(work)


def test_parameters_are_a_list() -> None:
    bind = Bind(b"", b"", (0, 1), (b"x", b"\x00", None), ())
    assert json.loads(keeping.parameters_of(bind, "utf-8")) == ["x", "\\x00", None]
    assert keeping.parameters_of(Bind(b"", b"", (), (), ()), "utf-8") == b""


def test_parameters_of_other_statements_are_other_parts() -> None:
    def parts(*values: bytes | None, formats: tuple[int, ...] = ()) -> bytes:
        return b"".join(keeping.parts_of(Bind(b"", b"", formats, values, ())))

    several = [
        parts(b"a", b"b"), parts(b"ab"), parts(b"a", None), parts(None, b"a"), parts(b"-"),
        parts(None), parts(b"a", formats=(1,)), parts(b"a"), parts(b""), parts(),
    ]  # fmt: skip
    assert len(set(several)) == len(several)
