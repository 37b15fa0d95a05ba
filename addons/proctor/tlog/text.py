"""What the text formats of C2SP share: base64 and decimals, each written in one way only."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from proctor.tlog.tree import HASH_SIZE

MAX_SIZE = 2**63 - 1

# No sign, no leading zeros, ASCII digits alone.
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def base64_bytes(text: str) -> bytes | None:
    """Decodes base64 that is written as it should be (RFC 4648, 3.5); None if it is not."""
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None
    return raw if b64encode(raw).decode() == text else None


def hash_of(text: str) -> bytes | None:
    """Decodes the base64 of one hash; None if it is none."""
    raw = base64_bytes(text)
    return raw if raw is not None and len(raw) == HASH_SIZE else None


def decimal_of(text: str) -> int | None:
    """Reads a size or an index, which fits in 63 bits; None if it is none."""
    if not _DECIMAL.fullmatch(text):
        return None
    found = int(text)
    return found if found <= MAX_SIZE else None
