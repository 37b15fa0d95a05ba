"""Quoting and expanding that needs no surroundings (POSIX.1-2024 XCU 2.2 and 2.6; Bash 5.2 3.5).

While a word is put together, characters that were quoted are shielded: they stand as private
characters, so that what still means something to the shell is told from what does not.
"""

import re
from collections.abc import Iterator
from typing import Final

from proctor.protocols.shell.model import Unreadable

QUOTED: Final = "\ue002"
"""Stands where quotes were: an empty word is one, if it was quoted."""

_SPECIAL: Final = "*?[]{},~ \t\n"
_SHIELD: Final = {ord(char): chr(0xE010 + n) for n, char in enumerate(_SPECIAL)}
_BRACES: Final = {ord(char): _SHIELD[ord(char)] for char in "{},~"}
_UNSHIELD: Final = {ord(mark): chr(char) for char, mark in _SHIELD.items()} | {ord(QUOTED): None}

_MOST_WORDS: Final = 256
_MOST_BRACES: Final = 32
_MOST_TEXT: Final = 8192  # of a word with braces
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
    "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))",
    re.DOTALL,
)
_RANGE: Final = re.compile(r"(-?\d{1,9})\.\.(-?\d{1,9})(?:\.\.-?\d{1,9})?|(.)\.\.(.)")


def shield(text: str) -> str:
    """The text as quotes make it: nothing in it means anything to the shell."""
    return QUOTED + text.translate(_SHIELD)


def shield_braces(text: str) -> str:
    """The text of an unquoted variable: it is split and globbed, but its braces are just text."""
    return text.translate(_BRACES)


def unshield(text: str) -> str:
    """The text as the program gets it."""
    return text.translate(_UNSHIELD)


def globs(raw: str) -> bool:
    """Whether the shell would put file names in this word's place."""
    return any(char in raw for char in "*?[")


def split(raw: str) -> list[str]:
    """The words that become of one, still shielded: braces multiply it, blanks part it.

    Raises:
        Unreadable: There are too many.
    """
    if "{" not in raw and not any(char in raw for char in " \t\n"):
        return [raw] if raw else []
    if "{" in raw and (len(raw) > _MOST_TEXT or raw.count("{") > _MOST_BRACES):
        raise Unreadable("it expands to too many words")
    words: list[str] = []
    for each in _braces(raw):
        words += each.split()
        if len(words) > _MOST_WORDS:
            raise Unreadable("it expands to too many words")
    return words


def _braces(raw: str) -> Iterator[str]:
    """Brace expansion (Bash 5.2 section 3.5.1)."""
    start = raw.find("{")
    while start >= 0:
        parts, end = _alternatives(raw, start)
        if parts:
            rest = list(_some(_braces(raw[end:])))
            for part in parts:
                for middle in _braces(part):
                    for after in rest:
                        yield raw[:start] + middle + after
            return
        start = raw.find("{", start + 1)
    yield raw


def _some(words: Iterator[str]) -> Iterator[str]:
    for count, word in enumerate(words):
        if count > _MOST_WORDS:
            raise Unreadable("it expands to too many words")
        yield word


def _alternatives(raw: str, start: int) -> tuple[list[str], int]:
    """What stands between the commas of the braces that open here, and where they end."""
    depth, begin, parts = 0, start + 1, list[str]()
    for at in range(start, len(raw)):
        char = raw[at]
        if char == "{":
            depth += 1
        elif char == "," and depth == 1:
            parts.append(raw[begin:at])
            begin = at + 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                if parts:
                    return [*parts, raw[begin:at]], at + 1
                return _range(raw[start + 1 : at]), at + 1
    return [], start


def _range(text: str) -> list[str]:
    found = _RANGE.fullmatch(text)
    if not found:
        return []
    numbers = found[1] is not None
    first, last = (int(found[1]), int(found[2])) if numbers else (ord(found[3]), ord(found[4]))
    if abs(first - last) >= _MOST_WORDS:
        raise Unreadable("it expands to too many words")
    step = 1 if last >= first else -1
    values = range(first, last + step, step)
    return [str(value) for value in values] if numbers else [chr(value) for value in values]


def ansi_c(text: str) -> str:
    """What stands between `$'` and `'` (Bash 5.2 section 3.1.2.4); also of `echo -e` and printf."""

    def one(found: re.Match[str]) -> str:
        if digits := found[1] or found[2] or found[3]:
            number = int(digits, 16)
            return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"  # noqa: PLR2004 - the bounds of Unicode
        if found[4]:
            return chr(int(found[4], 8) & 0xFF)
        if found[5]:
            return chr(ord(found[5]) & 0x1F)
        return _ESCAPES.get(found[6], found[0])

    return _ESCAPE.sub(one, text).partition("\0")[0]  # Bash ends the word at a NUL
