"""SQL statements, out of the record."""

from collections.abc import Iterator

import pytest

from proctor.audit import conversation as module
from proctor.audit.conversation import conversation
from proctor.audit.find import Target, find, sessions
from proctor.audit.reader import Reader, opened
from proctor.audit.statements import newest, read_statements
from proctor.audit.turns import Turn
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, record
from tests.support.spoken import ALONE, FLOW, HELD, MANY, REFUSED, alone, spoken

TARGET = Target(principal=ALICE.key, session_id=SESSION)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with opened(record(tmp_path_factory.mktemp("said") / "r", spoken, alone)) as found:
        assert found is not None
        yield found


def there(reader: Reader) -> Turn:
    (turn,) = (t for t in conversation(reader, TARGET).turns() if t.statements)
    return turn


def test_each_stands_with_its_end(reader: Reader) -> None:
    turn = there(reader)
    assert (turn.exchange.flow_id, turn.outside, turn.said, turn.before) == (FLOW, True, 7, 0)
    first, refused, held, failed, copied, quiet, runs = turn.statements
    assert first.sql is not None
    assert first.sql.text == "SELECT id, email FROM orders WHERE id < $1"
    assert first.parameters is not None
    assert first.parameters.text == '["10", null, "it\'s"]'
    assert first.result is not None
    entry = first.entry
    assert (entry.rows, entry.duration_ms, entry.masked_columns, entry.ended) == (
        2, 250.0, ("public.orders.email",), True,
    )  # fmt: skip
    assert (refused.entry.refused, refused.entry.rows, refused.entry.ended) == (True, None, True)
    assert (held.entry.approval_id, held.entry.verbs) == (HELD, ("DROP",))
    assert failed.entry.error == '42703: column "nope" does not exist'
    assert [each.rule_id for each in failed.entry.observed] == ["watch"]
    assert failed.entry.in_transaction
    assert copied.result is not None
    assert (quiet.sql, quiet.entry.record, quiet.entry.rows) == (None, "metadata", 7)
    assert (runs.entry.ended, runs.entry.duration_ms) == (False, None)
    assert runs.entry.found == ("EMAIL_ADDRESS",)


def test_what_was_held_stands_with_its_statement(reader: Reader) -> None:
    turn = there(reader)
    assert [(s.entry.n, [h.id for h in s.held]) for s in turn.statements if s.held] == [
        (2, [REFUSED]),
        (3, [HELD]),
    ]
    assert turn.held == ()


def test_totals(reader: Reader) -> None:
    totals = conversation(reader, TARGET).totals
    assert (totals.statements, totals.refused, totals.turns, totals.outside) == (7, 1, 2, 1)
    (listed,) = sessions(reader, principal=None, since=None, limit=9)
    assert (listed["statements"], listed["outside"], listed["denied"]) == (7, 1, 1)


def test_a_connection_of_no_session_in_parts(reader: Reader) -> None:
    talk = conversation(reader, find(reader, ALONE))
    (some,) = talk.turns(statements=10, after=45)
    assert [s.entry.n for s in some.statements] == list(range(46, 56))
    assert (some.before, some.said) == (45, MANY)
    (none,) = talk.turns(limit=0, statements=0)
    assert (none.statements, none.said) == ((), MANY)
    (beyond,) = talk.turns(statements=10, after=1000)
    assert beyond.statements == ()


def test_only_so_many_are_read_and_the_rest_counted(reader: Reader) -> None:
    few = read_statements(reader, find(reader, ALONE), most=3)
    assert [e.n for e in few.entries[ALONE]] == [1, 2, 3]
    assert (few.counts, few.refused) == ({ALONE: MANY}, 0)
    told = read_statements(reader, TARGET, most=1)
    assert (told.counts, told.refused) == ({FLOW: 7}, 1)


def test_results_beyond_measure_are_cut(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_RESULTS", 100)
    (some,) = conversation(reader, find(reader, ALONE)).turns(limit=10, statements=9)
    left_out = [each.result.omitted for each in some.statements if each.result]
    assert left_out[:2] == [0, 0]
    assert all(left_out[3:])
    monkeypatch.setattr(module, "_MAX_RESULT", 0)
    (some,) = conversation(reader, find(reader, ALONE)).turns(limit=10, statements=1)
    assert some.statements[0].result is not None
    assert len(some.statements[0].result.text) == 10


def test_the_newest_first(reader: Reader) -> None:
    found = newest(reader, most=5)
    assert [each.entry.n for each in found] == [60, 59, 58, 57, 56]
    assert {(each.subject, each.session_id) for each in found} == {("alice", None)}
    assert all(each.entry.ended for each in found)
    every = newest(reader, most=1000)
    assert len(every) == MANY + 7
    assert [each.entry.n for each in every if not each.entry.ended] == [7]


def test_a_session_without_any_asks_for_none(reader: Reader) -> None:
    assert read_statements(reader, Target(principal=ALICE.key, session_id="x")).entries == {}
