"""What can be read in bytes that are no text: archives, compressed files, strings in a binary.

Redaction leaves such bodies as they are, since nothing can be taken out of them. A secret that goes
out in a `.tar.gz` has left all the same, so they are looked at here as far as a bound allows.
"""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

import zstandard

from proctor.redaction.model import Budget

MOST: Final = 2**22
"""Bytes of a body that are looked at, and bytes that are unpacked of all that is in it."""

_DEPTH: Final = 3  # a zip in a tar.gz
_STRING: Final = re.compile(rb"[\t\x20-\x7e]{8,}")
_STRINGS: Final = 50_000
_MEMBERS: Final = 500
# APPNOTE.TXT section 4.3.7: flags, method, times and sizes, then the lengths of name and extra.
_MEMBER: Final = re.compile(rb"PK\x03\x04..(?P<flags>..)\x08\x00.{16}(?P<lengths>.{4})", re.DOTALL)
_ENCRYPTED: Final = 1
_STREAM: Final = re.compile(rb"stream\r?\n")  # ISO 32000-2 section 7.3.8
_EITHER: Final = zlib.MAX_WBITS | 32  # zlib's manual: gzip or zlib
_PIECE: Final = 2**10

type _Unpacked = Callable[[bytes, int], bytes]


def strings(raw: bytes, budget: Budget) -> str:
    """The plain text in some bytes and in what is packed in them, a run in a line.

    Args:
        raw: Anything.
        budget: Asked now and then.

    Raises:
        RedactionError: The time is up.
    """
    found = islice(_strings(raw, budget), _STRINGS)
    return "\n".join(found)


def _strings(raw: bytes, budget: Budget) -> Iterator[str]:
    left = MOST
    todo = [(raw[:MOST], _DEPTH)]
    while todo:
        budget.check()
        data, depth = todo.pop()
        for match in _STRING.finditer(data):
            yield match[0].decode("ascii")
        for content in _contents(data) if depth else ():
            budget.check()
            content = content[:left]  # noqa: PLW2901 - as much of it as is left
            left -= len(content)
            todo.append((content, depth - 1))
            if not left:
                break


def _contents(data: bytes) -> Iterator[bytes]:
    """What is packed in some bytes, each no longer than `MOST`."""
    for start, unpack in _WHOLE:
        if data.startswith(start):
            yield unpack(data, 0)
    for member in islice(_MEMBER.finditer(data), _MEMBERS):
        if not member["flags"][0] & _ENCRYPTED:
            name, extra = member["lengths"][:2], member["lengths"][2:]
            size = int.from_bytes(name, "little") + int.from_bytes(extra, "little")
            yield _inflated(data, member.end() + size, -zlib.MAX_WBITS)
    if data.startswith(b"%PDF-"):
        for stream in islice(_STREAM.finditer(data), _MEMBERS):
            yield _inflated(data, stream.end())


def _inflated(data: bytes, start: int, bits: int = _EITHER) -> bytes:
    """What there is until the end, or until it is broken."""
    decoder = zlib.decompressobj(bits)
    out = bytearray()
    with suppress(zlib.error):  # what came before counts
        for at in range(start, len(data), _PIECE):
            out += decoder.decompress(data[at : at + _PIECE], MOST - len(out))
            if decoder.eof or len(out) == MOST:
                break
    return bytes(out)


def _bunzipped(data: bytes, _start: int) -> bytes:
    try:
        return bz2.BZ2Decompressor().decompress(data, MOST)
    except (OSError, ValueError, EOFError):
        return b""


def _unxzed(data: bytes, _start: int) -> bytes:
    try:
        return lzma.LZMADecompressor(memlimit=2**26).decompress(data, MOST)
    except (lzma.LZMAError, EOFError):
        return b""


def _unzstd(data: bytes, _start: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**23).stream_reader(data) as reader:
            return reader.read(MOST)
    except zstandard.ZstdError:
        return b""


_WHOLE: Final[tuple[tuple[bytes | tuple[bytes, ...], _Unpacked], ...]] = (
    ((b"\x1f\x8b\x08", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), _inflated),
    (b"BZh", _bunzipped),
    (b"\xfd7zXZ\0", _unxzed),
    (b"\x28\xb5\x2f\xfd", _unzstd),
)
