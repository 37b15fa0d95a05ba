"""All recognizers of secrets, in the order in which they run."""

from collections.abc import Sequence
from pathlib import Path

from presidio_analyzer import EntityRecognizer

from proctor.redaction.recognizers import (
    assignments,
    blocks,
    calls,
    flags,
    formats,
    prose,
    tables,
    tokens,
    urls,
)
from proctor.redaction.recognizers.betterleaks import BetterleaksRecognizer
from proctor.redaction.recognizers.canaries import CanaryRecognizer
from proctor.redaction.recognizers.kingfisher import KingfisherRecognizer
from proctor.redaction.recognizers.known import KnownValues, KnownValuesRecognizer
from proctor.redaction.recognizers.shapes import ShapesRecognizer

SHAPES = (
    *blocks.SHAPES,
    *tokens.SHAPES,
    *urls.SHAPES,
    *assignments.SHAPES,
    *formats.SHAPES,
    *tables.SHAPES,
    *calls.SHAPES,
    *flags.SHAPES,
    *prose.SHAPES,
)
"""Every shape of our own; where two find the same span, the earlier one names it."""


def secret_recognizers(
    known: Sequence[Path] | None = None,
    *,
    cache_dir: Path | None = None,
    canaries: tuple[Path, bytes] | None = None,
) -> list[EntityRecognizer]:
    """Recognizers for secrets; making them takes some tenths of a second, the first time seconds.

    Args:
        known: Files of values that must never pass.
        cache_dir: Where compiled rules are kept; where None, Kingfisher's in its own default, and
            others nowhere.
        canaries: Their file, and the key of their digests.

    Raises:
        ConfigurationError: A file of known values cannot be used.
    """
    recognizers: list[EntityRecognizer] = [
        ShapesRecognizer(SHAPES, cache_dir),
        KingfisherRecognizer(cache_dir),
        BetterleaksRecognizer(cache_dir),
    ]
    if known:
        recognizers.insert(0, KnownValuesRecognizer(KnownValues(known)))
    if canaries:
        recognizers.insert(0, CanaryRecognizer(*canaries))
    return recognizers
