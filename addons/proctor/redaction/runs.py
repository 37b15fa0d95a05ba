"""Runs of base64 and hex read as the text they stand for.

A finding inside covers the whole run, and all lines of it where it is wrapped. What decodes to
nothing readable (keys, digests, images) is no text and stays what it is.
"""

import binascii
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from proctor.redaction.edits import Allowance, Edit
from proctor.redaction.model import Budget
from proctor.redaction.triggers import ENOUGH, QUADS, Kind, ends

_READABLE: Final = bytes(range(0x20, 0x7F)) + b"\t\n\r\f"
_BEYOND_ASCII: Final = bytes(range(0x80, 0x100))
_ENOUGH: Final = 0.7  # of the bytes must be readable; of random ones, 0.4 are
_NEARLY_ALL: Final = 0.9
_LEAST: Final = 4  # bytes
_ZEROS: Final = 0.4  # of every second byte, in UTF-16
_WRAPPED: Final = 40  # characters; nobody wraps at less
_PIECE: Final = 1024  # bytes; what came out before an error counts
_GZIP: Final = b"\x1f\x8b\x08"
_ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_EITHER: Final = zlib.MAX_WBITS | 32  # zlib's manual: the wrapper tells whether it is gzip or zlib

_SIGNS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_TO_STANDARD: Final = str.maketrans("-_", "+/")
_DIGITS: Final = b"0123456789abcdefABCDEF"
_QUAD_STARTS: Final = re.compile(
    "(?=(?:[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-])"
    f"{{{QUADS - 1}}})"
)
_LIST: Final = re.compile(
    r"(?<![0-9A-Fa-f])(?:0[xX])?[0-9A-Fa-f]{2}"
    r"(?:[\s,:;-]{1,24}(?:0[xX])?[0-9A-Fa-f]{2}(?![0-9A-Fa-f])){6,}"
)
_LINE_END: Final = re.compile(r"[ \t]{0,64}(?:[\r\n\"'`<\\),;]|$)")
_LIST_SIGNS: Final = _DIGITS + b"xX \t\r\n\f\v,:;-"


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How one alphabet is read.

    Attributes:
        kind: Its trigger.
        signs: The alphabet.
        run: A run on one line, padding included.
        line: The next line of a wrapped run.
        read: A run → where the text in it begins, and the text.
    """

    kind: Kind
    signs: bytes
    run: re.Pattern[str]
    line: re.Pattern[str]
    read: Callable[[str, Allowance], tuple[int, str] | None]


def encoded(
    text: str, data: bytes, kind: Kind, allowance: Allowance, budget: Budget
) -> list[list[Edit]]:
    """What stands encoded on one line, then what is wrapped over several lines; each sorted.

    Args:
        text: Any text.
        data: The same, one byte a character.
        kind: What to look for.
        allowance: How much may be decoded.
        budget: Asked before each run.

    Raises:
        RedactionError: The time is up, or there is more in it than is allowed.
    """
    if kind is Kind.LIST:
        return [list(_lists(text, data, allowance, budget))]
    spelling = _SPELLINGS[kind]
    runs: list[Edit] = []
    blocks: list[Edit] = []
    position = 0
    for start, end in _spans(text, data, spelling, budget):
        found = spelling.read(text[start:end], allowance)
        if found is not None:
            runs.append(Edit(start + found[0], end, found[1]))
        if start < position:
            continue
        lines = _lines(text, start, end, spelling)
        position = lines[-1][1]
        if len(lines) == 1:
            continue
        found = spelling.read("".join(text[low:high] for low, high in lines), allowance)
        if found is not None:
            # The text begins on the first line, since that is where something was triggered.
            blocks.append(Edit(start + min(found[0], end - start), position, found[1]))
    return [runs, blocks]


def _spans(
    text: str, data: bytes, spelling: _Spelling, budget: Budget
) -> Iterator[tuple[int, int]]:
    """Runs with something in them that looks like text."""
    position = 0
    while found := ends(spelling.kind, data, position):
        for hit in found:
            if hit <= position:
                continue  # in what has been read
            budget.check()
            # Padding is no sign, yet belongs to a trigger; a trigger never spans two runs.
            before = data[position:hit].rstrip(b"=").rstrip(spelling.signs)
            start = position + len(before)
            match = spelling.run.match(text, start)
            position = match.end() if match else hit
            if match:
                yield match.span()
        if len(found) < ENOUGH:
            return


def _lines(text: str, start: int, end: int, spelling: _Spelling) -> list[tuple[int, int]]:
    """The lines of a wrapped run. The first may be shorter, since a name can stand before it."""
    lines = [(start, end)]
    width = end - start
    while text[lines[-1][1] - 1] != "=":
        match = spelling.line.match(text, lines[-1][1])
        if match is None:
            break
        length = match.end(1) - match.start(1)
        width = max(width, length) if len(lines) == 1 else width
        if length > width or width < _WRAPPED:
            break
        if len(lines) == 1 and not _LINE_END.match(text, match.end()):
            break
        lines.append(match.span(1))
        if length < width:
            break
    return lines


def _base64(run: str, allowance: Allowance) -> tuple[int, str] | None:
    """Text in a run, which may have something before it that puts the groups of four off."""
    run = run.rstrip("=").translate(_TO_STANDARD)
    starts: dict[int, int] = {}
    for match in _QUAD_STARTS.finditer(run):
        starts.setdefault(match.start() % 4, match.start())
        if len(starts) == 4:  # noqa: PLR2004  # characters in a group
            break
    offsets = sorted({0, *starts, *starts.values()})
    return _best(((offset, _from_base64(run[offset:])) for offset in offsets), allowance)


def _from_base64(run: str) -> bytes:
    # RFC 4648 section 4: one sign left over says nothing.
    run = run[:-1] if len(run) % 4 == 1 else run
    return binascii.a2b_base64(run + "=" * (-len(run) % 4))


def _hex(run: str, allowance: Allowance) -> tuple[int, str] | None:
    decoded = ((offset, _from_hex(run[offset:])) for offset in (0, 1))
    if not run[2:].isdigit():
        return _best(decoded, allowance)
    # A number, such as a card's or an account's: by chance, half of its bytes are readable.
    for offset, content in decoded:
        text = readable(content, allowance, sure=True, share=_NEARLY_ALL)
        if text is not None:
            return offset, text
    return None


def _from_hex(digits: str) -> bytes:
    return binascii.unhexlify(digits[: len(digits) // 2 * 2])


def _lists(text: str, data: bytes, allowance: Allowance, budget: Budget) -> Iterator[Edit]:
    """Bytes in hex with something between them: 0x68, 0x75 or 68:75 or 68 75."""
    position = 0
    while found := ends(Kind.LIST, data, position):
        for hit in found:
            if hit <= position:
                continue  # in what has been read
            budget.check()
            start = position + len(data[position:hit].rstrip(_LIST_SIGNS))
            position = hit
            match = next((m for m in _LIST.finditer(text, start) if m.end() >= hit), None)
            if match:
                position = match.end()
                digits = re.sub(r"0[xX](?=[0-9A-Fa-f]{2})|[\s,:;-]", "", match[0])
                decoded = _best([(0, binascii.unhexlify(digits))], allowance)
                if decoded is not None:
                    yield Edit(*match.span(), decoded[1])
        if len(found) < ENOUGH:
            return


def _best(decoded: Iterable[tuple[int, bytes]], allowance: Allowance) -> tuple[int, str] | None:
    """The first that is all text, else the first that is mostly text."""
    others = []
    for offset, content in decoded:
        text = readable(content, allowance, sure=True)
        if text is not None:
            return offset, text
        others.append((offset, content))
    for offset, content in others:
        text = readable(content, allowance)
        if text is not None:
            return offset, text
    return None


def readable(
    content: bytes, allowance: Allowance, *, sure: bool = False, share: float = _ENOUGH
) -> str | None:
    """The text in some bytes, also when it is compressed or UTF-16; None where there is none.

    Args:
        content: Anything.
        allowance: How much may come out of what is compressed.
        sure: Only what is text beyond doubt.
        share: Of the bytes, that must be readable.

    Raises:
        RedactionError: More comes out than is allowed.
    """
    if content.startswith((_GZIP, *_ZLIB)):
        inflated = _inflate(content, allowance)
        if inflated is not None:
            content = inflated
    for encoding, zeros in (("utf-16-le", content[1::2]), ("utf-16-be", content[::2])):
        if zeros.count(0) > _ZEROS * len(zeros):
            text = content.decode(encoding, "replace").removeprefix("\ufeff")
            if _is_readable(text.encode("latin-1", "ignore"), share):
                return text
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        if sure or not _is_readable(content, share):
            return None
        return content.decode("utf-8", "replace")
    return text if _is_readable(content, share, _READABLE + _BEYOND_ASCII) else None


def _is_readable(content: bytes, share: float, signs: bytes = _READABLE) -> bool:
    # Archives fill up with NUL.
    content = content.replace(b"\0", b"")
    return len(content) >= _LEAST and (
        len(content.translate(None, signs)) <= (1 - share) * len(content)
    )


def _inflate(content: bytes, allowance: Allowance) -> bytes | None:
    """What was compressed, as far as it can be read; None where nothing can."""
    decoder = zlib.decompressobj(_EITHER)
    inflated = bytearray()
    try:
        for start in range(0, len(content), _PIECE):
            piece = decoder.decompress(content[start : start + _PIECE], allowance.left + 1)
            allowance.take(len(piece))
            inflated += piece
    except zlib.error:
        pass  # no compressed data after all, or cut off
    return bytes(inflated) or None


_SPELLINGS: Final = {
    Kind.BASE64: _Spelling(
        Kind.BASE64,
        _SIGNS,
        re.compile("[A-Za-z0-9+/_-]+={0,2}"),
        re.compile(r"\r?\n[ \t]{0,64}([A-Za-z0-9+/_-]+={0,2})"),
        _base64,
    ),
    Kind.HEX: _Spelling(
        Kind.HEX,
        _DIGITS,
        re.compile("[0-9A-Fa-f]+"),
        re.compile(r"\r?\n[ \t]{0,64}([0-9A-Fa-f]+)"),
        _hex,
    ),
}
