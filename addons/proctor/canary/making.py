"""Values that look like the real thing, and can never be it."""

import secrets
import string
import zlib
from collections.abc import Callable, Mapping
from typing import Final

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_URLSAFE: Final = string.ascii_letters + string.digits + "-_"
_NAMES: Final = ("jordan", "casey", "riley", "morgan", "avery", "quinn", "harper", "rowan")


def _some(signs: str, count: int) -> str:
    return "".join(secrets.choice(signs) for _ in range(count))


def _aws() -> str:
    # AWS writes key ids in base32, which has neither 0 nor 1, 8 nor 9.
    signs = [*_some(string.ascii_uppercase + "234567", 15), secrets.choice("0189")]
    secrets.SystemRandom().shuffle(signs)
    return "AKIA" + "".join(signs)


def _github() -> str:
    # The last six characters are a CRC-32 of the others; this one is off by one bit.
    body = _some(_BASE62, 30)
    number = zlib.crc32(body.encode()) ^ 1
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return f"ghp_{body}{digits}"


def _anthropic() -> str:
    return f"sk-ant-api03-{_some(_URLSAFE, 93)}AB"  # keys end in AA


def _text() -> str:
    return _some(string.ascii_letters + string.digits, 28)


def _email() -> str:
    # RFC 2606 section 3: nobody has an address there.
    name = f"{secrets.choice(_NAMES)}.{_some(string.ascii_lowercase + string.digits, 14)}"
    return f"{name}@example.com"


def _row() -> str:
    return f"{_some(string.digits, 5)},{_email()},{_some(string.digits, 4)}"


KINDS: Final[Mapping[str, Callable[[], str]]] = {
    "aws": _aws,
    "github": _github,
    "anthropic": _anthropic,
    "text": _text,
    "email": _email,
    "row": _row,
}
"""What may be made: keys that are not valid, noise, a mail address, a row of a table."""
