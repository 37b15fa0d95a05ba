"""Kingfisher as a Presidio recognizer: its rules, its scanner, never its validator or revoker.

Compiling the rules takes seconds once and a fraction of one from the cache, so it is done once for
the process. Validator and Revoker would send what was found to its service; they are not touched.
"""

import re
import threading
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, override

from kingfisher_sdk.core import Finding
from kingfisher_sdk.rules import Rules
from kingfisher_sdk.scanner import DetectionPolicy, Scanner
from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.redaction.model import PRIVATE_KEY, SECRETS
from proctor.redaction.recognizers.betterleaks import entity
from proctor.redaction.recognizers.plausible import is_placeholder
from proctor.redaction.recognizers.results import (
    Hit,
    budget_of,
    failed,
    in_stand_in,
    narrowed,
    results,
    specimen,
)

_NAME: Final = "Kingfisher"
_SECONDS: Final = 10.0
_GRACE: Final = 0.01
_SCORES: Final = {"low": 0.6, "medium": 0.8}
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
_LOCK: Final = threading.Lock()


@cache
def _rules(cache_dir: Path | None) -> Rules:
    return Rules(cache_dir=cache_dir)


def _scanner(cache_dir: Path | None) -> Scanner:
    with _LOCK:
        rules = _rules(cache_dir)
    # Whoever writes the text must not decide what is overlooked, so its ignore comments are off.
    # What is encoded is decoded before any recognizer sees it.
    policy = DetectionPolicy(inline_ignores=False, markup_context=False, cli_match_semantics=False)
    return Scanner(rules, base64=False, policy=policy)


class KingfisherRecognizer(EntityRecognizer):
    """Kingfisher's built-in rules, run in this process.

    Args:
        cache_dir: Where compiled rules are kept; nobody else may be able to write there.
    """

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        super().__init__(sorted(SECRETS), name=_NAME, version=version("kingfisher-secret-scanner"))

    @override
    def load(self) -> None:
        """Compile the rules, or fetch them from the cache."""
        self._scanner = _scanner(self._cache_dir)
        self._scanner.scan(specimen().encode())

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Secrets in the text.

        Args:
            text: As its reader sees it; NUL and lone surrogates are allowed.
            entities: Types asked for; empty means all.
            nlp_artifacts: May bring a budget.

        Raises:
            RedactionError: `redaction-detector` where the scanner fails or takes too long.
        """
        # A lone surrogate is no UTF-8; many NULs would be taken for UTF-16 and shift every offset.
        data = _UNFIT.sub(" ", text).encode()
        budget = budget_of(nlp_artifacts)
        try:
            found = self._scanner.scan(
                data, timeout=min(_SECONDS, budget.left + _GRACE) if budget else _SECONDS
            )
        except (RuntimeError, TimeoutError, ValueError):
            # Its own message may quote the text.
            raise failed(_NAME, "an error of its library") from None
        if not found:
            return []
        return results(self, _NAME, self._hits(text, data, found), entities)

    def _hits(self, text: str, data: bytes, found: list[Finding]) -> Iterator[Hit]:
        byte = character = 0
        for finding in sorted(found, key=lambda each: each.location["start_offset"]):
            begin, stop = finding.location["start_offset"], finding.location["end_offset"]
            value = data[begin:stop].decode(errors="replace")
            if value != finding.secret or begin < byte:
                raise failed(
                    _NAME, f"a match of {finding.rule_id} that is not where it is said to be"
                )
            character += len(data[byte:begin].decode())
            byte = begin
            rule = finding.rule_id
            # Invisible ones complete others: hosts, account names, what shapes find by its name.
            if not finding.visible:
                continue
            if in_stand_in(text, character, character + len(value)):
                continue
            type_ = entity(rule)
            if type_ == PRIVATE_KEY or not is_placeholder(value):
                score = _SCORES.get(finding.confidence, 0.9)
                start, end = character, character + len(value)
                if type_ != PRIVATE_KEY:
                    start, end = narrowed(text, start, end)
                yield start, end, type_, f"kingfisher:{rule}", score
