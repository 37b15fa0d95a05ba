"""How a canary is known again without being kept.

Of each way in which its value may be written, three stretches of twelve letters and digits have a
digest under the installation's key: whoever carries a good third of it out carries one of them.
"""

import hmac
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from proctor.leaving.cores import core
from proctor.leaving.shingles import Shingles
from proctor.leaving.variants import variants
from proctor.redaction.surrogates import mac

STRETCH: Final = 12
"""Letters and digits that one mark stands for."""


class Sighted(NamedTuple):
    """Where a canary stands in a text."""

    start: int
    end: int
    id: str


class Marker:
    """Makes marks.

    Args:
        key: `RedactionKeys.digest`.
    """

    def __init__(self, key: bytes) -> None:
        self._key = mac(key, "canaries")
        self.shingles = Shingles(mac(key, "canary stretches")[:24])

    def marks(self, value: str) -> tuple[str, ...]:
        """Those of a value, in every way it may be written."""
        value = value.partition("@")[0].rpartition(",")[2]  # of an address what is one's own
        part = core(value)
        found: dict[str, None] = {}
        for _, text in variants(part.text if part else value):
            letters = self.shingles.folded(text)[0]
            last = len(letters) - STRETCH
            for at in sorted({0, last // 2, last}) if last >= 0 else ():
                found[self.mark(letters[at : at + STRETCH])] = None
        return tuple(found)

    def mark(self, stretch: bytes) -> str:
        """A quick digest of its beginning, and a strong one of all of it."""
        quick = int(self.shingles.of(stretch.decode("ascii")).digests[0])
        return f"{quick:010x}:{self.strong(stretch)}"

    def strong(self, stretch: bytes) -> str:
        """HMAC-SHA-256 of a stretch, half of it."""
        return hmac.digest(self._key, stretch, "sha256").hex()[:32]


class Finder:
    """Finds canaries in a text.

    Args:
        marker: As it made the marks.
        marks: Those of all canaries, with their names.
    """

    def __init__(self, marker: Marker, marks: Mapping[str, str]) -> None:
        self._marker = marker
        self._strong = {mark.partition(":")[2]: name for mark, name in marks.items()}
        quick = sorted({int(mark.partition(":")[0], 16) for mark in marks})
        self._quick = np.array(quick, np.uint64)

    def find(self, text: str) -> Iterator[Sighted]:
        """Where they stand."""
        if not len(self._quick):
            return
        for offset, piece in self._marker.shingles.pieces(text):
            for at in np.flatnonzero(np.isin(piece.digests, self._quick)).tolist():
                places = piece.places[at : at + STRETCH]
                if len(places) < STRETCH:
                    continue
                low, high = offset + int(places[0]), offset + int(places[-1]) + 1
                letters = self._marker.shingles.folded(text[low:high])[0]
                name = self._strong.get(self._marker.strong(letters))
                if name:
                    yield Sighted(low, high, name)
