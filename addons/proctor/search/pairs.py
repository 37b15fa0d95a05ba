"""Two or three frequent words in a row, so that a phrase of such words is found fast.

To find a phrase, the lists of its words are walked side by side. Rare words make that short. Where
all are in a good part of a day's texts, the whole lists are walked, which takes some milliseconds a
day. So, once a day with many texts is over, it is noted which texts have which two of its most
frequent words in a row, or three. Most often that leaves so few texts that each can be looked at.

That must never be too few: a text may be noted with a pair that SQLite does not see in it, but has
to be with every one that it sees.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import Final, Self

MANY: Final = 20_000
"""Texts of a day from which on it is worth while."""
SAMPLE: Final = 2000
"""Texts of which one learns what is frequent."""
CANDIDATES: Final = 16
CANDIDATES_BYTES: Final = 256 * 1024
"""Texts, and bytes of them, packed, that are looked at; to walk the lists is faster than more."""

_SHARE = 0.1
_MOST = 256
_FIRST = 0xE001  # for private use, a part of words to SQLite: "Co" (https://sqlite.org/fts5.html)
# What SQLite passes over within a word (`sqlite3Fts5UnicodeIsdiacritic`).
_MARKS = re.compile(
    "[\u0300-\u0304\u0306-\u030c\u030f\u0311\u031b\u0323-\u0328\u032d\u032e\u0330\u0331]+"
)
_APART = re.compile("[\u0340\u0341\u0344]")  # such marks in NFD, but not to SQLite
_PLAIN = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is frequent.

    Attributes:
        codes: For each frequent word, folded, one character.
    """

    codes: Mapping[str, str]

    @classmethod
    def learned(cls, texts: Iterable[str]) -> Self:
        """What is frequent in these."""
        count = 0
        seen: Counter[str] = Counter()
        for text in texts:
            count += 1
            seen.update(set(_words(text)))
        found = [word for word, many in seen.most_common(_MOST) if many >= _SHARE * count]
        return cls({word: chr(_FIRST + at) for at, word in enumerate(found)})

    def of(self, text: str) -> str:
        """Its pairs and threes, as words."""
        runs = "".join(map(self.codes.get, _words(text), repeat(" "))).split()
        long = [run for run in runs if len(run) > 1]
        pairs = {run[at : at + 2] for run in long for at in range(len(run) - 1)}
        threes = {run[at : at + 3] for run in long for at in range(len(run) - 2)}
        return " ".join(pairs | threes)

    def expression(self, rows: Iterable[Sequence[str]]) -> str:
        """What a text must have that has these words in a row, in FTS5's language; "" for nothing.

        Args:
            rows: Each of folded words in a row.
        """
        found = [f'"{word}"' for row in rows for word in self._coded(row)]
        return " AND ".join(dict.fromkeys(found))

    def _coded(self, row: Sequence[str]) -> Iterator[str]:
        codes = [self.codes.get(word, "") for word in row]
        for frequent, run in groupby(codes, key=bool):
            word = "".join(run)
            length = min(len(word), 3)
            if frequent and length > 1:
                yield from (word[at : at + length] for at in range(len(word) - length + 1))


def _words(text: str) -> list[str]:
    """Its words of ASCII letters and digits, and maybe more; marks on letters are taken off."""
    if not text.isascii():
        plain = unicodedata.normalize("NFD", _APART.sub(" ", text)).replace("\u017f", "s")
        text = _MARKS.sub("", plain).encode("ascii", "replace").decode()
    return text.translate(_PLAIN).split()
