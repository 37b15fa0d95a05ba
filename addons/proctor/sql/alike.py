"""Texts that differ in nothing but constants that are compared or assigned: read once for all.

    SELECT b FROM t WHERE a = 17 AND c = 'x';      SELECT b FROM t WHERE a = 4711 AND c = 'yz';

What they do is the same, and so is what their names mean. PostgreSQL's lexer makes the same tokens
of them, but for the values of some integers and plain strings that follow an operator; so its
grammar makes the same tree, but for these values and where things stand in the text. Neither `read`
nor `resolve` looks at the value of an operand. What the rules say of a text is another matter: they
are asked each time, and so is whether its strings came from elsewhere.

The fingerprint of libpg_query would not do: LIMIT 1 and LIMIT 1000000 have the same, as have
ORDER BY 1 and ORDER BY 2, which read other columns.
"""

import re
from dataclasses import replace
from typing import Final

from proctor.sql.statement import Statement

# No other quotes, comments, dollars, colons or backslashes, in which a number might not be one; and
# one statement, which begins with its first character. A dollar stands for a string.
_PLAIN: Final = re.compile(
    rb"(?:select|insert|update|delete)[ \n][a-z0-9_ .,=<>()*+\n$-]{1,2000};?", re.IGNORECASE
)
_WITHIN: Final = (b"--", b"=>")  # a comment; a named argument
# Integers that fit four bytes (scan.l makes ICONST of them), after an operator's last character.
_NUMBER: Final = re.compile(rb"(?<=[=<>])( ?)[0-9]{1,9}(?=[ \n;),]|\Z)")

# A string without a letter before it, in which nothing stands for something else; after it neither
# a quote nor a colon, and no other string, which it might go on in.
_STRING: Final = re.compile(
    rb"(?<=[=<>])( ?)'[a-z0-9_ .,:/@+-]{0,200}'(?=[ \n;),]|\Z)", re.IGNORECASE
)


def shape_of(text: bytes) -> bytes | None:
    """The text with a place for each such number or string; None where nothing is like it.

    Args:
        text: In any encoding of PostgreSQL's for clients: all are ASCII for these characters.
    """
    if b"$" in text or any(each in text for each in _WITHIN):
        return None
    bare, strings = _STRING.subn(rb"\1$", text)
    if _PLAIN.fullmatch(bare) is None:
        return None
    shape, numbers = _NUMBER.subn(rb"\1?", bare)
    return shape if strings or numbers else None


def like(known: Statement, text: bytes) -> Statement:
    """The one statement of a text, from the one of another text of the same shape."""
    return replace(known, text=text.decode("ascii").removesuffix(";").strip(" \n"), parsed=None)
