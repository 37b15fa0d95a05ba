# ruff: noqa: RUF001 - people's own punctuation
"""Names of people and places, which only a language model finds: a Presidio recognizer.

The model is shown prose in which there is something that can be a name. What it says is taken with
care: it was made of newspapers, and in technical text it takes products and headings for people.
"""

import re
import time
import weakref
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, Final, override

import regex  # type: ignore[import-untyped]  # ships no types
from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.redaction.cache import SpotCache
from proctor.redaction.model import Budget, Spot
from proctor.redaction.ner import MOST, Model, Name, NerWorker, late
from proctor.redaction.paragraphs import paragraphs
from proctor.redaction.recognizers.nonames import NO_NAMES
from proctor.redaction.recognizers.results import budget_of, in_stand_in, results

_NAME: Final = "ProctorNames"
_SCORE: Final = 0.85  # as in Presidio
_CACHE: Final = 16 * 2**20
_CODE: Final = "1"  # counts as part of what is looked for

# spaCy's labels, those of OntoNotes and of WikiNER, as in Presidio's own mapping.
_TYPES: Final = {
    "PERSON": "PERSON",
    "PER": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "LOCATION": "LOCATION",
}

# A model takes quadratic time for a word that is all signs; nobody's name is that long.
_ENDLESS: Final = re.compile(r"\S{101,}")
_HALVES: Final = re.compile("[\ud800-\udfff]")  # of characters beyond the basic plane
# A word with a capital, or two in capitals; any word of a script that has none.
_CANDIDATE: Final = regex.compile(
    r"(?<![\p{L}\p{N}_])(?:\p{Lu}[\p{L}\p{M}'’]*\p{Ll}[\p{L}\p{M}'’]*|\p{Lo}{2,}"
    r"|\p{Lu}{2,}(?=[ ]\p{Lu}{2,})|(?<=\p{Lu}[ ])\p{Lu}{2,})(?![\p{L}\p{N}_])"
)
_SHAPE: Final = regex.compile(
    r"[\p{L}\p{M}]{1,30}[.]?(?:[ \n]?[-–'’.&,]?[ \n]?[\p{L}\p{M}]{1,30}[.]?){0,6}"
)
# Identifiers, but not McAdams, MacLeod, DeVito and the like.
_CAMEL: Final = regex.compile(
    r"\p{Lu}{2}\p{Ll}|(?<!\b(?:Mc|Mac|De|Del|Della|Di|Du|Fitz|La|Le|Van|Von))(?<=\p{Ll})\p{Lu}"
)
_LETTERS: Final = 3
_LONGEST: Final = 60
# What stands beside a part of an identifier, a path, an address or a call.
_GLUED_BEFORE: Final = frozenset("`_/\\@#$.=<{[0123456789")
_GLUED_AFTER: Final = frozenset("`_/\\@#$=(>{[0123456789")
_OWN: Final = re.compile(r"['’]s?\Z")
_BREAK: Final = re.compile(r"\s*\n\s*")


class NamesRecognizer(EntityRecognizer):
    """Asks the model.

    Args:
        worker: The process that has it.
        model: What it has.
        types: PERSON, LOCATION or both.
        seconds: That one exchange may take, all its texts together.
        clock: Monotonic, seconds; the worker's.
    """

    def __init__(
        self,
        worker: NerWorker,
        model: Model,
        *,
        types: frozenset[str],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        version = f"{_CODE} {model.version}"
        super().__init__(sorted(types), name=_NAME, version=version)
        self._worker = worker
        self._seconds = seconds
        self._clock = clock
        self._cache = SpotCache(_CACHE, version)
        self._lock = Lock()
        self._spent: weakref.WeakKeyDictionary[Budget, float] = weakref.WeakKeyDictionary()

    @override
    def load(self) -> None:
        """The worker has loaded it."""

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Names in the text's prose.

        Args:
            text: As its reader sees it.
            entities: Types asked for; empty means all.
            nlp_artifacts: May bring a budget.

        Raises:
            RedactionError: There was no time, or no answer.
        """
        budget = budget_of(nlp_artifacts)
        spots: list[tuple[int, Spot]] = []
        new: list[tuple[int, str, bytes]] = []
        for start, part in _worth(text):
            key = self._cache.key(part)
            known = self._cache.get(key, part)
            if known is None:
                new.append((start, part, key))
            else:
                spots += ((start, spot) for spot in known)
        for batch in _batches(new):
            answers = self._ask([part for _, part, _ in batch], budget)
            for (start, part, key), names in zip(batch, answers, strict=True):
                found = list(_spots(part, names))
                self._cache.put(key, part, found)
                spots += ((start, spot) for spot in found)
        hits = (
            (start + spot.start, start + spot.end, spot.type, spot.detector, spot.score)
            for start, spot in spots
            if spot.type in self.supported_entities
            and not in_stand_in(text, start + spot.start, start + spot.end)
        )
        return results(self, _NAME, hits, entities)

    def _ask(self, parts: list[str], budget: Budget | None) -> list[list[Name]]:
        begin = self._clock()
        if budget is None:
            return self._worker.find(parts, begin + self._seconds)
        with self._lock:
            left = min(self._seconds - self._spent.get(budget, 0.0), budget.left)
        if left <= 0:
            raise late()
        try:
            return self._worker.find(parts, begin + left)
        finally:
            with self._lock:
                spent = self._spent.get(budget, 0.0) + self._clock() - begin
                self._spent[budget] = spent


def _worth(text: str) -> Iterator[tuple[int, str]]:
    """The parts that the model is shown, and where they begin."""
    for start, end in paragraphs(text):
        part = text[start:end]
        if any(match[0].lower() not in NO_NAMES for match in _CANDIDATE.finditer(part)):
            part = _ENDLESS.sub(lambda match: "x" * len(match[0]), part)
            yield start, _HALVES.sub("\ufffd", part)


def _batches(
    parts: list[tuple[int, str, bytes]],
) -> Iterator[list[tuple[int, str, bytes]]]:
    """As many as may be asked about at once."""
    batch: list[tuple[int, str, bytes]] = []
    size = 0
    for part in parts:
        if batch and size + len(part[1]) > MOST:
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += len(part[1])
    if batch:
        yield batch


def _spots(part: str, names: list[Name]) -> Iterator[Spot]:
    """The names that can be some, without what stands around them."""
    for first, after, label in names:
        kind = _TYPES.get(label)
        if kind is None:
            continue
        start, end = _trimmed(part, first, after)
        value = part[start:end]
        if (
            len(value) <= _LONGEST
            and sum(map(str.isalpha, value)) >= _LETTERS
            and _SHAPE.fullmatch(value)
            and not _CAMEL.search(value)
            and any(match[0].lower() not in NO_NAMES for match in _CANDIDATE.finditer(value))
            and part[start - 1 : start] not in _GLUED_BEFORE
            and part[end : end + 1] not in _GLUED_AFTER
        ):
            yield Spot(start, end, kind, f"spacy:{label}", _SCORE, value)


def _trimmed(part: str, start: int, end: int) -> tuple[int, int]:
    """Without an ending of possession, what belongs to the next line, and marks at either end."""
    end = start + len(_OWN.sub("", part[start:end]))
    for line in _BREAK.finditer(part, start, end):
        if line[0].count("\n") > 1 or part[end : end + 1] == ":":
            end = line.start()
            break
    while end > start and not part[end - 1].isalpha() and part[end - 1] != ".":
        end -= 1
    while start < end and not part[start].isalpha():
        start += 1
    return start, end
