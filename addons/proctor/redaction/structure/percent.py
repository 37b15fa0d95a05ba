"""Percent-encoding (RFC 3986 section 2.1), and `+` for a blank in forms (WHATWG URL, 5.1)."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

from proctor.redaction.model import Change
from proctor.redaction.structure.codec import Unit, mapped

_RUN: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_RUN_OR_PLUS: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+|\+")


def unquoted(raw: str, *, plus: bool) -> str:
    """What a percent-encoded text says; bytes that are not UTF-8 stay lone surrogates.

    Args:
        raw: As written.
        plus: Whether `+` is a blank.
    """
    if plus:
        raw = raw.replace("+", " ")
    return _RUN.sub(lambda run: _decoded(run[0]), raw) if "%" in raw else raw


def in_url(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of a path, where `+` is a plus."""
    return mapped(changes, _units(raw, _RUN), _quoted)


def in_form(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of a name or value in a form or a query."""
    return mapped(changes, _units(raw, _RUN_OR_PLUS), _quoted)


def _decoded(run: str) -> str:
    return bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")


def _units(raw: str, escapes: re.Pattern[str]) -> Iterator[Unit]:
    for run in escapes.finditer(raw):
        start = run.start()
        if run[0] == "+":
            yield Unit(start, start + 1, 1)
            continue
        for character in _decoded(run[0]):
            end = start + 3 * len(character.encode("utf-8", "surrogateescape"))
            yield Unit(start, end, 1)
            start = end


def _quoted(new: str) -> str:
    return quote(new, safe="", errors="surrogateescape")
