"""What is asked of an upstream about the form of its answer: only what can be looked at."""

from typing import Final

type Fields = tuple[tuple[bytes, bytes], ...]

_READ: Final = frozenset({b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"identity"})
"""Codings that `protocols.decoding` takes off."""

_RANGES: Final = frozenset({b"range", b"if-range"})
_CODINGS: Final = b"accept-encoding"


def negotiable(fields: Fields) -> Fields:
    """A request's headers, the same object where nothing is to be changed.

    Ranges are not asked for, as a value could be had in parts that are none (RFC 9110 section 14.2
    lets a server ignore them, so clients expect whole answers), and neither are codings that
    cannot be taken off (section 12.5.3).
    """
    out: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        named = name.lower()
        if named in _RANGES:
            continue
        out.append((name, _narrowed(value)) if named == _CODINGS else (name, value))
    found = tuple(out)
    return fields if found == fields else found


def _narrowed(value: bytes) -> bytes:
    codings = [part.strip() for part in value.split(b",")]
    read = [part for part in codings if part.partition(b";")[0].strip().lower() in _READ]
    if len(read) == len(codings) or not value.strip():
        return value
    return b", ".join(read) or b"identity"
