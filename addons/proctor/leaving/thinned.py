"""Texts without the noise that may stand between the characters of a secret.

What is left says nothing to a detector, so it is held against known secrets alone: characters that
stand by themselves between words, every second or third character of a run, and how the bytes of a
run differ from one another, which stays the same when all of them are XORed with one byte.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from proctor.leaving.alike import plain
from proctor.leaving.readings import Reading

RUN: Final = 20
"""Characters of a run that may have noise in it, or bytes in a code."""

_LONGEST: Final = 256
_RUNS: Final = 16  # of one text
_UUID: Final = 36  # characters: RFC 9562, section 4; of others with as many there are few
_FEW: Final = 8  # characters that stand alone; fewer say nothing
_ALONE: Final = bytes(sign < 128 and chr(sign).isalnum() for sign in range(256))  # noqa: PLR2004
_ENDS: Final = bytes(chr(sign) in "\"'`<>{}[](),;&=|\\ \t\r\n\x1e" for sign in range(256))
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)")
_NAME: Final = re.compile(
    r"[0-9a-fA-F-]+|[\d.:TZ+/-]+|[a-z0-9/._:@#-]*[a-z/._:@#-]"
    r"|.*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}.*"
)
"""UUIDs, times, paths and hosts without a capital, of which each request has some."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+")
_STANDARD: Final = str.maketrans("-_", "+/")


def differences(raw: bytes) -> str:
    """How each byte differs from the one before it, in hex."""
    number = int.from_bytes(raw)
    return (number ^ number >> 8).to_bytes(len(raw)).hex()[2:]


def thinned(text: str) -> Iterator[Reading]:
    """What is left of a text when what may be noise is taken out.

    Args:
        text: Any text.
    """
    signs = (text if text.isascii() else plain(text)).encode("latin-1", "replace")
    yield from _alone(signs)
    ends = np.flatnonzero(np.frombuffer(b"\1" + signs.translate(_ENDS) + b"\1", np.bool_))
    sizes = np.diff(ends) - 1
    runs = np.flatnonzero((sizes >= RUN) & (sizes <= _LONGEST) & (sizes != _UUID))[:_RUNS]
    for start, size in zip(ends[runs].tolist(), sizes[runs].tolist(), strict=True):
        end = start + size
        yield from _run(start, end, signs[start:end].decode("latin-1"))


def _alone(signs: bytes) -> Iterator[Reading]:
    """Letters and digits with none beside them; and every second of those."""
    counts = np.frombuffer(b"\0" + signs.translate(_ALONE) + b"\0", np.bool_)
    where = np.flatnonzero(counts[1:-1] & ~(counts[:-2] | counts[2:]))
    if len(where) < _FEW:
        return
    text = np.frombuffer(signs, np.uint8)[where].tobytes().decode("ascii")
    if text.isdigit():
        return
    start, end = int(where[0]), int(where[-1]) + 1
    yield Reading(start, end, text, "single characters among words")
    for first in (0, 1):
        yield Reading(start, end, text[first::2], "every second of single characters")


def _run(start: int, end: int, run: str) -> Iterator[Reading]:
    if found := _HEX.fullmatch(run):
        yield Reading(start, end, differences(bytes.fromhex(found[1])), "bytes XORed with one")
        return
    if _NAME.fullmatch(run):
        return
    for step, how in ((2, "every second character"), (3, "every third character")):
        for first in range(step):
            yield Reading(start, end, run[first::step], how)
    if _BASE64.fullmatch(run):
        signs = run.translate(_STANDARD)
        signs = signs[: len(signs) - (len(signs) % 4 == 1)]
        try:
            raw = binascii.a2b_base64(signs + "=" * (-len(signs) % 4))
        except binascii.Error:
            return
        yield Reading(start, end, differences(raw), "bytes XORed with one")
