"""Presidio's engine without linguistics."""

import pytest
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer

from proctor.redaction.engine import LANGUAGE, THRESHOLD, Engine, PrefilterEngine
from proctor.redaction.recognizers.gated import Patterns, Scanned


def engine(score: float, *context: str) -> Engine:
    inner = PatternRecognizer(
        "ZIP", name="zip", patterns=[Pattern("p", r"\b\d{5}\b", score)], context=list(context)
    )
    recognizers: list[EntityRecognizer] = [Patterns(inner, detector="users:zip")]
    return Engine(recognizers, recognizers)


def test_a_weak_match_counts_with_a_word_before_it() -> None:
    weak = engine(0.01, "zip", "postal code")
    assert weak.analyze("12345", LANGUAGE) == []
    assert weak.analyze("unzip 12345", LANGUAGE) == []
    assert weak.analyze("12345 zip", LANGUAGE) == []
    assert weak.analyze("zip" + " " * 100 + "12345", LANGUAGE) == []
    for text in ("ZIP: 12345", "the postal code is 12345"):
        (result,) = weak.analyze(text, LANGUAGE)
        assert result.score == THRESHOLD


def test_a_strong_match_counts_by_itself() -> None:
    (result,) = engine(0.6, "zip").analyze("zip 12345", LANGUAGE)
    assert result.score == 0.6
    assert engine(0.39).analyze("12345", LANGUAGE) == []


def test_it_is_presidios_engine_for_those_who_use_it_so() -> None:
    used = engine(0.6)
    assert used.get_supported_entities(LANGUAGE) == ["ZIP"]
    (result,) = used.analyze("a 12345", LANGUAGE, entities=["ZIP"], score_threshold=0.5)
    assert (result.start, result.end) == (2, 7)


def test_the_nlp_engine_is_one_scan() -> None:
    nlp = PrefilterEngine(
        [Patterns(PatternRecognizer("A", name="a", deny_list=["x"]), detector="users:a")]
    )
    assert nlp.is_loaded()
    assert nlp.get_supported_languages() == [LANGUAGE]
    assert nlp.get_supported_entities() == []
    assert not nlp.is_stopword("the", LANGUAGE)
    assert not nlp.is_punct(".", LANGUAGE)
    assert nlp.process_text("nothing", LANGUAGE).windows == {}
    ((text, scanned),) = nlp.process_batch(["an x"], LANGUAGE)
    assert text == "an x"
    assert isinstance(scanned, Scanned)
    assert scanned.windows == {"a": [(2, 4)]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345",
        "zip 12345",
        "12345 zip",
        "12345 67890 zip 11111",
        "zip",
        "x" * 300 + " zip 12345",
    ],
)
@pytest.mark.parametrize("score", [0.01, 0.39, 0.4, 0.6, 1.0])
def test_the_short_way_finds_the_same(text: str, score: float) -> None:
    used = engine(score, "zip")

    found = used.find(text, used.prefilter.scan(text))

    assert sorted(found, key=str) == sorted(used.analyze(text, LANGUAGE), key=str)


def test_the_short_way_drops_what_is_twice() -> None:
    twice = [
        Patterns(
            PatternRecognizer("ZIP", name=f"zip{n}", patterns=[Pattern("p", pattern, score)]),
            detector=f"users:{n}",
        )
        for n, (pattern, score) in enumerate(
            [(r"\b\d{5}\b", 0.6), (r"\d{3}", 0.5), (r"\d{5}-\d", 0.9)]
        )
    ]
    used = Engine(twice, twice)

    for text in ("12345", "a 12345-6 b 123", "123"):
        found = used.find(text, used.prefilter.scan(text))
        assert sorted(found, key=str) == sorted(used.analyze(text, LANGUAGE), key=str)
