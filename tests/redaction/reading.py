"""An analyzer that is easy to foresee, and ways to write a value down."""

import base64
import gzip
import re
import time
import zlib
from collections.abc import Callable

from proctor.redaction.model import API_KEY, PASSWORD, Budget, Spot

KEY = "gk" + "p_" + "Zq3vB" * 7
MAIL = "jane.roe@" + "corp-mail.io"
PASS = "hunt" + "er2hunter"

_PATTERNS = (
    (API_KEY, 0.9, re.compile(r"\b(gkp_[A-Za-z0-9]{35})\b")),
    ("EMAIL_ADDRESS", 0.8, re.compile(r"\b([\w.]{1,30}@[\w-]{1,30}\.io)\b")),
    (PASSWORD, 0.7, re.compile(r"(?i)password[\"']?\s?[:=]\s?[\"'`]?([^\s\"'`]{4,200})")),
)


class Analyzer:
    """Finds KEY, MAIL, and what is assigned to a password; counts what it was asked."""

    version = "one"
    detectors = ("test:api_key", "test:email_address", "test:password")

    def __init__(self) -> None:
        self.texts: list[str] = []

    def analyze(self, text: str, budget: Budget) -> list[Spot]:
        budget.check()
        self.texts.append(text)
        spots = [
            Spot(*match.span(1), name, f"test:{name.lower()}", score, match[1])
            for name, score, pattern in _PATTERNS
            for match in pattern.finditer(text)
        ]
        budget.spend(len(spots))
        return spots


def ample() -> Budget:
    return Budget(60.0, 1_000_000, time.monotonic)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _each(form: str) -> Callable[[str], str]:
    return lambda value: "".join(form.format(byte) for byte in value.encode())


def _lines(text: str, width: int) -> str:
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


FILLED = "first line of a file\nsecond line of it\n{}\nand what comes after that\n"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda value: _b64(value.encode()),
    "base64 without padding": lambda value: _b64(value.encode()).rstrip("="),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(f"{value} ÿ?>".encode()).decode(),
    "base64 in a text": lambda value: _b64(f"über {value} größer".encode()),
    "base64 wrapped": lambda value: base64.encodebytes(
        (FILLED * 2).format(value, "-").encode()
    ).decode(),
    "base64 wrapped at 64, indented": lambda value: _lines(
        _b64((FILLED * 2).format("-", value).encode()), 64
    ).replace("\n", "\r\n    "),
    "base64 twice": lambda value: _b64(_b64(value.encode()).encode()),
    "base64 of utf-16 le": lambda value: _b64(value.encode("utf-16-le")),
    "base64 of utf-16 be": lambda value: _b64(value.encode("utf-16-be")),
    "base64 of utf-16 with its mark": lambda value: _b64(value.encode("utf-16")),
    "base64 of gzip": lambda value: _b64(gzip.compress(FILLED.format(value).encode(), mtime=0)),
    "base64 of zlib": lambda value: _b64(zlib.compress(FILLED.format(value).encode())),
    "base64 of zlib, best": lambda value: _b64(zlib.compress(FILLED.format(value).encode(), 9)),
    "base64 in percent": lambda value: _each("%{:02X}")(_b64(value.encode())),
    "hex": lambda value: value.encode().hex(),
    "hex in capitals": lambda value: value.encode().hex().upper(),
    "hex wrapped": lambda value: _lines(FILLED.format(value).encode().hex(), 60),
    "hex of gzip": lambda value: gzip.compress(FILLED.format(value).encode(), mtime=0).hex(),
    "hex of utf-16": lambda value: value.encode("utf-16-le").hex(),
    "hex in a list": lambda value: ", ".join(f"0x{byte:02x}" for byte in value.encode()),
    "hex in lines": lambda value: _lines(
        ",".join(f"0x{byte:02X}" for byte in value.encode()), 40
    ).replace("\n", "\n        "),
    "hex with colons": lambda value: value.encode().hex(":"),
    "hex with spaces": lambda value: value.encode().hex(" "),
    r"\x41": _each(r"\x{:02x}"),
    r"\u0041": _each(r"\u{:04x}"),
    r"\\u0041": _each(r"\\u{:04X}"),
    r"\u{41}": _each(r"\u{{{:x}}}"),
    r"\U00000041": _each(r"\U{:08x}"),
    r"\101": _each(r"\{:03o}"),
    "percent": _each("%{:02X}"),
    "percent twice": _each("%25{:02x}"),
    "percent-u": _each("%u{:04x}"),
    "entities": _each("&#{};"),
    "entities in hex": _each("&#x{:X};"),
    "entities twice": _each("&amp;#{};"),
    "zero width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "joiners and directions": "\u2060\u202e".join,
    "variation selectors": "\ufe0f".join,
    "controls": "\x01".join,
    "nul": "\0".join,
    "full-width": lambda value: "".join(chr(ord(sign) + 0xFEE0) for sign in value),
    "tags": lambda value: "".join(chr(ord(sign) + 0xE0000) for sign in value),
    "coloured": lambda value: f"\x1b[1;31m{value[:9]}\x1b[0m{value[9:]}",
}
"""Every way in which a value may be written, each without white space around it."""
