"""The engine that asks shapes where a first pass says so."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import PASSWORD, RedactionError
from proctor.redaction.recognizers import shapes as module
from proctor.redaction.recognizers.shapes import Shape, ShapesRecognizer, by_regex

WORD = Shape(name="word", trigger=r"key=", find=by_regex(r"key=(?P<value>\w{1,40})", PASSWORD))
END = Shape(
    name="end",
    trigger=r"[A-Z]{3}!",
    at_end=True,
    find=lambda _, at: [module.Found(at, at + 1, PASSWORD)],
)


@functools.cache
def recognizer() -> ShapesRecognizer:
    return ShapesRecognizer([WORD, END])


def found(text: str) -> list[str]:
    return [text[result.start : result.end] for result in recognizer().analyze(text, [], None)]


@given(st.text(max_size=30), st.text(max_size=30))
def test_places_are_characters(before: str, after: str) -> None:
    text = f"{before} key=falcon {after}"

    assert "falcon" in found(text)


def test_lone_halves_are_no_obstacle() -> None:
    assert found("\ud800 key=falcon \udfff") == ["falcon"]


def test_a_place_at_the_end_of_its_trigger() -> None:
    assert found("é ABC!") == ["!"]


def test_redactions_own_words_are_left_alone() -> None:
    assert found("key=SECRET_bcdfghjklmnpqrst") == []


def test_within_a_hit_a_shape_does_not_look_again() -> None:
    asked: list[int] = []

    def find(_: str, at: int) -> list[module.Found]:
        asked.append(at)
        return [module.Found(at, at + 10, PASSWORD)]

    ShapesRecognizer([Shape(name="a", trigger="a", find=find)]).analyze("aaaaaaaaaaaaaaa", [], None)

    assert asked == [0, 10]


def test_too_many_places_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CAP", 10)

    with pytest.raises(RedactionError) as caught:
        found("key=" * 20)

    assert caught.value.code == "redaction-hits"


def test_a_check_may_refuse() -> None:
    refusing = by_regex(r"(?P<value>a)", PASSWORD, lambda value: value != "a")

    assert list(refusing("a", 0)) == []
