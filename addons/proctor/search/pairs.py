"""Two words in a row of which one is frequent, or three such, so that a phrase is found fast.

To find a phrase, SQLite walks the lists of its words side by side. Rare words make that short.
Where one is in a good part of a day's texts, it takes some milliseconds a day, and more from a
disk. So, once a day with many texts is over, it is noted which texts have which two words in a row,
by a number that stands for them; two frequent ones are in many texts, so three of them are noted,
too. Most often that leaves so few texts that each can be looked at.

That must never be too few: a text may be noted with words that SQLite does not see in it, but has
to be with all of ASCII letters and digits that it sees in a row.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from proctor.search.runs import KEY_BITS

_SHARE = 0.05  # of the texts that have a frequent word
_MOST = 512
_AT_ONCE = 2**19  # characters, and one text
# What SQLite passes over within a word (`sqlite3Fts5UnicodeIsdiacritic`).
_MARKS = re.compile(
    "[\u0300-\u0304\u0306-\u030c\u030f\u0311\u031b\u0323-\u0328\u032d\u032e\u0330\u0331]+"
)
_APART = re.compile("[\u0340\u0341\u0344]")  # such marks in NFD, but not to SQLite
_BETWEEN = 0
_FOLDED = np.frombuffer(
    bytes(ord(chr(code).lower()) if chr(code).isalnum() else _BETWEEN for code in range(128)),
    np.uint8,
)

# A word's number is a polynomial of its characters, so that those of a whole text are differences
# of sums; then it is mixed, and its upper half taken (Knuth, TAOCP 6.4).
_WORD = 2**64 - 1
_BASE = 0x5851F42D4C957F2D
_UNBASE = pow(_BASE, -1, 2**64)
_MIX = 0x9E3779B97F4A7C15
_HALF = 2**32 - 1
_TIMES = 0x9E3779B1
_THREE = 0x5BD1E995  # so that three words are not a pair, too
_SHIFT = 32 - KEY_BITS
_OFTEN_BITS = 20


def learned(texts: Iterable[str]) -> frozenset[str]:
    """Words that are frequent in these."""
    count = 0
    seen: Counter[str] = Counter()
    for text in texts:
        count += 1
        seen.update(set(_folded(text).split()))
    return frozenset(word for word, many in seen.most_common(_MOST) if many >= _SHARE * count)


def keys(rows: Iterable[Sequence[str]], frequent: AbstractSet[str]) -> list[int]:
    """Numbers that a text must be noted with which has these words in a row.

    Args:
        rows: Each of folded words in a row.
        frequent: What `learned` said.

    Returns:
        Those of three words first, which fewer texts have.
    """
    twos: dict[int, None] = {}
    threes: dict[int, None] = {}
    for row in rows:
        numbers = [_number(word) if word.isascii() else None for word in row]
        often = [word in frequent for word in row]
        for at, first in enumerate(numbers[:-1]):
            second = numbers[at + 1]
            if first is None or second is None or not any(often[at : at + 2]):
                continue
            twos[_mixed(first, second) >> _SHIFT] = None
            third = numbers[at + 2] if at + 2 < len(row) else None
            if third is not None and all(often[at : at + 3]):
                mixed = _mixed(_mixed(first, second), third)
                threes[(mixed ^ _THREE) >> _SHIFT] = None
    return [*threes, *twos]


class Noting:
    """Finds the numbers of many texts at once.

    Args:
        frequent: What `learned` said.
    """

    def __init__(self, frequent: Iterable[str]) -> None:
        self._often = np.zeros(2**_OFTEN_BITS, np.bool_)  # of the few that share an entry, too
        for word in frequent:
            self._often[_number(word) >> (32 - _OFTEN_BITS)] = True
        self._powers = self._inverse = np.empty(0, np.uint64)

    def of(self, texts: Iterable[tuple[int, str]]) -> Iterator[npt.NDArray[np.uint64]]:
        """The numbers of texts, as `runs.parts` takes them: some more than once, in no order.

        Args:
            texts: Each with its id.
        """
        ids: list[int] = []
        some: list[str] = []
        size = 0
        for number, text in texts:
            ids.append(number)
            some.append(_plain(text))
            size += len(some[-1]) + 1
            if size >= _AT_ONCE:
                yield self._of(ids, some)
                ids, some, size = [], [], 0
        if ids:
            yield self._of(ids, some)

    def _of(self, ids: Sequence[int], texts: Sequence[str]) -> npt.NDArray[np.uint64]:
        raw = np.frombuffer("\n".join(texts).encode("ascii"), np.uint8)
        folded = _FOLDED[raw]
        edges = np.flatnonzero(np.diff(folded != _BETWEEN, prepend=False, append=False))
        starts = edges[::2]
        numbers = self._numbers(folded, starts, edges[1::2])
        ends = np.cumsum(np.array([len(text) + 1 for text in texts], np.int64))
        owner = np.array(ids, np.uint64)[np.searchsorted(ends, starts, side="right")]
        often = self._often[numbers >> np.uint32(32 - _OFTEN_BITS)]
        same = owner[:-1] == owner[1:]
        twos = numbers[:-1] * np.uint32(_TIMES) + numbers[1:]
        threes = (twos[:-1] * np.uint32(_TIMES) + numbers[2:]) ^ np.uint32(_THREE)
        both = same & (often[:-1] | often[1:])
        all_of = same[:-1] & same[1:] & often[:-2] & often[1:-1] & often[2:]
        found = np.concatenate((twos[both], threes[all_of])) >> np.uint32(_SHIFT)
        whose = np.concatenate((owner[:-1][both], owner[:-2][all_of]))
        entries: npt.NDArray[np.uint64] = found.astype(np.uint64) << np.uint64(32) | whose
        return entries

    def _numbers(
        self,
        folded: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.intp],
        ends: npt.NDArray[np.intp],
    ) -> npt.NDArray[np.uint32]:
        """As `_number` of each word, from and to."""
        if len(folded) > len(self._powers):
            self._powers, self._inverse = (_powers(each, len(folded)) for each in (_BASE, _UNBASE))
        sums = np.zeros(len(folded) + 1, np.uint64)
        np.cumsum(folded * self._powers[: len(folded)], out=sums[1:])
        found = (sums[ends] - sums[starts]) * self._inverse[starts] * np.uint64(_MIX)
        return (found >> np.uint64(32)).astype(np.uint32)


def _powers(base: int, count: int) -> npt.NDArray[np.uint64]:
    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


@lru_cache(256)  # asked for again for each day of a search
def _number(word: str) -> int:
    found = sum(code * pow(_BASE, at, 2**64) for at, code in enumerate(word.encode()))
    return (found * _MIX & _WORD) >> 32


def _mixed(first: int, second: int) -> int:
    return (first * _TIMES + second) & _HALF


def _plain(text: str) -> str:
    """It in ASCII: marks on letters are taken off, anything else stands between words."""
    if not text.isascii():
        plain = unicodedata.normalize("NFD", _APART.sub(" ", text)).replace("\u017f", "s")
        text = _MARKS.sub("", plain).encode("ascii", "replace").decode()
    return text


_SPACED = _FOLDED.tobytes().replace(b"\0", b" ").decode()


def _folded(text: str) -> str:
    return _plain(text).translate(_SPACED)
