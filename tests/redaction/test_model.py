"""Bounds on looking, and values that show in no repr."""

import pytest

from proctor.redaction.model import (
    API_KEY,
    Budget,
    Change,
    Leaf,
    Method,
    RedactionError,
    Spot,
    strictest,
)


def test_a_budget_ends_with_its_time() -> None:
    now = [100.0]
    budget = Budget(2.0, 10, lambda: now[0])
    assert budget.left == 2.0
    now[0] = 102.0
    budget.check()
    now[0] = 102.1
    assert budget.left == 0.0
    with pytest.raises(RedactionError) as caught:
        budget.check()
    assert (caught.value.code, caught.value.status) == ("redaction-budget", 451)


def test_a_budget_ends_with_its_hits() -> None:
    budget = Budget(2.0, 10, lambda: 0.0)
    budget.spend(10)
    with pytest.raises(RedactionError) as caught:
        budget.spend(1)
    assert caught.value.code == "redaction-hits"


@pytest.mark.parametrize(
    ("choices", "found"),
    [
        ([], {}),
        ([{"A": "detect"}, {"A": "mask"}, {"A": "hash"}], {"A": "mask"}),
        ([{"A": "block", "B": "detect"}, {"B": "surrogate"}], {"A": "block", "B": "surrogate"}),
    ],
)
def test_the_strictest_is_taken(choices: list[dict[str, str]], found: dict[str, str]) -> None:
    assert strictest(choices) == found


def test_methods_stand_from_mild_to_strict() -> None:
    assert list(Method) == ["detect", "surrogate", "hash", "mask", "block"]


def test_no_repr_holds_a_value() -> None:
    value = "value-of-a-secret"
    for thing in (
        Spot(0, 3, API_KEY, "test:x", 1.0, value),
        Leaf(value, "body"),
        Change(0, 1, value),
    ):
        assert value not in repr(thing)
