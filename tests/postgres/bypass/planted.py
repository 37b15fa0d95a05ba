"""The secrets of the corpus, and whether bytes hold one in whatever form."""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from uuid import UUID

from tests.postgres.bypass.wire import Received

ROWS = (1, 2, 3)
TEXTS = ("email", "ssn", "phone", "note", "tag", "photo")
SSN = "qx7ssn1kz"
"""Of row 1: what the blind cases guess."""
SALARY = 918273641
_EPOCH = date(2000, 1, 1)
_HEX = re.compile(rb"[0-9a-f]{8,}", re.IGNORECASE)
_HEX_CODE = re.compile(rb"[2-7][0-9a-f]", re.IGNORECASE)
_BASE64 = re.compile(rb"[0-9A-Za-z+/\n]{8,}={0,2}")
_NUMBERS = re.compile(rb"\d+")
_UNICODE = re.compile(rb"(?:\\u|%u|&#x?)?([0-9a-f]{2,4})", re.IGNORECASE)
_OTHER = re.compile(rb"[^0-9a-z]+")


def _text(column: str, row: int) -> str:
    return f"qx7{column}{row}kz"


def _born(row: int) -> date:
    return date(1931, 7, 20 + row)


def _token(row: int) -> UUID:
    return UUID(f"7e57ab1e-5ec2-4e75-9a9a-00dead00be0{row}")


def schema() -> str:
    """schema.sql with the secrets in it."""
    rows = [
        f"({row}, 'user {row}', '{_text('email', row)}@planted.example', '{_text('ssn', row)}',"
        f" '{_text('phone', row)}', {SALARY - 1 + row}, '{_born(row)}', '{_token(row)}',"
        f" '{{\"secret\": \"{_text('note', row)}\"}}', '{{{_text('tag', row)}}}',"
        f" '{_text('photo', row)}', 7654321.0{row})"
        for row in ROWS
    ]
    text = (Path(__file__).parent / "schema.sql").read_text()
    return text.replace("{users}", ",\n".join(rows))


def _needles() -> Iterator[bytes]:
    for row in ROWS:
        for column in TEXTS:
            text = _text(column, row).encode()
            yield text
            yield text[::-1]
            for digest in ("md5", "sha224", "sha256", "sha384", "sha512"):
                yield hashlib.new(digest, text).digest()
                yield hashlib.new(digest, text).hexdigest().encode()
        salary, born = SALARY - 1 + row, _born(row)
        yield str(salary).encode()
        yield f"{salary:x}".encode()
        yield struct.pack("!i", salary)
        yield f"{born}".encode()
        yield struct.pack("!i", (born - _EPOCH).days)
        yield f"7654321.0{row}".encode()
        yield struct.pack("!4h", 3, 1, 0, 2) + struct.pack("!3h", 765, 4321, row * 100)
        yield _token(row).bytes
        yield _token(row).hex.encode()
        yield str(_token(row)).encode()


_FOUND = re.compile(b"|".join(sorted({re.escape(each) for each in _needles()}, reverse=True)))


def found(received: Received) -> bytes:
    """A secret that stands in what was received, b"" for none.

    Looked for in the bytes as they came and, in lower case, in the values and messages that they
    carry: joined without what stands between letters; decoded as hex, base64 and codes of letters.
    """
    for seen in _views(received):
        if match := _FOUND.search(seen):
            return match[0]
    return b""


def _views(received: Received) -> Iterator[bytes]:
    yield received.raw
    yield received.raw.lower()
    texts = [*received.values, *received.words]
    for part in (received.values, received.words, *received.columns):
        joined = b"".join(part).lower()
        yield joined
        yield _OTHER.sub(b"", joined)
    yield from _codes(received.values)
    for text in texts:
        yield from _decoded(text)


def _codes(values: Sequence[bytes]) -> Iterator[bytes]:
    """Numbers that are codes of letters, one after the other, in one value or in many."""
    numbers = [int(each) for text in values for each in _NUMBERS.findall(text) if len(each) < 4]
    yield bytes(each for each in numbers if 32 < each < 127).lower()
    short = [text for text in values if len(text) == 2 and _HEX_CODE.fullmatch(text)]
    yield bytes(int(text, 16) for text in short).lower()


def _decoded(text: bytes) -> Iterator[bytes]:
    for run in _HEX.findall(text):
        for start in (0, 1):
            even = run[start : start + (len(run) - start) // 2 * 2]
            yield bytes.fromhex(even.decode()).lower()
    for run in _BASE64.findall(text):
        plain = run.replace(b"\n", b"").rstrip(b"=")
        for start in range(4):
            piece = plain[start:]
            piece = piece[: len(piece) // 4 * 4 + (len(piece) % 4 if len(piece) % 4 > 1 else 0)]
            try:
                yield base64.b64decode(piece + b"=" * (-len(piece) % 4)).lower()
            except binascii.Error:
                continue
    codes = [int(each, 16) for each in _UNICODE.findall(text)]
    yield bytes(each for each in codes if 32 < each < 127).lower()
