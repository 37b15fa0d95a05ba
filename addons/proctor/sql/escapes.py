r"""Texts of sessions in which standard_conforming_strings is off, so that all read them alike.

There, a backslash in '…' begins an escape, as it does in E'…' (PostgreSQL, 4.1.2.2): '\'' is a text
of one quote, where elsewhere it is a backslash, and another text begins. Such texts get their E,
and so mean the same to the parser here, to any session, and to whoever reads the record. That is
what goes to the server: were a text cut wrongly here, it would say something else, but be judged.

The names are those of PostgreSQL's scan.l.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import postgast
from postgast import pg_query_pb2 as pb

from proctor.errors import RefusedError
from proctor.sql.parsing import bounded

_LETTER: Final = "A-Za-z_\x80-\U0010ffff"
_TOKEN: Final = re.compile(
    rf"""
      (?P<comment> --[^\n\r]*+ )
    | (?P<xcstart> /\* )
    | (?P<xd> "[^"]*+"? )
    | (?P<xdolq> \$ (?: [{_LETTER}] [{_LETTER}0-9]*+ )? \$ )
    | (?P<xb> [bBxX]' )
    | (?P<xe> [eE]' )
    | (?P<xn> [nN]' )
    | (?P<xus> [uU]&' )
    | (?P<xq> ' )
    | (?P<identifier> [{_LETTER}] [{_LETTER}0-9$]*+ )
    | (?P<other> [^'"$/\-{_LETTER}]++ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = " E"  # a letter may stand before the quote: date'…'
_CLOSED: Final = re.compile(r"[^']*+'")
_DOUBLED: Final = re.compile(r"(?:[^']|'')*+'")
_ESCAPED: Final = re.compile(r"(?:[^'\\]|''|\\.)*+'", re.DOTALL)
_NESTED: Final = re.compile(r"/\*|\*/")
_CONTINUED: Final = re.compile(
    r"(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*+'"
)


def conforming(text: str) -> tuple[str, tuple[int, ...]]:
    """A text as sessions with standard_conforming_strings on read it.

    Returns:
        The text, and where in it a blank and an E were put, in characters from 0 on, in order.

    Raises:
        RefusedError: Code `sql-strings`: it cannot be written so.
        SqlError: It is too long.
    """
    if "\\" not in text:
        return text, ()
    bounded(text.encode("utf-8", "surrogatepass"))
    parts: list[str] = []
    inserted: list[int] = []
    at = done = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise misread()
        start, kind = at, found.lastgroup
        at = _end(text, kind or "", found)
        if kind in {"xq", "xn"} and "\\" in text[start:at]:
            if kind == "xn":
                raise misread()  # there is no NE'…'
            parts.append(text[done:start])
            inserted.append(start + len(_ESCAPES) * len(inserted))
            done = start
    written = _ESCAPES.join((*parts, text[done:]))
    _check(written, inserted)
    return written, tuple(inserted)


def misread() -> RefusedError:
    """A text may mean something else to the server than what is read here."""
    return RefusedError(
        "sql-strings",
        "standard_conforming_strings is off, so this statement cannot be read for certain",
        hint="Set it to on, and write escapes as E'…'.",
        rule_id="sql",
    )


def original(position: int, inserted: Sequence[int]) -> int:
    """Where something stands in the text as it was, in characters from 1 on; 0 for nowhere."""
    before = bisect_left(inserted, position - 1)
    if not before:
        return position
    return position - len(_ESCAPES) * before + max(0, inserted[before - 1] + 3 - position)


def _end(text: str, kind: str, found: re.Match[str]) -> int:
    """Where a token ends that has begun; the text's end where it does not."""
    at = found.end()
    match kind:
        case "xcstart":
            return _commented(text, at)
        case "xdolq":
            end = text.find(found[0], at)
            return len(text) if end < 0 else end + len(found[0])
        case "xb":
            return _quoted(text, at, _CLOSED)
        case "xus":
            return _quoted(text, at, _DOUBLED)
        case "xe" | "xq" | "xn":
            return _quoted(text, at, _ESCAPED)
        case _:
            return at


def _commented(text: str, at: int) -> int:
    depth = 1
    while depth:
        found = _NESTED.search(text, at)
        if found is None:
            return len(text)
        depth += 1 if found[0] == "/*" else -1
        at = found.end()
    return at


def _quoted(text: str, at: int, inside: re.Pattern[str]) -> int:
    """A text goes on where nothing but space with a newline stands before the next quote."""
    while True:
        found = inside.match(text, at)
        if found is None:
            return len(text)
        more = _CONTINUED.match(text, found.end())
        if more is None:
            return found.end()
        at = more.end()


def _check(text: str, inserted: Sequence[int]) -> None:
    """See that no session reads it otherwise: no '…' with a backslash, and an E where one was put.

    Raises:
        RefusedError: Some would.
    """
    try:
        tokens = postgast.scan(text).tokens
    except postgast.PgQueryError:
        return  # the parser says why
    data = text.encode("utf-8", "surrogatepass")
    starts = set[int]()
    for token in tokens:
        if token.token == pb.SCONST:
            starts.add(token.start)
            word = data[token.start : token.end]
            if word.startswith(b"'") and b"\\" in word:
                raise misread()
    at = done = 0
    for place in inserted:
        at, done = at + len(text[done:place].encode("utf-8", "surrogatepass")), place
        if at + 1 not in starts:
            raise misread()
