"""Secrets that one principal's run has seen, as digests, and where they stand in a text."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proctor.leaving.cores import Core
from proctor.leaving.shingles import WIDTH, Digests, Shingles, Text
from proctor.leaving.variants import variants

MOST: Final = 200
"""Secrets of one principal; the one not met for longest is forgotten."""

CAME: Final = 16
"""Of these, secrets that came in answers alone: whoever answers cannot crowd out the others."""

_STRETCHES: Final = 250_000  # of one principal, all variants
_HITS: Final = 4096  # in one piece of a text; more say nothing more
_TABLE: Final = 20  # bits
_BITS: Final = 40
_LOW: Final = np.uint64((1 << _TABLE) - 1)
_THIRD: Final = 3
_HALF: Final = 2
_OF_WORDS: Final = 14  # characters, words among them
_NO_WORDS: Final = 5  # characters that are none of a word
_TELLING: Final = 6  # characters of the value that a piece has at least


@dataclass(slots=True, eq=False)
class Secret:
    """What is kept of a value: nothing that shows it.

    Attributes:
        digest: Names it.
        type: Its entity type.
        origin: Where it was found, in words: `the result of Bash`.
        homes: Hosts that it came from, or that it is put in for; there it may go.
        size: Letters and digits of it.
        came: It stood in an answer, and nowhere else so far.
        telling: Of each of its characters, whether it is none of a word.
        left: Which of its characters have left.
        requests: In which requests.
    """

    digest: str
    type: str
    origin: str
    size: int
    telling: NDArray[np.bool_]
    came: bool = False
    homes: set[str] = field(default_factory=set)
    left: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_), repr=False)
    requests: set[int] = field(default_factory=set)

    @property
    def share(self) -> float:
        """How much of it has left, 0 to 1."""
        return float(self.left.mean()) if len(self.left) else 0.0


class Match(NamedTuple):
    """A stretch of a secret in a text.

    Attributes:
        secret: Which.
        how: How it is written; "" as it stands.
        start: First character in the text.
        end: Character after the last.
        first: First character of the secret.
        last: Character after the last.
        enough: It is so much of the secret that it counts by itself.
    """

    secret: Secret
    how: str
    start: int
    end: int
    first: int
    last: int
    enough: bool


class _Spelling(NamedTuple):
    secret: Secret
    how: str
    size: int


class Known:
    """The secrets of one principal.

    Args:
        shingles: Makes the digests.
    """

    def __init__(self, shingles: Shingles) -> None:
        self._shingles = shingles
        self._secrets: OrderedDict[str, tuple[Secret, tuple[tuple[_Spelling, Digests], ...]]]
        self._secrets = OrderedDict()
        self._places: dict[int, list[tuple[_Spelling, int]]] = {}
        self._table = np.zeros(1 << _TABLE, np.bool_)
        self._size = 0

    def __len__(self) -> int:
        return len(self._secrets)

    def get(self, digest: str) -> Secret | None:
        """What is known of a secret; it counts as met."""
        found = self._secrets.get(digest)
        if found is None:
            return None
        self._secrets.move_to_end(digest)
        return found[0]

    def learn(
        self, digest: str, type_: str, core: Core, origin: str, *, came: bool = False
    ) -> Secret:
        """Remember a value by its digests.

        Args:
            digest: Names it.
            type_: Its entity type.
            core: The part of it that is secret.
            origin: Where it was found, in words.
            came: In an answer.
        """
        telling = np.array(core.telling, np.bool_)
        size = len(telling)
        left = np.zeros(size, np.bool_)
        secret = Secret(digest, type_, origin, size, telling, came, left=left)
        spellings = []
        for how, text in dict.fromkeys(variants(core.text)):
            digests = self._shingles.of(text).digests
            if len(digests):
                spelling = _Spelling(secret, how, len(digests) + WIDTH - 1)
                spellings.append((spelling, digests))
                self._enter(spelling, digests)
        self._secrets[digest] = (secret, tuple(spellings))
        self._bound()
        return secret

    def find(self, text: str) -> Iterator[Match]:
        """Where secrets stand in a text, in any spelling, whole or in part."""
        if not self._secrets or len(text) < WIDTH:
            return
        for start, piece in self._shingles.pieces(text):
            yield from self._in(piece, start)

    def _in(self, piece: Text, offset: int) -> Iterator[Match]:
        likely = self._table.take(_rows(piece.digests)).nonzero()[0]
        likely = likely[self._table.take(_others(piece.digests[likely]))][:_HITS]
        runs: dict[tuple[int, int], list[int]] = {}
        spellings: dict[int, _Spelling] = {}
        for at, digest in zip(likely.tolist(), piece.digests[likely].tolist(), strict=True):
            for spelling, place in self._places.get(digest, ()):
                spellings[id(spelling)] = spelling
                runs.setdefault((id(spelling), at - place), []).append(at)
        if not runs:
            return
        places = piece.places
        for (number, ahead), hits in runs.items():
            spelling = spellings[number]
            for first, last in _stretches(hits):
                low, high = int(places[first]), int(places[last + WIDTH - 1]) + 1
                match = _match(spelling, first - ahead, last - ahead + WIDTH)
                if match:
                    yield match._replace(start=offset + low, end=offset + high)

    def _enter(self, spelling: _Spelling, digests: Digests) -> None:
        self._table[_rows(digests)] = self._table[_others(digests)] = True
        for place, digest in enumerate(digests.tolist()):
            self._places.setdefault(digest, []).append((spelling, place))
        self._size += len(digests)

    def _bound(self) -> None:
        came = [digest for digest, (secret, _) in self._secrets.items() if secret.came]
        full = len(self._secrets) > MOST or self._size > _STRETCHES
        if not full and len(came) <= CAME:
            return
        gone = came[: len(came) - CAME * 3 // 4]
        if full:
            gone += [digest for digest in self._secrets if digest not in gone]
        for digest in gone[:-1] if full else gone:
            _, spellings = self._secrets.pop(digest)
            self._size -= sum(len(digests) for _, digests in spellings)
            if full and len(self._secrets) <= MOST * 3 // 4 and self._size <= _STRETCHES * 3 // 4:
                break
        self._places, self._size = {}, 0
        self._table[:] = False
        for _, spellings in self._secrets.values():
            for spelling, digests in spellings:
                self._enter(spelling, digests)


def _rows(digests: Digests) -> NDArray[np.int64]:
    """Where the table says of a digest that it may be known."""
    return (digests >> np.uint64(_BITS - _TABLE)).view(np.int64)


def _others(digests: Digests) -> NDArray[np.int64]:
    """Where it says so once more: few that are not known have both."""
    return (digests & _LOW).view(np.int64)


def _stretches(hits: list[int]) -> Iterator[tuple[int, int]]:
    """Hits that follow one another, as first and last."""
    first = last = hits[0]
    for hit in hits[1:]:
        if hit != last + 1:
            yield first, last
            first = hit
        last = hit
    yield first, last


def _match(spelling: _Spelling, first: int, last: int) -> Match | None:
    """The stretch of a spelling as one of its secret; None where it is too little to tell."""
    secret = spelling.secret
    ratio = spelling.size / secret.size
    size = (last - first) / ratio
    if size < _TELLING and last - first < spelling.size:
        return None
    start, end = max(0, int(first / ratio)), min(secret.size, -int(-last // ratio))
    enough = (
        last - first >= spelling.size
        or (size >= secret.size / _THIRD and secret.telling[start:end].sum() >= _NO_WORDS)
        or size >= max(_OF_WORDS, secret.size / _HALF)
    )
    return Match(secret, spelling.how, 0, 0, start, end, bool(enough))
