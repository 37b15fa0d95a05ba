"""Presidio's analyzer engine, with the prefilter where it expects an NLP engine.

What is replaced, and why: an NLP engine that runs a model takes a hundred times as long as all
else; `LemmaContextAwareEnhancer` takes quadratic time; and the engine asks every recognizer for
its names anew in every call.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, override

from presidio_analyzer import (
    AnalyzerEngine,
    EntityRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpEngine

from proctor.redaction.model import Budget
from proctor.redaction.prefilter import Prefilter
from proctor.redaction.recognizers.gated import Gated, Scanned, thresholds_of

LANGUAGE: Final = "en"
"""The one that all recognizers are registered for: what they look for is the same in any."""

THRESHOLD: Final = 0.4
"""Score below which a result does not count; a context word lifts a weak one to it."""

_START: Final = attrgetter("start")
_BOOST: Final = 0.35  # as in Presidio
_CONTEXT: Final = 80  # characters before a match in which a context word may stand


class PrefilterEngine(NlpEngine):
    """Where Presidio asks for linguistics, one Hyperscan pass says where to look.

    Args:
        recognizers: All that will run.
        cache: Where what was compiled is kept; nobody else may be able to write there.
    """

    def __init__(self, recognizers: Iterable[EntityRecognizer], cache: Path | None = None) -> None:
        self._prefilter = Prefilter(
            {one.name: one.triggers for one in recognizers if isinstance(one, Gated)}, cache
        )

    def scan(self, text: str, budget: Budget | None = None) -> Scanned:
        """Where the recognizers have to look."""
        return Scanned(self._prefilter.scan(text), budget)

    @override
    def process_text(self, text: str, language: str) -> Any:
        """The same, as Presidio asks for it."""
        return self.scan(text)

    @override
    def process_batch(
        self,
        texts: Iterable[str],
        language: str,
        batch_size: int = 1,
        n_process: int = 1,
        **kwargs: Any,
    ) -> Iterator[tuple[str, Any]]:
        """The same for several texts."""
        return ((text, self.process_text(text, language)) for text in texts)

    @override
    def load(self) -> None:
        """Nothing to load."""

    @override
    def is_loaded(self) -> bool:
        """Always."""
        return True

    @override
    def is_stopword(self, word: str, language: str) -> bool:
        """There is no vocabulary."""
        return False

    @override
    def is_punct(self, word: str, language: str) -> bool:
        """There is no vocabulary."""
        return False

    @override
    def get_supported_entities(self) -> list[str]:
        """None: the recognizers find them."""
        return []

    @override
    def get_supported_languages(self) -> list[str]:
        """The one that all recognizers are registered for."""
        return [LANGUAGE]


class NearbyWords(ContextAwareEnhancer):
    """Lifts weak results that have one of their recognizer's context words shortly before them.

    Args:
        recognizers: All that will run.
    """

    def __init__(self, recognizers: Iterable[EntityRecognizer]) -> None:
        super().__init__(_BOOST, THRESHOLD, 0, 0)
        self._words = {
            recognizer.id: re.compile(
                r"(?<!\w)(?:" + "|".join(map(re.escape, recognizer.context)) + r")(?!\w)",
                re.IGNORECASE,
            )
            for recognizer in recognizers
            if recognizer.context
        }

    @override
    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: Any,
        recognizers: Sequence[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        """The same results, some with a higher score."""
        for result in raw_results:
            if result.score >= THRESHOLD:
                continue
            metadata: Mapping[str, str] = result.recognition_metadata
            words = self._words.get(metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY])
            if words and words.search(text, max(0, result.start - _CONTEXT), result.start):
                result.score = max(THRESHOLD, result.score + _BOOST)
        return raw_results


class Registry(RecognizerRegistry):
    """A fixed list of recognizers, in its order."""

    @override
    def get_recognizers(self, *_args: Any, **_options: Any) -> list[EntityRecognizer]:
        """All of them."""
        return list(self.recognizers)


def _apart(results: list[RecognizerResult]) -> bool:
    """Whether no two of them overlap, so that none can be in the other; sorts them."""
    results.sort(key=_START)
    end = 0
    for result in results:
        if result.start < end or result.score == 0:
            return False
        end = result.end
    return True


class Engine(AnalyzerEngine):
    """Presidio's engine over a fixed list of recognizers.

    Args:
        recognizers: All that will run.
        runs: What stands for them in the registry, in the order in which they run.
        cache: Where what was compiled is kept; nobody else may be able to write there.
    """

    def __init__(
        self,
        recognizers: Sequence[EntityRecognizer],
        runs: Sequence[EntityRecognizer],
        cache: Path | None = None,
    ) -> None:
        self.prefilter = PrefilterEngine(recognizers, cache)
        super().__init__(
            registry=Registry(recognizers=list(runs), supported_languages=[LANGUAGE]),
            nlp_engine=self.prefilter,
            context_aware_enhancer=NearbyWords(recognizers),
            supported_languages=[LANGUAGE],
            default_score_threshold=THRESHOLD,
        )
        self._entities = sorted(
            {entity for recognizer in recognizers for entity in recognizer.supported_entities}
        )
        self._steps = [
            (run, one.name if isinstance(one, Gated) and one.triggers else "", thresholds_of(one))
            for one, run in zip(recognizers, runs, strict=True)
        ]

    def find(self, text: str, scanned: Scanned) -> list[RecognizerResult]:
        """What `analyze` finds, without its general ways: a third of the time goes into those.

        Args:
            text: Anything.
            scanned: What the prefilter says of it.
        """
        found: list[RecognizerResult] = []
        artifacts: Any = scanned  # which the recognizers know as what it is
        for recognizer, window, thresholds in self._steps:
            if window and window not in scanned.windows:
                continue
            results = recognizer.analyze(text, self._entities, artifacts)
            if any(result.score < THRESHOLD for result in results):
                self.context_aware_enhancer.enhance_using_context(text, results, artifacts, [])
            general = thresholds.get("default", THRESHOLD)
            for result in results:
                least = thresholds.get(result.entity_type, general) if thresholds else general
                if result.score >= least:
                    found.append(result)
        return found if _apart(found) else EntityRecognizer.remove_duplicates(found)

    @override
    def get_supported_entities(self, language: str | None = None) -> list[str]:
        """All that the recognizers find."""
        return self._entities

    @override
    def _enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: Any,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        # Presidio goes through all results twice for each recognizer, for a method that none has.
        return self.context_aware_enhancer.enhance_using_context(
            text, raw_results, nlp_artifacts, recognizers, context
        )
