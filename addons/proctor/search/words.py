"""What a word is: the same for what is indexed, what is asked, and what is marked in a result.

SQLite's unicode61 tokenizer (https://sqlite.org/fts5.html, 4.3.1) takes runs of letters and digits,
folds case and drops diacritics. Everything else separates, `_`, `.`, `/`, `@` and `-` too, so that
`orders` finds `public.orders_archive`; who types `src/app.py` or `max_tokens` is understood to want
these words in a row. Scripts that are written without blanks (Chinese, Japanese, Thai …) would be
one word a line, so each of their characters stands for itself: a part of a sentence is again some
words in a row.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

TAG = "\ue000"
"""Begins a word that stands for a filter's value. For private use, so never typed (Unicode 23.5);
taken out of texts and queries, so that nobody can write one."""

_ALONE = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff])"
)
_TOKEN = re.compile(r"[^\W_]+")
_BETWEEN = r"[\W_]+"


def spaced(text: str) -> str:
    """`text` as the index takes it."""
    if text.isascii():
        return text
    return "".join(_ALONE.sub(r" \1 ", piece.replace(TAG, " ")) for piece in _pieces(text))


def tokens(text: str) -> list[str]:
    """The words of `text`, folded."""
    return _TOKEN.findall(folded(spaced(text)))


def folded(text: str) -> str:
    """`text` without case and diacritics, of the same length, so that places in it are the same."""
    if text.isascii():
        return text.lower()
    return "".join(piece.translate(_FOLD) for piece in _pieces(text))


def _pieces(text: str) -> Iterator[str]:
    """A text in parts: whatever goes through all of it at once keeps the gateway's loop waiting."""
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


class _Fold(dict[int, str]):
    """Base letter in lower case, found once for each character that is met."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        # Beyond the alphabets that have case there are marks that make another letter of one.
        plain = unicodedata.normalize("NFD", letter)[0] if code < _CASELESS else letter
        lower = plain.lower()
        found = lower if len(lower) == 1 else letter
        if len(self) < _MOST:
            self[code] = found
        return found


_PIECE = 2048
_MOST = 8192
_CASELESS = 0x2000
_FOLD = _Fold()


@dataclass(frozen=True, slots=True)
class Place:
    """Finds words in a row in a folded text."""

    row: re.Pattern[str]
    inside: bool

    def spans(self, plain: str, most: int) -> Iterator[tuple[int, int]]:
        """Where they stand, from and to; at most so many."""
        for match in self.row.finditer(plain):
            start, end = match.span()
            # Not in the pattern: one that begins with letters is looked for ten times faster.
            if self.inside or start == 0 or not plain[start - 1].isalnum():
                yield start, end
                most -= 1
                if not most:
                    return


def place(words: Sequence[str], *, prefix: bool) -> Place:
    """What finds these words in a row.

    Args:
        words: As `tokens` gives them, at least one.
        prefix: The last one may go on.
    """
    row = re.escape(words[0])
    for before, word in pairwise(words):
        # Next to a character that stands for itself there need be nothing between.
        loose = _ALONE.fullmatch(before) or _ALONE.fullmatch(word)
        row += (r"[\W_]*" if loose else _BETWEEN) + re.escape(word)
    whole = not prefix and not _ALONE.fullmatch(words[-1])
    return Place(
        row=re.compile(row + (r"(?![^\W_])" if whole else "")),
        inside=_ALONE.fullmatch(words[0]) is not None,
    )
