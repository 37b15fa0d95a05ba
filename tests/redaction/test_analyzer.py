"""The analyzer as the detector sees it."""

import itertools
import logging
import threading
import time
from typing import override

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.errors import ConfigurationError
from proctor.redaction.analyzer import PresidioAnalyzer, build_analyzer
from proctor.redaction.model import Budget, RedactionError
from proctor.redaction.recognizers.stock import DEFAULT_ENTITIES
from proctor.redaction.users import load_users

ANALYZER = build_analyzer()
SAMPLE = (
    "jane@acme.io paid with 4111-1111-1111-1111 from 10.20.30.40, IBAN DE89 3704 0044 0532 0130 00"
    ", SSN 219-09-9999, tel. +1 555 123 4567, mac 3c:22:fb:12:34:56, ITIN 912-70-1234, "
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
)


def budget(seconds: float = 60.0, hits: int = 100_000) -> Budget:
    return Budget(seconds, hits, time.monotonic)


def types(analyzer: PresidioAnalyzer, text: str) -> set[str]:
    return {spot.type for spot in analyzer.analyze(text, budget())}


class Always(EntityRecognizer):
    """Finds the word secret, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(["SECRET"], name="Always", version="7")
        self.error = error

    @override
    def load(self) -> None:
        pass

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: object = None
    ) -> list[RecognizerResult]:
        if self.error:
            raise self.error
        at = text.find("secret")
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: "Always",
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            "detector": "always:secret",
        }
        found = RecognizerResult("SECRET", at, at + 6, 0.9, recognition_metadata=metadata)
        return [found] if at >= 0 else []


def test_one_of_everything() -> None:
    spots = ANALYZER.analyze(SAMPLE, budget())
    assert {spot.type for spot in spots} == DEFAULT_ENTITIES
    assert all(spot.value == SAMPLE[spot.start : spot.end] for spot in spots)
    assert {spot.detector for spot in spots} <= set(ANALYZER.detectors)
    assert all(0.4 <= spot.score <= 1 for spot in spots)
    assert "jane" not in repr(spots)


def test_nothing_to_find_is_nothing() -> None:
    assert ANALYZER.analyze("", budget()) == []
    assert ANALYZER.analyze("the quick brown fox", budget()) == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_findings_stay_where_they_are_whatever_stands_around(before: str, after: str) -> None:
    text = f"{before} jane@acme.io \n{after}"
    spots = ANALYZER.analyze(text, budget())
    at = len(before) + 1
    assert any(spot.start <= at and spot.end >= at + 12 for spot in spots)
    assert all(text[spot.start : spot.end] == spot.value for spot in spots)


def test_cut_at_every_character_nothing_breaks() -> None:
    for end in range(len(SAMPLE)):
        for spot in ANALYZER.analyze(SAMPLE[:end], budget()):
            assert spot.end <= end


def test_what_was_taken_out_is_not_found_again() -> None:
    letters = "bcdfghjklmnpqrst"
    names = sorted(DEFAULT_ENTITIES | {"PASSWORD", "SECRET"})
    text = " ".join(f"<{name}> <{name}:{letters}> {name}_{letters}" for name in names)
    assert ANALYZER.analyze(text + text.replace(" ", ""), budget()) == []


def test_extra_recognizers_run_on_every_text() -> None:
    analyzer = build_analyzer(extra=[Always()])
    (spot,) = analyzer.analyze("a secret", budget())
    assert (spot.type, spot.detector, spot.value) == ("SECRET", "always:secret", "secret")
    assert types(analyzer, "a secret of jane@acme.io") == {"SECRET", "EMAIL_ADDRESS"}
    assert "Always" in analyzer.detectors
    assert "SECRET" in analyzer.entities


@pytest.mark.parametrize("text", ["nothing", "jane@acme.io"])
def test_a_recognizer_that_fails_lets_nothing_through(text: str) -> None:
    analyzer = build_analyzer(extra=[Always(ValueError("hunter2 is no number"))])
    with pytest.raises(RedactionError) as caught:
        analyzer.analyze(text, budget())
    assert caught.value.code == "redaction-detector"
    assert caught.value.got == "ValueError in Always"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_its_own_errors_pass_unchanged() -> None:
    analyzer = build_analyzer(extra=[Always(RedactionError("redaction-size", "Too large"))])
    with pytest.raises(RedactionError) as caught:
        analyzer.analyze("x", budget())
    assert caught.value.code == "redaction-size"


def test_time_and_hits_are_limited() -> None:
    ticks = itertools.count()
    with pytest.raises(RedactionError) as caught:
        ANALYZER.analyze(SAMPLE, Budget(3, 100, lambda: float(next(ticks))))
    assert caught.value.code == "redaction-budget"
    with pytest.raises(RedactionError) as caught:
        ANALYZER.analyze("jane@acme.io " * 50, budget(hits=20))
    assert caught.value.code == "redaction-hits"


def test_entities_by_name() -> None:
    assert types(build_analyzer(entities=frozenset({"URL"})), "http://acme.io jane@acme.io") == {
        "URL"
    }
    assert types(build_analyzer(entities=frozenset()), SAMPLE) == set()
    with pytest.raises(ConfigurationError) as caught:
        build_analyzer(entities=frozenset({"SHOE_SIZE"}))
    assert caught.value.got == "SHOE_SIZE"


def test_the_operators_recognizers_run_beside_the_others() -> None:
    analyzer = build_analyzer(users=load_users(None, {"PROJECT_NAME": ["Falcon"]}))
    assert types(analyzer, "Falcon by jane@acme.io") == {"PROJECT_NAME", "EMAIL_ADDRESS"}
    assert types(analyzer, "é falcon") == {"PROJECT_NAME"}
    assert types(analyzer, "falcons") == set()


def test_the_version_follows_what_is_looked_for() -> None:
    versions = [
        build_analyzer().version,
        build_analyzer(extra=[Always()]).version,
        build_analyzer(entities=frozenset({"URL"})).version,
        build_analyzer(users=load_users(None, {"PROJECT_NAME": ["Falcon"]})).version,
        build_analyzer(users=load_users(None, {"PROJECT_NAME": ["Eagle"]})).version,
    ]
    assert len(set(versions)) == len(versions)
    assert build_analyzer().version == ANALYZER.version


def test_threads_share_it() -> None:
    expected = sorted(map(repr, ANALYZER.analyze(SAMPLE, budget())))
    wrong: list[object] = []

    def run() -> None:
        for _ in range(20):
            got = sorted(map(repr, ANALYZER.analyze(SAMPLE, budget())))
            if got != expected:
                wrong.append(got)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_value_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ANALYZER.analyze(SAMPLE, budget())
    assert "jane" not in caplog.text
    assert "4111" not in caplog.text


@pytest.mark.parametrize(
    "unit",
    [
        "1", "1 ", "1234 5678 9012 3456\n", "4111-", "a-", "a@", "a-a@", "@", "a.", "+1", "+1 (",
        "0 ",
        "2001:", "1.", "1.2.3.4 ", "phone ", "phone 1", "ssn ", "ssn 1", "bc1q", "DE89 ",
        "DE89370400440532013000", "aa:", "00 ", "é", "\0", "\ud800", "219-09-", "x@a.io,",
    ],
)  # fmt: skip
def test_a_flood_of_anything_costs_bounded_time(unit: str) -> None:
    text = (unit * 60_000)[:60_000]
    before = time.process_time()
    try:
        ANALYZER.analyze(text, budget())
    except RedactionError as error:
        assert error.code == "redaction-hits"  # noqa: PT017 - either answer is right
    assert time.process_time() - before < 2.0
