"""The target of a request: its path and its query (RFC 9112 section 3.2, RFC 3986)."""

import re
from typing import Final

from proctor.redaction.structure.charset import UTF8
from proctor.redaction.structure.forms import add_form
from proctor.redaction.structure.layout import BODY, Layout, Place
from proctor.redaction.structure.percent import in_url, unquoted

_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://(?P<authority>[^/?#]*)")


def read_url(target: bytes) -> Layout:
    """The leaves of a target: who it names as user, its path, and the fields of its query.

    The path is one leaf, since keys stand across several segments of it. The host is none: a
    changed host would be another destination, which is the business of rules.

    Args:
        target: In origin form, or absolute.

    Raises:
        RedactionError: `redaction-size`.
    """
    text = UTF8.decode(target)
    layout = Layout(text)
    at = 0
    if origin := _ORIGIN.match(text):
        at = origin.end()
        start, end = origin.start("authority"), text.rfind("@", 0, at)
        if end > start:
            user = unquoted(text[start:end], plus=False)
            layout.add(user, "userinfo", "", BODY, start, end, in_url, ("userinfo",), Place.HERE)
    query = text.find("?", at)
    end = len(text) if query < 0 else query
    path = unquoted(text[at:end], plus=False)
    if path.strip("/"):
        layout.add(path, "path", "", BODY, at, end, in_url, ("path",), Place.HERE)
    if query >= 0:
        add_form(layout, BODY, start=query + 1, prefix="query", path=("query",))
    return layout
