"""What is allowed to change."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.policy.backtest import Change
from proctor.policy.expected import Expected, fail_on, read_expected
from proctor.yamlfile import parse
from tests.policy.reports import load, report, row


def expected(text: str) -> Expected:
    return read_expected(parse(text.encode(), name="expect.yaml"))


FOUND = report(row(), row(change=Change.HELD, rule="rm", count=7), load=load(per_day=6.0))


@pytest.mark.parametrize(
    ("text", "surprises"),
    [
        ("{}", 0),
        ("fail_on: [newly-denied]", 1),
        ("fail_on: [newly-denied, newly-held]", 2),
        ("fail_on: [newly-allowed, could-not-be-told]", 0),
        ("{fail_on: [newly-denied], except: [{rule: 'no'}]}", 0),
        ("{fail_on: [newly-denied], except: [{rule: 'no', principal: 'i#bob'}]}", 1),
        ("{fail_on: [newly-held], except: [{what: Bash(git), change: newly-held}]}", 0),
        ("at_most: {newly-held: 7}", 0),
        ("at_most: {newly-held: 6}", 1),
        ("{at_most: {newly-held: 6}, except: [{rule: rm}]}", 0),
        ("at_most: {approvals-per-day: 5.5}", 1),
        ("at_most: {approvals-per-day: 6}", 0),
    ],
)
def test_surprises(text: str, surprises: int) -> None:
    assert len(expected(text).surprises(FOUND)) == surprises


def test_a_surprise_in_words() -> None:
    (said,) = fail_on(["newly-denied", " "]).surprises(FOUND)
    assert said == "newly-denied: llm.tool_use Bash(git) of i#alice, 4 times (all → no)"


def test_what_could_not_be_listed_is_a_surprise() -> None:
    many = report(others=3, asks_left_out=2)
    assert len(fail_on(["newly-denied"]).surprises(many)) == 1
    assert len(expected("at_most: {approvals-per-day: 99}").surprises(many)) == 2
    assert Expected().surprises(many) == []


@pytest.mark.parametrize("names", [["unchanged"], ["denied"], ["newly-denied", "x"]])
def test_no_such_change(names: list[str]) -> None:
    with pytest.raises(ValueError, match="is none of"):
        fail_on(names)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[]", 1),
        ("fail-on: []", 1),
        ("fail_on: newly-denied", 1),
        ("fail_on:\n  - denied", 2),
        ("at_most: []", 1),
        ("at_most: {denied: 1}", 1),
        ("at_most: {newly-held: yes}", 1),
        ("at_most: {newly-held: -1}", 1),
        ("except: {}", 1),
        ("except: [{}]", 1),
        ("except:\n  - {who: x}", 2),
        ("except: [{rule: 1}]", 1),
    ],
)
def test_what_is_wrong(text: str, line: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        expected(text)
    assert caught.value.code == "expected-invalid"
    assert caught.value.where == f"expect.yaml:{line}"


@given(st.recursive(st.none() | st.integers() | st.text("abc_", max_size=5), st.lists))
def test_anything_at_all(value: object) -> None:
    for text in (
        json.dumps(value),
        f"fail_on: {json.dumps(value)}",
        f"except: {json.dumps(value)}",
    ):
        with contextlib.suppress(ConfigurationError):
            expected(text)
