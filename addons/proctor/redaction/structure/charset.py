"""From bytes to text and back, so that unchanged text is unchanged bytes."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proctor.redaction.model import Change, RedactionError

# Stateless, so that each character has bytes of its own, and none whose decoder is a danger.
_OTHERS: Final = re.compile(
    r"iso8859-\d{1,2}|cp125\d|cp437|cp85\d|cp866|koi8-[ru]|mac-roman"
    r"|shift_jis|cp932|euc_jp|gb2312|gbk|gb18030|big5|euc_kr|cp949"
)
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNICODE: Final = {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}  # RFC 2781 section 4.3
_SAMPLE: Final = 64
# In UTF-16 every other byte of ASCII is 0; in other scripts so many in a row are rare.
_ASCII_RUN: Final = re.compile(rb"[\x20-\x7e]{12}")


@dataclass(frozen=True, slots=True)
class Charset:
    """A way to write text as bytes.

    Attributes:
        name: Python's name of it.
        errors: How what it cannot express is kept.
    """

    name: str
    errors: str = "surrogateescape"

    def decode(self, raw: bytes) -> str:
        """What the bytes say; `encode` gives the same bytes back.

        Raises:
            RedactionError: `redaction-decoder`.
        """
        try:
            text = raw.decode(self.name, self.errors)
            # Several spellings of one character would not come back as they were.
            if _OTHERS.fullmatch(self.name) and text.encode(self.name, self.errors) != raw:
                raise _undecodable(self.name)
        except UnicodeError:
            raise _undecodable(self.name) from None
        return text

    def encode(self, text: str) -> bytes:
        """The text as bytes.

        Raises:
            RedactionError: `redaction-decoder`.
        """
        try:
            return text.encode(self.name, self.errors)
        except UnicodeError:
            raise _undecodable(self.name) from None

    def codec(self, raw: str, changes: Sequence[Change]) -> list[Change]:
        """The codec of bytes in this charset that are held as Latin-1, one character a byte."""
        text = self.decode(LATIN1.encode(raw))
        edits: list[Change] = []
        at = offset = 0
        for change in changes:
            start = offset + len(self.encode(text[at : change.start]))
            offset = start + len(self.encode(text[change.start : change.end]))
            edits.append(Change(start, offset, LATIN1.decode(self.encode(change.text))))
            at = change.end
        return edits


UTF8: Final = Charset("utf-8")
LATIN1: Final = Charset("latin-1")


def charset_of(raw: bytes, label: str = "") -> Charset:
    """How a body is written.

    Args:
        raw: The body. A byte order mark goes before what is declared (WHATWG Encoding, 6).
        label: What was declared; "" if nothing was.

    Raises:
        RedactionError: `redaction-decoder`, for a charset that is not read here.
    """
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return _wide(raw, name)
    if not label:
        return _guessed(raw)
    try:
        name = codecs.lookup(label.strip("\"' ")).name
    except (LookupError, ValueError):
        raise _undecodable("one that is not known") from None
    if name in ("utf-8", "utf-8-sig", "ascii"):
        return UTF8
    if name == "iso8859-1":
        return LATIN1
    name = _UNICODE.get(name, name)
    if re.fullmatch(r"utf-(?:16|32)-[bl]e", name):
        return _wide(raw, name)
    if not _OTHERS.fullmatch(name):
        raise _undecodable(name)
    return Charset(name)


def _wide(raw: bytes, name: str) -> Charset:
    """UTF-16 or UTF-32, unless words stand in it that are ASCII: read in pairs they would hide."""
    if _ASCII_RUN.search(raw):
        raise _undecodable(f"{name} with ASCII in it")
    return Charset(name, "surrogatepass")


def _guessed(raw: bytes) -> Charset:
    """UTF-8, or UTF-16 without its mark, whose every other byte is 0 in plain Latin text."""
    sample = raw[:_SAMPLE]
    if len(raw) % 2 == 0 and b"\0" in sample:
        even, odd = sample[::2], sample[1::2]
        if not any(odd) and all(even):
            return Charset("utf-16-le", "surrogatepass")
        if not any(even) and all(odd):
            return Charset("utf-16-be", "surrogatepass")
    return UTF8


def _undecodable(name: str) -> RedactionError:
    return RedactionError(
        "redaction-decoder",
        "A text cannot be read or written in its charset, so it was not let through",
        got=f"charset {name}",
        expected="utf-8, utf-16 or another common charset, and text that fits it",
        hint="Send UTF-8.",
    )
