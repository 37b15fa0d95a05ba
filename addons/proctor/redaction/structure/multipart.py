"""Forms with files: `multipart/form-data` (RFC 7578), and any other multipart (RFC 2046, 5.1).

The bytes are held as Latin-1, one character a byte; each part is read in its own charset.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from proctor.redaction.model import Change
from proctor.redaction.structure.charset import LATIN1, UTF8, charset_of
from proctor.redaction.structure.headers import in_field
from proctor.redaction.structure.layout import Layout, Path, Place, within
from proctor.redaction.structure.media import Media, is_binary, parse_media
from proctor.redaction.structure.names import shown

_HEADERS_END: Final = re.compile(r"\r?\n\r?\n")
_LINE: Final = re.compile(r"(?P<name>[\w-]{1,64}):[ \t]*+(?P<value>[^\r\n]*+)|[^\r\n]++")
_NAME: Final = re.compile(r';[ \t]*name="([^"]*)"', re.IGNORECASE)
_FILE: Final = re.compile(r";[ \t]*filename\*?=", re.IGNORECASE)
_MAX_BOUNDARY: Final = 70  # RFC 2046 section 5.1.1

type AddPart = Callable[[Layout, int, Media, str, str, Path], None]
"""Adds the leaves of a holder, given its media type, location, key and path."""


class _Part(NamedTuple):
    location: str
    name: str
    path: Path
    media: Media


def boundary_of(media: Media) -> str:
    """The boundary of a multipart body; "" where it is none, or names none that may be one."""
    boundary = media.parameters.get("boundary", "")
    fits = media.type.startswith("multipart/") and len(boundary) <= _MAX_BOUNDARY
    return boundary if fits and boundary.isascii() else ""


def add_multipart(  # noqa: PLR0913, PLR0917  # what the parts stand in, and what reads them
    layout: Layout, holder: int, boundary: str, add_part: AddPart, prefix: str = "", path: Path = ()
) -> None:
    """Add the leaves of a multipart body, headers of the parts included.

    Args:
        layout: What they are added to.
        holder: The body, as Latin-1.
        boundary: Between the parts.
        add_part: Adds the leaves of a part's content.
        prefix: What the locations begin with.
        path: What the paths begin with.

    Raises:
        RedactionError: `redaction-size`, or `redaction-decoder` for a part's charset.
    """
    text = layout.text(holder)
    delimiter = re.compile(rf"(?:\A|\r?\n)--{re.escape(boundary)}(?:--)?[ \t]*+(?=\r?\n|\Z)")
    end = 0
    number = -1  # what stands before the first delimiter is no part
    for found in (*delimiter.finditer(text), None):
        stop = found.start() if found else len(text)
        split = _HEADERS_END.search(text, end, stop) if number >= 0 else None
        if split is None:
            _add_raw(layout, holder, end, stop, f"{prefix}[{number}]" if number >= 0 else prefix)
        else:
            part = _add_headers(layout, holder, end, split.start(), number, prefix, path)
            _add_content(layout, holder, split.end(), stop, part, add_part)
        number += 1
        end = found.end() if found else stop


def _add_headers(  # noqa: PLR0913, PLR0917  # where they stand
    layout: Layout, holder: int, start: int, end: int, number: int, prefix: str, path: Path
) -> _Part:
    """Add a part's headers (RFC 7578 section 4), and tell what they say of it."""
    text = layout.text(holder)
    lines = list(_LINE.finditer(text, start, end))
    said = {(line["name"] or "").lower(): line["value"] for line in lines if line["name"]}
    disposition = said.get("content-disposition", "")
    named = _NAME.search(disposition)
    name = _as_utf8(named[1]) if named else ""
    location = within(prefix) + shown(name) if named else f"{prefix}[{number}]"
    for line in lines:
        group: str | int = "value" if line["name"] else 0
        header = (line["name"] or "").lower()
        if line[group]:
            layout.add(
                _as_utf8(line[group]),
                f"{location}#{shown(header)}",
                header,
                holder,
                *line.span(group),
                in_part_header,
                path,
                Place.NAME,
            )
    declared = said.get("content-type", "")
    is_field = not declared and not _FILE.search(disposition)
    media = Media("text/plain") if is_field else parse_media(declared)
    return _Part(location, name, (*path, name if named else number), media)


def _add_content(  # noqa: PLR0913, PLR0917  # where it stands
    layout: Layout, holder: int, start: int, end: int, part: _Part, add_part: AddPart
) -> None:
    raw = LATIN1.encode(layout.text(holder)[start:end])
    if not raw:
        return
    if is_binary(raw, part.media):
        layout.skip("binary", len(raw), part.location, raw)
        return
    charset = LATIN1 if boundary_of(part.media) else charset_of(raw, part.media.charset)
    said = charset.decode(raw)
    inner = layout.hold(said, holder, start, end, charset.codec)
    if inner is None:
        layout.add(
            said, part.location, part.name, holder, start, end, charset.codec, part.path, Place.HERE
        )
    else:
        add_part(layout, inner, part.media, part.location, part.name, part.path)


def _add_raw(layout: Layout, holder: int, start: int, end: int, location: str) -> None:
    """Add what is no part: a preamble, an epilogue, a part without end of its headers."""
    raw = layout.text(holder)[start:end]
    if raw and not raw.isspace():
        layout.add(
            _as_utf8(raw), location or "body", "", holder, start, end, UTF8.codec, (), Place.HERE
        )


def in_part_header(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of a part's header; a quote is written as browsers do (RFC 7578 section 2)."""
    quoted = [
        Change(change.start, change.end, change.text.replace('"', "%22")) for change in changes
    ]
    return UTF8.codec(raw, in_field(raw, quoted))


def _as_utf8(raw: str) -> str:
    return UTF8.decode(LATIN1.encode(raw))
