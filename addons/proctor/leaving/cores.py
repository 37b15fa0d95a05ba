"""What of a secret is secret: without what many others begin with, too."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from proctor.redaction.recognizers.plausible import wordiness

LEAST: Final = 8
"""Letters and digits that a value needs to be known again in parts."""

_PEM: Final = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]{1,40}-----|\s|\\n|\\r")
_PRELUDE: Final = 48  # characters of a key in PEM that say which kind it is
_JWT: Final = re.compile(r"ey[\w-]{8,}\.(?P<payload>[\w-]{4,})\.(?P<signature>[\w-]{16,})$")
_PREFIX: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9]{0,11}[-_.]){1,4}(?=[A-Za-z0-9_-]{12})")
_KEY_ID: Final = re.compile(r"(?:AKIA|ASIA|ABIA|ACCA|AIza|eyJ|EAA)(?=\w{12})")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,30}://[^\s:/@]{0,100}:(?P<password>[^\s@]{4,200})@")
_PARTS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SHORT: Final = 12  # letters, or digits, of which a value of nothing else has more
_WORD: Final = 4  # letters


class Core(NamedTuple):
    """The secret part of a value.

    Attributes:
        text: The part.
        telling: Of each letter or digit, whether it is none of a word, of which many are alike.
    """

    text: str
    telling: tuple[bool, ...]

    def __repr__(self) -> str:
        return f"Core({len(self.text)} characters)"


def core(value: str) -> Core | None:
    """The part of a secret that is like no other; None where there is none.

    Args:
        value: As a detector found it, decoded.
    """
    text = value.strip().strip("\"'")
    if "-----BEGIN" in text:
        text = _PEM.sub("", text)[_PRELUDE:]
    elif match := _JWT.search(text):
        text = match["signature"]
    elif match := _URL.search(text):
        text = match["password"]
    else:
        for pattern in (_PREFIX, _KEY_ID):
            if found := pattern.match(text):
                text = text[found.end() :]
    telling = tuple(_telling(text))
    signs = {sign for sign in text.lower() if sign.isalnum()}
    if len(telling) < LEAST or len(signs) < LEAST // 2:
        return None
    if not any(telling) and len(_PARTS.findall(text)) == 1:
        return None  # a word
    if (text.isalpha() or text.isdigit()) and len(telling) <= _SHORT:
        return None
    return Core(text, telling)


def _telling(text: str) -> Iterator[bool]:
    ends = 0
    for part in _PARTS.finditer(text):
        yield from (True for sign in text[ends : part.start()] if sign.isascii() and sign.isalnum())
        ends = part.end()
        word = len(part[0]) >= _WORD and part[0].isalpha() and wordiness(part[0]) > 0
        yield from (not word for _ in part[0] if part[0].isascii())
