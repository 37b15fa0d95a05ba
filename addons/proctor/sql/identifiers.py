"""Names as PostgreSQL writes and folds them (chapter 4.1.1, Identifiers and Key Words)."""

import re
from typing import Final

# NAMEDATALEN - 1, in bytes.
_LONGEST: Final = 63
_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^\s."][^\s."]*)')
_SPACE: Final = " \t\n\r\f\v"
_FOLD: Final = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def fold(name: str) -> str:
    """An unquoted name: ASCII letters lower, cut (scansup.c, downcase_truncate_identifier)."""
    return cut(name.translate(_FOLD))


def cut(name: str) -> str:
    """A name of at most 63 bytes, cut between characters (truncate_identifier)."""
    data = name.encode()
    return name if len(data) <= _LONGEST else data[:_LONGEST].decode(errors="ignore")


def split_identifier(text: str) -> tuple[str, ...] | None:
    """A text that is read as a name, such as 'public."Orders"'::regclass; None if it is none.

    As varlena.c's SplitIdentifierString with a dot for separator.
    """
    parts: list[str] = []
    at = 0
    text = text.strip(_SPACE)
    while True:
        while at < len(text) and text[at] in _SPACE:
            at += 1
        found = _PART.match(text, at)
        if found is None:
            return None
        quoted, plain = found.groups()
        parts.append(cut(quoted.replace('""', '"')) if quoted is not None else fold(plain))
        at = found.end()
        while at < len(text) and text[at] in _SPACE:
            at += 1
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            return None
        at += 1


def written(*parts: str) -> str:
    """A path as rules see it: "public.orders"; a part with a dot or a quote in it is quoted."""
    return ".".join(
        '"' + part.replace('"', '""') + '"' if "." in part or '"' in part else part
        for part in parts
    )
