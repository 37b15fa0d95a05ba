"""Character references of XML and HTML (XML 1.0 section 4.1, HTML section 13.5).

References to characters are read; entities that a document declares itself are never expanded.
"""

import html
import re
from collections.abc import Sequence
from typing import Final

from proctor.redaction.model import Change
from proctor.redaction.structure.codec import Unit, mapped

_REFERENCE: Final = re.compile(
    r"&(?:#[0-9]{1,1000}+;?|#[xX][0-9a-fA-F]{1,1000}+;?|[A-Za-z][A-Za-z0-9]{1,31}+;)"
)
_SPECIAL_UNQUOTED: Final = re.compile(r"[\s=`]")


def unescaped(raw: str) -> str:
    """What a text with references says."""
    return _REFERENCE.sub(lambda match: html.unescape(match[0]), raw) if "&" in raw else raw


def in_markup(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of text, and of attributes between quotes."""
    return mapped(changes, _units(raw), html.escape)


def in_unquoted(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of an attribute without quotes (HTML section 13.1.2.3)."""
    return mapped(
        changes,
        _units(raw),
        lambda new: _SPECIAL_UNQUOTED.sub(lambda mark: f"&#{ord(mark[0])};", html.escape(new)),
    )


def in_tag(_raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of markup that is looked at as it is written."""
    return [Change(change.start, change.end, html.escape(change.text)) for change in changes]


def in_comment(_raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of a comment, in which nothing is escaped and `--` may not be (XML 1.0, 2.5)."""
    return [
        Change(change.start, change.end, change.text.replace("-", "\u2010"))
        if "-" in change.text
        else change
        for change in changes
    ]


def in_cdata(_raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of a CDATA section, which ends at the first `]]>` (XML 1.0 section 2.7)."""
    return [
        Change(change.start, change.end, change.text.replace("]]>", "]]]]><![CDATA[>"))
        for change in changes
    ]


def _units(raw: str) -> list[Unit]:
    return [
        Unit(match.start(), match.end(), len(html.unescape(match[0])))
        for match in _REFERENCE.finditer(raw)
    ]
