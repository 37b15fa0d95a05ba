"""Lines of the record, in Python where the compiled ones (`_lines.pyx`) were not built.

Both pass the same tests.
"""

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256


def timestamp(seconds: float) -> str:
    """`seconds` since the epoch as RFC 3339 in UTC with microseconds, such as 2026-01-02T…Z."""
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{micros:06d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def linked(  # noqa: PLR0913, PLR0917 - what stands in it
    kind: str, middle: bytes, seq: int, prev: str, seconds: float, body: bytes
) -> tuple[bytes, bytes, str]:
    """An envelope as a line with its newline, and its leaf, as 32 bytes and in hex.

    Args:
        kind: Plain letters and dots.
        middle: From the kind's end to the number.
        seq: Its number.
        prev: Leaf of the envelope before, hex.
        seconds: When, since the epoch.
        body: An object in ASCII, without spaces.
    """
    comma = b"," if len(body) > len(b"{}") else b""
    line = b'{"v":1,"kind":"%b%b%d,"prev":"%b","ts":"%b"%b%b\n' % (
        kind.encode(),
        middle,
        seq,
        prev.encode(),
        timestamp(seconds).encode(),
        comma,
        body[1:],
    )
    leaf = sha256(b"\x00" + line[:-1])
    return line, leaf.digest(), leaf.hexdigest()
