"""Runs the shapes of one module over a text."""

from collections.abc import Sequence
from functools import cache

from proctor.redaction.recognizers.shapes import Shape, ShapesRecognizer


@cache
def _recognizer(shapes: tuple[Shape, ...]) -> ShapesRecognizer:
    return ShapesRecognizer(shapes)


def found(shapes: Sequence[Shape], text: str) -> list[tuple[str, str]]:
    """Type and text of everything found, by place."""
    results = _recognizer(tuple(shapes)).analyze(text, [], None)
    return [
        (result.entity_type, text[result.start : result.end])
        for result in sorted(results, key=lambda one: (one.start, one.end))
    ]


def values(shapes: Sequence[Shape], text: str) -> list[str]:
    """What is found, by place."""
    return [value for _, value in found(shapes, text)]
