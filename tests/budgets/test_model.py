"""What people read."""

from datetime import UTC, datetime

import pytest

from proctor.budgets.model import Pot, Standing, amount
from proctor.budgets.settings import BudgetSettings


@pytest.mark.parametrize(
    ("value", "of", "text"),
    [
        (1234567, "tokens", "1,234,567"),
        (12.5, "cost", "12.50"),
        (0, "sent", "0 B"),
        (1023, "sent", "1,023 B"),
        (1536, "received", "1.5 KiB"),
        (3 * 2**30, "sent", "3.0 GiB"),
        (5000 * 2**30, "sent", "5,000.0 GiB"),
    ],
)
def test_amounts(value: float, of: str, text: str) -> None:
    assert amount(value, of) == text


def test_words() -> None:
    budget = BudgetSettings(name="day", over="day", of="people", limit=2)
    standing = Standing(
        budget=budget,
        pot=Pot("day", "i#alice", 0, "i#alice"),
        used=2,
        until=datetime(2026, 3, 3, tzinfo=UTC),
    )
    assert standing.words == (
        "The budget day is used up: 2 of 2 people seen for you today."
        " It begins anew at 2026-03-03 00:00 UTC."
    )
