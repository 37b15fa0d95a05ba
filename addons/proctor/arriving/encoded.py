"""Words that stand in a text in another spelling: decoded, they may be orders."""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

from proctor.redaction.model import RedactionError
from proctor.redaction.prefilter import Prefilter, Trigger
from proctor.redaction.triggers import present

_BASE64: Final = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{20,20000}={0,2}(?![\w+/=])")
_WRAPPED: Final = re.compile(r"(?:[A-Za-z0-9+/]{40,100}\n){2,400}[A-Za-z0-9+/]{2,100}={0,2}")
_HEX: Final = re.compile(r"(?<![\w])(?:0x)?((?:[0-9a-fA-F]{2}[ :,]?){16,10000})(?![\w])")
_BASE32: Final = re.compile(r"(?<![\w])[A-Z2-7]{32,20000}={0,6}(?![\w=])")
_BINARY: Final = re.compile(r"(?<![01])(?:[01]{8}[ ,]?){12,5000}(?![01])")
_CODES: Final = re.compile(r"(?:\b\d{2,3}[ ,;]{1,3}){15,5000}\d{2,3}\b")
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
_ENTITY: Final = re.compile(r"&#(?:x[0-9a-fA-F]{2,5}|[0-9]{2,6});")
_SPACED: Final = re.compile(
    r"(?<![^\W_])(?:[A-Za-z0-9@$!][ ._\-\u00b7]{1,4}){7,2000}[A-Za-z0-9@$!](?![^\W_])"
)
_LEET: Final = str.maketrans("013457@$!|", "oieastasil")
_LEETED: Final = re.compile(
    r"(?i)\b(?:[1!|]gn[0o]r[3e]|ign0re?|ignor3|d[1!]sr[3e]g[4@a]rd|d1sregard|pr[3e]v[1!]ou?s"
    r"|pr3vi[0o]us|previ0us|1nstruct\w+|instruct10ns|[1!i]nstruct[1!i][0o]n[5$]|syst[3]m|pr0mpts?"
    r"|f0rget|0verride|overr1de|r0le|c0ntent|r3v[e3]al|byp4ss|passw0rd)"
)
_ROT13: Final = re.compile(
    r"(?i)\b(?:vtaber|qvfertneq|sbetrg|cerivbhf|vafgehpgvbaf?|cebzcg|flfgrz|erirny|olcnff"
    r"|svygref?|vafgehpg|frperg|nffvfgnag|cnffjbeq)\b"
)
_BACK: Final = re.compile(
    r"(?i)(?:snoitcurtsni|noitcurtsni|metsys|laever|ssapyb|sretlif|terces|erongi|suoiverp|tpmorp"
    r"|drawotni|dragersid|tegrof|drowssap|tnatsissa)"
)
_LETTER: Final = re.compile(
    r"(?<=[A-Za-z])%(?:[46][1-9A-Fa-f]|[57][0-9Aa])|%(?:[46][1-9A-Fa-f]|[57][0-9Aa])(?=[A-Za-z]{2})"
)
_APART: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z](?:[ ._+*|-][A-Za-z]){4,40}(?![A-Za-z0-9])")
_PIECES: Final = re.compile(r"[\"'] ?\+ ?[\"']|/\*{2}/")
_ENTITIES: Final = re.compile(r"(?:&#(?:x[0-9a-fA-F]{2,5}|[0-9]{2,6});){4}")
_PERCENT: Final = re.compile(r"(?:[\w.~+-]{0,40}%[0-9A-Fa-f]{2}){3,400}[\w.~+-]{0,40}")
_WORDS: Final = re.compile(r"[A-Za-z]{2}[\s,.]{1,8}[A-Za-z]{2}")
_LOST: Final = re.compile(
    r"(ignore|disregard|forget|all|your|the|previous|prior|above|instructions?|system|prompts?"
    r"|user|send)"
)
_MANY: Final = 8
"""Runs of one kind that are decoded."""

_LONGEST: Final = 20_000


def decoded(text: str) -> Iterator[str]:
    """What stands in a text encoded, as far as it decodes to words."""
    kinds = _kinds(text)
    for found in _apart(text) if "apart" in kinds else ():
        yield found
    for found in map(_again, _runs(text, kinds)):
        if len(found) >= _SHORT and _WORDS.search(found) and _readable(found):
            yield found[:_LONGEST]


_SHORT: Final = 12
_TIMES: Final = 2  # base64 in base64


def _again(found: str) -> str:
    """What was encoded more than once."""
    for _ in range(_TIMES):
        if not _BASE64.fullmatch(found):
            break
        found = _base64(found) or found
    return found


def _runs(text: str, kinds: Collection[str]) -> Iterator[str]:
    for name in kinds:
        for expression, decode in _KINDS.get(name, ()):
            for index, found in enumerate(expression.finditer(text)):
                if index == _MANY:
                    break
                yield decode(found[0])
    yield from _respelled(text, kinds)


def _respelled(text: str, kinds: Collection[str]) -> Iterator[str]:
    """The whole text, each way of spelling undone."""
    if "\\" in text and len(_ESCAPED.findall(text, 0, _LONGEST)) > _SHORT:
        yield _ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
    if "&#" in text and (
        len(_ENTITY.findall(text, 0, _LONGEST)) > _SHORT or _ENTITIES.search(text)
    ):
        yield html.unescape(text)
    if "rot13" in kinds and len(_ROT13.findall(text)) > 1:
        yield codecs.decode(text, "rot13")
    if "back" in kinds and len(_BACK.findall(text)) > 1:
        yield text[::-1]
    for kind, undo in _UNDONE.items():
        if kind in kinds:
            yield undo(text)


def _letters(text: str) -> str:
    return _LETTER.sub(lambda found: unquote(found[0]), text)


def _joined(text: str) -> str:
    return _APART.sub(lambda found: re.sub(r"[^A-Za-z]", "", found[0]), text)


def _together(text: str) -> str:
    return _PIECES.sub("", text)


def _unleeted(text: str) -> str:
    return text.translate(_LEET) if _LEETED.search(text) else ""


_UNDONE: Final[dict[str, Callable[[str], str]]] = {
    "letter": _letters,
    "letters": _joined,
    "pieces": _together,
    "leet": _unleeted,
}


def _kinds(text: str) -> set[str]:
    """Which spellings there may be, in two passes of Hyperscan."""
    found = {kind.name for kind in present(text.encode("latin-1", "replace"))}
    with suppress(RedactionError):
        found |= _PREFILTER.scan(text).keys()
    return found


def _base64(run: str) -> str:
    plain = re.sub(r"\s", "", run).rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        plain = plain[:-1]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _base32(run: str) -> str:
    plain = run.rstrip("=")
    try:
        return base64.b32decode(plain + "=" * (-len(plain) % 8)).decode()
    except (binascii.Error, ValueError):
        return ""


def _hex(run: str) -> str:
    try:
        return bytes.fromhex(re.sub(r"0x|[ :,]", "", run)).decode()
    except ValueError:
        return ""


def _binary(run: str) -> str:
    bits = re.sub(r"[ ,]", "", run)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).decode(
        "utf-8", "replace"
    )


def _codes(run: str) -> str:
    return "".join(map(chr, map(int, re.findall(r"\d+", run))))


def _spaced(run: str) -> str:
    return re.sub(r"[ ._\-\u00b7]", "", run)


def _percent(run: str) -> str:
    return unquote(run.replace("+", " "))


_KINDS: Final = {
    "BASE64": ((_WRAPPED, _base64), (_BASE64, _base64)),
    "HEX": ((_HEX, _hex),),
    "LIST": ((_HEX, _hex),),
    "base32": ((_BASE32, _base32),),
    "binary": ((_BINARY, _binary),),
    "codes": ((_CODES, _codes),),
    "percent": ((_PERCENT, _percent),),
}
_PREFILTER: Final = Prefilter(
    {
        name: [Trigger(expression=expression, before=1)]
        for name, expression in {
            "base32": "[A-Z2-7]{32}",
            "binary": "(?:[01]{8}[ ,]?){12}",
            "codes": r"(?:\d{2,3}[ ,;]{1,3}){15}",
            "percent": r"%[0-9A-Fa-f]{2}[\w.~+-]{0,40}%[0-9A-Fa-f]{2}",
            "rot13": _ROT13.pattern,
            "back": _BACK.pattern,
            "leet": _LEETED.pattern,
            "letter": _LETTER.pattern,
            "letters": r"(?:^|[^A-Za-z0-9])(?:[A-Za-z][ ._+*|-]){4}[A-Za-z](?:$|[^A-Za-z0-9])",
            "pieces": r"[\"'][a-z ]{1,6}[\"'] ?\+ ?[\"'][a-z ]{1,9}[\"']|[a-z]/\*\*/[a-z]",
            "apart": r"(?:^|[^A-Za-z0-9])(?:[A-Za-z0-9@$!][ ._-]{1,4}){8}",
        }.items()
    }
)


def _readable(text: str) -> bool:
    """Whether it is text at all."""
    return sum(char.isprintable() or char in "\t\r\n" for char in text) > len(text) * 9 // 10


def _apart(text: str) -> Iterator[str]:
    """Words whose letters stand apart, joined; where their blanks are lost, some are put back."""
    for index, found in enumerate(_SPACED.finditer(text)):
        if index == _MANY:
            break
        yield _LOST.sub(r" \1 ", _spaced(found[0]).lower())
