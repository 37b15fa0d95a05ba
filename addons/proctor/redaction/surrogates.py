"""Words that stand for values: surrogates, hashes and digests, all keyed, none random.

A surrogate is the type and 16 letters: `EMAIL_ADDRESS_` + `bcdfghjklmnpqrst`. The letters are
consonants: no detector trips over them, no syntax needs to escape them, and as their number is
fixed, what stands beside one never becomes part of it.
"""

import hmac
import re
from collections.abc import Iterator

LETTERS = "bcdfghjklmnpqrstvwxz"
SIZE = 16
MAX_TYPE = 63
"""Longest name of an entity type, characters."""

TYPE = re.compile(rf"[A-Z][A-Z0-9_]{{0,{MAX_TYPE - 1}}}")
"""What an entity type may be called."""

TOKEN = re.compile(rf"[A-Z][A-Z0-9_]{{0,{MAX_TYPE - 1}}}_[{LETTERS}]{{{SIZE}}}")
"""A surrogate, or what looks like one."""

_RANGE = len(LETTERS) ** SIZE


def surrogate(key: bytes, principal: str, entity: str, value: str) -> str:
    """The word that stands for a value, for one principal; always the same.

    Args:
        key: `RedactionKeys.surrogate`.
        principal: `Principal.key`; another's surrogate for the same value has other letters.
        entity: The entity type.
        value: What it stands for.
    """
    return f"{entity}_{letters(key, 'surrogate', principal, entity, value)}"


def hashed(key: bytes, entity: str, value: str) -> str:
    """`<TYPE:16 letters>`, the same for everyone who uses this installation.

    Args:
        key: `RedactionKeys.digest`.
        entity: The entity type.
        value: What it stands for.
    """
    return f"<{entity}:{letters(key, 'hash', entity, value)}>"


def masked(entity: str) -> str:
    """`<TYPE>`, which tells nothing of the value."""
    return f"<{entity}>"


def digest(key: bytes, entity: str, value: str) -> str:
    """What the record keeps of a value: 32 hex digits, keyed by the installation.

    Not by principal, so that an auditor can match one secret in the hands of two.

    Args:
        key: `RedactionKeys.digest`.
        entity: The entity type.
        value: What was found.
    """
    return mac(key, "digest", entity, value).hex()[:32]


def letters(key: bytes, *parts: str) -> str:
    """16 letters that stand for these parts under this key."""
    number = int.from_bytes(mac(key, *parts)) % _RANGE
    found = []
    for _ in range(SIZE):
        number, letter = divmod(number, len(LETTERS))
        found.append(LETTERS[letter])
    return "".join(found)


def mac(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA-256 over the parts, each with its length before it: no two lists run together."""
    return hmac.digest(key, b"".join(_framed(parts)), "sha256")


def _framed(parts: tuple[str, ...]) -> Iterator[bytes]:
    for part in parts:
        # A lone surrogate (RFC 8259, 8.2) is a character like any other here.
        data = part.encode("utf-8", "surrogatepass")
        yield len(data).to_bytes(8)
        yield data
