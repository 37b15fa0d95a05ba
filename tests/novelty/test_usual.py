"""What is usual, counted and looked at."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import SqlFields
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import MOST, Kind, Known, Usual, count, no_counts, seen

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)  # a Monday
ORDERS = SqlFields(tables=("public.orders",), fingerprint="a1")
SALARIES = SqlFields(tables=("public.salaries",), fingerprint="b2")
WEEKS = [NOW - timedelta(days=n) for n in range(10)]


def known(*, rows: int = 12, days: int = 6, least: int = 50) -> Known:
    found = Known(NoveltySettings(learn=least), "alice")
    for n in range(60):
        found.saw(seen(ORDERS, (), rows, WEEKS[n % days]))
    return found


def usual(*rows: int) -> Usual:
    found = Usual()
    for each in rows:
        found.add(each, 1.0)
    return found


def test_nothing_is_new_before_enough_was_seen() -> None:
    few = Known(NoveltySettings(learn=2), "alice")
    few.saw(seen(ORDERS, (), 3, NOW))
    found = few.look(SALARIES, rows=1e9, now=NOW)
    assert found.fields() == {
        "statement": False, "table": False, "tables": [], "volume": 0.0, "hour": False,
        "history": 1, "days": 1,
    }  # fmt: skip
    assert not found.words
    few.saw(seen(ORDERS, (), 3, NOW))
    assert few.look(SALARIES, rows=None, now=NOW).table


def test_what_is_usual_is_not_new() -> None:
    found = known().look(ORDERS, rows=12.0, now=NOW)
    assert (found.statement, found.table, found.hour) == (False, False, False)
    assert (found.volume, found.history, found.days) == (1.0, 60, 6)
    assert not found.words


def test_a_new_table_is_named_with_how_much_was_seen() -> None:
    found = known().look(SALARIES, rows=None, now=NOW)
    assert (found.statement, found.table, found.tables) == (True, True, ("public.salaries",))
    assert found.words == (
        "first time alice's agent touches public.salaries (60 statements on 6 days)"
    )


def test_a_table_that_is_written_for_the_first_time_is_new() -> None:
    found = known()
    update = SqlFields(tables=("public.orders",), fingerprint="c3")
    new = found.look(update, {"public.orders"}, rows=None, now=NOW)
    assert new.tables == ("public.orders",)
    assert "first time alice's agent writes to public.orders" in new.words
    found.saw(seen(update, {"public.orders"}, 1, NOW))
    assert not found.look(update, {"public.orders"}, rows=None, now=NOW).table
    # Whoever writes a table need not have read it.
    delete = SqlFields(tables=("public.salaries",), fingerprint="d4")
    found.saw(seen(delete, {"public.salaries"}, 1, NOW))
    assert not found.look(SALARIES, rows=None, now=NOW).table


def test_a_new_statement_on_known_tables() -> None:
    other = SqlFields(tables=("public.orders",), fingerprint="zz")
    found = known().look(other, rows=None, now=NOW)
    assert (found.statement, found.table) == (True, False)
    assert "runs a statement of this form" in found.words


def test_temporary_tables_are_neither_learned_nor_new() -> None:
    found = known()
    mine = SqlFields(tables=("pg_temp.t",), fingerprint="a1")
    assert not found.look(mine, {"pg_temp.t"}, rows=None, now=NOW).table
    assert {name for _, name in seen(mine, {"pg_temp.t"}, 1, NOW).names()}.isdisjoint(mine.tables)


def test_volume_is_of_the_statement_else_of_its_tables() -> None:
    found = known(rows=12)
    many = found.look(ORDERS, rows=1200.0, now=NOW)
    assert many.volume == 100.0
    assert "about 1,200 rows, where 12 are usual" in many.words
    other = SqlFields(tables=("public.orders",), fingerprint="zz")
    assert found.look(other, rows=24.0, now=NOW).volume == 2.0
    assert found.look(SALARIES, rows=24.0, now=NOW).volume == 0.0
    assert found.look(ORDERS, rows=None, now=NOW).volume == 0.0


def test_none_are_usual_counts_as_one() -> None:
    assert known(rows=0).look(ORDERS, rows=50.0, now=NOW).volume == 50.0


@pytest.mark.parametrize(("days", "new"), [(6, False), (7, True)])
def test_an_hour_is_new_once_a_week_was_seen(days: int, *, new: bool) -> None:
    found = known(days=days)
    night = NOW.replace(hour=3)
    assert found.look(ORDERS, rows=None, now=night).hour is new
    assert not found.look(ORDERS, rows=None, now=NOW).hour


def test_the_usual_is_exact_where_it_is_always_the_same_and_not_moved_by_one() -> None:
    assert usual(10, 10, 10, 1_000_000).usual == 10
    assert usual(1, 1, 1000, 1000, 1000).usual == 1000
    assert Usual().usual == 0


@given(st.lists(st.integers(0, 2**62), min_size=1), st.integers(0, 20))
def test_counts_can_be_added_up(rows: list[int], cut: int) -> None:
    whole, first, second = usual(*rows), usual(*rows[:cut]), usual(*rows[cut:])
    first.merge(second)
    assert (first.count, first.most, first.usual) == (whole.count, whole.most, whole.usual)
    assert min(rows) <= whole.usual * (1 + 1e-9)
    assert whole.usual <= max(rows) * (1 + 1e-9)


def test_the_oldest_go_where_there_is_no_more_room() -> None:
    counts = no_counts()
    for n in range(MOST[Kind.READ] + 1):
        count(counts, Kind.READ, f"t{n}").add(1, float(n))
    assert len(counts[Kind.READ]) <= MOST[Kind.READ]
    assert "t0" not in counts[Kind.READ]
    assert f"t{MOST[Kind.READ]}" in counts[Kind.READ]
