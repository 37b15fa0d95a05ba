"""What recognizers hand to Presidio."""

import pytest
from presidio_analyzer import RecognizerResult

from proctor.redaction.model import API_KEY, PASSWORD, RedactionError
from proctor.redaction.recognizers import results as module
from proctor.redaction.recognizers.betterleaks import BetterleaksRecognizer
from proctor.redaction.recognizers.results import failed, in_stand_in, narrowed, results, specimen
from proctor.redaction.recognizers.shapes import Shape, ShapesRecognizer


def _recognizer() -> ShapesRecognizer:
    return ShapesRecognizer([Shape(name="a", trigger="a", find=lambda _, __: [])])


def test_the_first_to_name_a_span_keeps_it() -> None:
    one = _recognizer()

    (result,) = results(
        one, "Name", [(1, 4, PASSWORD, "a:b", 0.5), (1, 4, API_KEY, "c:d", 0.9)], []
    )

    assert (result.start, result.end, result.entity_type) == (1, 4, PASSWORD)
    assert result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY] == one.id
    assert result.recognition_metadata[RecognizerResult.RECOGNIZER_NAME_KEY] == "Name"


def test_too_many_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CAP", 3)

    with pytest.raises(RedactionError) as caught:
        results(
            _recognizer(),
            "Name",
            [(at, at + 1, PASSWORD, "a:b", 0.5) for at in range(4)],
            [],
        )

    assert caught.value.code == "redaction-hits"


def test_an_error_says_what_failed() -> None:
    assert "Name" in str(failed("Name", "its library"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey=abcdefgh12", "abcdefgh12"),
        ("amqp://alice:abcdefgh12@mq:5672/v", "abcdefgh12"),
        ("abcdefgh12", "abcdefgh12"),
    ],
)
def test_only_the_secret_of_a_connection_string_is_taken(text: str, part: str) -> None:
    start, end = narrowed(text, 0, len(text))

    assert text[start:end] == part


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("bcdfghjklmnpqrst", True),
        ("PASSWORD", True),
        ("bcdfghjklmnpqrst>@h/x", True),
        ("before", False),
        ("longer-thing-99x", False),
    ],
)
def test_within_redactions_own_words(part: str, expected: bool) -> None:  # noqa: FBT001 - a table
    text = "before <PASSWORD:bcdfghjklmnpqrst>@h/x longer-thing-99x"
    start = text.index(part)

    assert in_stand_in(text, start, start + len(part)) is expected


def test_the_specimen_is_the_same_each_time_and_looks_like_secrets() -> None:
    assert specimen() == specimen()
    assert {
        result.entity_type for result in BetterleaksRecognizer(gated=False).analyze(specimen(), [])
    } >= {API_KEY, PASSWORD}
