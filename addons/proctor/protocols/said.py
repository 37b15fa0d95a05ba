"""What a request says to rules beyond its first line: a query, a form, JSON."""

from collections.abc import Iterable
from typing import Any, Final

from proctor.protocols.forms import read_form
from proctor.protocols.jsonspan import loads

MAX_JSON: Final = 256 * 1024
"""Bytes of a body that rules may look into; a larger one is not handed in."""

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A name that stands twice has both values, so that no rule reads one and the upstream two."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def said(body: bytes, content_type: str, sent_type: str) -> Any:
    """The body for rules to look into; None where it is too large or read in two ways.

    Args:
        body: The whole body.
        content_type: Its media type, lower case.
        sent_type: The header as sent, with its parameters.
    """
    if len(body) > MAX_JSON:
        return None
    if content_type in _FORMS:
        return read_form(body, sent_type)
    try:
        if content_type == "application/graphql":
            return body.decode()
        return loads(body.decode()) if "json" in content_type else None
    except (ValueError, RecursionError):
        return None


def json_of(data: bytes, *, text: bool) -> Any:
    """What a message says to rules: its JSON; None where it is none, or larger than they look."""
    if not text or len(data) > MAX_JSON:
        return None
    try:
        return loads(data.decode())
    except (ValueError, RecursionError):
        return None
