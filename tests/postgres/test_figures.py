"""What is counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from proctor.postgres.figures import BOUNDS, Figures, Totals


def value(totals: Totals, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(totals)
    return registry.get_sample_value(name, labels)


def told(figures: Figures) -> dict[str, dict[str, object]]:
    """As it comes out of a pipe."""
    found: dict[str, dict[str, object]] = json.loads(json.dumps({"orders": figures.take()}))
    return found


def test_what_workers_tell_adds_up() -> None:
    totals = Totals(["orders"])
    for worker in (0, 1):
        figures = Figures()
        figures.came()
        figures.waits(1)
        figures.statement("allow", 0.0004)
        figures.statement("deny", 1000.0)
        totals.add(worker, told(figures))
        totals.add(worker, told(figures))  # counts once, and is still connected
    assert value(totals, "proctor_postgres_connections", listener="orders") == 2
    assert value(totals, "proctor_postgres_connected_total", listener="orders") == 2
    assert value(totals, "proctor_postgres_waiting", listener="orders") == 2
    statements = "proctor_postgres_statements_total"
    assert value(totals, statements, listener="orders", verdict="allow") == 2
    assert value(totals, statements, listener="orders", verdict="hold") == 0
    seconds = "proctor_postgres_statement_seconds"
    assert value(totals, f"{seconds}_bucket", listener="orders", le="0.0005") == 2
    assert value(totals, f"{seconds}_bucket", listener="orders", le="300.0") == 2
    assert value(totals, f"{seconds}_bucket", listener="orders", le="+Inf") == 4
    assert value(totals, f"{seconds}_sum", listener="orders") == pytest.approx(2000.0008)
    assert totals.connections == 2


def test_a_worker_that_ends_takes_its_connections_along() -> None:
    totals, figures = Totals(["orders"]), Figures()
    figures.came()
    totals.add(3, told(figures))
    totals.gone(3)
    totals.restarted()
    assert value(totals, "proctor_postgres_connections", listener="orders") == 0
    assert value(totals, "proctor_postgres_connected_total", listener="orders") == 1
    assert value(totals, "proctor_postgres_worker_restarts_total") == 1


def test_who_goes_is_no_more_connected() -> None:
    figures = Figures()
    figures.came()
    figures.went()
    assert (figures.take()["connections"], figures.take()["connected"]) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stock": {}},
        {"orders": {}},
        {"orders": None},
        {"orders": Figures().take() | {"buckets": [1]}},
    ],
)
def test_what_are_no_figures(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Totals(["orders"]).add(0, wrong)


@given(st.lists(st.floats(0, 1000)))
def test_every_statement_is_in_one_bucket(seconds: list[float]) -> None:
    figures = Figures()
    for each in seconds:
        figures.statement("allow", each)
    assert sum(figures.buckets) == figures.statements["allow"] == len(seconds)
    assert figures.buckets[0] == sum(each <= BOUNDS[0] for each in seconds)
