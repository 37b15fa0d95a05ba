"""Presidio's recognizers behind the prefilter: the same findings, and no silent time-outs."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import Pattern, PatternRecognizer, RecognizerResult

from proctor.redaction.model import Budget, RedactionError
from proctor.redaction.recognizers.gated import DETECTOR, Patterns, Scanned
from tests.redaction.recognizers.support import found


def recognizer(*expressions: str, words: tuple[str, ...] = (), flags: int = 26) -> Patterns:
    inner = PatternRecognizer(
        "THING",
        name="thing",
        patterns=[Pattern(str(i), expression, 0.5) for i, expression in enumerate(expressions)],
        deny_list=list(words),
        global_regex_flags=flags,
    )
    return Patterns(inner, detector="users:thing")


def budget(clock: float = 0.0) -> Budget:
    return Budget(60, 1000, lambda: clock)


@given(st.text(alphabet="EMPemp-0123 \n\u0301éx", max_size=60))
def test_patterns_find_what_presidio_finds(text: str) -> None:
    inner = PatternRecognizer("THING", name="t", patterns=[Pattern("p", r"\bEMP-\d+\b", 0.5)])
    ours = Patterns(inner, detector="users:t")
    assert ours.triggers
    values = found(ours, text)
    theirs = sorted(inner.analyze(text, ["THING"]), key=lambda one: one.start)
    assert values == [text[one.start : one.end] for one in theirs]


@given(st.text(alphabet="Falconé \n-\u0301", max_size=40))
def test_words_find_what_presidio_finds(text: str) -> None:
    inner = PatternRecognizer("THING", name="t", deny_list=["Falcon", "é-x", "on"])
    text = f"{text}Falcon{text} é-x\n{text}"
    theirs = sorted(inner.analyze(text, ["THING"]), key=lambda one: one.start)
    assert found(Patterns(inner, detector="users:t"), text) == [
        text[one.start : one.end] for one in theirs
    ]


@pytest.mark.parametrize("expression", [r"(?:falcon){e<=1}", r"\mfalcon", r"\w+\p{L}"])
def test_what_cannot_be_gated_safely_runs_on_every_text(expression: str) -> None:
    one = recognizer(expression)
    assert one.triggers == ()
    assert found(one, "a falcon") != []


def test_flags_with_another_meaning_gate_nothing() -> None:
    assert recognizer("a b c", flags=64).triggers == ()  # VERBOSE


def test_the_windows_alone_are_looked_at() -> None:
    one = recognizer("abc")
    assert one.analyze("abc abc", [], Scanned({})) == []
    results = one.analyze("abc abc", [], Scanned({"thing": [(4, 7)]}))
    assert [(r.start, r.end) for r in results] == [(4, 7)]


def test_results_carry_what_presidio_and_the_record_need() -> None:
    one = recognizer("abc")
    (result,) = one.analyze("abc", [])
    assert result.recognition_metadata[DETECTOR] == "users:thing"
    assert result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY] == one.id
    assert (result.entity_type, result.score) == ("THING", 0.5)


def test_an_expression_that_takes_too_long_is_an_error() -> None:
    # Trap: Presidio logs it and goes on, so what it looked for passes.
    clock = 0.0
    one = recognizer(r"(?:a|aa)+[bx]")
    scanned = Scanned({"thing": [(0, 40)]}, Budget(0.05, 9, lambda: clock))
    with pytest.raises(RedactionError) as caught:
        one.analyze("a" * 39 + "c", [], scanned)
    assert caught.value.code == "redaction-budget"
    assert caught.value.__cause__ is None
    assert "aaaa" not in str(caught.value)


def test_no_time_left_is_an_error_before_the_first_window() -> None:
    now = 0.0
    allowance = Budget(1, 9, lambda: now)
    now = 2.0
    with pytest.raises(RedactionError):
        recognizer("abc").analyze("abc", [], Scanned({"thing": [(0, 3)]}, allowance))


def test_definitions_tell_recognizers_apart() -> None:
    assert recognizer("abc").definition == recognizer("abc").definition
    assert recognizer("abc").definition != recognizer("abd").definition
    assert recognizer("abc").definition != recognizer("abc", words=("x",)).definition


def test_many_windows_in_a_mixed_text() -> None:
    picked = random.Random(7)  # noqa: S311 - not for keys
    text = " ".join(picked.choice(("EMP-1", "x", "é", "\n", "EMP-", "42")) for _ in range(3000))
    assert len(found(recognizer(r"\bEMP-\d+\b"), text)) == text.count("EMP-1")
