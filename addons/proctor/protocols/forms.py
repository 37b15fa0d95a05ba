"""Forms as plain data, for rules to look into: read in one way, or not at all.

`application/x-www-form-urlencoded` (WHATWG URL, 5.1) and `multipart/form-data` (RFC 7578). A form
that two servers may read differently is not read: a rule must not judge one meaning while the
server acts on another. What is taken out of a form is found elsewhere, in `redaction.structure`,
which has to look at every byte, whatever it means.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from proctor.redaction.structure.media import Media
from proctor.redaction.structure.multipart import boundary_of

MAX_TEXT: Final = 256 * 1024
"""Bytes of names and values; of files only the size is told."""
MAX_FIELDS: Final = 1000
URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

# RFC 9110 section 5.6.6, without anything between or after the parameters.
_MEDIA: Final = re.compile(
    r"[ \t]*+([\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127})[ \t]*+"
    r"((?:;[ \t]*+(?:[\w!#$&^.+*-]++=(?:\"[^\"\\]*+\"|[^;\"\s,]*+))?[ \t]*+)*+)",
    re.ASCII,
)
_PARAMETER: Final = re.compile(r"([\w!#$&^.+*-]++)=(\"[^\"\\]*+\"|[^;\"\s,]*+)", re.ASCII)
_HALF_ESCAPE: Final = re.compile(rb"%(?![0-9a-fA-F]{2})")
_FIELD: Final = re.compile(r"([\w-]{1,64}):[ \t]*+([^\r\n\0]*+)", re.ASCII)
# RFC 7578 section 4.2. Browsers write a quote as %22 (WHATWG HTML, 4.10.21.8); a backslash or an
# encoded name (RFC 5987, which section 4.2 forbids) is read differently from server to server.
_DISPOSITION: Final = re.compile(
    r"form-data[ \t]*+;[ \t]*+name=\"([^\"\\]*+)\"(?:[ \t]*+;[ \t]*+filename=\"([^\"\\]*+)\")?+",
    re.IGNORECASE,
)
_PLAIN_CODINGS: Final = frozenset(("", "7bit", "8bit", "binary"))
_PART_HEADERS: Final = frozenset(
    ("content-disposition", "content-type", "content-length", "content-transfer-encoding")
)
_MAX_HEADERS: Final = 4096

type File = dict[str, str | int]
"""`filename` and `content_type` as sent, `size` in bytes."""
type Value = str | File | list[str | File]


def read_form(body: bytes, content_type: str) -> dict[str, Value] | None:
    """The fields of a form by name; a name that comes several times has a list.

    Args:
        body: Without content coding.
        content_type: The header field.

    Returns:
        A str for each text, a `File` for each file. None where it is no form, cannot be read, is
        too large, or could be read in two ways.
    """
    media = _media(content_type)
    if media is None or media.charset.lower() not in ("", "utf-8", "utf8"):
        return None
    try:
        if media.type == URLENCODED:
            return _collected(_pairs(body))
        if media.type == MULTIPART and boundary_of(media):
            return _collected(_parts(body, boundary_of(media).encode()))
    except (_UnreadableError, UnicodeDecodeError):
        return None
    return None


class _UnreadableError(Exception):
    pass


def _media(content_type: str) -> Media | None:
    """The media type, if each parameter is given once and in full (RFC 9110 section 8.3.1)."""
    found = _MEDIA.fullmatch(content_type)
    if found is None:
        return None
    said = _PARAMETER.findall(found[2])
    parameters = {name.lower(): value.strip('"') for name, value in said}
    if len(parameters) != len(said) or any("*" in name for name in parameters):
        return None
    return Media(found[1].lower(), parameters)


def _collected(fields: Iterator[tuple[str, str | File]]) -> dict[str, Value]:
    form: dict[str, Value] = {}
    for count, (name, value) in enumerate(fields):
        if count == MAX_FIELDS:
            raise _UnreadableError
        before = form.get(name)
        if before is None:
            form[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            form[name] = [before, value]
    # It renames the charset of the other fields (RFC 7578 section 4.6).
    if form.get("_charset_", "utf-8") not in ("utf-8", "UTF-8"):
        raise _UnreadableError
    return form


def _pairs(body: bytes) -> Iterator[tuple[str, str]]:
    # A `;` separates fields for some servers and not for others.
    if len(body) > MAX_TEXT or b";" in body or _HALF_ESCAPE.search(body):
        raise _UnreadableError
    for pair in body.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            yield _unquoted(name), _unquoted(value)


def _unquoted(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode()


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, str | File]]:
    """The parts, where every `--boundary` in the body is a delimiter beyond doubt.

    RFC 2046 section 5.1.1 lets text stand before the first and after the last; no client of forms
    sends any, and what some servers skip others read.
    """
    delimiter = b"--" + boundary
    if not body.startswith(delimiter):
        raise _UnreadableError
    taken = 0
    start = len(delimiter)
    while body[start : start + 2] == b"\r\n":
        end = body.find(delimiter, start)
        if end < 0 or body[end - 2 : end] != b"\r\n" or end - 2 < start + 2:
            raise _UnreadableError
        split = body.find(b"\r\n\r\n", start + 2, min(end, start + _MAX_HEADERS))
        if split < 0:
            raise _UnreadableError
        name, value = _part(body[start + 2 : split], body, split + 4, end - 2, MAX_TEXT - taken)
        taken += split - start + (len(value) if isinstance(value, str) else 0)
        yield name, value
        start = end + len(delimiter)
    if body[start:] not in (b"--", b"--\r\n"):
        raise _UnreadableError


def _part(head: bytes, body: bytes, start: int, end: int, room: int) -> tuple[str, str | File]:
    """One part's name and value; `room` is how many bytes of text may still come."""
    said: dict[str, str] = {}
    for line in head.decode().split("\r\n"):
        field = _FIELD.fullmatch(line)
        if field is None or field[1].lower() in said or field[1].lower() not in _PART_HEADERS:
            raise _UnreadableError
        said[field[1].lower()] = field[2].rstrip(" \t")
    disposition = _DISPOSITION.fullmatch(said.get("content-disposition", ""))
    coding = said.get("content-transfer-encoding", "").lower()
    if disposition is None or coding not in _PLAIN_CODINGS or end < start:
        raise _UnreadableError
    name, filename = disposition[1], disposition[2]
    content_type = said.get("content-type", "")
    media = _media(content_type or "text/plain")
    if media is None:
        raise _UnreadableError
    if filename is not None or not (media.textual or media.charset):
        size = end - start
        return name, {"filename": filename or "", "content_type": content_type, "size": size}
    if media.charset.lower() not in ("", "utf-8", "utf8", "us-ascii") or end - start > room:
        raise _UnreadableError
    return name, body[start:end].decode()
