"""Redaction on a small analyzer of two patterns: what the stages do does not hang on detectors."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from proctor.redaction.assembly import VAULT, Screens
from proctor.redaction.detector import TextDetector
from proctor.redaction.exceptions import Exceptions
from proctor.redaction.keys import load_keys
from proctor.redaction.model import API_KEY, Budget, RedactionError, Spot
from proctor.redaction.settings import RedactionSettings
from proctor.redaction.vault import Vault

MAIL = "jane.roe@acme.test"
OTHER = "bob@acme.test"
KEY = "key-" + "Zq81vT" * 4
BROKEN = "break-the-detector"

_PATTERNS = {
    "EMAIL_ADDRESS": re.compile(r"[\w.]+@[\w.]+\.test"),
    API_KEY: re.compile(r"key-[A-Za-z0-9]{24}"),
}


class TwoPatterns:
    """An analyzer that finds mail addresses and keys, and counts its looks."""

    version = "1"
    detectors = ("test:patterns",)

    def __init__(self) -> None:
        self.looks = 0

    def analyze(self, text: str, budget: Budget) -> list[Spot]:
        self.looks += 1
        budget.check()
        if BROKEN in text:
            raise RedactionError("redaction-detector", "A detector failed")
        return [
            Spot(match.start(), match.end(), name, "test:patterns", 1.0, match[0])
            for name, pattern in _PATTERNS.items()
            for match in pattern.finditer(text)
        ]


@contextlib.contextmanager
def screens(
    folder: Path,
    *,
    listeners: Sequence[str] = ("claude", "api"),
    analyzer: TwoPatterns | None = None,
    exceptions: Exceptions | None = None,
    **settings: Any,
) -> Iterator[Screens]:
    """Redaction for these listeners, its vault in this folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    keys = load_keys(folder)
    made = Screens(
        RedactionSettings(**settings),
        TextDetector(analyzer or TwoPatterns()),
        keys,
        Vault(folder / VAULT, keys),
        listeners=listeners,
        exceptions=lambda: exceptions or Exceptions(),
    )
    try:
        yield made
    finally:
        made.close()
