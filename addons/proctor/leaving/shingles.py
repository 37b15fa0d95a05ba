"""Texts as keyed digests of every stretch of eight letters and digits in them.

Case, white space and all other signs count for nothing, so that a value is the same with hyphens,
dots or slashes between its characters. A digest has forty bits and a key that only this process
has; from what is kept nobody reads a value, short of the process's whole memory.
"""

import secrets
import string
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from proctor.leaving.alike import plain

WIDTH: Final = 8
"""Characters of a stretch: as many as a machine word has bytes."""

_PIECE: Final = 2**18  # characters at once: working memory is some thirty bytes each
_KEPT: Final = np.uint64(24)  # bits that are dropped

type Digests = NDArray[np.uint64]
type Places = NDArray[np.int64]


_COUNTED: Final = frozenset(string.ascii_letters.encode() + string.digits.encode())
_DROPPED: Final = bytes(sign for sign in range(256) if sign not in _COUNTED)
_COUNTS: Final = np.array([sign in _COUNTED for sign in range(256)], np.bool_)
_FOLDED: Final = bytes(range(256)).lower()


class Text:
    """The stretches of a text.

    Attributes:
        digests: In their order.
    """

    __slots__ = ("_signs", "digests")

    def __init__(self, digests: Digests, signs: bytes) -> None:
        self.digests = digests
        self._signs = signs

    @property
    def places(self) -> Places:
        """Where each character that counts stands; stretch `i` begins at `places[i]`."""
        return _places(self._signs)


class Shingles:
    """Makes digests under a key.

    Args:
        key: 24 bytes; by default new ones.
    """

    def __init__(self, key: bytes | None = None) -> None:
        words = np.frombuffer((key or secrets.token_bytes(24))[:24], np.uint64)
        self._mask = words[0]
        self._first, self._second = words[1] | np.uint64(1), words[2] | np.uint64(1)

    def of(self, text: str) -> Text:
        """All stretches of a short text."""
        signs = _signs(text)
        return Text(self._digests(_counted(signs)), signs)

    def pieces(self, text: str) -> Iterator[tuple[int, Text]]:
        """A text of any length in pieces that overlap, and where each begins."""
        step = _PIECE - 4096
        for start in range(0, max(1, len(text) - 4096), step):
            yield start, self.of(text[start : start + _PIECE])

    @staticmethod
    def folded(text: str) -> tuple[bytes, Places]:
        """The letters and digits of a text, folded, and where each stands."""
        signs = _signs(text)
        return _counted(signs), _places(signs)

    def _digests(self, counted: bytes) -> Digests:
        size = len(counted) - WIDTH + 1
        if size <= 0:
            return np.zeros(0, np.uint64)
        # A word begins at each byte.
        mixed: Digests = np.ndarray((size,), "<u8", counted, 0, (1,)) ^ self._mask
        mixed *= self._first
        mixed ^= mixed >> np.uint64(29)
        mixed *= self._second
        mixed >>= _KEPT
        return mixed


def _signs(text: str) -> bytes:
    """The text, a byte for each character."""
    if not text.isascii():
        text = plain(text)
    return text.encode("latin-1", "replace")


def _counted(signs: bytes) -> bytes:
    return signs.translate(_FOLDED, _DROPPED)


def _places(signs: bytes) -> Places:
    return np.flatnonzero(_COUNTS[np.frombuffer(signs, np.uint8)])
