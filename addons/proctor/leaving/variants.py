"""How a value may be written, so that it is known again without decoding anything.

Base64 and its like have several forms, by where in a group the value begins; of each the characters
that depend on the value alone are taken (RFC 4648). Compared are letters and digits, folded, so one
form stands for all alphabets of a code, and for it in the lower case of host names.
"""

import base64
import codecs
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from proctor.leaving.thinned import differences

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = _LOWER.upper()
_LETTERS: Final = _LOWER + _UPPER
_BASE62: Final = _DIGITS + _LETTERS
_WORDS: Final = dict(
    zip(
        _LOWER + _DIGITS + "-",
        "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november "  # noqa: SIM905 - as a text it can be read
        "oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu zero one two "
        "three four five six seven eight nine dash".split(),
        strict=True,
    )
)
"""As pilots say letters (ICAO Annex 10, volume II, section 5.2.1.3)."""
_NESTED: Final = 96
"""Characters of a value up to which it is looked for in codes within codes."""

_TURNED: Final = 48
"""Characters up to which it is looked for in what only somebody who hides it writes."""

LONGEST: Final = 512
"""Characters of a value that are looked for; of a private key that is more than enough."""


class Variant(NamedTuple):
    """One way of writing.

    Attributes:
        how: Its name, for people; "" as it stands.
        text: The value written so.
    """

    how: str
    text: str

    def __repr__(self) -> str:
        return f"Variant({self.how!r})"


def variants(value: str) -> Iterator[Variant]:
    """Every way in which a value is looked for.

    Args:
        value: What must not leave; only its beginning counts where it is very long.
    """
    value = value[:LONGEST]
    raw = value.encode("utf-8", "surrogatepass")
    yield Variant("", value)
    yield Variant("reverse", value[::-1])
    yield Variant("rot13", codecs.encode(value, "rot13"))
    yield Variant("hex", raw.hex())
    # Between the bytes: 0x.., \x.., \u00.., and lists of numbers.
    yield Variant("hex", "".join(f"0x{byte:02x}" for byte in raw))
    yield Variant("hex", "".join(f"x{byte:02x}" for byte in raw))
    yield Variant("character codes", "".join(f"u{byte:04x}" for byte in raw))
    yield Variant("character codes", "".join(map(str, raw)))
    yield Variant("character codes", "".join(f"{byte:03o}" for byte in raw))
    yield Variant("binary digits", "".join(f"{byte:08b}" for byte in raw))
    for text in aligned(raw, 3, 4, base64.b64encode):
        yield Variant("base64", text)
        yield Variant("reverse base64", text[::-1])
    for text in aligned(raw, 5, 8, base64.b32encode):
        yield Variant("base32", text)
    for text in aligned(raw, 5, 8, base64.b32hexencode):
        yield Variant("base32", text)
    for text in aligned(raw, 4, 5, base64.b85encode):
        yield Variant("base85", text)
    for text in aligned(raw, 4, 5, base64.a85encode):
        yield Variant("base85", text)
    yield Variant("base58", base58(raw))
    if len(raw) <= _NESTED:
        yield from _nested(value, raw)
    if len(raw) <= _TURNED:
        yield from _numbers(value, raw)
        yield from _shuffled(value)


def _numbers(value: str, raw: bytes) -> Iterator[Variant]:
    """Other ways of writing bytes as numbers, and what tools print of them."""
    yield Variant("character codes", "".join(f"{byte:03}" for byte in raw))
    for call in ("chr", "char"):
        yield Variant("character codes", "".join(f"{call}{byte}" for byte in raw))
    yield Variant("hex, reversed", raw.hex()[::-1])
    yield Variant("hex, digits swapped", "".join(f"{byte:02x}"[::-1] for byte in raw))
    for first in (0, 1):  # od -x
        yield Variant(
            "hex, bytes swapped", _pairs(raw[first:].decode("latin-1")).encode("latin-1").hex()
        )
    number = int.from_bytes(raw)
    for base, signs in ((10, _BASE62), (36, _BASE62), (62, _BASE62), (62, _BASE62.swapcase())):
        yield Variant(f"base{base}", _digits(number, base, signs))
    for start in (0, 1):
        yield Variant("numbered characters", "".join(f"{n}{c}" for n, c in enumerate(value, start)))


def _shuffled(value: str) -> Iterator[Variant]:
    """As anybody can turn or spell a value without a key."""
    yield Variant("", differences(value.encode("utf-8", "surrogatepass")))
    for shift in range(1, 26):
        letters = str.maketrans(_LETTERS, _moved(_LOWER, shift) + _moved(_UPPER, shift))
        if shift != 13:  # noqa: PLR2004 - rot13 is there
            yield Variant("shifted letters", value.translate(letters))
    rot13 = codecs.encode(value, "rot13")
    yield Variant("rot18", rot13.translate(str.maketrans(_DIGITS, _moved(_DIGITS, 5))))
    yield Variant("rot13, reversed", rot13[::-1])
    yield Variant(
        "rot47", "".join(chr(33 + (ord(c) + 14) % 94) if "!" <= c <= "~" else c for c in value)
    )
    yield Variant("atbash", value.translate(str.maketrans(_LETTERS, _LOWER[::-1] + _UPPER[::-1])))
    for step in (-1, 1):
        yield Variant("shifted codes", "".join(chr(max(0, ord(c) + step)) for c in value))
    yield Variant("doubled characters", "".join(c * 2 for c in value))
    yield Variant("every other character", value[::2] + value[1::2])
    yield Variant("characters swapped", _pairs(value))
    yield Variant("spelled in words", "".join(_WORDS.get(c, c) for c in value.lower()))


def _moved(signs: str, by: int) -> str:
    return signs[by:] + signs[:by]


def _pairs(text: str) -> str:
    return "".join(text[at : at + 2][::-1] for at in range(0, len(text), 2))


def _digits(number: int, base: int, signs: str) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = signs[digit] + digits
    return digits


def _nested(value: str, raw: bytes) -> Iterator[Variant]:
    for wide in ("utf-16-le", "utf-16-be"):
        for text in aligned(value.encode(wide, "surrogatepass"), 3, 4, base64.b64encode):
            yield Variant("base64 of UTF-16", text)
    for inner in aligned(raw, 3, 4, base64.b64encode):
        for text in aligned(inner.encode(), 3, 4, base64.b64encode):
            yield Variant("base64, twice", text)
        yield Variant("hex of base64", inner.encode().hex())
    for digits in (raw.hex(), raw.hex().upper()):
        for text in aligned(digits.encode(), 3, 4, base64.b64encode):
            yield Variant("base64 of hex", text)
    for text in aligned(raw[::-1], 3, 4, base64.b64encode):
        yield Variant("base64, reversed before", text)
    for text in aligned(codecs.encode(value, "rot13").encode(), 3, 4, base64.b64encode):
        yield Variant("base64 of rot13", text)


def aligned(raw: bytes, group: int, signs: int, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """The code of some bytes at each place in a group, without what depends on neighbours."""
    step = signs if group == 4 else 0  # noqa: PLR2004 - base 85 mixes all bytes of a group
    for offset in range(group):
        before = bytes(offset)
        code = encode(b"\1" * offset + raw).decode("ascii").rstrip("=")
        if step:
            first = -(-len(before) // group) * step
            last = (offset + len(raw)) // group * step
        else:
            first = -(-offset * signs // group)
            last = (offset + len(raw)) * signs // group
        yield code[first:last]


def base58(raw: bytes) -> str:
    """As Bitcoin writes numbers."""
    number = int.from_bytes(raw)
    digits = _digits(number, 58, _BASE58)
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + digits
