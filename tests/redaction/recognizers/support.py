"""Runs one recognizer as the analyzer does, and plain, and compares."""

from proctor.redaction.prefilter import Prefilter
from proctor.redaction.recognizers.gated import Gated, Scanned


def found(recognizer: Gated, text: str) -> list[str]:
    """What it finds behind its prefilter, which must be what it finds without."""
    gated = spans(recognizer, text)
    plain = sorted((one.start, one.end, one.score) for one in recognizer.analyze(text, []))
    assert gated == plain
    return [text[start:end] for start, end, _ in gated]


def spans(recognizer: Gated, text: str) -> list[tuple[int, int, float]]:
    """Start, end and score of what it finds behind its prefilter."""
    prefilter = Prefilter({recognizer.name: recognizer.triggers})
    scanned = Scanned(prefilter.scan(text))
    return sorted((one.start, one.end, one.score) for one in recognizer.analyze(text, [], scanned))
