"""Header fields (RFC 9110 section 5)."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from proctor.redaction.model import Change
from proctor.redaction.structure.charset import UTF8
from proctor.redaction.structure.jsonwalk import add_text
from proctor.redaction.structure.layout import BODY, Layout
from proctor.redaction.structure.names import shown

_FORBIDDEN: Final = re.compile(r"[\0-\x1f\x7f]")


def read_headers(fields: Iterable[tuple[str, bytes]], names: Collection[str]) -> Layout:
    """The values of chosen header fields; `splice` gives them back, a line each.

    Args:
        fields: Names and values, as sent. No value has a line end (RFC 9110 section 5.5).
        names: Which are chosen, in lower case.

    Raises:
        RedactionError: `redaction-size`.
    """
    chosen = [(name.lower(), UTF8.decode(value)) for name, value in fields if name.lower() in names]
    layout = Layout("\r\n".join(value for _, value in chosen))
    start = 0
    for name, value in chosen:
        end = start + len(value)
        if value:
            location = f"header.{shown(name)}"
            add_text(layout, value, location, name, BODY, start, end, in_field, ("header",), name)
        start = end + len("\r\n")
    return layout


def in_field(_raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of a field's value, which holds no control characters (RFC 9110 section 5.5)."""
    return [
        Change(change.start, change.end, _FORBIDDEN.sub(" ", change.text)) for change in changes
    ]
