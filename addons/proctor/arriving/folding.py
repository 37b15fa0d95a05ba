"""A text as a reader, or a model, takes it: what is invisible, disguised or encoded is undone."""

import re
import unicodedata
from typing import Final, NamedTuple

from proctor.arriving.signs import Sign
from proctor.protocols.mcp.definitions import JOINERS, SELECTORS, unseen

_TAGS: Final = range(0xE0020, 0xE007F)
_BLANKS: Final = {0xE0020: " "}  # a tag character that may stand between words
_FLAG: Final = "\U0001f3f4"  # the black flag that tag characters make those of countries from
_FIRST_SELECTORS: Final = range(0xFE00, 0xFE10)
_OVERRIDES: Final = frozenset("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
_RIGHT_TO_LEFT: Final = re.compile(r"[\u0590-\u08ff\ufb1d-\ufefc]")
_ZERO: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u180e\u2061\u2062\u2063\u2064")
_LOOKED: Final = 50_000  # characters
_SPELLS: Final = 4
"""Characters from which on invisible ones are no accident."""

_BEYOND: Final = re.compile(r"[^\x00-\x7f]")
_INSIDE: Final = re.compile(r"[A-Za-z][\u200b-\u200d\u2060-\u2064\ufeff\u00ad\u180e]+(?=[A-Za-z])")
_MIXED: Final = re.compile(r"[A-Za-z]{0,40}[\u0370-\u03ff\u0400-\u04ff]\w{0,40}")
_APOSTROPHE: Final = re.compile(r"(?<=\w)\u2019(?=\w)")
_LATIN: Final = re.compile(r"[A-Za-z]")
_LIKE: Final = str.maketrans(
    "асеорхуіѕјԁһӏмтквнАВЕКМНОРСТУХІЅЈαονικρυτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aceopxyisjdhlmtkbhABEKMHOPCTYXISJaovikputABEZHIKMNOPTYX",
)


class Folded(NamedTuple):
    """What a text reads, and what was found on the way.

    Attributes:
        text: Compatibility forms as plain letters, invisible characters out.
        spelled: What invisible characters spell.
        signs: Of tricks with characters.
    """

    text: str
    spelled: str = ""
    signs: tuple[Sign, ...] = ()


def folded(text: str) -> Folded:
    """Undo tricks with characters."""
    if text.isascii():
        return Folded(text)
    signs: list[Sign] = []
    chars = {char for char in set(text) if not char.isascii()}
    odd = {char for char in chars if _odd(char)}
    spelled = _spelled(text) if odd else ""
    if len(spelled) >= _SPELLS:
        signs.append(Sign("unseen", 0.8))
    if odd and len(_INSIDE.findall(text, 0, _LOOKED)) >= _SPELLS:
        signs.append(Sign("zero-width", 0.4))
    if not _OVERRIDES.isdisjoint(odd) and not _RIGHT_TO_LEFT.search(text):
        signs.append(Sign("bidi", 0.4))
    blanks = {} if spelled.strip() else _BLANKS
    plain = text.translate(dict.fromkeys(map(ord, odd)) | blanks) if odd else text
    if not unicodedata.is_normalized("NFKC", plain):
        plain = unicodedata.normalize("NFKC", plain)
    if "\u2019" in chars:
        plain = _APOSTROPHE.sub("'", plain)
    if any("\u0370" <= char <= "\u04ff" for char in chars):
        mixed = [word for word in _MIXED.findall(plain, 0, _LOOKED) if _LATIN.search(word)]
        if len(mixed) >= _SPELLS:
            signs.append(Sign("lookalike", 0.3))
        plain = _MIXED.sub(_alike, plain)
    return Folded(plain, spelled, tuple(signs))


def _alike(found: re.Match[str]) -> str:
    """A word of two alphabets, in one."""
    word = found[0]
    return word.translate(_LIKE) if _LATIN.search(word) else word


def _odd(char: str) -> bool:
    known = char in JOINERS or char in _ZERO or char == "\u00ad"
    return known or unseen(char) or ord(char) in _FIRST_SELECTORS


def _spelled(text: str) -> str:
    """What tag characters, variation selectors and rows of zero-width characters spell."""
    tags: list[str] = []
    values: list[int] = []
    bits: list[str] = []
    flag = end = -1
    for found in _BEYOND.finditer(text):
        char, start = found[0], found.start()
        code = ord(char)
        if code in _TAGS:
            # A flag: https://unicode.org/reports/tr51/#def_emoji_tag_sequence
            if start == flag:
                flag += 1
            else:
                tags.append(chr(code - 0xE0000))
        elif code in SELECTORS:
            values.append(code - SELECTORS.start + 16)
        elif code in _FIRST_SELECTORS and start == end:
            values.append(code - _FIRST_SELECTORS.start)
        elif char in "\u200b\u200c":
            bits.append("0" if char == "\u200b" else "1")
        elif char == _FLAG:
            flag = start + 1
        end = start + 1 if code in SELECTORS or (code in _FIRST_SELECTORS and values) else -1
    spelled = "".join(tags) + bytes(value & 0xFF for value in values).decode("utf-8", "replace")
    both = {"0", "1"} == set(bits)
    spelled += _of_bits("".join(bits)) if both and len(bits) >= 8 * _SPELLS else ""
    return spelled


def _of_bits(bits: str) -> str:
    """What is spelled by bits, whichever of the two characters stands for which."""
    for one in (bits, bits.translate(str.maketrans("01", "10"))):
        data = bytes(int(one[at : at + 8], 2) for at in range(0, len(one) - 7, 8))
        text = data.decode("latin-1")
        if text.isascii() and text.isprintable():
            return text
    return ""
