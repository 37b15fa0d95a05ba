"""Any body of HTTP, read as what it says it is, or as what it is."""

import re
from collections.abc import Mapping
from typing import Final

from proctor.redaction.structure.charset import LATIN1, charset_of
from proctor.redaction.structure.codec import verbatim
from proctor.redaction.structure.csvdoc import add_table
from proctor.redaction.structure.forms import add_form
from proctor.redaction.structure.jsondoc import add_any_json, add_json_lines
from proctor.redaction.structure.layout import BODY, Layout, Path, Place
from proctor.redaction.structure.media import Media, is_binary, parse_media
from proctor.redaction.structure.multipart import add_multipart, boundary_of
from proctor.redaction.structure.xmldoc import add_markup

_JSON: Final = re.compile(r".*[/+]json")
_JSON_LINES: Final = re.compile(
    r"application/(?:x-|ld-)?(?:ndjson|jsonl|jsonlines)|application/json-seq"
)
_MARKUP: Final = re.compile(r".*[/+]xml|text/html")
_TABLE: Final = re.compile(r"(?:text|application)/(?:csv|tab-separated-values)")
_FORM: Final = "application/x-www-form-urlencoded"
# What no writer of forms leaves as it is (WHATWG URL, 5.2); other tools call any text a form.
_NO_FORM: Final = re.compile(r"[\s\"<>{}`\\^|]")
_LOOKS_LIKE_JSON: Final = re.compile(r"\ufeff?[ \t\r\n\x1e]*[\[{]")
_LOOKS_LIKE_XML: Final = re.compile(r"\ufeff?<\?xml[ \t\r\n]")


def read_body(
    body: bytes, content_type: str, *, exempt: Mapping[Path, str] | None = None
) -> Layout:
    """Read a body without content coding.

    What is not as its type says is looked at as plain text. Only what is binary has no leaves.

    Args:
        body: The whole body.
        content_type: Of the header; "" if there is none.
        exempt: Strings of a JSON body that are not looked at, by path, and why.

    Raises:
        RedactionError: `redaction-decoder` for a charset that is not known, or bytes that are
            none of it; `redaction-size`.
    """
    media = parse_media(content_type)
    if boundary_of(media):
        layout = Layout(LATIN1.decode(body), LATIN1)
        _add(layout, BODY, media, "", "", ())
    elif is_binary(body, media):
        layout = Layout(LATIN1.decode(body), LATIN1)
        layout.skip("binary", len(body), "body", body)
    else:
        charset = charset_of(body, media.charset)
        layout = Layout(charset.decode(body), charset)
        if not (exempt and add_any_json(layout, BODY, exempt=exempt)):
            _add(layout, BODY, media, "", "", ())
    return layout


def _add(  # noqa: PLR0913, PLR0917  # what a content stands in
    layout: Layout, holder: int, media: Media, location: str, key: str, path: Path
) -> None:
    """Add the leaves of a content of this type."""
    text = layout.text(holder)
    if boundary := boundary_of(media):
        add_multipart(layout, holder, boundary, _add, location, path)
    elif _JSON_LINES.fullmatch(media.type):
        add_json_lines(layout, holder, prefix=location, path=path)
    elif _TABLE.fullmatch(media.type):
        tabs = "tab" in media.type
        add_table(layout, holder, separator="\t" if tabs else "", prefix=location, path=path)
    elif _MARKUP.fullmatch(media.type) or (
        _LOOKS_LIKE_XML.match(text) and not _JSON.fullmatch(media.type)
    ):
        html = media.type == "text/html"
        add_markup(layout, holder, html=html, prefix=location, path=path)
    elif media.type == _FORM and not _NO_FORM.search(text):
        add_form(layout, holder, prefix=location, path=path)
    elif text and not (
        (_JSON.fullmatch(media.type) or _LOOKS_LIKE_JSON.match(text))
        and add_any_json(layout, holder, prefix=location, path=path, key=key)
    ):
        where = location or "body"
        layout.add(text, where, key, holder, 0, len(text), verbatim, path, Place.HERE)
