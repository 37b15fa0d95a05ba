r"""Characters written as something else: %40, \u0040, &#64;, full-width, or with nothing between.

Each becomes an edit of exactly its characters. What is rare in ordinary text is strong; what prose
and source are full of (`\n`, typographic quotes, dashes) is strong only where it matters.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from proctor.redaction.edits import Edit
from proctor.redaction.model import Budget

_PERCENT: Final = re.compile(
    r"%(?:[0-7][0-9A-Fa-f]|u[0-9A-Fa-f]{4}|[89A-Fa-f][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){0,3})"
)
# The run of backslashes is taken whole, also where nothing follows, so that none is read twice. The
# first stands alone: a literal is what `re` searches for fast.
_BACKSLASH: Final = re.compile(
    r"\\\\*(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})"
    r"|([0-7]{3})|([nrt])|([\"'/])|)"
)
_OCTAL, _LETTER, _QUOTE = 5, 6, 7
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_ENTITY: Final = re.compile(
    r"&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31};)"
)
# ECMA-48 section 5.4: a control sequence, as coloured output has them.
_CONTROL: Final = re.compile(r"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]|[\x00-\x08\x0e-\x1b\x7f]+")

_LAST_UNICODE: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)
_LATIN_1: Final = 0x100
_TAGS: Final = range(0xE0020, 0xE007F)  # invisible doubles of ASCII
_INVISIBLE: Final = (
    "\x80-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
_BASIC_PLANE: Final = "\U00010000"  # and what follows lies above it
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
_QUOTES: Final = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
}
_COMPATIBLE: Final = (
    (0xA0, 0x3400),
    (0xFB00, 0x10000),
    (0x104A0, 0x104AA),
    (0x1D400, 0x1D800),
    (0x1F100, 0x1F200),
    (0x1FBF0, 0x1FBFA),
)


def _plainer() -> dict[str, str]:
    """Characters that mean ASCII: UAX 15 compatibility forms, digits of all scripts, dashes."""
    plainer: dict[str, str] = {}
    for low, high in _COMPATIBLE:
        for character in map(chr, range(low, high)):
            text = unicodedata.normalize("NFKC", character)
            digit = unicodedata.decimal(character, None)
            if digit is not None:
                plainer[character] = str(digit)
            elif text.isascii() and text.strip():
                plainer[character] = text
            elif character.isspace():
                plainer[character] = " "
    plainer.update(dict.fromkeys(_DASHES, "-"))
    plainer.update(_QUOTES)
    plainer.update((chr(tag), chr(tag - 0xE0000)) for tag in _TAGS)
    return plainer


_PLAINER: Final = _plainer()
# `re` searches for one set fast, as long as all of it lies in the basic plane.
_ODD: Final = re.compile(
    f"[{_INVISIBLE}{''.join(re.escape(sign) for sign in _PLAINER if sign < _BASIC_PLANE)}]"
)
_ABOVE: Final = re.compile(f"[{_BASIC_PLANE}-\U0010ffff]")
_INVISIBLE_ABOVE: Final = re.compile("[\U000e0000-\U000e0fff]")


def escapes(text: str, budget: Budget, *, control: bool = True) -> list[Edit]:
    """Every character that is written as something else, sorted.

    Args:
        text: Any text.
        budget: Asked now and then.
        control: Whether control characters are to be looked for.

    Raises:
        RedactionError: The time is up.
    """
    edits: list[Edit] = []
    if "%" in text:
        edits += _each(_PERCENT, text, _percent, budget)
    if "\\" in text:
        edits += _each(_BACKSLASH, text, _backslash, budget)
    if "&" in text:
        edits += _each(_ENTITY, text, _entity, budget)
    if control:
        edits += _each(_CONTROL, text, _nothing, budget)
    if not text.isascii():
        edits += _each(_ODD, text, _odd, budget)
        edits += _each(_ABOVE, text, _above, budget)
    edits.sort()
    return edits


def pluses(text: str, edits: list[Edit]) -> list[Edit]:
    """The same with `+` read as a space, as forms do (WHATWG URL section 5.1); else nothing.

    Only in tokens that hold a percent escape as well.
    """
    escaped = [edit for edit in edits if text.startswith("%", edit.start)]
    spaces: list[Edit] = []
    position = 0
    for edit in escaped:
        if edit.start < position:
            continue
        token = _TOKEN.match(text, _token_start(text, position, edit.start))
        position = token.end() if token else edit.end
        if token and "+" in token[0]:
            spaces += [Edit(m.start(), m.end(), " ") for m in _PLUS.finditer(text, *token.span())]
    return sorted([edit._replace(strong=False) for edit in edits] + spaces) if spaces else []


_PLUS: Final = re.compile(r"\+")
_TOKEN: Final = re.compile(r"[!-~]+")
_TOKEN_SIGNS: Final = "".join(map(chr, range(0x21, 0x7F)))


def _token_start(text: str, floor: int, at: int) -> int:
    return floor + len(text[floor:at].rstrip(_TOKEN_SIGNS))


def _each(
    pattern: re.Pattern[str],
    text: str,
    read: Callable[[str, re.Match[str]], Edit | None],
    budget: Budget,
) -> Iterator[Edit]:
    for count, match in enumerate(pattern.finditer(text)):
        if not count & 0xFFF:
            budget.check()
        edit = read(text, match)
        if edit is not None:
            yield edit


def _character(number: int) -> str:
    if number in _SURROGATES or number > _LAST_UNICODE:
        return "\ufffd"
    character = chr(number)
    return "" if character < " " and character not in "\t\n\r" else character


def _percent(_text: str, match: re.Match[str]) -> Edit:
    digits = match[0].replace("%", "")
    if digits.startswith("u"):
        return Edit(*match.span(), _character(int(digits[1:], 16)))
    decoded = bytes.fromhex(digits)
    one = len(decoded) == 1 and decoded.isascii()
    return Edit(
        *match.span(), _character(decoded[0]) if one else decoded.decode("utf-8", "replace")
    )


def _backslash(text: str, match: re.Match[str]) -> Edit | None:
    start, end = match.span()
    group = match.lastindex
    if group is None:
        return Edit(start, end, "\\", strong=False) if end - start > 1 else None
    written = match[group]
    if group == _LETTER:
        return Edit(start, end, _LETTERS[written], _TOKEN_START.match(text, end) is not None)
    if group == _QUOTE:
        strong = written == "/" or _assigns(text, start, end) or _quotes(text, start, end)
        return Edit(start, end, written, strong)
    return Edit(start, end, _character(int(written, 8 if group == _OCTAL else 16)))


# A word, or an indented name with a value.
_TOKEN_START: Final = re.compile(r"[^\s\"'\\]{4}|[ ]{1,12}(?:- )?[\w.-]{3,40}[ ]?[:=][ ]?\S{5}")
_QUOTED: Final = re.compile(r"(?=[^\s\"'\\]{0,64}\d)[^\s\"'\\]{6,256}\\+[\"']")


def _quotes(text: str, start: int, end: int) -> bool:
    """Whether a word with a digit stands between this quote and the next."""
    return text[start - 1 : start] != "\\" and _QUOTED.match(text, end) is not None


def _assigns(text: str, start: int, end: int) -> bool:
    """Whether the quote begins a value or ends a name."""
    before = text[max(0, start - 3) : start].rstrip()[-1:]
    after = text[end : end + 3].lstrip()[:1]
    return (before != "" and before in ":=") or (after != "" and after in ":=")


def _entity(_text: str, match: re.Match[str]) -> Edit | None:
    read = html.unescape(match[0])
    return None if read == match[0] else Edit(*match.span(), read)


def _nothing(_text: str, match: re.Match[str]) -> Edit:
    return Edit(*match.span(), "")


def _above(text: str, match: re.Match[str]) -> Edit | None:
    known = match[0] in _PLAINER or _INVISIBLE_ABOVE.match(match[0])
    return _odd(text, match) if known else None


def _odd(text: str, match: re.Match[str]) -> Edit:
    start, end = match.span()
    before, after = text[start - 1 : start], text[end : end + 1]
    character = match[0]
    read = _PLAINER.get(character)
    if read is None:
        return Edit(start, end, "", "!" <= before <= "~" or "!" <= after <= "~")
    if character in _DASHES or read == " ":
        strong = before.isdigit() and after.isdigit()
    elif read in ":=":
        strong = before.isalnum() and before.isascii()
    else:
        strong = (read.isalnum() or read in "@._-") and len(read) == 1 and ord(character) > _LATIN_1
    return Edit(start, end, read, strong or _assigns(text, start, end))
