"""What is remembered of a condition is what it says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import Action, ActionKind, Case, Finding, HttpFields, Principal
from proctor.policy import remembered
from proctor.policy.expression import EvaluationError, compile_condition
from proctor.policy.remembered import Remembered
from proctor.policy.values import Plan, View

SOURCES = [
    'http.host == "a"',
    'http.headers.exists(name, name == "x-a")',
    '"x-a" in http.headers && http.headers["x-a"] == "b"',
    'findings.exists(f, f.location == "a" && f.score > 0.5)',
    'http.path.startsWith(http.host) && http.method == "GET"',
    'http.violations.exists(v, v.contains("b"))',
]
TEXTS = st.sampled_from(["", "a", "b", "x-a", "ab", "a" * 5000])
FINDINGS = st.builds(
    Finding,
    type=TEXTS,
    location=TEXTS,
    direction=st.just("request"),
    score=st.sampled_from([0.0, 0.5, 1.0]),
)
CASES = st.builds(
    lambda host, path, headers, violations, found: Case(
        principal=Principal(issuer="i", subject="alice"),
        session=None,
        action=Action(
            kind=ActionKind.HTTP_REQUEST,
            listener="l",
            target="t",
            http=HttpFields(
                method="GET", host=host, path=path, headers=headers, violations=tuple(violations)
            ),
        ),
        findings=tuple(found),
        now=datetime.now(UTC),
    ),
    TEXTS,
    TEXTS,
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    st.lists(TEXTS, max_size=3),
    st.lists(FINDINGS, max_size=2),
)


@pytest.mark.parametrize("source", SOURCES)
@given(cases=st.lists(CASES, min_size=2, max_size=6))
def test_the_same_as_asked_anew(source: str, cases: list[Case]) -> None:
    condition = compile_condition(source)
    assert Remembered.worth(condition)
    known, plan = Remembered(condition), Plan(condition.fields, ())
    for case in (*cases, *cases):
        assert known.holds(View(case, plan)) is condition.evaluate(View(case, plan).context)


@pytest.mark.parametrize("source", ["http.json.a == 1", "now.hour > 3", "mcp.arguments.a == 1"])
def test_what_is_not_remembered(source: str) -> None:
    assert not Remembered.worth(compile_condition(source))


@given(CASES)
def test_a_failure_is_not_remembered_and_fails_again(case: Case) -> None:
    condition = compile_condition('http.headers["missing"] == "b"')
    known, plan = Remembered(condition), Plan(condition.fields, ())
    for _ in range(2):
        with pytest.raises(EvaluationError):
            known.holds(View(case, plan))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_ANSWERS", 4)
    condition = compile_condition('http.host == "7"')
    known, plan = Remembered(condition), Plan(condition.fields, ())
    for number in range(20):
        http = HttpFields(host=str(number))
        action = Action(kind=ActionKind.HTTP_REQUEST, listener="l", target="t", http=http)
        case = Case(
            principal=Principal(issuer="i", subject="alice"),
            session=None,
            action=action,
            now=datetime.now(UTC),
        )
        assert known.holds(View(case, plan)) is (number == 7)
        assert len(known._answers) <= 4
