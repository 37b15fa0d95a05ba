"""All recognizers of secrets together, over kinds made from a seed."""

import functools
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.redaction.model import KNOWN_VALUE, SECRETS, Budget, RedactionError
from proctor.redaction.recognizers.secrets import SHAPES, secret_recognizers
from tests.redaction.recognizers.kinds import HELD, KINDS, Case, nulls, positives

NOTHING: Any = None  # no artifacts, as in a plain Presidio


@functools.cache
def recognizers() -> tuple[EntityRecognizer, ...]:
    return tuple(secret_recognizers())


def scan(text: str) -> list[RecognizerResult]:
    return [result for one in recognizers() for result in one.analyze(text, [], NOTHING)]


def covered(case: Case) -> bool:
    assert case.secret
    found = {at for result in scan(case.text) for at in range(result.start, result.end)}
    start = case.text.index(case.secret)
    return found.issuperset(range(start, start + len(case.secret)))


def test_there_are_many_kinds_and_some_are_held_back() -> None:
    assert len(KINDS) >= 80
    assert len(HELD) >= 25


@pytest.mark.parametrize("seed", [11, 12])
def test_secrets_of_every_kind_are_found_whole(seed: int) -> None:
    missed = [case.kind for case in positives(seed) if not covered(case)]

    assert len(missed) <= 0.02 * len(KINDS), missed


@pytest.mark.parametrize("seed", [11, 12])
def test_what_looks_like_secrets_is_left_alone(seed: int) -> None:
    hit = {case.kind: scan(case.text) for case in nulls(seed)}

    assert {kind for kind, results in hit.items() if results} == set()


@pytest.mark.parametrize(
    "kind", ["pem", "json", "csv aws", "prose english", "jwt", "pgpass", "mysql -p"]
)
def test_a_text_may_be_cut_anywhere(kind: str) -> None:
    """Nothing fails, and what is found lies within the text."""
    (text,) = (case.text for case in positives(13) if case.kind == kind)
    for cut in range(len(text)):
        for piece in (text[:cut], text[cut:]):
            for result in scan(piece):
                assert 0 <= result.start < result.end <= len(piece)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=400))
def test_any_text_can_be_looked_at(text: str) -> None:
    for result in scan(text):
        assert 0 <= result.start < result.end <= len(text)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "password",
                "=",
                '"',
                "'",
                ":",
                "https://",
                "@",
                "-p",
                "--token",
                "mysql",
                "AKIA",
                "eyJ.",
                "ghp_",
                "\n",
                "�",
                "\x00",
                "é",
                "密码",
                "is",
                "token",
                "-----BEGIN_PRIVATE_KEY-----",
                "$2b$",
                "kty",
                "machine",
                "login",
                "INSERT",
                "INTO",
                "VALUES",
                "(",
                ")",
                ",",
                "<Password>",
            ]
        ),
        max_size=60,
    )
)
def test_any_mix_of_triggers_can_be_looked_at(parts: list[str]) -> None:
    text = " ".join(parts)

    for result in scan(text):
        assert 0 <= result.start < result.end <= len(text)


@pytest.mark.parametrize(
    "before", ["é", "密码 ", "\U0001f511", "\ud800", "\0", "\ufeff", "\xff\xfe", "a\0b\0"]
)
def test_places_are_characters_whatever_comes_before(before: str) -> None:
    token = "ghp" + "_" + "fCq7rTz1mk2EIjQYcV946cXrxnHLftZ8afG3"
    text = before * 3 + f" {token} und danach"

    found = {text[result.start : result.end] for result in scan(text)}

    assert found == {token}


def test_results_say_who_found_them_and_in_presidios_way() -> None:
    text = "\n".join(case.text for case in positives(14))
    for one in recognizers():
        results = one.analyze(text, [], NOTHING)
        assert results
        for result in results:
            metadata = result.recognition_metadata
            assert metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY] == one.id
            assert metadata["detector"].partition(":")[0] in {
                "proctor",
                "betterleaks",
                "kingfisher",
            }
            assert result.entity_type in SECRETS
            assert 0 < result.score <= 1


def test_only_the_types_asked_for_are_found() -> None:
    text = "\n".join(case.text for case in positives(15))
    for one in recognizers():
        assert {result.entity_type for result in one.analyze(text, ["PRIVATE_KEY"], NOTHING)} <= {
            "PRIVATE_KEY"
        }


def test_masked_text_has_no_secret_left() -> None:
    for case in positives(16):
        text = case.text
        for result in sorted(scan(text), key=lambda one: -one.start):
            text = text[: result.start] + f"<{result.entity_type}>" + text[result.end :]

        assert case.secret
        assert case.secret not in text


def test_several_threads_find_the_same() -> None:
    text = "\n".join(case.text for case in positives(17))
    wanted = sorted((result.start, result.end) for result in scan(text))
    seen: list[list[tuple[int, int]]] = []

    def look() -> None:
        seen.append(sorted((result.start, result.end) for result in scan(text)))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [wanted] * 4


class _Artifacts:
    """What proctor's engine sends along."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget


def test_a_budget_is_looked_at() -> None:
    time = 0.0

    def clock() -> float:
        nonlocal time
        time += 1.0
        return time

    artifacts: Any = _Artifacts(Budget(0.5, 10, clock))
    with pytest.raises(RedactionError) as caught:
        recognizers()[0].analyze("password: " * 500, [], artifacts)

    assert caught.value.code == "redaction-budget"


def test_known_values_come_first(tmp_path: Path) -> None:
    path = tmp_path / "known.txt"
    path.write_text("falcon-nine\n", encoding="utf-8")

    first, *others = secret_recognizers([path])

    assert [result.entity_type for result in first.analyze("the falcon-nine", [], NOTHING)] == [
        KNOWN_VALUE
    ]
    assert [type(one) for one in others] == [type(one) for one in recognizers()]


def test_shapes_are_named_and_their_triggers_are_no_accident() -> None:
    for shape in SHAPES:
        assert shape.name.replace("-", "").isalnum()
        assert 0 < shape.score <= 1
        assert not list(shape.find("nothing to see here", 0))
