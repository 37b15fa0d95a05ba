"""What proctor.yaml may say of budgets, and what an answer of the model costs."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from proctor.budgets.settings import BudgetSettings, PriceSettings, cost

GOOD: dict[str, Any] = {"name": "a", "over": "day", "of": "tokens", "limit": 10}


def budget(**more: Any) -> BudgetSettings:
    return BudgetSettings.model_validate({**GOOD, **more})


def test_defaults() -> None:
    found = budget()
    assert (found.per, found.then, found.soft, found.time_zone) == ("principal", "deny", 0.8, "UTC")
    assert found.terms is None


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"of": "sent", "limit": "10GiB"}, 10 * 2**30), ({"limit": 1.5}, 1.5), ({"limit": 3}, 3.0)],
)
def test_limits(more: dict[str, Any], expected: float) -> None:
    assert budget(**more).limit == expected


def test_shares() -> None:
    assert budget(soft="62.5%").soft == 0.625


def test_what_is_asked_of_humans() -> None:
    held = budget(then="hold", approval={"from": ("leads",), "grant": "1h"}, reason="Ask first.")
    assert held.terms is not None
    assert (held.terms.rule_id, held.terms.from_groups) == ("budget:a", ("leads",))
    assert held.terms.grant == timedelta(hours=1)
    assert held.terms.rule_reason == "Ask first."


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": True},
        {"limit": "10GiB"},  # of tokens
        {"limit": "lots"},
        {"soft": 0.8},
        {"soft": "0%"},
        {"soft": "101%"},
        {"soft": "a few"},
        {"of": "love"},
        {"over": None},
        {"over": "year"},
        {"per": "session"},  # has no window
        {"per": "group"},  # of which
        {"time_zone": "Mars/Olympus"},
        {"time_zone": 3},
        {"then": "hold"},  # asks whom
        {"approval": {"from": ("leads",)}},
        {"then": "hold", "approval": {"from": ()}},
        {"then": "hold", "approval": {"from": ("leads",), "wait": "10m"}},
        {"unknown": 1},
        {"name": "Not a name"},
    ],
)
def test_mistakes(wrong: dict[str, Any]) -> None:
    if wrong == {"soft": 0.8}:
        assert budget(**wrong).soft == 0.8  # a share, as it is once validated
        return
    with pytest.raises(ValidationError):
        budget(**wrong)


def test_what_an_answer_costs() -> None:
    prices = (
        PriceSettings(model="big-*", input=10, output=50, cache_read=1, cache_write=12),
        PriceSettings(model="*", input=1, output=5),
    )
    assert cost(prices, "big-4", 100_000, 10_000, 1_000_000, 1000) == 1 + 0.5 + 1 + 0.012
    assert cost(prices, "small", 100_000, 10_000, 5, 5) == pytest.approx(0.15)
    # A model that nobody gave a price is not for nothing.
    assert cost(prices[:1], "unheard-of", 100_000, 0, 0, 0) == 1.0
    assert cost((), "any", 1, 1, 1, 1) == 0.0
