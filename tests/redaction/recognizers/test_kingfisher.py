"""Kingfisher, with its safeguards."""

import functools
from typing import Any

import pytest

from proctor.redaction.model import API_KEY, RedactionError
from proctor.redaction.recognizers.kingfisher import KingfisherRecognizer

TOKEN = "ghp" + "_" + "fCq7rTz1mk2EIjQYcV946cXrxnHLftZ8afG3"


@functools.cache
def recognizer() -> KingfisherRecognizer:
    return KingfisherRecognizer()


def found(text: str) -> list[str]:
    return [text[result.start : result.end] for result in recognizer().analyze(text, [], None)]


@pytest.mark.parametrize(
    "text",
    [
        f"{TOKEN} kingfisher:ignore nosec gitleaks:allow",
        f"// kingfisher:ignore\n{TOKEN}",
        f"<!-- kingfisher:ignore --><p>{TOKEN}</p>",
        f"é密\U0001f511 {TOKEN} é",
        f"\0a\0b\0c\0 {TOKEN}",
        f"\ud800 {TOKEN}",
        f"\ufeff{TOKEN}",
        f"ÿþ {TOKEN}",
    ],
)
def test_nothing_hides_or_shifts_a_token(text: str) -> None:
    assert found(text) == [TOKEN]


def test_what_it_finds_is_named() -> None:
    (result,) = recognizer().analyze(TOKEN, [], None)

    assert result.entity_type == API_KEY
    assert result.recognition_metadata["detector"].startswith("kingfisher:")


def test_documented_examples_are_nothing() -> None:
    assert found("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY") == []


def test_rules_are_compiled_once() -> None:
    assert KingfisherRecognizer()._scanner.rules is recognizer()._scanner.rules


class _Finding:
    rule_id = "x"
    visible = True
    secret = "elsewhere"
    confidence = "high"
    location = {"start_offset": 0, "end_offset": 4}  # noqa: RUF012 - a stand-in


class _Scanner:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def scan(self, data: bytes, timeout: float) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [TimeoutError("s3cret"), RuntimeError("s3cret"), [_Finding()]],
    ids=["time", "error", "place"],
)
def test_what_fails_is_an_error_without_the_text(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = KingfisherRecognizer()
    monkeypatch.setattr(one, "_scanner", _Scanner(answer))

    with pytest.raises(RedactionError) as caught:
        one.analyze("s3cret", [], None)

    assert caught.value.code == "redaction-detector"
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
