"""Texts that differ in nothing but numbers that are compared or assigned: read once for all.

    SELECT b FROM t WHERE a = 17;      SELECT b FROM t WHERE a = 4711;

What they do is the same, and so is what their names mean. PostgreSQL's lexer makes the same tokens
of them, but for the values of some integers that follow an operator; so its grammar makes the same
tree, but for these values and where things stand in the text. Neither `read` nor `resolve` looks at
the value of an operand. What the rules say of a text is another matter: they are asked each time.

The fingerprint of libpg_query would not do: LIMIT 1 and LIMIT 1000000 have the same, as have
ORDER BY 1 and ORDER BY 2, which read other columns.
"""

import re
from dataclasses import replace
from typing import Final

from proctor.sql.statement import Statement

# No quotes, comments, dollars, colons or backslashes, in which a number might not be one; and one
# statement, which begins with its first character.
_PLAIN: Final = re.compile(
    rb"(?:select|insert|update|delete)[ \n][a-z0-9_ .,=<>()*+\n-]{1,2000};?", re.IGNORECASE
)
_WITHIN: Final = (b"--", b"=>")  # a comment; a named argument
# Integers that fit four bytes (scan.l makes ICONST of them), after an operator's last character.
_NUMBER: Final = re.compile(rb"(?<=[=<>])( ?)[0-9]{1,9}(?=[ \n;),]|\Z)")


def shape_of(text: bytes) -> bytes | None:
    """The text with a place for each such number; None where nothing is like it.

    Args:
        text: In any encoding of PostgreSQL's for clients: all are ASCII for these characters.
    """
    if _PLAIN.fullmatch(text) is None or any(each in text for each in _WITHIN):
        return None
    shape, count = _NUMBER.subn(rb"\1?", text)
    return shape if count else None


def like(known: Statement, text: bytes) -> Statement:
    """The one statement of a text, from the one of another text of the same shape."""
    return replace(known, text=text.decode("ascii").removesuffix(";").strip(" \n"), parsed=None)
