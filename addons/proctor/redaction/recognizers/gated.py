"""Recognizers that look only where the prefilter says.

They are Presidio's `EntityRecognizer`s: in a plain `AnalyzerEngine`, without our prefilter, they
look at the whole text and find the same.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, override

import regex  # type: ignore[import-untyped]  # ships no types
from presidio_analyzer import (
    EntityRecognizer,
    LocalRecognizer,
    Pattern,
    PatternRecognizer,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NlpArtifacts

from proctor.redaction.model import Budget, RedactionError
from proctor.redaction.prefilter import Trigger, Window, compiles, means_the_same

DETECTOR: Final = "detector"
"""Key in `recognition_metadata` under which a result says who found it."""

_PATIENCE: Final = 60.0
"""Seconds for one expression where there is no budget, as in Presidio."""

_LONGEST_EXPRESSION: Final = 1024
"""Characters; Hyperscan takes seconds to compile much longer ones."""

_PORTABLE_FLAGS: Final = regex.IGNORECASE | regex.MULTILINE | regex.DOTALL

type Match = tuple[int, int, float]
"""First character, the one after the last, score."""

type Keep = Callable[[str, int, int], bool]
"""Whether what stands in a text from here to there counts as a finding."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the prefilter says of one text; stands where Presidio has an NLP engine's artifacts."""

    windows: Mapping[str, Sequence[Window]]
    budget: Budget | None = None


class Gated(LocalRecognizer):
    """A recognizer for one entity type, gated by triggers.

    Args:
        name: Unique; the prefilter's windows go by it.
        entity: What it finds.
        detector: What its findings name, such as `presidio:EmailRecognizer`.
        triggers: One of them hits wherever there is something to find; none: it looks everywhere.
        context: Words of which one before a weak match makes it strong.
    """

    name: str

    def __init__(
        self,
        name: str,
        *,
        entity: str,
        detector: str,
        triggers: Sequence[Trigger],
        context: Sequence[str] = (),
    ) -> None:
        super().__init__([entity], name=name, context=list(context))
        self.detector = detector
        self.triggers = tuple(triggers)
        self._metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            DETECTOR: detector,
        }

    @override
    def load(self) -> None:
        """Nothing to load."""

    @property
    def definition(self) -> str:
        """All that its answers depend on, apart from code."""
        return repr((self.name, self.supported_entities, self.triggers, self.context))

    @abstractmethod
    def look(self, text: str, start: int, end: int, seconds: float) -> list[Match]:
        """What is found in a window of the text; the text around it may be looked at too.

        Args:
            text: Whole.
            start: First character of the window.
            end: Character after its last.
            seconds: Time it may take.
        """

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | Scanned | None = None
    ) -> list[RecognizerResult]:
        """What is found in the text's windows, as Presidio asks for it.

        Raises:
            RedactionError: It takes longer than the budget allows.
        """
        windows: Sequence[Window] = ((0, len(text)),)
        budget = None
        if isinstance(nlp_artifacts, Scanned):
            budget = nlp_artifacts.budget
            if self.triggers:
                windows = nlp_artifacts.windows.get(self.name, ())
        results = []
        seconds = _PATIENCE
        for start, end in windows:
            if budget is not None:
                seconds = budget.left
                if not seconds:
                    budget.check()
            results += [
                RecognizerResult(
                    self.supported_entities[0],
                    found,
                    till,
                    score,
                    recognition_metadata=self._metadata,
                )
                for found, till, score in self.look(text, start, end, seconds)
            ]
        return results


def thresholds_of(recognizer: EntityRecognizer) -> dict[str, float]:
    """Its own score thresholds; Presidio's recognizers have had any since 2.2.366."""
    found: dict[str, float] = getattr(recognizer, "score_thresholds", {})
    return found


class Patterns(Gated):
    """A pattern recognizer of Presidio's, with its expressions, scores and checks, gated.

    Args:
        inner: The recognizer; what it was made with is kept.
        detector: What findings name.
        triggers: As for `Gated`; None to derive them from the patterns, where that is safe.
        keep: Says which matches count; by default all.
        name: By default the recognizer's own.
    """

    def __init__(
        self,
        inner: PatternRecognizer,
        *,
        detector: str,
        triggers: Sequence[Trigger] | None = None,
        keep: Keep | None = None,
        name: str = "",
    ) -> None:
        patterns: list[Pattern] = inner.patterns  # type: ignore[has-type]  # not annotated
        own: str = inner.name  # type: ignore[has-type]  # the same
        self._inner = inner
        self._patterns = patterns
        super().__init__(
            name or own,
            entity=inner.supported_entities[0],
            detector=detector,
            triggers=_derived(inner, patterns) if triggers is None else triggers,
            context=inner.context or (),
        )
        self.score_thresholds = thresholds_of(inner)
        self._keep = keep
        self._compiled = [
            (regex.compile(pattern.regex, flags=inner.global_regex_flags or 0), pattern.score)
            for pattern in patterns
        ]

    @property
    @override
    def definition(self) -> str:
        """All that its answers depend on, apart from code."""
        inner = self._inner
        return repr(
            (
                super().definition,
                [(pattern.regex, pattern.score) for pattern in self._patterns],
                inner.global_regex_flags,
                sorted(self.score_thresholds.items()),
            )
        )

    @override
    def look(self, text: str, start: int, end: int, seconds: float) -> list[Match]:
        """What `PatternRecognizer.analyze` finds, yet a time-out is an error, not a log line."""
        inner, keep = self._inner, self._keep
        found: list[Match] = []
        try:
            for expression, weight in self._compiled:
                for match in expression.finditer(text, start, end, timeout=max(seconds, 0.001)):
                    first, after = match.span()
                    value = text[first:after]
                    valid = inner.validate_result(value) if value else False
                    if valid is False or inner.invalidate_result(value):
                        continue
                    score = self.MAX_SCORE if valid else weight
                    if score > 0 and (keep is None or keep(text, first, after)):
                        found.append((first, after, score))
        except TimeoutError:
            raise RedactionError(
                "redaction-budget",
                "An expression took too long, so nothing was let through",
                got=self.detector,
                hint="Simplify the expression, or raise redaction.budget.",
            ) from None
        return found


def _derived(inner: PatternRecognizer, patterns: Sequence[Pattern]) -> tuple[Trigger, ...]:
    """Triggers from the deny list and the patterns; none where some pattern is not portable."""
    flags = inner.global_regex_flags or 0
    if flags & ~_PORTABLE_FLAGS:
        return ()
    caseless = bool(flags & regex.IGNORECASE)
    triggers = [
        Trigger(
            expression=pattern.regex,
            before=None,
            caseless=caseless,
            only_ascii=True,
        )
        for pattern in patterns
        if not (inner.deny_list and pattern.name == "deny_list")
    ]
    for trigger in triggers:
        short = len(trigger.expression) <= _LONGEST_EXPRESSION
        if not (short and means_the_same(trigger.expression) and compiles(trigger)):
            return ()
    words = [
        Trigger(
            expression=re.escape(word),
            before=len(word) + 1,
            after=2,
            caseless=caseless,
            unicode=True,
        )
        for word in inner.deny_list
    ]
    return (*triggers, *words)
