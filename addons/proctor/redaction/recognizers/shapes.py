"""Shapes of secrets that public rule sets miss, found where a cheap first pass says to look.

One Hyperscan scan (literals and short patterns, with the start of each match) names the places;
only there a Python expression, or a function, looks closer. Each shape is asked at most once for a
place, each expression is anchored there and bounded, so the work is linear in the text.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, override

import hyperscan
from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.redaction.database import block_database
from proctor.redaction.model import SECRETS
from proctor.redaction.recognizers.plausible import is_stand_in
from proctor.redaction.recognizers.results import budget_of, results, too_many

_NAME: Final = "ProctorSecretShapes"
_CAP: Final = 200_000
_OFTEN: Final = 256


class Found(NamedTuple):
    """A secret at characters `start` to `end`, of an entity type."""

    start: int
    end: int
    type: str


type Finder = Callable[[str, int], Iterable[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A kind of secret.

    Attributes:
        name: Appears as `proctor:<name>`.
        trigger: Hyperscan pattern over UTF-8 bytes; where it begins is a place to look.
        at_end: The place is the trigger's last character instead; much cheaper for patterns whose
            parts overlap, where the finder goes back by itself.
        find: Gets the text and the place.
        score: 0 to 1.
    """

    name: str
    trigger: str
    find: Finder
    at_end: bool = False
    score: float = 0.85


def by_regex(
    pattern: str, type_: str, check: Callable[[str], bool] | None = None, flags: int = 0
) -> Finder:
    """A finder that matches `pattern` at the place and takes its group `value`.

    Args:
        pattern: Anchored at the place, verbose, with bounded repeats.
        type_: Entity type of what is found.
        check: What the value must pass.
        flags: More flags for `re`.
    """
    compiled = re.compile(pattern, re.VERBOSE | flags)

    def find(text: str, at: int) -> Iterator[Found]:
        match = compiled.match(text, at)
        if match and (check is None or check(match["value"])):
            yield Found(match.start("value"), match.end("value"), type_)

    return find


class ShapesRecognizer(EntityRecognizer):
    """Runs shapes over a text.

    Args:
        shapes: Those to look for.
        cache: Where what was compiled is kept; nobody else may be able to write there.
    """

    def __init__(self, shapes: Sequence[Shape], cache: Path | None = None) -> None:
        self._shapes = tuple(shapes)
        self._at_end = tuple(shape.at_end for shape in self._shapes)
        self._local = threading.local()
        start = hyperscan.HS_FLAG_SOM_LEFTMOST
        self._database = block_database(
            [
                (shape.trigger, hyperscan.HS_FLAG_MULTILINE | (0 if shape.at_end else start))
                for shape in self._shapes
            ],
            cache,
        )
        super().__init__(sorted(SECRETS), name=_NAME)

    @override
    def load(self) -> None:
        """Nothing is loaded later."""

    def _places(self, data: bytes) -> list[tuple[int, int]]:
        """Byte offset and shape, sorted, each once."""
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            # One for each thread: a shared one raises ScratchInUseError.
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        places: set[tuple[int, int]] = set()

        at_end = self._at_end

        def on_match(id_: int, start: int, end: int, _flags: int, _context: Any) -> bool | None:
            places.add((end - 1 if at_end[id_] else start, id_))
            return len(places) > _CAP or None

        try:
            self._database.scan(data, match_event_handler=on_match, scratch=scratch)
        except hyperscan.ScanTerminated:
            raise too_many(_NAME) from None
        if len(places) > _CAP:
            raise too_many(_NAME)
        return sorted(places)

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Secrets in the text.

        Args:
            text: As its reader sees it; lone surrogates are allowed.
            entities: Types asked for; empty means all.
            nlp_artifacts: May bring a budget.

        Raises:
            RedactionError: `redaction-hits` where the text is made of triggers only.
        """
        data = text.encode("utf-8", "surrogatepass")
        places = self._places(data)
        if not places:
            return []
        found: dict[Found, Shape] = {}
        # Within what a shape has found already, it need not look again.
        covered = [0] * len(self._shapes)
        character = byte = 0
        plain = len(data) == len(text)
        budget = budget_of(nlp_artifacts)
        for count, (start, number) in enumerate(places):
            if budget and not count % _OFTEN:
                budget.check()
            if plain:
                character = start
            else:
                character += len(data[byte:start].decode("utf-8", "surrogatepass"))
                byte = start
            if character < covered[number]:
                continue
            shape = self._shapes[number]
            for hit in shape.find(text, character):
                if not is_stand_in(text[hit.start : hit.end]):
                    found.setdefault(hit, shape)
                    covered[number] = max(covered[number], hit.end)
        hits = (
            (hit.start, hit.end, hit.type, f"proctor:{shape.name}", shape.score)
            for hit, shape in found.items()
        )
        return results(self, _NAME, hits, entities)
