"""Finds personal data and secrets in one plain text: Presidio, asked only where there is reason to.

Every failure is a RedactionError: what could not be looked at whole may not pass.
"""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, override

from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.errors import ConfigurationError
from proctor.redaction.engine import Engine
from proctor.redaction.model import Budget, RedactionError, Spot
from proctor.redaction.recognizers.canaries import CanaryRecognizer
from proctor.redaction.recognizers.gated import DETECTOR, Gated, thresholds_of
from proctor.redaction.recognizers.known import KnownValuesRecognizer
from proctor.redaction.recognizers.stock import (
    DEFAULT_ENTITIES,
    stock_entities,
    stock_recognizers,
)
from proctor.redaction.users import UsersRecognizers

_PACKAGES: Final = (
    "proctor",
    "presidio-analyzer",
    "hyperscan",
    "regex",
    "tldextract",
    "phonenumbers",
)
"""Their versions count as part of what is looked for."""


class _Guarded(EntityRecognizer):
    """A recognizer between a look at the clock and a net for its exceptions."""

    def __init__(self, inner: EntityRecognizer) -> None:
        super().__init__(inner.supported_entities, context=inner.context)
        self._inner = inner
        self._id = inner.id  # by which Presidio matches results and thresholds
        self.score_thresholds = thresholds_of(inner)

    @override
    def load(self) -> None:
        """The inner one is loaded."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any) -> list[RecognizerResult]:
        """What the inner one finds; its hits are counted."""
        budget: Budget | None = nlp_artifacts.budget
        try:
            results = self._inner.analyze(text, entities, nlp_artifacts)
        except RedactionError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not pass
            # The message may hold what was found, and so may the exception: both stay here.
            raise RedactionError(
                "redaction-detector",
                "A recognizer failed, so nothing was let through",
                got=f"{type(error).__name__} in {type(self._inner).__name__}",
            ) from None
        if budget is not None:
            budget.check()
            if results:
                budget.spend(len(results))
        return results or []


class PresidioAnalyzer:
    """Presidio's engine as `model.Analyzer`. May be shared by threads.

    Args:
        recognizers: In the order in which they run.
        version: Digest of all that the answers depend on.
        cache: Where what was compiled is kept; nobody else may be able to write there.
    """

    def __init__(
        self, recognizers: Sequence[EntityRecognizer], version: str, cache: Path | None = None
    ) -> None:
        self._recognizers = tuple(recognizers)
        names = (
            one.detector if isinstance(one, Gated) else _name(one) for one in self._recognizers
        )
        self._detectors = tuple(dict.fromkeys(names))
        self._version = version
        self._reloading = [
            one for one in recognizers if isinstance(one, (KnownValuesRecognizer, CanaryRecognizer))
        ]
        self._engine = Engine(
            self._recognizers, [_Guarded(one) for one in self._recognizers], cache
        )
        always = [one for one in self._recognizers if not (isinstance(one, Gated) and one.triggers)]
        self._untriggered = Engine(always, [_Guarded(one) for one in always]) if always else None

    @property
    def version(self) -> str:
        """Digest of all that its answers depend on; files of known values may change it.

        Raises:
            RedactionError: Such a file changed and cannot be read any more.
        """
        return " ".join((self._version, *(one.loaded for one in self._reloading)))

    @property
    def detectors(self) -> tuple[str, ...]:
        """Names of the recognizers that run."""
        return self._detectors

    @property
    def entities(self) -> frozenset[str]:
        """Every type that may be found."""
        return frozenset(e for one in self._recognizers for e in one.supported_entities)

    def analyze(self, text: str, budget: Budget) -> list[Spot]:
        """Everything found in the text as it stands.

        Raises:
            RedactionError: The text could not be looked at whole.
        """
        budget.check()
        scanned = self._engine.prefilter.scan(text, budget)
        engine = self._engine if scanned.windows else self._untriggered
        if engine is None:
            return []
        return [
            Spot(
                result.start,
                result.end,
                result.entity_type,
                result.recognition_metadata[DETECTOR],
                float(result.score),
                text[result.start : result.end],
            )
            for result in engine.find(text, scanned)
        ]


def _name(recognizer: EntityRecognizer) -> str:
    name: str = recognizer.name  # type: ignore[has-type]  # Presidio does not annotate it
    return name


def build_analyzer(
    *,
    extra: Sequence[EntityRecognizer] = (),
    users: UsersRecognizers | None = None,
    entities: frozenset[str] | None = None,
    cache: Path | None = None,
) -> PresidioAnalyzer:
    """The analyzer with the default set, or with what is named.

    Args:
        extra: Recognizers that run on every text; their results name a `detector` in
            `recognition_metadata`. Those that are `Gated` run on their windows only.
        users: The operator's own.
        entities: Types of personal data to look for; by default `DEFAULT_ENTITIES`.
        cache: Where what was compiled is kept; nobody else may be able to write there.

    Raises:
        ConfigurationError: No recognizer finds one of the entities.
    """
    wanted = DEFAULT_ENTITIES if entities is None else entities
    unknown = sorted(wanted - stock_entities())
    if unknown:
        raise ConfigurationError(
            code="redaction-entity",
            message="No recognizer finds this entity",
            got=unknown[0],
            expected=", ".join(sorted(stock_entities())),
        )
    gated = list(stock_recognizers(wanted))
    recognizers = [*gated, *(users.recognizers if users else ()), *extra]
    digest = hashlib.blake2b(digest_size=16)
    parts = [f"{package} {version(package)}" for package in _PACKAGES]
    parts += [one.definition for one in gated]
    parts += [f"{_name(one)} {one.version}" for one in extra]
    parts.append(users.digest if users else "")
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return PresidioAnalyzer(recognizers, digest.hexdigest(), cache)
