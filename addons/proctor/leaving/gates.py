"""Which codes there may be in a text, in one fast pass: most texts have none."""

import threading
from collections.abc import Mapping
from typing import Final

import hyperscan

from proctor.redaction.database import compiled

BASE32: Final = 0
BASE32HEX: Final = 1
BASE58: Final = 2
BASE64: Final = 3
QUOTED: Final = 4
UTF7: Final = 5
CODES: Final = 6
BINARY: Final = 7
APART: Final = 8
BASE85: Final = 9
MIXED: Final = 10
MORSE: Final = 11

_PATTERNS: Final[Mapping[str, int]] = {
    "[A-Z2-7]{16}|[a-z2-7]{16}": BASE32,
    "[A-V0-9]{0,12}[G-V][A-V0-9]{15}|[a-v0-9]{0,12}[g-v][a-v0-9]{15}": BASE32HEX,
    "[1-9A-HJ-NP-Za-km-z]{20}": BASE58,
    "[A-Za-z0-9+/_-]{24}": BASE64,
    "(?:=[0-9A-F]{2}[^=\\s]{0,40}){4}": QUOTED,
    r"\+[A-Za-z0-9/]{8}": UTF7,
    r"(?:[0-9]{2,3}[^\w\n]{1,4}){7}[0-9]{2}": CODES,
    r"(?:[01]{8}[^\w\n]{0,2}){7}[01]{8}": BINARY,
    r"(?:[!-~][^A-Za-z0-9]){7}[!-~]": APART,
    r"(?:[A-Za-z0-9_-][\s,;|\"'+.\[\]]{1,6}){7}[A-Za-z0-9_-]": APART,
    r"(?:[.-]{1,6}[ /|]{1,3}){8}": MORSE,
    r"(?:[!-~]{0,16}[!#$%&*+;<=>?@^`{|}~-]){3}": BASE85,
    r"(?:[A-Za-z][^\w\s]{0,2}[0-9]|[0-9][^\w\s]{0,2}[A-Za-z])": MIXED,
}


_DATABASE: Final = compiled(
    [(pattern, hyperscan.HS_FLAG_SINGLEMATCH) for pattern in _PATTERNS],
    list(_PATTERNS.values()),
)


class _Scratch(threading.local):
    """Hyperscan's working memory, one for each thread: two scans may not share it."""

    def __init__(self) -> None:
        self.scratch = hyperscan.Scratch(_DATABASE)


_scratch: Final = _Scratch()


def present(text: str) -> frozenset[int]:
    """The codes of which a text may hold a run."""
    found: set[int] = set()

    def hit(kind: int, *_rest: object) -> None:
        found.add(kind)

    data = text.encode("latin-1", "replace")
    _DATABASE.scan(data, match_event_handler=hit, scratch=_scratch.scratch)
    return frozenset(found)
