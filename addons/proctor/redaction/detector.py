"""Finds things in texts and in the leaves of a body, whatever they are encoded in.

An analyzer looks at plain text; this looks at each text as it stands and at each view of it, brings
what was found back to the first text, and remembers it.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from proctor.redaction.allow import AllowList
from proctor.redaction.batches import batches
from proctor.redaction.cache import SpotCache
from proctor.redaction.edits import View
from proctor.redaction.model import SECRETS, Analyzer, Budget, Leaf, RedactionError, Spot
from proctor.redaction.overlaps import Repeats, Sighting, resolve, without_own
from proctor.redaction.pieces import analyze
from proctor.redaction.views import VERSION, views

_LEAST: Final = 4  # characters that anything sensitive has
_HALVES: Final = re.compile("[\ud800-\udfff]")  # of characters beyond the basic plane
_CACHE: Final = 64 * 2**20


class _State(NamedTuple):
    """What goes together: the analyzer's version, the detector's, and what was found with it."""

    answering: str
    version: str
    cache: SpotCache


class TextDetector:
    """`model.Detector` over any `model.Analyzer`; may be used from several threads if that may.

    Args:
        analyzer: Looks at plain text.
        allow: Values that pass.
        cache_bytes: What is remembered at most, about.
    """

    def __init__(
        self,
        analyzer: Analyzer,
        *,
        allow: AllowList | None = None,
        cache_bytes: int = _CACHE,
    ) -> None:
        self._analyzer = analyzer
        self._allow = allow or AllowList()
        self._allows = bool(self._allow.values or self._allow.patterns)
        self._cache_bytes = cache_bytes
        self._state = self._stated(analyzer.version)

    @property
    def version(self) -> str:
        """Digest of all that its answers depend on.

        Raises:
            RedactionError: The analyzer does not know its own any more.
        """
        return self._current().version

    def _current(self) -> "_State":
        answering = self._analyzer.version
        state = self._state
        if answering != state.answering:
            # What is remembered was found with other values; what is under way keeps the old cache.
            state = self._state = self._stated(answering)
        return state

    def _stated(self, answering: str) -> "_State":
        parts = [VERSION, answering, self._allow.version]
        version = blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
        return _State(answering, version, SpotCache(self._cache_bytes, version))

    @property
    def detectors(self) -> tuple[str, ...]:
        """Names of the recognizers that run."""
        return self._analyzer.detectors

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        """What is found in one text: sorted, not overlapping.

        Raises:
            RedactionError: The text could not be looked at whole.
        """
        if len(text) < _LEAST:
            return ()
        budget.check()
        cache = self._current().cache
        key = cache.key(text)
        spots = cache.get(key, text)
        if spots is None:
            spots = self._look(text, budget)
            cache.put(key, text, spots)
        return spots

    def examine(self, leaves: Sequence[Leaf], budget: Budget) -> dict[int, tuple[Spot, ...]]:
        """What is found in the leaves of one body, by their index; names stand as context.

        Raises:
            RedactionError: Some leaf could not be looked at whole.
        """
        found: dict[int, tuple[Spot, ...]] = {}
        for batch in batches(leaves):
            for index, spots in batch.sort(self.scan(batch.text, budget)).items():
                # A neighbour is looked at twice, with other things around it.
                both = [Sighting(spot) for spot in (*found.get(index, ()), *spots)]
                found[index] = resolve(leaves[index].text, both)
        return found

    def _look(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        try:
            return self._found(text, budget)
        except RedactionError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it may hold the text
            failure = type(error).__name__
        # Raised out here, so that not even its context holds the text.
        raise RedactionError(
            "redaction-detector",
            "A text could not be looked at, so nothing was let through",
            got=failure,
            expected="an answer from every detector",
            hint="This is a defect: please report the kind of text.",
        )

    def _found(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        if not text.isascii():
            # Not every detector takes what is no UTF-8.
            text = _HALVES.sub("\ufffd", text)
        shown: list[tuple[View | None, str]] = [(None, text)]
        shown += ((view, view.text) for view in views(text, budget))
        seen = [self._seen(reading, budget) for _, reading in shown]
        if not any(seen):
            return ()
        sightings: list[Sighting] = []
        for (view, _), spots in zip(shown, seen, strict=True):
            sightings += _brought_back(view, text, spots)
        secrets = [spot for spots in seen for spot in spots if spot.type in SECRETS]
        if secrets:
            repeats = Repeats({spot.value: spot for spot in sorted(secrets, key=_order)[::-1]})
            for view, reading in shown:
                more = without_own(reading, repeats.find(reading))
                budget.spend(len(more))
                sightings += _brought_back(view, text, more)
        return resolve(text, sightings)

    def _seen(self, text: str, budget: Budget) -> Sequence[Spot]:
        """What the analyzer finds, without what is allowed or our own."""
        spots = analyze(self._analyzer, text, budget)
        if self._allows:
            spots = [spot for spot in spots if not self._allow.allows(spot.value)]
        return without_own(text, spots)


def _order(spot: Spot) -> tuple[float, str, str]:
    """The surest first; the same on every run, whatever order the analyzer answers in."""
    return (-spot.score, spot.type, spot.detector)


def _brought_back(view: View | None, text: str, spots: Sequence[Spot]) -> Iterator[Sighting]:
    """The spots where they stand in the first text."""
    for spot in spots:
        if view is None:
            yield Sighting(spot)
            continue
        places = list(view.origins(spot.start, spot.end))
        if len(places) == 1:
            yield Sighting(spot._replace(start=places[0][0], end=places[0][1]), view.level)
            continue
        # Windows have nothing to do with each other: only what was decoded there can be meant.
        for start, end in view.decoded(spot.start, spot.end):
            yield Sighting(spot._replace(start=start, end=end, value=text[start:end]))
