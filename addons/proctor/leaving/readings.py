"""Texts as they read when they are decoded in ways that ordinary programs do not write them.

Percent, entities, escapes, base64 and hex are `redaction.views`' business, which looks at all that
passes. Here is what somebody writes who wants not to be seen; it is looked for only in what leaves.
What decodes to no text is none.
"""

import base64
import binascii
import bz2
import codecs
import lzma
import quopri
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from proctor.leaving import gates
from proctor.leaving.alike import plain
from proctor.leaving.unseen import unseen
from proctor.redaction.edits import View
from proctor.redaction.model import Budget
from proctor.redaction.views import views

DEPTH: Final = 4
"""Codes within codes."""

_SIZE: Final = 2**16
"""Characters that come of one text, and of what is decompressed of one run."""

_LONGEST: Final = 2**18  # characters of a text that is looked at
_TOKEN: Final = re.compile(r"[!-~]{16,}")
_VALUE: Final = re.compile(r"(?<==)[^&\"'()<>]{16,}")
_MIXED: Final = re.compile(r"[A-Za-z]\W{0,2}\d|\d\W{0,2}[A-Za-z]")
_NAME: Final = re.compile(
    r"\W{0,2}(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[\w@/.:%-]{0,24}[0-9a-f-]{16,72}"
    r"|[\d:.TZ+/-]{8,40})\W{0,2}"
)
"""UUIDs, digests and times, of which each request has some; turned round they say nothing."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORT: Final = 200  # characters of a token that holds a key and little else
_TOKENS: Final = 256
_RUNS: Final = 64  # of one kind in one text
_LEAST: Final = 8  # characters
_STANDARD: Final = str.maketrans("-_", "+/")
_SIZES: Final = (b"\0\0\0", b"\xff\xff\xff")
"""The end of a .lzma header: liblzma takes none that says 256 GiB or more, but for "unknown"."""
_SAID: Final = re.compile(rb"[\t\n\r -~]{8,}")
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS58: Final = {sign: value for value, sign in enumerate(_BASE58)}


class Reading(NamedTuple):
    """A run of a text, decoded.

    Attributes:
        start: First character of the run.
        end: Character after its last.
        text: What it says.
        how: How it is written, in words.
    """

    start: int
    end: int
    text: str
    how: str

    def __repr__(self) -> str:
        return f"Reading({self.start}, {self.end}, {self.how!r})"


class _Kind(NamedTuple):
    how: str
    gate: int
    run: re.Pattern[str]
    read: Callable[[str], str | bytes | None]


def _base32(run: str) -> bytes:
    # RFC 4648 section 6; who speaks in host names writes small letters.
    signs = run.rstrip("=").upper()
    signs = signs[: len(signs) - (len(signs) % 8 in {1, 3, 6})]
    return base64.b32decode(signs + "=" * (-len(signs) % 8))


def _base32hex(run: str) -> bytes:
    signs = run.rstrip("=").upper()
    signs = signs[: len(signs) - (len(signs) % 8 in {1, 3, 6})]
    return base64.b32hexdecode(signs + "=" * (-len(signs) % 8))


def _base58(run: str) -> bytes:
    number = 0
    for sign in run:
        number = number * 58 + _DIGITS58[sign]
    return number.to_bytes((number.bit_length() + 7) // 8)


def _ascii85(run: str) -> bytes:
    return base64.a85decode(run.removeprefix("<~").removesuffix("~>"))


def _packed(run: str) -> bytes | None:
    signs = run.translate(_STANDARD).rstrip("=")
    signs = signs[: len(signs) - (len(signs) % 4 == 1)]
    packed = binascii.a2b_base64(signs + "=" * (-len(signs) % 4))
    # A decompressor is dear to make, and for nearly all that stands there it is made for nothing.
    make: type[bz2.BZ2Decompressor | lzma.LZMADecompressor] | None = None
    if packed.startswith(b"BZh"):
        make = bz2.BZ2Decompressor
    elif packed.startswith(b"\xfd7zXZ\0") or packed[10:13] in _SIZES:
        make = lzma.LZMADecompressor
    if make is not None:
        with suppress(OSError, ValueError, EOFError, lzma.LZMAError):
            return make().decompress(packed, _SIZE)
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _SIZE)
    except zlib.error:
        return None


def _quoted(run: str) -> bytes:
    return quopri.decodestring(run.encode("ascii"))


def _utf7(run: str) -> str:
    return codecs.decode(run.encode("ascii"), "utf-7")


def _codes(base: int, run: str) -> str | None:
    numbers = [int(number, base) for number in re.findall(r"\d+", run)]
    return "".join(map(chr, numbers)) if max(numbers) < 127 else None  # noqa: PLR2004


def _binary(run: str) -> bytes:
    digits = re.sub("[^01]", "", run)
    return int(digits, 2).to_bytes(len(digits) // 8)


_MORSE: Final = dict(
    zip(
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - "  # noqa: SIM905 - as a text it can be read
        "..- ...- .-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. "
        "----.".split(),
        "abcdefghijklmnopqrstuvwxyz0123456789",
        strict=True,
    )
)
"""ITU-R M.1677-1, section 1.1."""


def _morse(run: str) -> str:
    return "".join(_MORSE.get(signs, "") for signs in re.split(r"[ /|]+", run))


_IN_TOKENS: Final = (
    _Kind("base32", gates.BASE32, re.compile(r"(?:[A-Z2-7]{16,}|[a-z2-7]{16,})={0,6}"), _base32),
    _Kind(
        "base32",
        gates.BASE32HEX,
        re.compile(r"(?:(?![0-9A-F]{16})[A-V0-9]{16,}|(?![0-9a-f]{16})[a-v0-9]{16,})={0,6}"),
        _base32hex,
    ),
    _Kind(
        "base58",
        gates.BASE58,
        re.compile(r"(?<![A-Za-z0-9])[1-9A-HJ-NP-Za-km-z]{20,400}(?![A-Za-z0-9])"),
        _base58,
    ),
    _Kind(
        "base85",
        gates.BASE85,
        re.compile(
            r"\A(?=.{0,64}[a-z])(?=.{0,64}[A-Z0-9])(?=(?:.{0,32}[^\w./:-]){2})[!-uz~]{18,}\Z"
        ),
        _ascii85,
    ),
    _Kind(
        "base85",
        gates.BASE85,
        re.compile(
            r"\A(?=.{0,64}[a-z])(?=.{0,64}[A-Z])(?=.{0,64}\d)[0-9A-Za-z!#$%&()*+\-;<=>?@^_`{|}~]{18,}\Z"
        ),
        base64.b85decode,
    ),
    _Kind("compressed base64", gates.BASE64, re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}"), _packed),
    _Kind("quoted-printable", gates.QUOTED, re.compile(r"\A(?:[^=]*=[0-9A-F]{2}){4}.*\Z"), _quoted),
    _Kind("UTF-7", gates.UTF7, re.compile(r"\A[^+]*\+[A-Za-z0-9/]{3,}.*\Z"), _utf7),
)
_ANYWHERE: Final = (
    _Kind(
        "character codes",
        gates.CODES,
        re.compile(r"(?<!\d)(?:\d{2,3}[^\w\n]{1,4}){7,2000}\d{2,3}(?!\d)"),
        partial(_codes, 10),
    ),
    _Kind(
        "character codes",
        gates.CODES,
        re.compile(r"(?<!\d)(?:[01]?[0-7]{2}[^\w\n]{1,4}){7,2000}[01]?[0-7]{2}(?!\d)"),
        partial(_codes, 8),
    ),
    _Kind(
        "binary digits",
        gates.BINARY,
        re.compile(r"(?<!\d)(?:[01]{8}[^\w\n]{0,2}){7,1000}[01]{8}(?!\d)"),
        _binary,
    ),
    _Kind(
        "Morse code",
        gates.MORSE,
        re.compile(r"(?<![\w.-])(?:[.-]{1,6}[ /|]{1,3}){7,500}[.-]{1,6}(?![\w.-])"),
        _morse,
    ),
    _Kind(
        "single characters",
        gates.APART,
        re.compile(
            r"(?<![A-Za-z0-9])[!-~](?P<sign>[^A-Za-z0-9])(?:[!-~](?P=sign)){10,500}[!-~](?![A-Za-z0-9])"
        ),
        lambda run: run[::2],
    ),
    _Kind(
        "single characters",
        gates.APART,
        re.compile(
            r"(?<![A-Za-z0-9])(?:[A-Za-z0-9_-][\s,;|\"'+.\[\]]{1,6}){11,500}[A-Za-z0-9_-](?![A-Za-z0-9])"
        ),
        lambda run: re.sub(r"[\s,;|\"'+.\[\]]+", "", run),
    ),
)
_SIGNS: Final = re.compile(r"[^A-Za-z0-9]+")


def readings(
    text: str, budget: Budget, depth: int = DEPTH, shown: Sequence[View] | None = None
) -> Iterator[Reading]:
    """What a text says in codes, and what that says in codes.

    Args:
        text: Any text.
        budget: Asked before each run.
        depth: Codes within codes that are left.
        shown: The text's views, where they were made before.

    Raises:
        RedactionError: The time is up.
    """
    if not _LEAST <= len(text) <= _LONGEST:
        return
    if not text.isascii():
        folded = plain(text)
        if folded != text:
            yield Reading(0, len(text), folded, "look-alike letters")
            text = folded
    yield from _inner(text, budget, depth)
    if depth > 1 and len(text) <= _SIZE:
        for view in views(text, budget) if shown is None else shown:
            said = plain(view.text)
            for inner in _decoded(said, budget):
                for start, end in view.origins(inner.start, inner.end):
                    yield inner._replace(start=start, end=end)
            if said != view.text:
                yield Reading(0, len(text), said, "look-alike letters")


def _inner(text: str, budget: Budget, depth: int) -> Iterator[Reading]:
    left = _SIZE
    seen = {text}
    for reading in _decoded(text, budget):
        if reading.text in seen or left <= 0:
            continue
        seen.add(reading.text)
        left -= len(reading.text)
        yield reading
        if depth > 1 and reading.how not in TURNED:
            for inner in readings(reading.text, budget, depth - 1):
                how = f"{inner.how} in {reading.how}"
                yield Reading(reading.start, reading.end, inner.text, how)


TURNED: Final = frozenset({"reverse", "rot13", "pieces"})
"""They say something of anything."""


def _decoded(text: str, budget: Budget) -> Iterator[Reading]:
    present = gates.present(text)
    in_tokens = [kind for kind in _IN_TOKENS if kind.gate in present]
    mixed = gates.MIXED in present
    for start, token in _tokens(text) if in_tokens or mixed else ():
        budget.check()
        for kind in in_tokens:
            for run in islice(kind.run.finditer(token), _RUNS):
                said = _said(kind, run[0])
                if said:
                    yield Reading(start + run.start(), start + run.end(), said, kind.how)
        if mixed and len(token) <= _SHORT and _MIXED.search(token) and not _NAME.fullmatch(token):
            for turned, how in _turned(token):
                yield Reading(start, start + len(token), turned, how)
    for kind in _ANYWHERE:
        for run in islice(kind.run.finditer(text), _RUNS) if kind.gate in present else ():
            budget.check()
            said = _said(kind, run[0])
            if said:
                yield Reading(*run.span(), said, kind.how)
    yield from _unseen(text, budget)


def _unseen(text: str, budget: Budget) -> Iterator[Reading]:
    for start, end, content in () if text.isascii() else unseen(text):
        budget.check()
        if said := _shown(content):
            yield Reading(start, end, said, "invisible characters")


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """What stands between spaces, and the values of URLs in it."""
    telling = (token for token in _TOKEN.finditer(text) if not _UUID.fullmatch(token[0]))
    for token in islice(telling, _TOKENS):
        yield token.start(), token[0]
        if "=" in token[0]:
            for value in islice(_VALUE.finditer(token[0]), _RUNS):
                yield token.start() + value.start(), value[0]


def _turned(token: str) -> Iterator[tuple[str, str]]:
    """A token as anybody can turn it, and without what stands between its letters and digits."""
    yield token[::-1], "reverse"
    yield codecs.encode(token, "rot13"), "rot13"
    joined = _SIGNS.sub("", token)
    if _LEAST < len(joined) < len(token):
        yield joined, "pieces"
        if said := _said(_IN_TOKENS[0], joined):
            yield said, "base32 in pieces"


def _said(kind: _Kind, run: str) -> str | None:
    """The text in a run; None where there is none."""
    try:
        said = kind.read(run)
    except (ValueError, OverflowError, KeyError, OSError):
        return None
    if isinstance(said, bytes):
        return _shown(said)
    return said if said and len(said) >= _LEAST and said.isascii() else None


def _shown(content: bytes) -> str | None:
    """Bytes as text; what follows may be something else that stands beside it."""
    match = _SAID.match(content)
    return match[0].decode("ascii") if match and 2 * len(match[0]) > len(content) else None
