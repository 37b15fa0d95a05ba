"""A text as the index takes it, with the words by which filters find it, and its packed copy."""

import json
import threading
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import zstandard

from proctor.search.words import TAG, spaced

MAX_TEXT = 1024 * 1024
"""Characters of a text that are indexed; what comes after cannot be found."""


@lru_cache(4096)
def tag(kind: str, value: str) -> str:
    """The word that stands for a filter's value."""
    return TAG + kind + blake2b(value.encode("utf-8", "replace"), digest_size=8).hexdigest()


@lru_cache(4096)
def session_value(principal: str, session_id: str) -> str:
    """What `tag` takes for a session: two principals never share one."""
    return json.dumps([principal, session_id])


def indexed(words: str, known: Sequence[str]) -> str:
    """A text as FTS5 takes it, and the words by which filters find it.

    Args:
        words: The text.
        known: Part, verdict, principal, subject, session, tool, entities (`_WORDS`).
    """
    part, verdict, principal, subject, session, tool, entities = known
    tags = [
        tag("i", part),
        tag("v", verdict),
        tag("p", principal),
        tag("p", subject),
        tag("s", session_value(principal, session)),
        *([tag("t", tool)] if tool else ()),
        *(tag("e", entity) for entity in entities.split()),
    ]
    return f"{spaced(words)} {' '.join(tags)}"


class _Mine(threading.local):
    """What packs and unpacks; made once for each thread, which takes longer than a small text."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(level=1)
        self.unpacker = zstandard.ZstdDecompressor()


_mine = _Mine()


def pack(text: str) -> bytes:
    """A copy of it, small."""
    return _mine.packer.compress(text.encode("utf-8", "replace"))


def unpack(packed: bytes) -> str:
    """The inverse of `pack`.

    Raises:
        ValueError: It is damaged.
    """
    try:
        raw = _mine.unpacker.decompress(packed, 4 * MAX_TEXT)
    except zstandard.ZstdError:
        raise ValueError("a packed text") from None
    return raw.decode("utf-8", "replace")
