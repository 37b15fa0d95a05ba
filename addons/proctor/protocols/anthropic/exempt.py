"""Which strings of a message must stay as they are, and so are no business of redaction.

Three kinds: what is signed or encrypted and would be refused if it changed; what is no text, namely
images and PDF documents; and the protocol's own words, such as ids and types. Only what looks like
its kind is exempt: text in an image's place, or in an id's, is looked at like any other. Inputs of
tools, and schemas, are somebody else's JSON: nothing in them is exempt.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from proctor.redaction.structure.names import like_value

type Path = tuple[str | int, ...]

SIGNED: Final = "signed"
ENCRYPTED: Final = "encrypted"
IMAGE: Final = "image"
DOCUMENT: Final = "document"
PROTOCOL: Final = "protocol"

_MAX_DEPTH: Final = 16  # of blocks in blocks; what is deeper is looked at
_HEAD: Final = 24  # characters of base64, a multiple of four, that show how the data begins
_OPAQUE: Final = re.compile(r"[A-Za-z0-9+/=_.:-]++")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*+={0,2}")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ID: Final = re.compile(
    r"(?:toolu|srvtoolu|mcptoolu|msg|req|file|container|call|compaction)_[A-Za-z0-9_-]{1,64}"
)
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MAGIC: Final = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "application/pdf": re.compile(rb"%PDF-"),
}
_WORDS: Final = {
    "type": _WORD,
    "role": re.compile(r"user|assistant|system"),
    "id": _ID,
    "tool_use_id": _ID,
    "file_id": _ID,
    "name": _TOOL_NAME,
    "model": re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]{0,127}"),
    "stop_reason": _WORD,
    "ttl": re.compile(r"[0-9]{1,3}[mh]"),  # of cache_control
}
_SIGNED_TEXT: Final = {"thinking": "thinking", "compaction": "content"}
_ENCRYPTED: Final = ("encrypted_content", "encrypted_index", "encrypted_stdout")
# Members whose values are blocks again, or parts of blocks in the protocol's own words.
_PARTS: Final = (
    *("messages", "system", "tools", "tool_choice"),
    *("content", "citations", "source", "cache_control"),
)


def exempt(element: Any) -> dict[Path, str]:
    """Strings of a message, a tool, a content block or a whole body that are not to be changed.

    Args:
        element: Parsed from strict JSON, in which no name is given twice.

    Returns:
        Reasons by path from the element: `signed`, `encrypted`, `image`, `document`, `protocol`.
    """
    found: dict[Path, str] = {}
    _gather(element, (), 0, found)
    return found


def _gather(value: Any, path: Path, depth: int, found: dict[Path, str]) -> None:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            _gather(item, (*path, index), depth + 1, found)
    elif isinstance(value, dict):
        for name, reason in (*_words(value), *_signed(value), *_media(value)):
            found[(*path, name)] = reason
        for name in _PARTS:
            if name in value:
                _gather(value[name], (*path, name), depth + 1, found)


def _words(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in block.items():
        if not isinstance(value, str):
            continue
        shape = _WORDS.get(name)
        # An id is random; any other word that looks like a value is looked at.
        if shape and shape.fullmatch(value) and (shape is _ID or not like_value(value)):
            yield name, PROTOCOL
        elif name in _ENCRYPTED and _OPAQUE.fullmatch(value):
            yield name, ENCRYPTED


def _signed(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A signature covers the text beside it, which must come back as it was."""
    kind = block.get("type")
    if kind == "redacted_thinking" and _is(block.get("data"), _OPAQUE):
        yield "data", SIGNED
    text = _SIGNED_TEXT.get(kind) if isinstance(kind, str) else None
    if text and _is(block.get("signature"), _OPAQUE):
        yield "signature", SIGNED
        if isinstance(block.get(text), str):
            yield text, SIGNED


def _media(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    media = source.get("media_type")
    if source.get("type") == "base64" and _is_media(source.get("data"), media):
        yield "data", DOCUMENT if media == "application/pdf" else IMAGE
        yield "media_type", PROTOCOL


def _is(value: Any, shape: re.Pattern[str]) -> bool:
    return isinstance(value, str) and shape.fullmatch(value) is not None


def _is_media(data: Any, media: Any) -> bool:
    """Whether these are base64 data that begin as this type of media does."""
    magic = _MAGIC.get(media) if isinstance(media, str) else None
    if magic is None or not _is(data, _BASE64):
        return False
    try:
        head = base64.b64decode(data[:_HEAD] if len(data) > _HEAD else data)
    except binascii.Error:
        return False
    return magic.match(head) is not None
