"""What is new, in words."""

from proctor.novelty.model import Novelty


def test_many_tables_are_counted() -> None:
    tables = tuple(f"public.t{n}" for n in range(8))
    words = Novelty(who="alice", table=True, tables=tables, history=1204, days=12).words
    assert words == (
        "first time alice's agent touches public.t0, public.t1, public.t2, public.t3, public.t4"
        " and 3 more (1,204 statements on 12 days)"
    )


def test_everything_at_once() -> None:
    new = Novelty(
        who="alice",
        statement=True,
        table=True,
        tables=("public.a", "public.b"),
        written=frozenset({"public.b"}),
        volume=50.0,
        rows=600.0,
        usual=12.0,
        hour=True,
        history=1,
        days=1,
    )
    assert new.words == (
        "first time alice's agent touches public.a; first time alice's agent writes to public.b;"
        " about 600 rows, where 12 are usual; at an hour of the week at which alice's agent has"
        " not run anything before (1 statement on 1 day)"
    )


def test_long_names_are_cut() -> None:
    words = Novelty(who="a" * 10_000, table=True, tables=("t" * 10_000,)).words
    assert len(words) < 500


def test_nothing_new_has_no_words() -> None:
    assert not Novelty(who="alice", volume=2.0, rows=2.0, usual=1.0).words
